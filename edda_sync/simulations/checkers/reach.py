"""
Nothing is out of reach: whatever was acknowledged is shown, kept as a conflict, or in the history, which can show it again.

:class:`Seen` is what a device shows, and by which changes, so that an undo can be compared with what was there before it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from typing import Any, Final, NamedTuple

from edda_sync.changes.change import decode_header
from edda_sync.crdt import cells
from edda_sync.crdt.keys import key_of
from edda_sync.crdt.operation import Edit, Operation, Put, Unread, cut, decode
from edda_sync.crdt.state import entity_of
from edda_sync.crdt.text import edits
from edda_sync.engine.dots import text_of
from edda_sync.engine.engine import StorageEngine
from edda_sync.simulations.checker import Checker
from edda_sync.simulations.checkers.meaning import log_of, unfolded_in
from edda_sync.simulations.checkers.reading import WORD, words_of
from edda_sync.simulations.device import SimulatedDevice
from edda_sync.store.seams import Logged
from edda_sync.words import values
from edda_sync.words.errors import RefusedTextError
from edda_sync.words.model import TEXT_FIELDS, Item, Task

KINDS: Final = ("task", "document")
LOOKED_UP: Final = 12  # how many changes a run looks at again in the history, since each is folded for it
PLAIN: Final = ("title", "status", "priority", "due_date", "parent_id")
UNDO: Final = "undo of "  # how the reason of an undo begins

Cell = tuple[bytes, str]
"""The key of an entity, and a cell of it."""


def operations(body: bytes, count: int) -> Iterator[Operation]:
    """Yield the operations of a change that this version can read."""
    for encoded in cut([body], count):
        operation = decode(encoded)
        if not isinstance(operation, Unread):
            yield operation


def words_in(operation: Operation) -> list[str]:
    """Return the words that an operation writes into a text."""
    if isinstance(operation, Put):
        start = operation.cells.get(TEXT_FIELDS.get(operation.kind, ""))
        return words_of(start) if isinstance(start, str) else []
    if isinstance(operation, Edit):
        try:
            return [word for _, _, text in edits.decode(operation.edit).blocks for word in words_of(text)]
        except RefusedTextError:
            return []
    return []


class Change(NamedTuple):
    """A change of a log: where it stands there, its header's agent, reason and time, and its operations."""

    position: int
    agent: str | None
    reason: str
    wall_ms: int
    operations: list[Operation]


def changes_of(device: SimulatedDevice) -> dict[str, Change]:
    """
    Return the changes of a device's log by their names; none if a part of it came as a segment.

    What only a newer version understands waits, and so does nothing yet. What breaks the rules is refused, and never does.
    """
    with device.running.store.read() as reader:
        unapplied = {(each.position, each.number) for each in reader.unapplied.operations()}
    found = {}
    for entry, body in log_of(device):
        header = decode_header(entry.raw)
        encoded = cut([body], header.operations) if header.is_understood else ()
        read = [decode(each) for number, each in enumerate(encoded, 1) if (entry.position, number) not in unapplied]
        made = [each for each in read if not isinstance(each, Unread)]
        name = text_of((entry.actor, entry.seq))
        found[name] = Change(entry.position, header.agent, header.reason or "", header.wall_ms, made)
    return found


class Seen:
    """
    What a device shows at a moment.

    Attributes:
        shown: Which change wrote what each cell of a visible task, document or tag shows, and the value. Members of sets, of
            which several may hold, are left out, and so are texts.
        words: The words of the text of each visible task and document, by key.
        hidden: The keys of everything in the trash.
        rows: All rows, without the times of writes.
    """

    def __init__(self, engine: StorageEngine) -> None:
        self.shown: dict[Cell, tuple[str, Any]] = {}
        self.words: dict[bytes, list[str]] = {}
        self.hidden: set[bytes] = set()
        with engine.store.read() as reader:
            entities = [entity_of(record.key, record.state) for record in reader.states.scan()]
        for entity in entities:
            if entity.hidden:
                self.hidden.add(entity.key)
                continue
            for name, siblings in entity.cells.items():
                if "." not in name and name != TEXT_FIELDS.get(entity.kind):
                    actor, seq, _, value = cells.visible(siblings)
                    self.shown[entity.key, name] = text_of((actor, seq)), value
        tasks, documents = engine.table("tasks"), engine.table("documents")
        for kind, row, text in (*(("task", r, r[2]) for r in tasks), *(("document", r, r[3]) for r in documents)):
            self.words[key_of(kind, values.id_bytes("id", row[0]))] = words_of(text or "")
        self.rows = (
            sorted((*row[:5], *row[8:]) for row in tasks),
            sorted((*row[:5], *row[8:]) for row in documents),
            sorted(row[:2] for row in engine.table("tags")),
            sorted(row[:3] for row in engine.table("entity_tags")),
            sorted(row[:2] for row in engine.table("task_documents")),
        )


def foreign(changes: Mapping[str, Change], taken_back: Collection[str]) -> set[str]:
    """Return the names of the changes that nobody took back, undos left out: what they wrote must stay."""
    return {name for name, change in changes.items() if name not in taken_back and not change.reason.startswith(UNDO)}


def writers(changes: Mapping[str, Change]) -> dict[str, set[str]]:
    """Return which changes wrote each word into a text."""
    found: defaultdict[str, set[str]] = defaultdict(set)
    for name, change in changes.items():
        for operation in change.operations:
            for word in words_in(operation):
                found[word].add(name)
    return found


