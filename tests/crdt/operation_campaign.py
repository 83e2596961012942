"""
A campaign of operations: ``python -m tests.crdt.operation_campaign --operations 200000 --seed 0``, or ``make operations``.

Each seed is the log of one member who writes anything: valid operations, and operations with wrong types, ids, cells or
bytes. The log is folded three times: each change in a transaction of its own; many changes in one transaction, which are
written out now and then; and anew from an empty view. All three results must be equal, and every state that was written
must be readable. The next campaign goes on at the seed after the last. The result is appended to docs/evidence.md.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from typing import Any, Final, NamedTuple

import msgspec

from edda_sync.crdt import operation as ops
from edda_sync.crdt import state
from edda_sync.fold.fold import Fold
from edda_sync.store.delta import apply
from edda_sync.store.seams import Head, Logged, StoreWriter
from edda_sync.words.model import KINDS
from tests import campaigns
from tests.campaigns import say
from tests.crdt.histories import ACTORS, header_of
from tests.crdt.works import DOCUMENT, OTHER, TABLET_ID, TAG, TAG_BYTES, TASK
from tests.fold.folded import AUTHOR, Folded, all_of

BATCH: Final = 25  # seeds that one process runs at a time
CHANGES: Final = 60  # changes of one log
OPERATIONS_MAX: Final = 4  # operations of one change
SECTION: Final = """\
## Operations (`make operations OPERATIONS=200000 SEED=0`)

Each seed is the log of a member who writes anything: about half of the operations are valid, the others have wrong
types, ids, cells or bytes. It is folded change by change, many changes at once, and anew from an empty view.
*Differences* are states, hashes, rows, conflicts, and refused or waiting operations that are not the same each time,
and states that cannot be read back.

| time (UTC) | commit | seeds | differences | operations | refused | waiting | took |
|---|---|---|---|---|---|---|---|
"""

A: Final = ACTORS[0]
IDS: Final = (TASK, DOCUMENT, OTHER, TAG_BYTES, TABLET_ID, bytes(16))
CELLS: Final = (
    "title", "description", "content", "status", "priority", "due_date", "parent_id", "created_at", "name", "record",
    "color", "metadata.a", "agent_context.b", f"tag.{TAG}", "epoch.00", "unheard", "",
)  # fmt: skip
SOUND: Final[dict[str, tuple[Any, ...]]] = {
    "title": ("one", "two", "three"), "description": ("words", "other words", None), "content": ("text", None),
    "status": ("open", "blocked", ["done", "2026-03-01T09:30:00.000Z"]), "priority": (0, 2, 4),
    "parent_id": (OTHER, TASK, None), "due_date": ("2026-03-01T09:30:00.000Z", None), "metadata.a": ('"x"', "1", None),
    f"tag.{TAG}": (True, None), "name": ("work",),
}  # fmt: skip


OF_KIND: Final[dict[str, tuple[str, ...]]] = {
    "task": ("title", "description", "status", "priority", "parent_id", "due_date", "metadata.a", f"tag.{TAG}"),
    "document": ("title", "content", "metadata.a", f"tag.{TAG}"),
    "tag": ("name", "color", "created_at"),
    "device": ("name", "record"),
    "workspace": ("epoch.00",),
}


class Verdict(NamedTuple):
    """The results of some seeds."""

    operations: int
    refused: int
    waiting: int
    faults: dict[int, str]


class Author:
    """
    Writes operations, valid and invalid.

    Args:
        seed: The seed of its random choices.
    """

    def __init__(self, seed: int) -> None:
        self._draw = random.Random(seed)
        # An operation that a newer version may know makes all later ones on the same entity wait: most logs have none.
        self._is_newer = self._draw.random() < 0.2

    def changes(self) -> list[list[bytes]]:
        """Return a log: the operations of each change, encoded."""
        return [[self._operation() for _ in range(self._draw.randint(1, OPERATIONS_MAX))] for _ in range(CHANGES)]

    def _operation(self) -> bytes:
        draw = self._draw
        if draw.random() < 0.03:
            return draw.randbytes(draw.randrange(20))
        fields = draw.choice((self._put, self._put, self._put, self._edit, self._delete, self._touch))()
        if draw.random() < 0.25:
            fields[draw.randrange(0 if self._is_newer else 2, len(fields))] = self._anything(3)
        if draw.random() < 0.05:
            fields = fields[: draw.randrange(len(fields))] or [self._anything(1)]
        return msgspec.msgpack.encode(fields)

    def _about(self) -> list[Any]:
        kind = self._draw.choice((*KINDS, "task", "task", "document", "project" if self._is_newer else "task"))
        return [kind, self._draw.choice(IDS)]

    def _put(self) -> list[Any]:
        kind, name = self._about()
        cells = CELLS if self._is_newer else OF_KIND[kind]
        written = self._draw.choices(cells, k=self._draw.randint(0, 3))
        return [1, kind, name, {cell: self._value(cell) for cell in written}]

    def _value(self, name: str) -> Any:
        sound = SOUND.get(name, ())
        return self._draw.choice(sound) if sound and self._draw.random() < 0.8 else self._anything(2)

    def _edit(self) -> list[Any]:
        return [2, *self._about(), self._draw.choice(("description", "content")), b"\7" * 16, self._draw.randbytes(6)]

    def _delete(self) -> list[Any]:
        return [3, *self._about(), [[A, self._draw.randint(0, CHANGES)]]]

    def _touch(self) -> list[Any]:
        return [4, *self._about()]

    def _anything(self, depth: int) -> Any:
        draw = self._draw
        if depth and draw.random() < 0.3:
            inner = [self._anything(depth - 1) for _ in range(draw.randrange(3))]
            return inner if draw.random() < 0.5 else {str(at): each for at, each in enumerate(inner)}
        return draw.choice(
            (
                None,
                True,
                0,
                -1,
                1.5,
                float("nan"),
                2**63,
                -(2**63),
                "",
                "open",
                "\x00",
                b"",
                TASK,
                A,
                msgspec.msgpack.Ext(5, b"x"),
            )
        )


def fault_of(seed: int) -> tuple[str, int, int, int]:
    """Return what is wrong with a seed's log, if anything, and how many operations it has, refuses and lets wait."""
    log, draw = Author(seed).changes(), random.Random(-seed)
    singly, together, anew = Folded(), Folded(), Folded()
    for seq, each in enumerate(log, start=1):
        singly.receive(*map(ops.decode, each), seq=seq, past={A: seq - 1} if seq > 1 else {})
    for folded, pause in ((together, 0.2), (anew, 0.0)):
        folded.store.transact(lambda tx, folded=folded, pause=pause: _fold(tx, folded, log, draw, pause))  # type: ignore[misc]
    expected = all_of(singly)
    faults = [name for name, found in (("together", all_of(together)), ("anew", all_of(anew))) if found != expected]
    for record in expected["records"]:
        entity = state.entity_of(record.key, record.state)
        if state.encode(entity) != state.state_of(record.key, record.state):
            faults.append(f"state of {record.key.hex()}")
    if not singly.is_sound():
        faults.append("scrub")
    return ", ".join(faults), sum(map(len, log)), singly.refused, singly.waiting


