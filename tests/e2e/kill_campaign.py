"""
A campaign of kills: ``python -m tests.e2e.kill_campaign --runs 1000 --seed 0``, or ``make kill``.

Each seed is one kill; a store serves ``ROUND`` kills with neighbouring seeds. The next campaign goes on at seed + runs.
The result is appended to docs/evidence.md. A failure names the seeds that repeat it, and keeps its stores.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import datetime
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from tests.e2e.kill import Round, Verdict

ROUND: Final = 20  # kills of one store: old enough to have a past, small enough to be folded anew after each kill
EVIDENCE: Final = Path(__file__).parents[2] / "docs" / "evidence.md"
HEADER: Final = """\
# Evidence

What campaigns have shown, appended by the campaigns themselves. Each line can be repeated from its commit and seeds.

## Kills (`make kill RUNS=1000 SEED=0`)

A device process is killed with SIGKILL at a random moment while it writes with two writers and syncs with its peer. Then
its store is opened and compared with what it had acknowledged, and with its log; it is started again, and both are proved
equal. *Kills* are those while it opened / wrote / made a large change. *Kept* are operations that had begun, were not
acknowledged, and were whole on disk; the others left no trace.

| time (UTC) | commit | seeds | verdict | kills | acknowledged | in flight (kept) | opening: median, slowest | took |
|---|---|---|---|---|---|---|---|---|
"""


async def run(first: int, runs: int, verdicts: list[Verdict]) -> None:
    """Kill once for each seed, and add each result to ``verdicts``; stop a round at its first fault."""
    for start in range(first, first + runs, ROUND):
        folder = Path(tempfile.mkdtemp(prefix="edda-kill-"))
        async with Round(folder) as round_:
            for seed in range(start, min(start + ROUND, first + runs)):
                verdict = await round_.kill(seed)
                verdicts.append(verdict)
                if verdict.faults:
                    _report(verdict, start, folder)
                    break
        if not verdicts[-1].faults:
            shutil.rmtree(folder)
            _say(f"\r{len(verdicts)} kills, seed {verdicts[-1].seed}")
    _say("\n")


def _report(verdict: Verdict, start: int, folder: Path) -> None:
    again = f"python -m tests.e2e.kill_campaign --seed {start} --runs {verdict.seed - start + 1}"
    _say(f"\nseed {verdict.seed} failed ({verdict.moment}); its stores are in {folder}; again: {again}\n")
    _say("".join(f"  {fault}\n" for fault in verdict.faults))


def _say(text: str) -> None:
    sys.stderr.write(text)
    sys.stderr.flush()


def line_of(verdicts: Sequence[Verdict], took_s: float) -> str:
    """Return a campaign's line for docs/evidence.md."""
    failed = [verdict.seed for verdict in verdicts if verdict.faults]
    moments = [sum(verdict.moment == moment for verdict in verdicts) for moment in ("opening", "writing", "large")]
    opened_ms = sorted(verdict.opened_s * 1000 for verdict in verdicts)
    in_flight, kept = (sum(getattr(verdict, name) for verdict in verdicts) for name in ("in_flight", "survived"))
    fields = (
        f"{datetime.datetime.now(datetime.UTC):%Y-%m-%d %H:%M}",
        _commit(),
        f"{verdicts[0].seed}-{verdicts[-1].seed}",
        f"**failed**: {failed}" if failed else "all held",
        f"{len(verdicts)}: {moments[0]} / {moments[1]} / {moments[2]}",
        f"{sum(verdict.acknowledged for verdict in verdicts):,}, none lost" if not failed else "see the failures",
        f"{in_flight:,} ({kept:,})",
        f"{statistics.median(opened_ms):.1f} ms, {opened_ms[-1]:.1f} ms",
        f"{took_s:,.0f} s",
    )
    return f"| {' | '.join(fields)} |\n"


def write_down(line: str, path: Path = EVIDENCE) -> None:
    """Append a campaign's line, below the header that the first one makes."""
    path.parent.mkdir(exist_ok=True)
    with path.open("a") as file:
        file.write(line if file.tell() else HEADER + line)


def _commit() -> str:
    """Return the commit, with a plus if the tree differs from it."""
    try:
        described = ["git", "describe", "--always", "--dirty=+", "--exclude=*"]
        return subprocess.run(
            described, cwd=Path(__file__).parent, capture_output=True, text=True, check=True
        ).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def main() -> int:
    """Run a campaign and write down its result."""
    parser = argparse.ArgumentParser(description="Kill a device process again and again, and look what is left.")
    parser.add_argument("--runs", type=int, default=1000, help="how many kills")
    parser.add_argument("--seed", type=int, default=0, help="the first kill's seed; each kill has the next one")
    chosen = parser.parse_args()
    os.environ["EDDA_KEYRING"] = "off"
    started = time.monotonic()
    verdicts: list[Verdict] = []
    with contextlib.suppress(KeyboardInterrupt):  # the runs that are done count
        asyncio.run(run(chosen.seed, chosen.runs, verdicts))
    if verdicts:
        line = line_of(verdicts, time.monotonic() - started)
        write_down(line)
        _say(line)
    return int(not verdicts or any(verdict.faults for verdict in verdicts))


if __name__ == "__main__":
    sys.exit(main())
