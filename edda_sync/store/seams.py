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

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, NamedTuple, Protocol, TypeVar

from edda_sync.words.query import Plan

T = TypeVar("T")
Row = tuple[Any, ...]


class Head(NamedTuple):
    """Where an actor's chain stands here."""

    actor: bytes
    seq: int
    hash: bytes
    deps: bytes  # frontier pairs (msgpack): what it depends on, as far as its birth's past does not say it
    birth: bytes  # as in its first change
    signed_seq: int  # the highest seq with a signature here; 0 when there is none
    signature: bytes


class Logged(NamedTuple):
    """A change in the log."""

    position: int
    actor: bytes
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


class Unapplied(NamedTuple):
    """
    An operation in the log that is not folded.

    Attributes:
        position, number: Its change's place in the log, and its own in the change.
        entity: Key of the entity that it is about (``fold.unapplied.UNREADABLE`` where that cannot be read).
        refused: True when it is refused for good; False when it waits for a newer version.
        why: For a person.
    """

    position: int
    number: int
    entity: bytes
    refused: bool
    why: str


class Rewritten(NamedTuple):
    """
    What a change of this device made of a text, while the text itself was not certain; see ``ledger.retold``.

    Attributes:
        position: Of the change, in the log.
        entity: Whose text it is, by key.
        before: What that read before; None where it is what the one before this, of the same entity, left.
        edits: What was made of it, encoded.
        leaves: Hash of what it read then.
    """

    position: int
    entity: bytes
    before: str | None
    edits: bytes
    leaves: bytes


class Shown(NamedTuple):
    """What the tables show of a visible entity."""

    kind: str
    key: bytes
    row: Row
    tags: tuple[tuple[str, str], ...]  # tag id, created_at
    links: tuple[tuple[str, str, str], ...]  # document id, relationship, created_at
    withheld: tuple[tuple[str, bytes, str], ...]  # cell, target, why: hidden or ring


class Patch(NamedTuple):
    """
    What changed in the row of a visible entity.

    Attributes:
        kind: Of the entity.
        id: Its id, as text.
        columns: Names of columns, in the order of the row.
        values: What each of them is now.
    """

    kind: str
    id: str
    columns: tuple[str, ...]
    values: Row


class Pointed(NamedTuple):
    """
    Where a tag or link of a visible entity points now, whose row is shown already.

    Attributes:
        kind, key, id: Of the entity, its id as text as well.
        cell: What names the tag or document.
        target: The id of that, as text.
        shown: The rest of the row that shows it, as in :class:`Shown`; empty where none does.
        withheld: The target's key, and why it is withheld; empty where it is not.
    """

    kind: str
    key: bytes
    id: str
    cell: str
    target: str
    shown: tuple[str, ...]
    withheld: tuple[bytes, str] | tuple[()]


class TailEdit(NamedTuple):
    """An accepted edit of a stored text: its number among all edits here, the change that brought it, and its bytes."""

    serial: int
    actor: bytes
    seq: int
    edit: bytes


class TextState(NamedTuple):
    """A stored text: its state up to an update, and the updates since."""

    state: bytes  # empty when the reader has it already
    serial: int  # of the last update in the state
    tail: list[TailEdit]


class Incoming(NamedTuple):
    """A large change of which not every part is here yet."""

    actor: bytes
    seq: int
    raw: bytes
    parts: frozenset[int]  # the numbers of those that are