def _fold(tx: StoreWriter, folded: Folded, log: list[list[bytes]], draw: random.Random, pause: float) -> None:
    fold = Fold(tx, folded.texts, write=partial(apply, tx))
    for seq, each in enumerate(log, start=1):
        logged = Logged(seq, A, seq, b"%d" % seq, header_of(A, seq, 1_000 + seq), b"")
        tx.log.append(logged, Head(A, seq, logged.hash, b"\x90", b"", 0, b""))
        fold.begin(A, seq, 1_000 + seq, {A: seq - 1} if seq > 1 else {}, seq, AUTHOR)
        fold.receive(map(ops.decode, each))
        if draw.random() < pause:
            fold.flush()
    fold.flush()


def judge(first: int, count: int) -> Verdict:
    """Run some seeds."""
    operations = refused = waiting = 0
    faults = {}
    for seed in range(first, first + count):
        try:
            fault, *counted = fault_of(seed)
            operations, refused, waiting = operations + counted[0], refused + counted[1], waiting + counted[2]
        except Exception as error:  # noqa: BLE001 -- whatever it is, the seed shows it
            fault = repr(error)
        if fault:
            faults[seed] = fault
    return Verdict(operations, refused, waiting, faults)


def run(first: int, operations: int, processes: int) -> Iterator[Verdict]:
    """Run seeds until enough operations were folded, and yield the results in the order of the seeds."""
    with ProcessPoolExecutor(processes) as pool:
        folded, seed = 0, first
        while folded < operations:
            starts = [seed + BATCH * at for at in range(processes)]
            for verdict in pool.map(judge, starts, [BATCH] * processes):
                folded += verdict.operations
                for failed, fault in verdict.faults.items():
                    say(f"\nseed {failed}: {fault}\n")
                yield verdict
            seed += BATCH * processes


def row_of(verdicts: list[Verdict], first: int, took_s: float) -> str:
    """Return a campaign's row for docs/evidence.md."""
    failed = [seed for verdict in verdicts for seed in verdict.faults]
    return campaigns.row(
        f"{first}-{first + BATCH * len(verdicts) - 1}",
        failed,
        *(f"{sum(getattr(verdict, name) for verdict in verdicts):,}" for name in ("operations", "refused", "waiting")),
        f"{took_s:,.0f} s",
        held="0",
    )


def main() -> int:
    """Run a campaign and write down its result."""
    told = "Fold whatever a member may write singly, in batches and anew, and compare."
    parser = campaigns.command_line(told, "operations", 200_000, "how many operations shall be told")
    parser.add_argument("--processes", type=int, default=2, help="how many seeds run at a time")
    chosen = parser.parse_args()
    verdicts = run(chosen.seed, chosen.operations, chosen.processes)
    row = lambda judged, took_s: row_of(judged, chosen.seed, took_s)  # noqa: E731 - it needs the first seed
    return campaigns.carry_out(SECTION, verdicts, row, what=f"times {BATCH} logs")


if __name__ == "__main__":
    sys.exit(main())
