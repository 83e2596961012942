"""
A campaign of copies of store folders: ``python -m tests.e2e.copies_campaign --copies 200 --seed 0``, or ``make copies``.

Each seed is one copy (``tests/e2e/copies.py``); the same laptop and phone serve ``ROUND`` copies. The next campaign goes on
at the next seed. The result is appended to docs/evidence.md.
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
from tests.e2e.copies import Round, Verdict

ROUND: Final = 12
SECTION: Final = """\
## Copies of store folders (`make copies COPIES=200 SEED=0`)

A store's folder is copied by `cp -a` or `tar`, at rest or while `edda up` runs and others write, and is used beside its
original, on this machine, a clone of it or another one; or it is put back over its original
([how](../tests/e2e/copies.py)). A copy must begin a new life, become a device of its own by `edda split`, and sync directly
with its original; what was put back must get from the phone what that had; all are proved equal, and nothing acknowledged
is lost but what was put over and nobody else had. *Torn* are copies of a running store that are not whole, and say so.

| time (UTC) | commit | seeds | verdict | copies: beside / over / over what is left | while it ran (torn) | took |
|---|---|---|---|---|---|---|
"""


def run(first: int, count: int) -> Iterator[Verdict]:
    """Copy once for each seed, and yield what came of it; new stores are made after a fault, and those at fault are kept."""
    seeds = list(range(first, first + count))
    while seeds:
        folder = Path(tempfile.mkdtemp(prefix="edda-copies-"))
        round_, begun, is_whole = Round(folder), seeds[0], True
        for _ in range(min(ROUND, len(seeds))):
            verdict = round_.copy(seeds.pop(0))
            yield verdict
            if verdict.faults:
                again = f"python -m tests.e2e.copies_campaign --seed {begun} --copies {verdict.seed - begun + 1}"
                say(f"\n{verdict}\nits stores are in {folder}; again: {again}\n")
                is_whole = False
                break
        round_.end()
        if is_whole:
            shutil.rmtree(folder)


def row(verdicts: Sequence[Verdict], took_s: float) -> str:
    """Return a campaign's row for docs/evidence.md."""
    failed = [verdict.seed for verdict in verdicts if verdict.faults]
    ways = Counter(verdict.how for verdict in verdicts)
    running = [verdict for verdict in verdicts if verdict.when != "at rest"]
    return campaigns.row(
        f"{verdicts[0].seed}-{verdicts[-1].seed}",
        failed,
        f"{len(verdicts)}: {ways['beside']} / {ways['over']} / {ways['over what is left']}",
        f"{len(running)} ({sum(verdict.is_torn for verdict in running)})",
        f"{took_s:,.0f} s",
    )


def main() -> int:
    """Run a campaign and write down its result."""
    chosen = campaigns.command_line(
        "Copy store folders again and again, and use the copies.", "copies", 200
    ).parse_args()
    os.environ["EDDA_KEYRING"] = "off"
    try:
        return campaigns.carry_out(SECTION, run(chosen.seed, chosen.copies), row, what="copies")
    finally:
        starting.end()


if __name__ == "__main__":
    sys.exit(main())