class StoreReader(Protocol):
    """One unmoving state of a store."""

    def meta(self, key: str) -> bytes | None:
        """Return a small named value."""
        ...

    def heads(self) -> Mapping[bytes, Head]:
        """Return every actor's head: the frontier, with hashes."""
        ...

    def log_position(self) -> int:
        """Return the greatest position at which the log has a change or a segment; 0 for none."""
        ...

    def positions_missing(self, frontier: Mapping[bytes, int]) -> Sequence[int]:
        """Return, in log order, where the changes are that a frontier lacks."""
        ...

    def logged(self, position: int) -> Logged:
        """Return the change at a position."""
        ...

    def position_of(self, actor: bytes, seq: int) -> int | None:
        """Return where a change stands in the log; None when it is not there (any more)."""
        ...

    def hash_at(self, actor: bytes, seq: int) -> bytes | None:
        """Return the hash of a change in the log; None when it is not there (any more)."""
        ...

    def hashes(self, actor: bytes, first: int) -> Sequence[tuple[int, bytes]]:
        """Return seq and hash of an actor's changes in the log, from a seq on, in order."""
        ...

    def headers(self, actor: bytes, first: int, last: int) -> Sequence[bytes]:
        """Return the headers of an actor's changes in the log, from a seq to a seq, in order."""
        ...

    def log_part(self, position: int, number: int) -> bytes | None:
        """Return a part of a large change's body; None past its end."""
        ...

    def parts(self, position: int) -> Iterator[bytes]:
        """Yield the parts of a large change's body, in order."""
        ...

    def signature_at(self, actor: bytes, seq: int) -> bytes | None:
        """Return the signature over an actor's head at a seq."""
        ...

    def next_signed(self, actor: bytes, seq: int) -> int | None:
        """Return the lowest seq from ``seq`` on at which an actor's head is signed."""
        ...

    def last_signed(self, actor: bytes, seq: int) -> int | None:
        """Return the highest seq up to ``seq`` at which an actor's head is signed."""
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

    def incoming(self, seq: int | None = None) -> Sequence[Incoming]:
        """Return the large changes whose parts are still arriving; those with a seq, or all."""
        ...

    def behind(self) -> Mapping[bytes, Head]:
        """Return how far the log behind a segment is here: each actor's head in it."""
        ...

    def rewritten(self) -> Sequence[Rewritten]:
        """Return what this device's edits made of texts, as far as that is kept, in log order."""
        ...

    def left_by_rewriting(self, entity: bytes) -> bytes | None:
        """Return the hash of what the last of these, of an entity's text, left; None when there is none."""
        ...

    def evidence(self) -> Mapping[bytes, bytes]:
        """Return the signed evidence that is held: what it says, by its name."""
        ...

    def evidence_names(self) -> Sequence[bytes]:
        """Return the names of the evidence that is held, in order."""
        ...

    def evidence_at(self, name: bytes) -> bytes | None:
        """Return a piece of evidence by its name; None when it is not held."""
        ...

    def records(self, keys: Iterable[bytes]) -> dict[bytes, Record]:
        """Return the stored states of those entities that exist."""
        ...

    def all_records(self, kind: str | None = None, after: bytes = b"") -> Iterator[Record]:
        """Yield every stored state, or those of a kind, by key, from the first one past ``after``."""
        ...

    def ids_ending(self, kind: str, suffix: str) -> list[str]:
        """Return ids of entities of a kind, hidden or not, that end with some hexadecimal digits, 6 or more; at most 20."""
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

    def parents_among(self, tasks: Collection[bytes]) -> set[bytes]:
        """Return which of some tasks a visible task shows as its parent, or would but for a ring."""
        ...

    def in_rings(self) -> list[bytes]:
        """Return the tasks whose parent is withheld because of a ring."""
        ...

    def in_rings_among(self, tasks: Collection[bytes]) -> set[bytes]:
        """Return of which of some tasks the parent is withheld because of a ring."""
        ...

    def has_rings(self) -> bool:
        """Tell whether any task's parent is withheld because of a ring."""
        ...

    def hidden(self, kind: str) -> list[bytes]:
        """Return the entities of a kind that are in the trash."""
        ...

    def conflicted(self) -> list[bytes]:
        """Return the visible entities that have a cell with several values."""
        ...

    def text(self, entity: bytes, field: str, genesis: bytes, since: int = -1) -> TextState | None:
        """Return a stored text, or what is newer than the update of serial number ``since``."""
        ...

    def last_serial(self) -> int:
        """Return the greatest serial number that any edit of a text ever had here; 0 for none."""
        ...

    def all_texts(self) -> Sequence[tuple[bytes, str, bytes]]:
        """Return entity, field and genesis of every stored text, also of those that no cell names any more, in order."""
        ...

    def stale_texts(self) -> list[bytes]:
        """Return the entities whose row or hash does not yet reflect their latest edits."""
        ...

    def stale_among(self, entities: Collection[bytes]) -> set[bytes]:
        """Return which of some entities have a row or hash that does not yet reflect their latest edits."""
        ...

    def unindexed(self) -> bool:
        """Tell whether rows wait for the full-text index."""
        ...

    def unindexed_of(self, kind: str) -> Sequence[str]:
        """Return the ids of the tasks or documents whose rows wait for the full-text index, in order."""
        ...

    def unapplied(self, entity: bytes | None = None, position: int | None = None) -> Sequence[Unapplied]:
        """Return the operations that are not folded, those about an entity, or of the change at a position, in log order."""
        ...

    def waits(self) -> bool:
        """Tell whether any operation waits for a newer version."""
        ...

    def waiting(self) -> int:
        """Return how many operations wait for a newer version."""
        ...

    def waiting_at(self, entity: bytes, after: int = 0) -> Sequence[int]:
        """Return where in the log, after a position, changes are of which operations about an entity wait, in order."""
        ...

    def waiting_numbers(self) -> Sequence[tuple[int, str]]:
        """Return where in the log changes are of which operations wait, in order, and the numbers of these: ``1,2,5``."""
        ...

    def entities_at(self, positions: Sequence[int]) -> Sequence[bytes]:
        """Return the entities that the changes at some positions are about."""
        ...

    def mentions(self, entity: bytes) -> Sequence[int]:
        """Return the positions in the log of the changes that are about an entity, in order."""
        ...

    def mention_count(self) -> int:
        """Return how many entities all changes of the log are about, each counted once for each change."""
        ...

    def digest(self) -> int:
        """Return the sum, modulo 2**128, of what the entities' hashes begin with (``crdt.digests``)."""
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

    def scan(self, name: str) -> Iterator[Row]:
        """Yield all rows of one of the specification's tables, ordered by primary key; nothing is written meanwhile."""
        ...

    def tags_of(self, kind: str, ids: Sequence[str]) -> dict[str, list[tuple[str, str]]]:
        """Return for each entity its tags: id and name."""
        ...

    def carriers(self, tag: str) -> list[tuple[str, str]]:
        """Return kind and id of the tasks and documents that carry a tag, in order."""
        ...

    def links_of(self, task: str | None, document: str | None) -> list[Row]:
        """Return rows of ``task_documents``, of a task, of a document, or all."""
        ...

    def counts(self) -> dict[str, int]:
        """Return how many tasks, documents and tags are visible, how many entities are hidden, and the changes."""
        ...


