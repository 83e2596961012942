"""
What a log says, operation by operation: the writes of each cell, and the operations that have no effect.

A change is identified by its hash, and its causal past is a set of hashes. Each operation is taken completely, or has no
effect. It *waits* if only a newer version could know it (an unknown cell waits alone), or if its entity waits in its past.
Otherwise it is *refused* if it does not have the form of its code or is nested too deeply, if a value is invalid, if a
change writes too much into one thing or edits two texts of one field, or if a member is added twice or by another device
than it says. A deletion hides no more than its author can have seen, whatever it names.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from edda_sync.changes.change import Header, decode_header
from edda_sync.crdt import operation, records, schema
from edda_sync.crdt.text.document import genesis_id
from edda_sync.store.seams import Logged
from edda_sync.words import values
from edda_sync.words.errors import InvalidValueError

Stamp = tuple[int, bytes, int]
Place = tuple[bytes, int]
"""An operation: the hash of its change, and its number within the change."""

CODES: Final = range(1, 5)  # put, edit, delete, touch
SEQ_MAX: Final = (1 << 48) - 1
KNOWN_LEVEL: Final = 1
KNOWN_EXT: Final = frozenset((1, 3, 5))  # odd numbers of a header's ext that change the meaning
LEVELS_MAX: Final = 32
CELLS_MAX: Final = 4_096  # how many cells one change may write into one thing
BYTES_MAX: Final = 4 * 1024 * 1024  # how many bytes, without texts
KINDS: Final = frozenset(("task", "document", "tag", "device", "workspace"))
LASTING: Final = frozenset(("device", "workspace"))  # nothing of these kinds can be deleted
UNREADABLE: Final = ("workspace", bytes(16))
"""Stands for the unreadable subject of an operation."""

TEXTS: Final = {"task": "description", "document": "content"}


class Refused(Exception):  # noqa: N818 - it is no error of the oracle, but its verdict on an operation
    """An operation has no effect, and never will."""


class Unknown(Exception):  # noqa: N818 - as above
    """An operation has no effect until a newer version knows it."""


@dataclass(frozen=True, slots=True)
class Write:
    """One write of a cell: its change, its number there, its rank, its value; for an edit, also its text."""

    change: bytes
    number: int
    stamp: Stamp
    value: Any
    edit: bytes | None = None


@dataclass(slots=True)
class Thing:
    """
    An entity.

    Attributes:
        kind: ``task``, ``document``, ``tag``, ``device`` or ``workspace``.
        name: Its id.
        writes: All writes of each cell, in the log's order.
        touched: The changes with operations on it.
        deleted: What its deletions hide.
        deletions: The deletions, and as None what answers those that it has seen: what brings it back, or keeps it.
    """

    kind: str
    name: bytes
    writes: dict[str, list[Write]] = field(default_factory=dict)
    touched: set[bytes] = field(default_factory=set)
    deleted: set[bytes] = field(default_factory=set)
    deletions: list[Write] = field(default_factory=list)

    @property
    def hidden(self) -> bool:
        """Whether its deletions saw every operation on it. A tag without a name is hidden too."""
        if self.kind == "tag" and "name" not in self.writes:
            return True
        return self.touched <= self.deleted


@dataclass(frozen=True, slots=True)
class Change:
    """
    A change.

    Attributes:
        actor, seq: The chain, and the number in it.
        names: The names of its chain from the beginning up to it: the actor, and its branches.
        stamp: The rank of its writes among concurrent ones.
        author: The key of the device that made it.
        past: The change itself, and all changes that it depends on.
    """

    hash: bytes
    actor: bytes
    seq: int
    names: frozenset[bytes]
    stamp: Stamp
    author: bytes
    past: frozenset[bytes]


class OracleLog:
    """
    Reads a log.

    Args:
        log: Changes with their bodies, in any causal order.
        untaken: Edits that their texts refused.

    Attributes:
        things: The things, by kind and id.
        unfolded: The operations without effect, or with unknown cells; for each, whether that is final.
        changes: The changes, by hash.
        forked: The actors whose chains are known to fork.
    """

    def __init__(self, log: Iterable[tuple[Logged, bytes]], untaken: Collection[Place]) -> None:
        self.things: dict[tuple[str, bytes], Thing] = {}
        self.unfolded: dict[Place, bool] = {}
        self.changes: dict[bytes, Change] = {}
        self.forked: set[bytes] = set()
        self._untaken = frozenset(untaken)
        self._by_prefix: dict[bytes, bytes] = {}
        self._waiting: defaultdict[tuple[str, bytes], set[bytes]] = defaultdict(set)
        self._spent: dict[tuple[bytes, str, bytes], tuple[int, int]] = {}
        for entry, body in log:
            self._read(entry, body)

    def siblings(self, thing: Thing, cell: str) -> list[Write]:
        """Return the writes of a cell that no other write replaced."""
        writes = thing.writes.get(cell, [])
        return [w for w in writes if not any(self._replaces(thing, cell, other, w) for other in writes)]

    def open_deletions(self, thing: Thing) -> list[Write]:
        """Return the deletions that nobody who had seen them has answered, the greatest stamp first."""
        answered = [
            w for w in thing.deletions if not any(self._replaces(thing, "", other, w) for other in thing.deletions)
        ]
        return sorted([w for w in answered if w.value], key=lambda write: write.stamp, reverse=True)

    def _replaces(self, thing: Thing, cell: str, later: Write, write: Write) -> bool:
        if later.change == write.change:
            if later.number <= write.number:
                return False
        elif write.change not in self.changes[later.change].past:
            return False
        return later.edit is None or write.value is None or value_of(thing, cell, write) == later.value

    def _read(self, entry: Logged, body: bytes) -> None:
        header = decode_header(entry.raw)
        change = self._change_of(entry, header)
        understood = header.level <= KNOWN_LEVEL and all(n % 2 == 0 or n in KNOWN_EXT for n, _ in header.ext)
        for number, encoded in enumerate(operation.cut([body], header.operations), start=1):
            about, code, rest = UNREADABLE, 0, list[Any]()
            try:
                about, code, rest = _split(encoded)
                if not understood:
                    raise Unknown
                self._do(change, number, about, code, rest)
            except Unknown as unknown:
                self._wait(change, number, unknown.args[0] if unknown.args else about)
            except Refused:
                waits = not understood or any(
                    other in change.past for key in (about, UNREADABLE) for other in self._waiting[key]
                )
                if waits:
                    self._wait(change, number, about)
                else:
                    self.unfolded[change.hash, number] = True

    def _change_of(self, entry: Logged, header: Header) -> Change:
        direct = [self.changes[self._by_prefix[prefix]] for _, _, prefix in header.deps]
        names = {header.actor, entry.actor}
        if header.birth is None:
            before = self.changes[header.previous]
            author = before.author
            names |= before.names
            direct.append(before)
        else:
            author = header.birth.public_key
            if header.birth.parent is not None:
                direct.append(self.changes[header.birth.parent_hash])
        past = frozenset({entry.hash}).union(*(other.past for other in direct))
        stamp = (header.wall_ms, entry.actor, header.seq)
        if entry.actor != header.actor:
            self.forked.add(header.actor)
        change = Change(entry.hash, header.actor, header.seq, frozenset(names), stamp, author, past)
        self.changes[entry.hash] = change
        self._by_prefix[entry.hash[:16]] = entry.hash
        return change

    def _wait(self, change: Change, number: int, about: tuple[str, bytes]) -> None:
        self.unfolded[change.hash, number] = False
        self._waiting[about].add(change.hash)

    def _do(self, change: Change, number: int, about: tuple[str, bytes], code: int, rest: list[Any]) -> None:
        thing = self.things.get(about) or Thing(*about)
        match code, rest:
            case 1, [dict(written)] if all(isinstance(cell, str) for cell in written):
                known = self._acceptable(change, thing, written)
                if len(known) < len(written):
                    self._wait(change, number, about)
                    if not known:
                        return
                if thing.kind == "tag":
                    thing.deletions.append(Write(change.hash, number, change.stamp, None))
                for cell, value in known.items():
                    thing.writes.setdefault(cell, []).append(Write(change.hash, number, change.stamp, value))
            case 2, [str(cell), bytes(text), bytes(edit)] if len(text) == 16:
                if cell != TEXTS.get(thing.kind) or self._edits_another(change, thing, cell, text):
                    raise Refused
                if (change.hash, number) in self._untaken:
                    raise Refused
                thing.writes.setdefault(cell, []).append(Write(change.hash, number, change.stamp, text, edit))
            case 3, [list(claims)] if _is_frontier(claims):
                if thing.kind in LASTING:
                    raise Refused
                if seen := self._seen(change, claims):
                    thing.deleted |= seen
                    thing.deletions.append(Write(change.hash, number, change.stamp, True))
                self.things[about] = thing
                return
            case 4, []:
                thing.deletions.append(Write(change.hash, number, change.stamp, None))
            case _:
                raise Refused
        thing.touched.add(change.hash)
        self.things[about] = thing

    def _seen(self, change: Change, claims: list[list[Any]]) -> set[bytes]:
        """Return what a deletion covers: what it names, as far as its author can have seen it."""
        past = [self.changes[digest] for digest in change.past]
        return {each.hash for each in past for name, seq in claims if name in each.names and each.seq <= seq}

    def _acceptable(self, change: Change, thing: Thing, written: Mapping[str, Any]) -> dict[str, Any]:
        """Return the cells that this version knows. One invalid value makes all of them refused."""
        try:
            known = {cell: value for cell, value in written.items() if schema.check_cell(thing.kind, cell, value)}
            if thing.kind == "tag" and "name" in known and values.tag_id(known["name"]) != values.id_text(thing.name):
                raise Refused
            record = known.get("record") if thing.kind == "device" else None
            added_by = None if record is None else records.check_device(thing.name, record).added_by
        except (InvalidValueError, TypeError, ValueError):
            raise Refused from None
        self._spend(change, thing, written)
        before = thing.writes.get("record", ())
        if added_by is not None and (added_by != change.author or any(w.change in change.past for w in before)):
            raise Refused
        return known

    def _spend(self, change: Change, thing: Thing, written: Mapping[str, Any]) -> None:
        """Refuse what is too much for one change to write into one thing. A refused operation counts as nothing."""
        key = change.hash, thing.kind, thing.name
        cells, size = self._spent.get(key, (0, 0))
        cells += len(written)
        size += sum(len(cell) + _size(value) for cell, value in written.items() if cell != TEXTS.get(thing.kind))
        if cells > CELLS_MAX or size > BYTES_MAX:
            raise Refused
        self._spent[key] = cells, size

    def _edits_another(self, change: Change, thing: Thing, cell: str, text: bytes) -> bool:
        """Tell whether this change has already edited another text in a field."""
        own = [write for write in self.siblings(thing, cell) if write.change == change.hash]
        return any(write.value is not None and value_of(thing, cell, write) != text for write in own)


def _split(encoded: bytes) -> tuple[tuple[str, bytes], int, list[Any]]:
    """
    Return the subject of an operation, its code, and its other fields.

    Raises:
        Unknown: Only a newer version can read it; its argument is the subject.
        Refused: It is no operation, or of no kind, in any version.
    """
    try:
        fields = _decode(encoded)
    except (ValueError, RecursionError):
        raise Refused from None
    match fields:
        case [code, str(kind), bytes(name), *rest] if type(code) is int and code >= 0 and len(name) == 16:
            pass
        case _:
            raise Refused
    if _levels(fields, LEVELS_MAX) > LEVELS_MAX:
        raise Refused
    if kind not in KINDS:
        raise Unknown(UNREADABLE)
    if code not in CODES:
        raise Unknown((kind, name))
    return (kind, name), code, rest


_decode = msgspec.msgpack.Decoder().decode


def _levels(value: Any, most: int) -> int:
    """Return the number of levels of arrays and maps in a value; more than ``most`` if there are too many."""
    if not isinstance(value, (list, tuple, dict)):
        return 0
    inner = [*value, *value.values()] if isinstance(value, dict) else value
    return 1 + max((_levels(each, most - 1) for each in inner), default=0) if most >= 0 else 1


def _size(value: Any) -> int:
    return len(value) if isinstance(value, (str, bytes)) else 16 * len(value) if isinstance(value, list) else 8


def _is_frontier(claims: list[Any]) -> bool:
    """Tell whether a deletion's claims are pairs of actor and seq, with each actor once and in order."""
    pairs = [claim for claim in claims if isinstance(claim, list) and [type(each) for each in claim] == [bytes, int]]
    if len(pairs) < len(claims) or not all(len(actor) == 16 and 0 < seq <= SEQ_MAX for actor, seq in pairs):
        return False
    actors = [actor for actor, _ in pairs]
    return actors == sorted(set(actors))


def value_of(thing: Thing, cell: str, write: Write) -> Any:
    """Return the value of a write, to be compared with other writes of the cell; for a text, the name of its genesis."""
    is_start = cell == TEXTS.get(thing.kind) and isinstance(write.value, str)
    return genesis_id(thing.name, cell, write.value) if is_start else write.value
