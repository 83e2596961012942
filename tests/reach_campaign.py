"""
A campaign of lives: ``python -m tests.reach_campaign --examples 20000 --seed 0``, or ``make reach EXAMPLES=20000``.

Each seed plays a block of random lives (:mod:`tests.lives`); one block in ten is in SQLite files, the others in memory. The
next campaign goes on at the seed after the last. The result is appended to docs/evidence.md.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Final, NamedTuple

from edda_sync.words import limits
from tests import campaigns
from tests.lives import Workspace, play
from tests.sync.newcomers import BY_SEGMENT

BLOCK: Final = 50  # lives of one seed
STEPS: Final = 40
SQLITE_ONE_IN: Final = 10
SECTION: Final = """\
## Lives (`make reach EXAMPLES=20000 SEED=0`)

Two to four devices live a random life ([how](../tests/lives.py)): every operation, with undo, revert, restore and dismiss,
syncs that are cut off, restarts, newcomers. At equal frontiers tables, digests, conflicts and trash are equal; in the end
all devices are, as is the log folded anew, and whatever a device showed after an acknowledged write is shown, in conflict
or in the history. *Noted* are such values, and *history* how many of them only the history still shows. A seed is a block
of lives.

| time (UTC) | commit | seeds | verdict | lives | noted | history | took |
|---|---|---|---|---|---|---|---|
"""


class Block(NamedTuple):
    """What came of the lives of one seed: how many there were, what was noted and looked for in the history; what failed."""

    seed: int
    lives: int
    noted: int
    history: int
    faults: tuple[str, ...]


def block(seed: int, lives: int = BLOCK, steps: int = STEPS) -> Block:
    """Play the lives of a seed."""
    noted = history = played = 0

    class Counted(Workspace):
        backend = "sqlite" if seed % SQLITE_ONE_IN == 0 else "memory"

        def teardown(self) -> None:
            nonlocal noted, history, played
            super().teardown()
            played += 1
            noted += sum(map(len, self.noted.values()))
            history += self.reached

    try:
        play(Counted, lives, steps, first=seed)
    except Exception as error:  # noqa: BLE001 - whatever a life meets is what the campaign is for
        return Block(seed, played, noted, history, (f"{type(error).__name__}: {error}",))
    return Block(seed, played, noted, history, ())


def blocks(first: int, examples: int) -> Iterator[Block]:
    """Play lives until there were so many."""
    usual, limits.SEGMENT_SAVES_US_MIN = limits.SEGMENT_SAVES_US_MIN, BY_SEGMENT  # so that newcomers take a snapshot
    try:
        lives, seed = 0, first
        while lives < examples:
            found = block(seed, min(BLOCK, examples - lives))
            for fault in found.faults:
                campaigns.say(f"\nseed {seed}: {fault}\n")
            yield found
            lives, seed = lives + BLOCK, seed + 1
    finally:
        limits.SEGMENT_SAVES_US_MIN = usual


def row(judged: list[Block], took_s: float) -> str:
    """Return the row for docs/evidence.md."""
    seeds = f"{judged[0].seed}-{judged[-1].seed}"
    counts = [f"{sum(numbers):,}" for numbers in zip(*(each[1:4] for each in judged), strict=True)]
    return campaigns.row(seeds, [each.seed for each in judged if each.faults], *counts, f"{took_s:,.0f} s")


def main() -> int:
    """Run the campaign."""
    parser = campaigns.command_line(__doc__ or "", "examples", 20_000, "how many lives")
    chosen = parser.parse_args()
    return campaigns.carry_out(SECTION, blocks(chosen.seed, chosen.examples), row, what="blocks of lives")


if __name__ == "__main__":
    sys.exit(main())
