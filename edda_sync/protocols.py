"""
The seams: what the pure core asks of a store.

A :class:`Store` keeps the log, the entities folded from it and the specification's tables, and moves all three in one
transaction. The memory store and the SQLite store pass one contract suite (``tests/store/contract.py``). Promises, in
words, of every implementation:

1. *Atomicity*: a transaction whose work raises leaves no trace; a reader sees the state before or after it, never
   between.
2. *Durability*: when :meth:`Store.transact` has returned, its effects outlive the process and the machine's power
   (the memory store promises the first of the two only to its own lifetime).
3. *Isolation*: transactions run one after another, also across processes; a reader sees one unmoving state.
4. *No half rows*: constraints of the specification's schema hold whenever a transaction ends.

Where an entity is given or returned as bytes, that is its key (``crdt.entity.key_of``): of kind and id, in that order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, NamedTuple, Protocol, TypeVar

from edda_sync.query import Plan

T = TypeVar("T")
Row = tuple[Any, ...]


class Head(NamedTuple):
    """Where an actor's chain stands here."""

    actor: int
    seq: int
    hash: bytes
    deps: bytes  # frontier pairs (msgpack) that the head change depends on, in full
    public_key: bytes
    signed_seq: int  # the highest seq with a signature here; 0 when there is none
    signature: bytes


class Logged(NamedTuple):
    """A change in the log."""

    position: int
    actor: int
    seq: int
    hash: bytes
    raw: bytes  # its header
    body: bytes  # empty when the body is in parts


class Record(NamedTuple):
    """An entity as it is stored, its state with a checksum (``crdt.entity.to_stored``)."""

    key: bytes
    hidden: bool
    hash: bytes
    state: bytes


class Shown(NamedTuple):
    """What the tables show of a visible entity."""

    kind: str
    key: bytes
    row: Row
    tags: tuple[tuple[str, str], ...]  # tag id, created_at
    links: tuple[tuple[str, str, str], ...]  # document id, relationship, created_at
    withheld: tuple[tuple[str, bytes, str], ...]  # cell, target, why: hidden or ring


class TextState(NamedTuple):
    """A stored text: its state up to an update, and the updates since."""

    state: bytes  # empty when the reader has it already
    serial: int  # of the last update in the state
    tail: list[tuple[int, int, bytes]]  # serial, actor, update


class Incoming(NamedTuple):
    """A large change of which not every part is here yet."""

    actor: int
    seq: int
    raw: bytes
    parts: frozenset[int]  # the numbers of those that are