class StoreWriter(StoreReader, Protocol):
    """A transaction: what is written is seen by its own reads at once, and by others when it ends."""

    def undoing(self) -> AbstractContextManager[None]:
        """Undo what is done inside where an error ends it, and nothing else of the transaction."""
        ...

    def set_meta(self, key: str, value: bytes) -> None:
        """Keep a small named value."""
        ...

    def append(self, logged: Logged, head: Head) -> None:
        """Put a change at a position that is free, the next one or one that a segment left, and set its actor's head."""
        ...

    def append_part(self, position: int, number: int, part: bytes) -> None:
        """Keep a part of the change that will be, or is, at a position."""
        ...

    def append_segment(self, position: int, segment: bytes) -> None:
        """Note that the log begins with a segment, by its hash, which leaves the positions below for its changes."""
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

    def sign(self, actor: bytes, seq: int, signature: bytes) -> None:
        """Keep the signature over an actor's head at a seq, and note it in the head."""
        ...

    def expect(self, actor: bytes, seq: int, raw: bytes) -> None:
        """Keep the header of a large change until its parts are here."""
        ...

    def keep_part(self, actor: bytes, seq: int, number: int, part: bytes) -> None:
        """Keep a part of a large change that is not complete yet."""
        ...

    def complete(self, actor: bytes, seq: int, position: int) -> None:
        """Make the kept parts those of the change at a position, and forget that it was expected."""
        ...

    def forget_incoming(self, actor: bytes, seq: int) -> None:
        """Forget a large change that was expected, with its parts: it came by another way."""
        ...

    def replace(self, logged: Logged) -> None:
        """Write a change in the place of one that rotted; its large body's parts stay."""
        ...

    def replace_part(self, position: int, number: int, part: bytes) -> None:
        """Write a part in the place of one that rotted."""
        ...

    def rename(self, old: bytes, above: int, new: bytes, before: Head | None) -> Sequence[int]:
        """
        Call the changes of a name above a seq by another name, with their signatures and the head.

        Args:
            old, above, new: Which, and how.
            before: What the head under the old name is then; None when it has no change left.

        Returns:
            The positions of the renamed changes.
        """
        ...

    def move_to_end(self, positions: Sequence[int]) -> None:
        """Put changes of the log behind all others, in this order, with all that goes by where they stand."""
        ...

    def set_behind(self, head: Head) -> None:
        """Note how far the log behind a segment is here."""
        ...

    def drop_behind(self) -> None:
        """Forget what is here of the log behind a segment, with the signatures over it: it was of another chain."""
        ...

    def fall_back(self) -> None:
        """
        Forget what the log has from the first segment on, and what signatures say of that: its heads are those behind it.

        Call :meth:`end_segment` next.
        """
        ...

    def end_segment(self, segment: bytes) -> None:
        """Forget a segment with which the log began, and how far the log behind it was here: all of that is."""
        ...

    def keep_rewritten(self, rewritten: Rewritten) -> None:
        """Keep what an edit of this device made of a text."""
        ...

    def forget_rewritten(self) -> None:
        """Forget what this device's edits made of texts: these stand."""
        ...

    def drop_lives(self, actors: Collection[bytes]) -> None:
        """Forget all changes of some actors, with all that goes by where they stand, and that there were such actors."""
        ...

    def add_evidence(self, name: bytes, evidence: bytes) -> None:
        """Keep a piece of signed evidence under its name; again is nothing."""
        ...

    def drop_evidence(self, name: bytes) -> None:
        """Forget a piece of evidence that another one says more than."""
        ...

    def save(self, records: Sequence[Record], conflicted: Mapping[bytes, bool]) -> None:
        """Write states, new or changed, and whether a cell of each has several values."""
        ...

    def add_to_digest(self, delta: int) -> None:
        """Add to the digest's sum, modulo 2**128."""
        ...

    def show(self, shown: Sequence[Shown], new: frozenset[bytes]) -> None:
        """Write what the tables show of entities; ``new`` are those that no table has a row of."""
        ...

    def patch(self, patches: Sequence[Patch]) -> None:
        """
        Write columns of rows that the tables show already.

        Raises:
            CorruptError: They do not.
        """
        ...

    def point(self, pointed: Sequence[Pointed]) -> None:
        """Write where some tags and links of entities point, whose rows the tables show already; their others stay."""
        ...

    def hide(self, kind: str, keys: Sequence[bytes]) -> None:
        """Remove the rows of entities and what hangs on them."""
        ...

    def save_text(self, entity: bytes, field: str, genesis: bytes, state: bytes, serial: int) -> None:
        """Write a text's state up to an update; the tail up to there is forgotten."""
        ...

    def append_text(self, entity: bytes, field: str, genesis: bytes, actor: bytes, seq: int, edit: bytes) -> int:
        """Append an edit to a text's tail and return its serial number, greater than any before it."""
        ...

    def set_stale(self, stale: Mapping[bytes, bool]) -> None:
        """Note of some entities whether their row and hash wait for their text."""
        ...

    def index_texts(self, limit: int = -1) -> int:
        """Bring the full-text index up to date, by at most ``limit`` rows; return how many it was."""
        ...

    def set_unapplied(self, unapplied: Sequence[Unapplied]) -> None:
        """Note operations that are not folded."""
        ...

    def mention(self, mentions: Sequence[tuple[bytes, int]]) -> None:
        """Note which entities changes are about: entity, and the change's position; again is nothing."""
        ...

    def forget(self, entities: Sequence[bytes]) -> None:
        """Forget what is folded of some entities (states, rows, texts, what is unapplied), to fold them anew."""
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

    def is_busy(self) -> bool:
        """Tell whether somebody writes at this moment, in whichever process, so that a transaction would have to wait."""
        ...

    def close(self) -> None:
        """Finish running transactions and let go of everything."""
        ...
