"""
A campaign of kills: ``python -m tests.e2e.kill_campaign --runs 1000 --seed 0``, or ``make kill``.

Each seed is one kill; a store serves ``ROUND`` kills with neighbouring seeds. The next campaign goes on at seed + runs.
The result is appended to docs/evidence.md. A failure names the seeds that repeat it, and keeps its stores.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import statistics
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from tests import campaigns
from tests.campaigns import say
from tests.e2e.kill import Round, Verdict

ROUND: Final = 20  # kills of one store: old enough to have a past, small enough to be folded anew after each kill
SECTION: Final = """\
## Kills (`make kill RUNS=1000 SEED=0`)

A device process is killed with SIGKILL at a random moment while it writes with two writers and syncs with its peer. Then
its store is opened and compared with what it had acknowledged, and with its log; it is started again, and both are proved
equal. *Kills* are those while it opened / wrote / made a large change. *Kept* are operations that had begun, were not
acknowledged, and were whole on disk; the others left no trace.

| time (UTC) | commit | seeds | verdict | kills | acknowledged | in flight (kept) | opening: median, slowest | took |
|---|---|---|---|---|---|---|---|---|
"""


def run(first: int, runs: int) -> Iterator[Verdict]:
    """Kill once for each seed, and yield what came of it; a round ends at its first fault."""
    for start in range(first, first + runs, ROUND):
        folder = Path(tempfile.mkdtemp(prefix="edda-kill-"))
        verdicts = asyncio.run(_round(range(start, min(start + ROUND, first + runs)), folder))
        yield from verdicts
        if verdicts[-1].faults:
            _report(verdicts[-1], start, folder)
        else:
            shutil.rmtree(folder)


async def _round(seeds: range, folder: Path) -> list[Verdict]:
    """Kill one device again and again."""
    verdicts: list[Verdict] = []
    async with Round(folder) as round_:
        for seed in seeds:
            verdicts.append(await round_.kill(seed))
            if verdicts[-1].faults:
                break
    return verdicts


def _report(verdict: Verdict, start: int, folder: Path) -> None:
    again = f"python -m tests.e2e.kill_campaign --seed {start} --runs {verdict.seed - start + 1}"
    say(f"\nseed {verdict.seed} failed ({verdict.moment}); its stores are in {folder}; again: {again}\n")
    say("".join(f"  {fault}\n" for fault in verdict.faults))


def row_of(verdicts: Sequence[Verdict], took_s: float) -> str:
    """Return a campaign's row for docs/evidence.md."""
    failed = [verdict.seed for verdict in verdicts if verdict.faults]
    moments = [sum(verdict.moment == moment for verdict in verdicts) for moment in ("opening", "writing", "large")]
    opened_ms = sorted(verdict.opened_s * 1000 for verdict in verdicts)
    in_flight, kept = (sum(getattr(verdict, name) for verdict in verdicts) for name in ("in_flight", "survived"))
    return campaigns.row(
        f"{verdicts[0].seed}-{verdicts[-1].seed}",
        failed,
        f"{len(verdicts)}: {moments[0]} / {moments[1]} / {moments[2]}",
        f"{sum(verdict.acknowledged for verdict in verdicts):,}, none lost" if not failed else "see the failures",
        f"{in_flight:,} ({kept:,})",
        f"{statistics.median(opened_ms):.1f} ms, {opened_ms[-1]:.1f} ms",
        f"{took_s:,.0f} s",
    )


def main() -> int:
    """Run a campaign and write down its result."""
    parser = campaigns.command_line("Kill a device process again and again, and look what is left.", "runs", 1_000)
    chosen = parser.parse_args()
    os.environ["EDDA_KEYRING"] = "off"
    return campaigns.carry_out(SECTION, run(chosen.seed, chosen.runs), row_of, what="kills")


if __name__ == "__main__":
    sys.exit(main())
