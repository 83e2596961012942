"""Bugs of the states in RocksDB: settlements, the folder that is read, the layers over it, and its indexes."""

from __future__ import annotations

from typing import Final

from edda_sync.simulations.bugs.planting import Bug, Edit


def _one(name: str, what: str, numbers: tuple[int, ...], where: str, before: str, after: str) -> Bug:
    return Bug(name, what, numbers, (Edit(f"store.rocks.{where}", before, after),), backend="rocksdb")


BUGS: Final[tuple[Bug, ...]] = (
    _one(
        "a settlement is only stamped",
        "A settlement stamps RocksDB, and what it was to carry over is lost: a write-ahead log that is cut too soon.",
        (0, 1, 4, 5, 8, 11),
        "settling:_carry",
        "mark.next_upto, puts, deletes, code)",
        "mark.next_upto, (), deletes, code)",
    ),
    _one(
        "a settlement is stamped too far",
        "A settlement carries over a part of what is pending, and removes all of it.",
        (0, 1, 4, 5, 8, 11),
        "settling:_carry",
        'WHERE number <= ?", (mark.next_upto,))',
        'WHERE number <= ?", (mark.last,))',
    ),
    _one(
        "an older folder is taken for the present one",
        "Any folder that some settlement of a store has left is read, as when only the sequence number of a log is checked.",
        (0, 1, 4, 5, 8, 11),
        "pending:Mark.upto_of",
        "if token == self.token:",
        "if token:",
    ),
    _one(
        "a scan ends at damage",
        "A scan that meets a damaged block ends there, in silence: the scans of the library, if nobody asks for the status.",
        (0, 1, 4, 5, 8, 11),
        "database:Settled._scan",
        "at.status()",
        "pass",
    ),
    _one(
        "the mark of what came back stays",
        "What is taken out of the trash stays in the index of what is hidden.",
        (6, 11, 12),
        "settling:_put",
        "elif was_marked:",
        "elif was_marked and letter == keys.CONFLICTS:",
    ),
    _one(
        "the oldest layer wins",
        "Of what several commits wrote since the last settlement, the first is read.",
        (0, 1, 4, 5, 6, 8, 11),
        "view:View.get",
        "self._layers[::-1]",
        "self._layers",
    ),
    Bug(
        "a new folder begins with nothing",
        "A settlement goes into a folder that is made anew, and what the former one has is not copied.",
        (0, 1, 4, 5, 8, 11),
        (
            Edit("store.rocks.settling:_begin", "mark.folder else mark.folder", 'mark.folder else f"{mark.folder}0"'),
            Edit("store.rocks.settling:_carry", "chain(_kept(base, made.keys() | set(deletes)), puts), []", "puts, []"),
        ),
        backend="rocksdb",
    ),
    _one(
        "what is hidden is settled as shown",
        "The flag of what is in the trash is lost when it is settled.",
        (0, 1, 11, 12),
        "keys:state",
        "record.hidden * HIDDEN | conflicted",
        "conflicted",
    ),
    _one(
        "a conflict is settled as resolved",
        "The index of what is in conflict is written for what is hidden only.",
        (6, 11, 12),
        "settling:_put",
        "if is_marked:",
        "if is_marked and letter == keys.HIDDENS:",
    ),
    _one(
        "a scan finds what was before, too",
        "A scan yields what was settled beside what was written since: a merge of sorted runs that compares no keys.",
        (0, 1, 11, 12),
        "view:View.scan",
        "if key not in whole.entries and not whole.hides(key)",
        "if not whole.hides(key)",
    ),
    _one(
        "what is pending is read from the second row on",
        "A process that opens a store leaves out the first of what is pending: a bound that is meant to be excluded.",
        (0, 1, 4, 5, 8, 11),
        "keeper:RocksKeeping.layers",
        "load(self._upto, mark.last))",
        "load(self._upto + 1, mark.last))",
    ),
)
