"""
Unique indexes in a simulation: some runs have them. People make and drop them, use values twice, and change them around;
liars write records that are no index.

What such a run needs of chance is drawn from sources of its own, so that all other runs stay as they are. A device knows
whom its own write would clash with. So it is known beforehand which writes it has to refuse.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

import msgspec

from edda_sync.engine.engine import StorageEngine
from edda_sync.engine.transaction import Transaction
from edda_sync.simulations import oracle_uniques
from edda_sync.simulations.book import Fate
from edda_sync.simulations.checkers.uniqueness import Cells, Held, Unshared
from edda_sync.simulations.device import SimulatedDevice
from edda_sync.simulations.disk import Interrupted
from edda_sync.simulations.liars import PUT, body_of, liar_of
from edda_sync.simulations.oracle_uniques import DEFINITIONS, GROUP, Definition
from edda_sync.simulations.simulator import Simulation
from edda_sync.simulations.strange import append
from edda_sync.simulations.tape import INDEXES
from edda_sync.simulations.violation import Violation
from edda_sync.words import limits, values
from edda_sync.words.errors import (
    ClashError,
    ConflictError,
    ExistsError,
    InvalidValueError,
    LimitError,
    NotFoundError,
)
from edda_sync.words.indexes import IndexConfig
from edda_sync.words.model import Document, Task

DEEDS: Final = (8, 16, 30)
WHEN_S: Final = (0, 60)
RUSH_S: Final = 4
AT_ONCE_PERCENT: Final = 60
FIRST: Final = (DEFINITIONS[0], DEFINITIONS[0], DEFINITIONS[2])  # of a key, and of two
OFTEN: Final = (*FIRST * 2, *DEFINITIONS)
SOME: Final = 6  # items that all devices write
NAMES: Final = ("a", "b", "c", "d")
PREFIX: Final = "metadata."
KEYS: Final = ("size", "who")
HELD: Final[tuple[Any, ...]] = (1, 1, 1, 1.0, 1.0, 2, "1", "ana", "ana", True, None, [1], {"lat": 1})
RECORD: Final = DEFINITIONS[0].record


class Claiming:
    """
    Plans what people and liars do with unique indexes in a run.

    A write that would use a value twice must be refused, and so must an index where one is used twice; and nothing else.

    Args:
        sim: The simulation, whose first devices are there.
    """

    def __init__(self, sim: Simulation) -> None:
        self.sim, self._draws = sim, sim.tape.source("claims")
        self._kind = "task"  # what everybody writes at the moment, and the value
        self._held: dict[str, str] = {}
        deeds: list[Callable[[SimulatedDevice], None]] = [self._make, self._make, self._drop]
        deeds += [self._claim] * 6 + [self._add] * 4 + [self._swap] * 2 + [self._remove] * 2
        deeds += [self._add_and_end]
        if sim.tape.has(INDEXES):
            first = self._draws.pick("first", FIRST)
            sim.at(WHEN_S[0], lambda: self._do(lambda device: self._make_at(device, NAMES[1], first)))
            sim.at(RUSH_S, lambda: self._do(self._add, everybody=True))
            for _ in range(self._draws.pick("deeds", DEEDS)):
                deed = self._draws.pick("deed", deeds)
                sim.at(self._draws.seconds("when", *WHEN_S), lambda deed=deed: self._do(deed))  # type: ignore[misc]
            if "liars" in sim.profile.groups:
                for _ in range(1 + self._draws.draw("lies", 3)):
                    sim.at(self._draws.seconds("lies when", *WHEN_S), self._lie)

    def _fail(self, device: SimulatedDevice, text: str) -> None:
        raise Violation(Unshared.number, device.name, text)

    def _do(self, deed: Callable[[SimulatedDevice], None], *, everybody: bool = False) -> None:
        """Let somebody at a device do it, and often others at the same moment, who cannot know of each other."""
        awake = [device for device in self.sim.honest() if device.is_awake]
        if self.sim.is_healing or not awake:
            return
        self._kind = "document" if self._draws.chance("document", 20) else "task"
        self._held = self._value()
        several = len(awake) > 1 and self._draws.chance("at once", AT_ONCE_PERCENT)
        if not everybody:
            awake = self._draws.some("devices", awake, 2) if several else [self._draws.pick("device", awake)]
        for device in awake:
            deed(device)

    # --- indexes ------------------------------------------------------------------------------------------------------

    def _make(self, device: SimulatedDevice) -> None:
        """Somebody makes an index; now and then somebody else makes another one of the same name, or drops it."""
        name, definition = self._draws.pick("name", NAMES), self._draws.pick("definition", OFTEN)
        self._make_at(device, name, definition)
        if self._draws.chance("argued", 40):
            other = self._draws.pick("other", self.sim.honest())
            if self._draws.chance("dropped", 30):
                other.act(lambda engine: _drop(engine, name))
            else:
                self._make_at(other, name, self._draws.pick("another", DEFINITIONS))

    def _make_at(self, device: SimulatedDevice, name: str, definition: Definition) -> None:
        config = IndexConfig(
            name=name, columns=definition.columns, unique=True, where_clause=definition.where, on=definition.on
        )

        def work(engine: StorageEngine) -> None:
            with engine.store.read() as reader:
                clashes = oracle_uniques.clashes({name: definition}, Held(reader).items())
            try:
                engine.indexes.create(name, config.columns, unique=True, where_clause=config.where_clause, on=config.on)
            except (ExistsError, LimitError, Interrupted):
                return
            except ClashError as error:
                if not clashes:
                    self._fail(device, f"makes no index {name} because of a clash that is not there: {error}")
                return
            if clashes and name in _followed(engine):
                self._fail(device, f"makes the index {name} although {len(clashes)} values are used twice")

        device.act(work)

    def _drop(self, device: SimulatedDevice) -> None:
        """Somebody drops an index."""
        name = self._draws.pick("name", NAMES)
        device.act(lambda engine: _drop(engine, name))

    # --- items --------------------------------------------------------------------------------------------------------

    def _claim(self, device: SimulatedDevice) -> None:
        """Somebody gives an item a value that perhaps another one has, or takes one away."""
        if self._items():
            self._write(device, {self._item(): self._held})

    def _add(self, device: SimulatedDevice) -> None:
        """Somebody adds an item with a value."""
        made = device.running.writing.new_id()
        if self._write(device, {(self._kind, made): self._held}, new=True):
            self._items().append(made)

    def _add_and_end(self, device: SimulatedDevice) -> None:
        """Somebody adds an item with a value, and ends an index at once, so that others hear of both together."""
        self._add(device)
        followed = device.act(_followed) if self._draws.chance("ends", 60) else None
        if followed:
            name = self._draws.pick("ended", followed)
            device.act(lambda engine: _drop(engine, name))

    def _swap(self, device: SimulatedDevice) -> None:
        """Somebody lets two items change their values, or gives one value to two items, in one transaction."""
        if not self._items():
            return
        one, other, key = self._item(), self._item(), self._draws.pick("key", KEYS)

        def look(engine: StorageEngine) -> list[Any]:
            with engine.store.read() as reader:
                state = Held(reader)
                return [None if each is None else each(f"{PREFIX}{key}") for each in map(state.get, (one, other))]

        held = device.act(look)
        if held is None:  # the disk is rotten
            return
        if self._draws.chance("both", 30):
            held[0] = held[1]
        moved = zip((one, other), held[::-1], strict=True)
        self._write(device, {item: {f"{PREFIX}{key}": value or "null"} for item, value in moved})

    def _remove(self, device: SimulatedDevice) -> None:
        """Somebody deletes an item, whose value is free then, or brings it back, which may be refused."""
        if not self._items():
            return
        (kind, name), back = self._item(), self._draws.chance("back", 40)

        def work(engine: StorageEngine) -> None:
            of_task = engine.restore_task if back else engine.delete_task
            of_document = engine.restore_document if back else engine.delete_document
            with suppress(NotFoundError, ClashError, Interrupted):
                (of_task if kind == "task" else of_document)(name)

        device.act(work)

    def _items(self) -> list[str]:
        return self.sim.book.tasks if self._kind == "task" else self.sim.book.documents

    def _item(self) -> tuple[str, str]:
        return self._kind, self._draws.pick("item", self._items()[:SOME])

    def _value(self) -> dict[str, str]:
        """Return the same value for one key of metadata, or for both."""
        value = values.json_value("metadata", self._draws.pick("value", HELD))
        return {f"{PREFIX}{key}": value for key in self._draws.pick("keys", (KEYS[:1], KEYS[1:], KEYS, KEYS))}

    def _write(
        self, device: SimulatedDevice, written: Mapping[tuple[str, str], Mapping[str, Any]], *, new: bool = False
    ) -> bool:
        """Write some items at once; tell whether that was accepted. Whether it must be is known from what is there."""
        word = self.sim.book.word()
        accepted = False

        def work(engine: StorageEngine) -> None:
            nonlocal accepted
            with engine.store.read() as reader:
                state = Held(reader)
                named = {item: {**cells, "title": word} for item, cells in written.items()}
                forbidden = state.forbids(named)

            def put(tx: Transaction) -> None:
                for (kind, name), cells in named.items():
                    fields: dict[str, Any] = {"id": name, "title": word, "metadata": _members(cells)}
                    if kind == "task":
                        (tx.create_task if new else tx.update_task)(Task(**fields))
                    else:
                        (tx.create_document if new else tx.update_document)(Document(**fields))

            try:
                engine.transact(put)
            except ClashError as error:
                self.sim.book.words[word] = Fate.REFUSED
                if not forbidden:
                    self._fail(device, f"refuses a write that clashes with nothing: {error}")
            except (NotFoundError, ConflictError, InvalidValueError, Interrupted):
                self.sim.book.words[word] = Fate.REFUSED
            else:
                self.sim.book.words[word] = Fate.ACKNOWLEDGED
                accepted = True
                if forbidden:
                    self._fail(device, f"accepts a value of {forbidden} that another item has")

        device.act(work)
        return accepted

    # --- liars --------------------------------------------------------------------------------------------------------

    def _lie(self) -> None:
        """A liar writes records that are no index, more indexes than count, or an index into a workspace of its own."""
        if self.sim.is_healing:
            return
        liar = liar_of(self.sim, self._draws)
        if liar is None:
            return
        cells = {f"{GROUP}{name}": record for name, record in self._draws.pick("lie", LIES).items()}
        elsewhere = self._draws.chance("elsewhere", 10)
        workspace = bytes(16) if elsewhere else liar.running.workspace
        self.sim.note("makes indexes", liar, names=sorted(cells)[:3])
        told = liar.act(lambda engine: append(engine, body_of([[PUT, "workspace", workspace, cells]])))
        liar.told["indexes"] += told is not None


def _record(on: str, column: str, *more: str, where: str | None = None, ext: Sequence[Any] = ()) -> bytes:
    return msgspec.msgpack.encode([on, [column, *more], where, ext])


LIES: Final[tuple[dict[str, Any], ...]] = (
    {f"z{number:02}": RECORD for number in range(limits.UNIQUE_MAX + 2)},
    dict.fromkeys(NAMES),
    {"Not a name": RECORD},
    {"": RECORD},
    {"a": RECORD, "b": b"\xc1"},
    *(
        {"a": each}
        for each in (
            True,
            "status",
            b"",
            RECORD[:-1],
            RECORD + b"\0",
            _record("task", "metadata.size", ext=[[7, b"new"]]),
            _record("tag", "metadata.size"),
            _record("task", "title"),
            _record("task", "metadata.size", "metadata.size"),
            _record("task", 'metadata."size"'),
            _record("task", "metadata.size.of"),
            _record("task", f"metadata.{'x' * 10_000}"),
            _record("task", "metadata.size", where="status='open'"),
            _record("task", "metadata.size", where="metadata.who MISSING"),
            _record("task", "metadata.size", where="status = 'open'; DROP TABLE tasks"),
        )
    ),
)
"""What a liar writes, by name of the index. Only the first and the second are settings that count."""


def _members(cells: Cells) -> dict[str, Any]:
    return {cell.partition(".")[2]: msgspec.json.decode(value) for cell, value in cells.items() if "." in cell}


def _drop(engine: StorageEngine, name: str) -> None:
    with suppress(NotFoundError, Interrupted):
        engine.indexes.drop(name)


def _followed(engine: StorageEngine) -> list[str]:
    return [each.name for each in engine.indexes.list() if each.unique]
