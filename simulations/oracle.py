"""
The oracle: what a log means, worked out in the slowest and plainest way from the data types' definitions alone.

It shares no code with the product's fold. A change's causal past is a set of dots. A write of a cell counts until another
write of that cell has it in its past; of those that count, the greatest stamp is visible; a tag or link is there if any of
them puts it there. An entity is hidden when every operation on it is in the past of a deletion of it. Of each ring of
parents, the edge greatest by stamp and id is left out; so is an edge to what is hidden or missing. An edit of a text is
a write of its cell that replaces the same text, and emptiness; what a text reads is all that the log says of it, given to
a Yjs document of its own.

What a liar says is judged as well. One id may be a task's and a document's, two things. A value that is none is not
written; a deletion has no effect when it names nothing, or more than its author can have seen. What an edit that was refused
would have done is not asked: the oracle is told of which things (the validator of edits has tests of its own).

Source: Shapiro et al. 2011, "A comprehensive study of convergent and commutative replicated data types": multi-value
register, add-wins set, and their concurrent semantics.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from pycrdt import Doc
from pycrdt import Text as YText

from edda_sync import values
from edda_sync.crdt import validator
from edda_sync.crdt.change import Dot, cut_operations, decode_header, decode_operation
from edda_sync.crdt.entity import check_write
from edda_sync.crdt.text import genesis_id
from edda_sync.errors import InvalidValueError
from edda_sync.protocols import Logged

Stamp = tuple[int, int, int]
Shown = dict[str, Any]

UNTOLD: Final = object()
"""Stands for a text of which the oracle says nothing."""

TEXTS: Final = {"task": "description", "document": "content"}
OWN_SIBLINGS: Final = ("tag.", "link.", "created_at")  # several values there are no conflict
DEFAULTS: Final[Shown] = {
    "title": values.TITLE_DEFAULT,
    "status": values.STATUS_DEFAULT,
    "priority": values.PRIORITY_DEFAULT,
}


@dataclass(frozen=True, slots=True)
class Write:
    """One write of a cell: of which change, ranked how among concurrent ones, and what; an edit says which text."""

    dot: Dot
    stamp: Stamp
    value: Any
    is_edit: bool = False


@dataclass(slots=True)
class Thing:
    """
    An entity.

    Attributes:
        kind: ``task``, ``document``, ``tag`` or ``device``.
        writes: Every write of each cell, in the log's order.
        updates: What was done to each text, in the log's order, by the client id of its start.
        touched: Dots of the operations on it.
        doubtful: Dots of the edits of its text, if one was refused: each may have had an effect.
        deletions: Of each deletion, the dots that it hides: what its author had seen.
    """

    kind: str
    name: bytes
    writes: dict[str, list[Write]] = field(default_factory=dict)
    updates: dict[int, list[bytes]] = field(default_factory=dict)
    touched: set[Dot] = field(default_factory=set)
    doubtful: set[Dot] = field(default_factory=set)
    deletions: list[set[Dot]] = field(default_factory=list)

    @property
    def hidden(self) -> bool:
        """Whether all that was done to it was seen by whoever deleted it; a tag without a name is hidden too."""
        if self.kind == "tag" and "name" not in self.writes:
            return True
        return self.touched <= set().union(*self.deletions)


class Oracle:
    """
    Reads a log, then says what it means.

    Args:
        log: Changes in any causal order, bodies and all.
        refused: Kinds and names of the things whose text refused an edit.
    """

    def __init__(self, log: Iterable[tuple[Logged, bytes]], refused: Collection[tuple[str, bytes]] = ()) -> None:
        self.things: dict[tuple[str, bytes], Thing] = {}
        self._refused = frozenset(refused)
        self._past: dict[Dot, set[Dot]] = {}
        self._deps: dict[int, dict[int, int]] = {}
        for entry, body in log:
            self._read(entry, body)

    def _read(self, entry: Logged, body: bytes) -> None:
        header = decode_header(entry.raw)
        dot = header.dot
        deps = {**self._deps.get(header.actor, {}), **dict(header.deps)}
        self._deps[header.actor] = deps
        past = {other for other in (*deps.items(), (header.actor, header.seq - 1)) if other[1]}
        for other in list(past):
            past |= self._past[other]
        self._past[dot] = past
        stamp = (header.wall_ms, *dot)
        for encoded in cut_operations([body]):
            operation = decode_operation(encoded)
            if operation is not None:
                self._apply(dot, stamp, past, operation)

    def _apply(self, dot: Dot, stamp: Stamp, past: set[Dot], operation: list[Any]) -> None:
        match operation:
            case [code, ("task" | "document" | "tag" | "device") as kind, bytes(name), *rest] if len(name) == 16:
                thing = self.things.get((kind, name)) or Thing(kind, name)
                if self._do(thing, dot, stamp, past, [code, *rest]):
                    self.things[kind, name] = thing
            case _:
                pass  # of a newer version: without effect here

    def _do(self, thing: Thing, dot: Dot, stamp: Stamp, past: set[Dot], operation: list[Any]) -> bool:
        """Do an operation; False when it has no effect."""
        match operation:
            case [1, dict(cells)] if all(isinstance(cell, str) for cell in cells):
                for cell, value in cells.items():
                    if _is_value(thing, cell, value):
                        thing.writes.setdefault(cell, []).append(Write(dot, stamp, value))
            case [2, str(cell), int(text), bytes(update)] if cell == TEXTS.get(thing.kind):
                if (thing.kind, thing.name) in self._refused:
                    thing.doubtful.add(dot)
                    return False
                thing.writes.setdefault(cell, []).append(Write(dot, stamp, text, is_edit=True))
                thing.updates.setdefault(text, []).append(update)
            case [3, list(claims)] if _is_frontier(claims) and all(
                tuple(each) in past or tuple(each) == dot for each in claims
            ):
                known = thing.touched | thing.doubtful
                thing.deletions.append({other for other in known if other in past or other == dot})
                return True
            case [4]:
                pass
            case _:
                return False
        thing.touched.add(dot)
        return True

    # --- what it means ------------------------------------------------------------------------------------------------

    @property
    def is_unsure(self) -> bool:
        """Whether something is hidden or not hangs on edits of which one was refused."""
        return any(
            thing.hidden and not thing.doubtful <= set().union(*thing.deletions) for thing in self.things.values()
        )

    def siblings(self, thing: Thing, cell: str) -> list[Write]:
        """Return the writes of a cell that no other one replaced."""
        writes = thing.writes.get(cell, [])
        latest = {write.dot: write for write in writes}.values()  # of one change, its last word
        return [w for w in latest if not any(self._replaces(thing, cell, other, w) for other in latest)]

    def _replaces(self, thing: Thing, cell: str, later: Write, write: Write) -> bool:
        if write.dot not in self._past[later.dot]:
            return False
        return not later.is_edit or write.value is None or _value(thing, cell, write) == later.value

    def visible(self, thing: Thing, cell: str, default: Any = None) -> Any:
        """Return the value of a cell that shows."""
        siblings = self.siblings(thing, cell)
        return max(siblings, key=lambda write: write.stamp).value if siblings else default

    def conflicts(self) -> set[tuple[str, str]]:
        """Return which cells of visible things hold several different values: id and cell."""
        found = set()
        for thing in self.things.values():
            for cell in () if thing.hidden else thing.writes:
                if self._is_untold(thing, cell):
                    continue
                several = len({repr(_value(thing, cell, write)) for write in self.siblings(thing, cell)}) > 1
                if several and not cell.startswith(OWN_SIBLINGS):
                    found.add((values.id_text(thing.name), cell))
        return found

    def _is_untold(self, thing: Thing, cell: str) -> bool:
        return (thing.kind, thing.name) in self._refused and cell == TEXTS.get(thing.kind)

    def tasks(self) -> dict[str, Shown]:
        """Return title, description, status, priority, due date, parent and metadata of each visible task, by id."""
        parents = self._parents()
        return {
            values.id_text(name): {
                **{column: self._plain(thing, column) for column in ("title", "status", "priority", "due_date")},
                "description": self._text(thing),
                "parent_id": parents.get(name),
                "metadata": self._metadata(thing),
            }
            for name, thing in self._shown("task").items()
        }

    def documents(self) -> dict[str, Shown]:
        """Return title and content of each visible document, by id."""
        return {
            values.id_text(name): {"title": self._plain(thing, "title"), "content": self._text(thing)}
            for name, thing in self._shown("document").items()
        }

    def tags(self) -> dict[str, str]:
        """Return the name of each visible tag, by id."""
        return {values.id_text(n): self.visible(thing, "name", "") for n, thing in self._shown("tag").items()}

    def edges(self, prefix: str, kind: str) -> set[tuple[str, str]]:
        """Return who points at whom: tags with ``tag.``, links with ``link.``, between things that are visible."""
        ends = {values.id_text(name) for name in self._shown(kind)}
        found = set()
        for of in ("task", "document"):
            for name, thing in self._shown(of).items():
                for cell in thing.writes:
                    there = any(write.value is not None for write in self.siblings(thing, cell))
                    if cell.startswith(prefix) and there and cell[len(prefix) :] in ends:
                        found.add((values.id_text(name), cell[len(prefix) :]))
        return found

    def _shown(self, kind: str) -> dict[bytes, Thing]:
        return {thing.name: thing for thing in self.things.values() if thing.kind == kind and not thing.hidden}

    def _plain(self, thing: Thing, column: str) -> Any:
        value = self.visible(thing, column, DEFAULTS.get(column))
        return value[0] if isinstance(value, list) else value  # a status may carry its time of completion

    def _text(self, thing: Thing) -> Any:
        cell = TEXTS[thing.kind]
        if self._is_untold(thing, cell):
            return UNTOLD
        siblings = self.siblings(thing, cell)
        if not siblings:
            return None
        shows = max(siblings, key=lambda write: write.stamp)
        text = _value(thing, cell, shows)
        if not any(write.is_edit and write.value == text for write in siblings):
            return shows.value
        starts = [
            write.value for write in thing.writes[cell] if not write.is_edit and _value(thing, cell, write) == text
        ]
        return _read(text, starts[0], thing.updates[text])

    def _metadata(self, thing: Thing) -> dict[str, str]:
        cells = [cell for cell in thing.writes if cell.startswith("metadata.")]
        found = {cell.removeprefix("metadata."): self.visible(thing, cell) for cell in cells}
        return {key: value for key, value in found.items() if value is not None}

    def _parents(self) -> dict[bytes, str]:
        """Return each task's parent, rings cut."""
        shown = self._shown("task")
        edges: dict[bytes, tuple[Stamp, bytes]] = {}
        for name, thing in shown.items():
            siblings = self.siblings(thing, "parent_id")
            if siblings:
                write = max(siblings, key=lambda each: each.stamp)
                if write.value in shown:
                    edges[name] = (write.stamp, write.value)
        for ring in _rings({name: parent for name, (_, parent) in edges.items()}):
            del edges[max(ring, key=lambda name: (edges[name][0], name))]
        return {name: values.id_text(parent) for name, (_, parent) in edges.items()}