class StoreReader(Protocol):
    """One unmoving state of a store."""

    def meta(self, key: str) -> bytes | None:
        """Return a small named value."""
        ...

    def heads(self) -> Mapping[int, Head]:
        """Return every actor's head: the frontier, with hashes."""
        ...

    def log_position(self) -> int:
        """Return the position of the newest entry of the log; 0 for none."""
        ...

    def positions_missing(self, frontier: Mapping[int, int]) -> Sequence[int]:
        """Return, in log order, where the changes are that a frontier lacks."""
        ...

    def logged(self, position: int) -> Logged:
        """Return the change at a position."""
        ...

    def hash_at(self, actor: int, seq: int) -> bytes | None:
        """Return the hash of a change in the log; None when it is not there (any more)."""
        ...

    def hashes(self, actor: int, first: int) -> Sequence[tuple[int, bytes]]:
        """Return seq and hash of an actor's changes in the log, from a seq on, in order."""
        ...

    def log_part(self, position: int, number: int) -> bytes | None:
        """Return a part of a large change's body; None past its end."""
        ...

    def parts(self, position: int) -> Iterator[bytes]:
        """Yield the parts of a large change's body, in order."""
        ...

    def signature_at(self, actor: int, seq: int) -> bytes | None:
        """Return the signature over an actor's head at a seq."""
        ...

    def next_signed(self, actor: int, seq: int) -> int | None:
        """Return the lowest seq from ``seq`` on at which an actor's head is signed."""
        ...

    def segments(self) -> Sequence[tuple[int, bytes]]:
        """Return position and hash of each segment that was merged, in log order."""
        ...

    def segment_part(self, segment: bytes, number: int) -> bytes | None:
        """Return a part of a segment that is kept here."""
        ...

    def kept_segments(self) -> Sequence[tuple[bytes, int]]:
        """Return hash and number of kept parts of each segment that was not merged, by hash."""
        ...

    def incoming(self) -> Sequence[Incoming]:
        """Return the large changes whose parts are still arriving."""
        ...

    def forks(self) -> Sequence[tuple[int, int, bytes, bytes]]:
        """Return forks: actor, seq, our hash, the other hash."""
        ...

    def records(self, keys: Iterable[bytes]) -> dict[bytes, Record]:
        """Return the stored states of those entities that exist."""
        ...

    def all_records(self, kind: str | None = None, after: bytes = b"") -> Iterator[Record]:
        """Yield every stored state, or those of a kind, by key, from the first one past ``after``."""
        ...

    def ids_ending(self, kind: str, suffix: str) -> list[str]:
        """Return ids of entities of a kind, hidden or not, whose text ends with ``suffix``; at most 20."""
        ...

    def referrers(self, targets: Sequence[bytes]) -> list[bytes]:
        """Return the entities whose rows show one of these as parent, tag or link."""
        ...

    def waiting_for(self, targets: Sequence[bytes]) -> list[bytes]:
        """Return the entities with an edge to one of these that is withheld."""
        ...

    def parent_edge(self, task: bytes) -> bytes | None:
        """Return the parent that a visible task shows, or would but for a ring."""
        ...

    def in_rings(self) -> list[bytes]:
        """Return the tasks whose parent is withheld because of a ring."""
        ...

    def hidden(self, kind: str) -> list[bytes]:
        """Return the entities of a kind that are in the trash."""
        ...

    def conflicted(self) -> list[bytes]:
        """Return the visible entities that have a cell with several values."""
        ...

    def text(self, entity: bytes, field: str, genesis: int, since: int = -1) -> TextState | None:
        """Return a stored text, or what is newer than the update of serial number ``since``."""
        ...

    def all_texts(self) -> Sequence[tuple[bytes, str, int]]:
        """Return entity, field and genesis of every stored text, also of those that no cell names any more, in order."""
        ...

    def stale_texts(self) -> list[bytes]:
        """Return the entities whose row or hash does not yet reflect their latest edits."""
        ...

    def unindexed(self) -> bool:
        """Tell whether rows wait for the full-text index."""
        ...

    def quarantined(self) -> Sequence[tuple[bytes, str, int, str]]:
        """Return the texts that refused an update: entity, field, genesis, why."""
        ...

    def unknown_operations(self) -> int:
        """Return how many operations in the log this version could not fold."""
        ...

    def buckets(self) -> Mapping[int, int]:
        """Return the digest: a sum modulo 2**128 for each bucket that is not 0."""
        ...

    def rows(self, plan: Plan) -> list[Row]:
        """Return the rows of a query, in its order."""
        ...

    def row(self, kind: str, entity: str) -> Row | None:
        """Return the row of a visible entity."""
        ...

    def table(self, name: str) -> list[Row]:
        """Return all rows of one of the specification's tables, ordered by primary key."""
        ...

    def tags_of(self, kind: str, ids: Sequence[str]) -> dict[str, list[tuple[str, str]]]:
        """Return for each entity its tags: id and name."""
        ...

    def links_of(self, task: str | None, document: str | None) -> list[Row]:
        """Return rows of ``task_documents``, of a task, of a document, or all."""
        ...

    def counts(self) -> dict[str, int]:
        """Return how many tasks, documents and tags are visible, how many entities are hidden, and the changes."""
        ...


