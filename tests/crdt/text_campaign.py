"""
A campaign of histories of texts: ``python -m tests.crdt.text_campaign --lies 200000 --seed 0``, or ``make fuzz``.

Each seed is one history of some honest devices and a liar (``text_histories``), which is told in other orders and to pycrdt
(``text_witness``). The campaign ends when enough lies were accepted: refused ones only show that all refuse alike. The next
campaign goes on at the seed after the last. The result is appended to docs/evidence.md.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from typing import Final, NamedTuple

from tests import campaigns
from tests.campaigns import say
from tests.crdt.text_histories import differences, lies_accepted, make
from tests.crdt.text_witness import contradictions

BATCH: Final = 200  # seeds that one process runs at a time
SECTION: Final = """\
## Texts (`make fuzz LIES=200000 SEED=0`)

Each seed is a history of one text: two to six devices write it, each with what it has heard of, and one of them lies. A
lie changes an honest edit: its neighbours (the right one before the left one, apart, inside a character, unknown to its
author), clocks, deletions or words; or it repeats somebody's edit. The history is replayed twice in other causal
orders, with restarts and joined states in between, and given to pycrdt in a separate order, as Yjs updates.
*Differences* are verdicts, strings, states or hashes that are not the same everywhere, honest edits that were refused,
and orders of units that pycrdt contradicts. *Accepted* are lies that became part of the text; all others were refused
everywhere.

| time (UTC) | commit | seeds | differences | edits | lies | accepted | told | took |
|---|---|---|---|---|---|---|---|---|
"""


class Verdict(NamedTuple):
    """The results of some seeds."""

    edits: int
    lies: int
    accepted: int
    changes: int
    faults: dict[int, list[str]]


def judge(first: int, count: int) -> Verdict:
    """Run some seeds."""
    numbers: Counter[str] = Counter()
    faults = {}
    for seed in range(first, first + count):
        try:
            history = make(seed)
            found = [*differences(history, seed), *contradictions(history, seed)]
            numbers["accepted"] += lies_accepted(history)
            numbers["edits"] += sum(len(change.edits) for change in history.changes)
            numbers["lies"] += sum(len(change.edits) for change in history.changes if change.is_lie)
            numbers["changes"] += len(history.changes) * (len(history.devices) + 3)
        except Exception as error:  # noqa: BLE001 -- whatever it is, the seed shows it
            found = [repr(error)]
        if found:
            faults[seed] = found
    return Verdict(numbers["edits"], numbers["lies"], numbers["accepted"], numbers["changes"], faults)


def run(first: int, lies: int, processes: int) -> Iterator[Verdict]:
    """Run seeds until enough lies were accepted, and yield the results in the order of the seeds."""
    with ProcessPoolExecutor(processes) as pool:
        accepted, seed = 0, first
        while accepted < lies:
            starts = [seed + BATCH * at for at in range(processes)]
            for verdict in pool.map(judge, starts, [BATCH] * processes):
                accepted += verdict.accepted
                for failed, found in verdict.faults.items():
                    say(
                        f"\nseed {failed}: {found[0]}\nagain: python -m tests.crdt.text_campaign --lies 1 --seed {failed}\n"
                    )
                yield verdict
            seed += BATCH * processes
            say(f"\r{accepted:,} lies accepted, seed {seed}")


def row_of(verdicts: list[Verdict], first: int, took_s: float) -> str:
    """Return a campaign's row for docs/evidence.md."""
    failed = [seed for verdict in verdicts for seed in verdict.faults]
    return campaigns.row(
        f"{first}-{first + BATCH * len(verdicts) - 1}",
        failed,
        *(f"{sum(getattr(verdict, name) for verdict in verdicts):,}" for name in ("edits", "lies", "accepted")),
        f"{sum(verdict.changes for verdict in verdicts):,} changes",
        f"{took_s:,.0f} s",
        held="0",
    )


def main() -> int:
    """Run a campaign and write down its result."""
    told = "Tell histories with a liar in them in many orders, and compare."
    parser = campaigns.command_line(told, "lies", 200_000, "how many lies shall have been accepted")
    parser.add_argument("--processes", type=int, default=2, help="how many seeds run at a time")
    chosen = parser.parse_args()
    if chosen.lies == 1:  # a failure is repeated, and nothing is written down
        verdict = judge(chosen.seed, 1)
        say("".join(f"{fault}\n" for found in verdict.faults.values() for fault in found) or "all held\n")
        return int(bool(verdict.faults))
    verdicts = run(chosen.seed, chosen.lies, chosen.processes)
    row = lambda judged, took_s: row_of(judged, chosen.seed, took_s)  # noqa: E731 - it needs the first seed
    return campaigns.carry_out(SECTION, verdicts, row, what=f"times {BATCH} histories")


if __name__ == "__main__":
    sys.exit(main())
