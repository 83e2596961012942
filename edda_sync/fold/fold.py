"""
The fold: changes in; entities, texts and rows out, inside one transaction of a store.

Begin a change with :meth:`Fold.begin`, and hand in its operations with :meth:`Fold.receive` or, one's own,
:meth:`Fold.write`; :meth:`Fold.flush` hands on what came of it, as a delta. Memory holds at most ``CHUNK`` entities: of a
longer change a delta is handed on now and then, inside the same transaction.

1. Local and remote changes take the same path: an author folds its own operations as everybody else will.
2. What an operation does depends on the entity, the operation and its change's past: never on when it came.
3. An operation that cannot be folded stays in the log, and the rest of its change is folded; see ``unapplied``.
4. A text's edits are applied at once, its row and hash are brought up to date by :meth:`Fold.refresh`.
5. Inside, and in the store, an entity goes by its key (``entity.key_of``): one id may name several, one of each kind.
6. What would make an entity overfull makes it so, and from then on nothing has any effect on it; at this device's own
   commit it is an error. The log holds all of it, and what is about it.
7. Of a change that evidence takes out (*void*) the operations have no effect, and nobody else's vanish with them: what it
   wrote into texts keeps its place there, hidden, since others may have written beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Final

from edda_sync.changes.chains import names_of
from edda_sync.crdt import operation
from edda_sync.crdt.entity import Entity
from edda_sync.crdt.keys import key_of, kind_and_id
from edda_sync.crdt.operation import Delete, Edit, Operation, Put, Unread
from edda_sync.crdt.schema import unknown_cells
from edda_sync.fold import newborn
from edda_sync.fold.applying import Applying
from edda_sync.fold.budget import Budget, check_room, is_much, size_of
from edda_sync.fold.checks import Checks
from edda_sync.fold.current import NO_CHANGE, Current
from edda_sync.fold.entities import Entities
from edda_sync.fold.newborn import Newborn
from edda_sync.fold.projector import Became, Projector
from edda_sync.fold.rings import Rings
from edda_sync.fold.texts import Texts
from edda_sync.fold.unapplied import UNREADABLE, NotApplied
from edda_sync.fold.view import View
from edda_sync.fold.waiting import Waiting
from edda_sync.store.delta import Delta
from edda_sync.store.seams import Record, StoreReader
from edda_sync.words import values
from edda_sync.words.errors import CorruptError, InvalidValueError, LimitError, RefusedTextError
from edda_sync.words.model import TEXT_FIELDS

CHUNK: Final = 2_000
TEXT_BYTES: Final = 8 * 1024 * 1024  # of what was done to texts: more is handed on


def _refuse_to_write(_delta: Delta) -> None:
    raise AssertionError("a fold that only looks has nobody to hand on what it holds")


class Fold:
    """
    One pass over changes in one transaction; call :meth:`flush` before the transaction ends.

    It writes nothing itself: what comes of the changes is a :class:`~edda_sync.store.delta.Delta`.

    Args:
        reader: The store's transaction; a reader of it for whoever only looks.
        texts: The text documents in use.
        only: Keys of the entities to fold, when others are to be left as they are.
        waiting: Where operations wait in the store; looked up anew by default.
        write: Takes each delta when it is complete, or when as much is held as memory is for; nobody by default.

    Attributes:
        change: The change that was begun last.
    """

    def __init__(
        self,
        reader: StoreReader,
        texts: Texts,
        only: Collection[bytes] | None = None,
        waiting: Waiting | None = None,
        write: Callable[[Delta], None] = _refuse_to_write,
    ) -> None:
        self.reader, self.view = reader, View(reader)
        self.texts = texts
        self.entities = Entities(reader)
        self.change: Current = NO_CHANGE
        self._write, self._only = write, only
        reads_all = only is None or UNREADABLE in only
        self._unapplied = NotApplied(reader, self.entities, waiting or Waiting(), reads_all=reads_all)
        self._rings = Rings(reader, self.entities)
        self._projector = Projector(self.view, self.entities, self._rings, texts)
        self._budget = Budget()
        self._checks = Checks(self.entities, self._budget)
        self._applying = Applying(self.view, self.entities, texts, self._projector, self._checks)
        self._mentioned: dict[tuple[bytes, int], None] = {}  # entity, and position of the change that is about it
        self._parented: dict[bytes, None] = {}  # tasks that this device gives a parent, which must close no ring
        self._number = 0  # of the operation, in its change

    def begin(
        self,
        actor: bytes,
        seq: int,
        wall_ms: int,
        deps: Mapping[bytes, int],
        position: int,
        author: bytes,
        *,
        void: bool = False,
    ) -> None:
        """
        Start a change.

        Args:
            actor, seq: Its dot.
            wall_ms: Its wall time in milliseconds.
            deps: All that it depends on, its actor's previous change included.
            position: Where it stands in the log.
            author: The public key of its device.
            void: Whether evidence takes it out.
        """
        chain = names_of(self.reader).order(actor)
        self.change = change = Current((actor, seq), wall_ms, deps, position, author, chain, void=void)
        self._number = 0
        self._budget.begin()
        self._unapplied.begin(change)
        self._applying.begin(change)

    def read_ahead(self, bodies: Iterable[tuple[bytes, int]]) -> None:
        """
        Read what some changes that are folded next are about: all at once, which costs little more than one of them.

        Args:
            bodies: The whole body of each change, and how many operations its header says that there are.
        """
        keys: dict[bytes, None] = {}
        for body, operations in bodies:
            for kind, entity_id in operation.about(body, operations):
                key = key_of(kind, entity_id)
                if self._only is None or key in self._only:
                    keys[key] = None
            if len(keys) >= CHUNK:
                break
        if len(keys) > 1:
            self.entities.load(keys)

    # --- a peer's operations ------------------------------------------------------------------------------------------

    def receive(self, operations: Iterable[Operation | Unread], *, understood: bool = True) -> None:
        """
        Fold the operations of a change that a peer sent: each is checked.

        Args:
            operations: All of the change, in order.
            understood: False when its header says something that only a newer version knows: then all of it waits.
        """
        chunk: list[Operation | Unread] = []
        for each in operations:
            chunk.append(each)
            if len(chunk) == CHUNK:
                self._receive_chunk(chunk, understood)
                chunk = []
        self._receive_chunk(chunk, understood)
        nothing = self._number == 0 and not self.change.void
        if not understood and nothing and (self._only is None or UNREADABLE in self._only):
            self._mentioned[UNREADABLE, self.change.position] = None  # what it does stands in its header alone
            self._unapplied.wait(UNREADABLE, 0, "only a newer version can read this change")

    def carry(self, one: Operation | Unread, number: int) -> None:
        """Fold an operation of this device's own, with its number in its change, as everybody else does: it may wait."""
        self._number = number - 1
        self._receive_chunk([one], True)

    def _receive_chunk(self, chunk: list[Operation | Unread], understood: bool) -> None:
        keys = [UNREADABLE if each.kind is None or each.id is None else key_of(each.kind, each.id) for each in chunk]
        self.entities.load(keys if self._only is None else [key for key in keys if key in self._only])
        position, void = self.change.position, self.change.void
        for each, key in zip(chunk, keys, strict=True):
            self._number += 1
            if self._only is not None and key not in self._only:
                continue
            self._mentioned[key, position] = None
            if type(each) is Put and understood and not void and self._bear(each, key, is_strange=True):
                continue
            held = self.entities.get(key)
            if held is not None and held.overfull:
                continue  # nothing is refused of it, and nothing waits: what it is hangs on no order
            self._projector.strange(key)
            if void:
                if understood and isinstance(each, (Put, Edit)):
                    self._applying.keep_void(each)
            elif not understood:
                self._wait(key, "it belongs to a change that only a newer version can read")
            elif isinstance(each, Unread):
                if each.refused:
                    self._refuse(key, "it is malformed")
                else:
                    self._wait(key, "only a newer version knows this operation")
            else:
                self._receive_one(each, key)
        self.flush_if_full()

    def _bear(self, one: Put, key: bytes, *, is_strange: bool) -> bool:
        """Try the newborn path: for an operation that is the first on its entity, and has nothing special about it."""
        kind, written = one.kind, one.cells
        if kind not in newborn.KINDS or not self.entities.is_unwritten(key) or self._budget.has_spent(key):
            return False
        if not written or written.get("parent_id") is not None or (kind == "tag" and "name" not in written):
            return False
        try:
            size = size_of(written)
            if unknown_cells(kind, one.id, written) or is_much(len(written), size):
                return False
            self._budget.spend(one, size)
        except (InvalidValueError, LimitError):
            return False  # the ordinary path says what becomes of it
        change = self.change
        dot = change.actor, change.seq
        self.entities.bear(Newborn(kind, one.id, key, dot, change.wall_ms, written, size, is_strange=is_strange))
        return True

    def _receive_one(self, one: Operation, key: bytes) -> None:
        size = 0
        try:
            if isinstance(one, Put):
                unknown, size = self._checks.put(self.change, one)
                if unknown:
                    self._wait(key, f"only a newer version knows the cell {unknown[0]}")
                    known = {name: value for name, value in one.cells.items() if name not in unknown}
                    if not known:
                        return
                    one, size = Put(one.kind, one.id, known), size_of(known)
            elif isinstance(one, Delete):
                self._checks.delete(one)
            entity = self._applying.pay(one, size)
            if entity.is_too_heavy:
                entity.overfill()
                self._projector.note(key, Became.SHOWN)
        except (InvalidValueError, LimitError) as error:
            self._refuse(key, str(error))
        except RefusedTextError as error:
            self._refuse(key, error.reason)

    def _refuse(self, key: bytes, why: str) -> None:
        if self._unapplied.refuse(key, self._number, why):
            self._projector.note(key, Became.TOUCHED)

    def _wait(self, key: bytes, why: str) -> None:
        self._unapplied.wait(key, self._number, why)

    def waits_within(self, key: bytes, past: Mapping[bytes, int]) -> bool:
        """Tell whether something that a past holds waits, on an entity or on one that nobody can read."""
        return self._unapplied.within(key, past)

    # --- this device's own --------------------------------------------------------------------------------------------

    def write(self, one: Operation) -> None:
        """
        Apply an operation of this device's own, by the rules that every reader holds it to.

        Raises:
            InvalidValueError: A reader would refuse it.
            LimitError: The change, or this life, or all lives together, would have written too much into one entity.
        """
        size, key = 0, key_of(one.kind, one.id)
        self._mentioned[key, self.change.position] = None
        if isinstance(one, Put):
            if self._bear(one, key, is_strange=False):
                return
            unknown, size = self._checks.put(self.change, one)
            if unknown:
                raise InvalidValueError(unknown[0], "is nothing that this version writes", None)
        elif isinstance(one, Delete):
            self._checks.delete(one)
        check_room(self._applying.pay(one, size))

    def write_edit(self, entity: Entity, field: str, genesis: bytes, pieces: int, size: int) -> None:
        """
        Count an edit of this device's own that its text has taken already, and write the text's cell.

        Args:
            entity, field, genesis: The text's.
            pieces, size: How many pieces the edit has, and how many bytes.

        Raises:
            LimitError: This life, or all lives together, would have written too much into the entity.
        """
        entity.charge(self.change.chain, pieces, size)
        check_room(entity)
        self._mentioned[entity.key, self.change.position] = None
        self._applying.note_edit(entity, field, genesis)

    def forbid_ring(self, task_id: bytes) -> None:
        """Let the next flush raise :class:`InvalidValueError` if a task is its own ancestor then."""
        self._parented[key_of("task", task_id)] = None

    # --- entities that are whole --------------------------------------------------------------------------------------

    def load_state(self, other: Entity) -> None:
        """Take an entity's state from a segment, into a store that has nothing of it; its texts are the caller's."""
        held = self.entities.of(other.kind, other.id)
        held.touched, held.deleted, held.cells = other.touched, other.deleted, other.cells
        held.spent, held.refused, held.ext = other.spent, other.refused, other.ext
        held.weight, held.overfull = other.weight, other.overfull
        self._projector.note(other.key, Became.SHOWN)
        self.flush_if_full()

    def is_sound(self, record: Record) -> bool:
        """
        Tell whether a stored entity has the hash and the rows that its state says; every text must be up to date.

        Raises:
            CorruptError: Its state, or a text of it, cannot even be read.
        """
        return self._projector.is_sound(record)

    def is_readable(self, key: bytes) -> bool:
        """Tell whether an entity can be read, with each of its texts."""
        try:
            entity = self.entities.existing(*kind_and_id(key))
            for field, genesis in entity.edited_texts() if entity is not None else ():
                self.texts.document(self.view, (key, field, genesis))
        except (CorruptError, RefusedTextError):  # what rotted, or names a text that is not there
            return False
        return True

    # --- writing ------------------------------------------------------------------------------------------------------

    def refresh(self) -> int:
        """
        Bring rows and hashes of edited texts up to date; return how many entities that were.

        One that cannot be read is left as it is: it ends nothing, and the scrub names it.
        """
        stale = [key for key in self.reader.index.stale() if self.is_readable(key)]
        self.entities.load(stale)
        for key in stale:
            entity = self.entities.get(key)
            if entity is not None:
                self._projector.note(key, Became.SHOWN, (TEXT_FIELDS[entity.kind],))
        self.flush()
        return len(stale)

    def show_again(self, keys: Sequence[bytes]) -> None:
        """Write the rows of entities anew, after what they point at was folded anew."""
        self.entities.load(keys)
        for key in keys:
            if self.entities.get(key) is not None:
                self._projector.note(key, Became.SHOWN)
        self.flush()

    def flush_if_full(self) -> None:
        """Hand on what is held when it is much."""
        if len(self.entities) >= CHUNK or self.view.size >= TEXT_BYTES:
            self.flush()

    def flush(self) -> None:
        """Hand on what came of all that was folded: states, texts, hashes, digest and rows."""
        self._write(self.delta())

    def delta(self) -> Delta:
        """
        Return what came of all that was folded since the last one, and forget it: whoever asks writes it, or not.

        Raises:
            InvalidValueError: A task of :meth:`forbid_ring` is its own ancestor.
        """
        mentions = list(self._mentioned) if self._only is None else []
        delta = self._projector.delta(mentions, self._unapplied.take())
        for key in reversed(self._parented):
            if self._rings.is_in_ring(key):
                task = values.id_text(kind_and_id(key)[1])
                raise InvalidValueError("parent_id", "would make the task part of itself", task)
        self._mentioned, self._parented = {}, {}
        self.entities.clear()
        return delta