class Reachable(Checker):
    """Every acknowledged value is shown, or a conflict, or in the history, where it is shown as it was after its change."""

    number = 29

    def ended(self) -> None:
        """Look for every value that somebody was told to be safe, on one device whose log is whole."""
        if self.sim.book.forked:
            return  # which branch has a name is a store's own
        draws = self.sim.tape.source("reach")
        device = draws.pick("device", self.sim.honest())
        self._compare_conflicts(device)
        log = log_of(device)
        if not log or device.disk.rotten:
            return
        acknowledged = {digest for known in self.sim.book.acknowledged_by.values() for digest in known}
        with device.running.store.read() as reader:
            left_out = {digest for digest, _ in unfolded_in(reader)}
        missing = [each for each in log if each[0].hash in acknowledged - left_out]
        found = _Found(device.running)
        wanted = [(entry, one) for entry, body in missing for one in _last(entry, body) if found.lacks(one)]
        while len(wanted) > LOOKED_UP:
            wanted.pop(draws.draw("left out", len(wanted)))
        for entry, operation in wanted:
            self._look_up(device, text_of((entry.actor, entry.seq)), operation)

    def _compare_conflicts(self, device: SimulatedDevice) -> None:
        """Compare the listed conflicts with all concurrent values of each cell, texts left out."""
        listed = {(each.id, each.field): len(each.kept) for each in device.running.conflicts()}
        with device.running.store.read() as reader:
            for record in reader.states.scan():
                entity = entity_of(record.key, record.state)
                for name in () if entity.hidden or entity.kind not in KINDS else PLAIN:
                    several = len({repr(write[3]) for write in entity.cells.get(name, ())}) - 1
                    found = listed.get((values.id_text(entity.id), name), 0)
                    if several > 0 and found != several:
                        self.fail(device, f"lists {found} of {several} other values of {name}")

    def _look_up(self, device: SimulatedDevice, name: str, operation: Put | Edit) -> None:
        item_id = values.id_text(operation.id)
        history = {each.dot: each for each in device.running.history(item_id, kind=operation.kind).changes}
        done = history.get(name)
        fields = operation.cells if isinstance(operation, Put) else (operation.field,)
        if done is None or not set(fields) <= set(done.fields):
            self.fail(device, f"the history of {operation.kind} {item_id} lacks what {name} wrote: {sorted(fields)}")
        item = device.running.as_of(operation.kind, item_id, name)
        if item is not None:  # otherwise it was in the trash
            lost = _lost(operation, item)
            if lost:
                self.fail(device, f"{operation.kind} {item_id} as it was after {name} does not show {lost}")


class _Found:
    """
    What is shown, or listed as a conflict.

    Args:
        engine: The engine of a device.
    """

    def __init__(self, engine: StorageEngine) -> None:
        self._engine = engine
        self._items: dict[tuple[str, bytes], Item | None] = {}
        self._kept: defaultdict[tuple[str, str], list[Any]] = defaultdict(list)
        for each in engine.conflicts():
            self._kept[each.id, each.field] += [value.value for value in each.kept]

    def lacks(self, operation: Put | Edit) -> bool:
        """Tell whether something that an operation wrote is neither shown nor listed as a conflict."""
        key = operation.kind, operation.id
        item_id = values.id_text(operation.id)
        if key not in self._items:
            get = self._engine.get_task if operation.kind == "task" else self._engine.get_document
            self._items[key] = get(item_id)
        item = self._items[key]
        lost = _lost(operation, item) if item is not None else _written(operation)
        return any(not self._is_kept(item_id, field, value) for field, value in lost.items())

    def _is_kept(self, item_id: str, field: str, value: Any) -> bool:
        kept = self._kept[item_id, field]
        if isinstance(value, list):
            return any(set(value) <= set(words_of(text)) for text in kept if isinstance(text, str))
        return value in kept


def _last(entry: Logged, body: bytes) -> list[Put | Edit]:
    """Return the last write of a change into each cell of tasks and documents, and its edits of texts."""
    found: dict[tuple[str, bytes], dict[str, Any]] = {}
    typed: list[Put | Edit] = []
    for operation in operations(body, decode_header(entry.raw).operations):
        if operation.kind in KINDS and isinstance(operation, Put):
            found.setdefault((operation.kind, operation.id), {}).update(operation.cells)
        elif operation.kind in KINDS and isinstance(operation, Edit):
            typed.append(operation)
    return [*(Put(kind, name, written) for (kind, name), written in found.items()), *typed]


def _written(operation: Put | Edit) -> dict[str, Any]:
    """Return what an operation wrote, by field: the words of a text, and values as people see them."""
    text = TEXT_FIELDS[operation.kind]
    found: dict[str, Any] = {}
    if isinstance(operation, Put):
        for name in PLAIN:
            if operation.cells.get(name) is not None:
                value = operation.cells[name]
                found[name] = values.id_text(value) if name == "parent_id" else value
        if isinstance(found.get("status"), list):
            found["status"] = found["status"][0]
    words = words_in(operation)
    return {**found, text: words} if words else found


def _lost(operation: Put | Edit, item: Item) -> dict[str, Any]:
    """Return what an operation wrote and an item does not show."""
    text = TEXT_FIELDS[operation.kind]
    lost = {}
    for name, value in _written(operation).items():
        shown = getattr(item, name)
        if name == text:
            stuck = WORD.findall(shown or "")  # a liar may write a word to which the next one sticks
            gone = sorted({*value} - {*words_of(shown or ""), *stuck})
            if gone:
                lost[name] = gone
        elif shown != value and (name != "parent_id" or isinstance(item, Task)):
            lost[name] = value
    return lost