def _is_value(thing: Thing, cell: str, value: Any) -> bool:
    try:
        check_write(thing.kind, thing.name, cell, value)
    except InvalidValueError:
        return False
    return True


def _is_frontier(claims: list[Any]) -> bool:
    """Tell whether a deletion's claims are some pairs of actor and seq, each actor once and in order."""
    pairs = all(isinstance(claim, list) and [type(each) for each in claim] == [int, int] for claim in claims)
    actors = [claim[0] for claim in claims] if pairs else []
    return bool(actors) and actors == sorted(set(actors))


def _value(thing: Thing, cell: str, write: Write) -> Any:
    """Return what a write says, comparable with other writes of the cell: of a text, the client id of its start."""
    is_start = cell == TEXTS.get(thing.kind) and isinstance(write.value, str)
    return genesis_id(thing.name, cell, write.value) if is_start else write.value


def _read(client: int, start: str, updates: Iterable[bytes]) -> str:
    """Return how a text reads after all its updates."""
    begun: Doc[YText] = Doc(client_id=client)
    root = begun.get(validator.ROOT, type=YText)
    root.insert(0, start)
    for update in updates:
        begun.apply_update(update)
    return str(root)


def _rings(parents: Mapping[bytes, bytes]) -> list[list[bytes]]:
    """Return the rings of a forest that may have some; each node has one parent, so no two rings meet."""
    rings: list[list[bytes]] = []
    done: set[bytes] = set()
    for start in parents:
        path: list[bytes] = []
        at: bytes | None = start
        while at is not None and at not in done and at not in path:
            path.append(at)
            at = parents.get(at)
        if at in path:
            rings.append(path[path.index(at) :])
        done.update(path)
    return rings