class StoreWriter(StoreReader, Protocol):
    """A transaction: what is written is seen by its own reads at once, and by others when it ends."""

    def set_meta(self, key: str, value: bytes) -> None:
        """Keep a small named value."""
        ...

    def append(self, logged: Logged, head: Head) -> None:
        """Append a change at the next position, and move its actor's head."""
        ...

    def append_part(self, position: int, number: int, part: bytes) -> None:
        """Keep a part of the change that will be, or is, at a position."""
        ...

    def append_segment(self, position: int, segment: bytes) -> None:
        """Note that a segment, by its hash, was merged at the next position."""
        ...

    def keep_segment_part(self, segment: bytes, number: int, part: bytes) -> None:
        """Keep a part of a segment; again is nothing."""
        ...

    def name_segment(self, draft: bytes, segment: bytes) -> None:
        """Keep the parts of a segment in the making under its hash, now that it is known."""
        ...

    def drop_segment(self, segment: bytes) -> None:
        """Forget the parts of a segment, unless it was merged."""
        ...

    def drop_meta(self, key: str) -> None:
        """Forget a small named value."""
        ...

    def set_head(self, head: Head) -> None:
        """Replace an actor's head."""
        ...

    def sign(self, actor: int, seq: int, signature: bytes) -> None:
        """Keep the signature over an actor's head at a seq, and note it in the head."""
        ...

    def expect(self, actor: int, seq: int, raw: bytes) -> None:
        """Keep the header of a large change until its parts are here."""
        ...

    def keep_part(self, actor: int, seq: int, number: int, part: bytes) -> None:
        """Keep a part of a large change that is not complete yet."""
        ...

    def complete(self, actor: int, seq: int, position: int) -> None:
        """Make the kept parts those of the change at a position, and forget that it was expected."""
        ...

    def forget_incoming(self, actor: int, seq: int) -> None:
        """Forget a large change that was expected, with its parts: it came by another way."""
        ...

    def add_fork(self, actor: int, seq: int, ours: bytes, theirs: bytes) -> None:
        """Note a fork; again is nothing."""
        ...

    def save(self, records: Sequence[Record], conflicted: Mapping[bytes, bool]) -> None:
        """Write states, new or changed, and whether a cell of each has several values."""
        ...

    def add_to_buckets(self, deltas: Mapping[int, int]) -> None:
        """Add to the digest's sums, modulo 2**128."""
        ...

    def show(self, shown: Sequence[Shown], new: frozenset[bytes]) -> None:
        """Write what the tables show of entities; ``new`` are those that no table has a row of."""
        ...

    def hide(self, kind: str, keys: Sequence[bytes]) -> None:
        """Remove the rows of entities and what hangs on them."""
        ...

    def save_text(self, entity: bytes, field: str, genesis: int, state: bytes, serial: int) -> None:
        """Write a text's state up to an update; the tail up to there is forgotten."""
        ...

    def append_text(self, entity: bytes, field: str, genesis: int, actor: int, update: bytes) -> int:
        """Append an update to a text's tail and return its serial number, greater than any before it."""
        ...

    def set_stale(self, entity: bytes, stale: bool) -> None:
        """Note whether an entity's row and hash wait for its text."""
        ...

    def quarantine(self, entity: bytes, field: str, genesis: int, why: str) -> None:
        """Note that a text refused an update."""
        ...

    def index_texts(self, limit: int = -1) -> int:
        """Bring the full-text index up to date, by at most ``limit`` rows; return how many it was."""
        ...

    def add_unknown_operations(self, entity: bytes | None, position: int, count: int) -> None:
        """Note operations that this version could not fold."""
        ...

    def clear_view(self) -> None:
        """Forget everything that is folded from the log."""
        ...


class Store(Protocol):
    """Where a device keeps everything."""

    def transact(self, work: Callable[[StoreWriter], T]) -> T:
        """Run ``work`` in one durable transaction; return what it returns once that is on disk."""
        ...

    def read(self) -> AbstractContextManager[StoreReader]:
        """Open a reader; close it soon, since it holds on to the state that it sees."""
        ...

    def version(self) -> int:
        """Return a number that changes with every commit, whichever process made it."""
        ...

    def close(self) -> None:
        """Finish running transactions and let go of everything."""
        ...
