"""
A campaign of kills of backup commands: ``python -m tests.e2e.backup_campaign --kills 1000 --seed 0``, or ``make backups``.

Each seed is one kill (``tests/e2e/backup_kills.py``); the same stores serve ``ROUND`` kills. The next campaign goes on at
the next seed. The result is appended to docs/evidence.md; Ctrl-C ends a campaign, and what was judged until then counts.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from tests import campaigns
from tests.campaigns import say
from tests.cli import starting
from tests.e2e.backup_kills import COMMANDS, Round, Verdict

ROUND: Final = 3 * len(COMMANDS)
SECTION: Final = """\
## Kills of backup commands (`make backups KILLS=1000 SEED=0`)

A process that backs up, prunes, verifies, restores (what is missing; exactly; a lost store; with the recovery code), splits
a copy, makes a recovery code, or exports or imports a bundle is killed with SIGKILL at a drawn share of its usual running
time ([how](../tests/e2e/backup_kills.py)). Then the command is given again and must end as if nothing had happened; nothing
acknowledged is lost, all backups hold, and nothing is left behind. *Late* are kills that came after the command's end.

| time (UTC) | commit | seeds | verdict | kills (late) | of which | took |
|---|---|---|---|---|---|---|
"""


def run(first: int, count: int) -> Iterator[Verdict]:
    """Kill once for each seed, and yield what came of it; new stores are made after a fault, and those at fault are kept."""
    usual: dict[str, float] = {}
    seeds = list(range(first, first + count))
    while seeds:
        folder = Path(tempfile.mkdtemp(prefix="edda-backup-kills-"))
        round_, begun = Round(folder, usual), seeds[0]
        for _ in range(min(ROUND, len(seeds))):
            verdict = round_.kill(seeds.pop(0))
            yield verdict
            if verdict.faults:
                say(f"\nseed {verdict.seed}, {verdict.command}: {'; '.join(verdict.faults)}\n")
                again = f"python -m tests.e2e.backup_campaign --seed {begun} --kills {verdict.seed - begun + 1}"
                say(f"its stores are in {folder}; again: {again}\n")
                break
        else:
            shutil.rmtree(folder)


def row(verdicts: Sequence[Verdict], took_s: float) -> str:
    """Return a campaign's row for docs/evidence.md."""
    failed = [verdict.seed for verdict in verdicts if verdict.faults]
    kinds = Counter(verdict.command for verdict in verdicts if verdict.was_killed)
    late = sum(not verdict.was_killed for verdict in verdicts)
    return campaigns.row(
        f"{verdicts[0].seed}-{verdicts[-1].seed}",
        failed,
        f"{len(verdicts):,} ({late})",
        ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items())),
        f"{took_s:,.0f} s",
    )


def main() -> int:
    """Run a campaign and write down its result."""
    chosen = campaigns.command_line(
        "Kill backup commands again and again, and look what is left.", "kills", 1_000
    ).parse_args()
    os.environ["EDDA_KEYRING"] = "off"
    try:
        return campaigns.carry_out(SECTION, run(chosen.seed, chosen.kills), row, what="kills")
    finally:
        starting.end()


if __name__ == "__main__":
    sys.exit(main())
