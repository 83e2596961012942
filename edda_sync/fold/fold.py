"""
The fold: changes go in; entities, texts and rows come out, inside one transaction of a store.

Begin a change with :meth:`Fold.begin`, and pass its operations to :meth:`Fold.receive`, or this device's own ones to
:meth:`Fold.write`. :meth:`Fold.flush` passes on the result as a delta. Memory holds at most ``CHUNK`` entities: for a longer
change, deltas are passed on in between, inside the same transaction.

1. Local and remote changes take the same path: an author folds its own operations as every peer will.
2. The effect of an operation depends on the entity, the operation and its change's past, and never on when it came.
3. An operation that cannot be folded stays in the log, and the rest of its change is folded; see ``unapplied``.
4. A text's edits are applied at once; :meth:`Fold.refresh` brings its row and hash up to date.
5. Inside the fold and the store, an entity is identified by its key (``entity.key_of``), because entities of several kinds
   may have one id.
6. A write that makes an entity too large marks it as overfull. From then on nothing has any effect on the entity; for this
   device's own write it is an error. The log still contains everything.
7. The operations of a change that evidence removes (*void*) have no effect, and no operations of others lose theirs: what
   the change wrote into texts keeps its place there, hidden, because others may have written next to it.
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
from edda_sync.fold.deletions import Deletions
from edda_sync.fold.entities import Entities
from edda_sync.fold.newborn import Newborn
from edda_sync.fold.projector import Became, Projector
from edda_sync.fold.rings import Rings
from edda_sync.fold.texts import Texts
from edda_sync.fold.unapplied import UNREADABLE, NotApplied
from edda_sync.fold.uniques import Settings, Uniques, concerned
from edda_sync.fold.view import View
from edda_sync.fold.waiting import Waiting
from edda_sync.store.delta import Delta
from edda_sync.store.seams import Record, StoreReader
from edda_sync.words.errors import CorruptError, InvalidValueError, LimitError, LostStatesError, RefusedTextError
from edda_sync.words.model import TEXT_FIELDS

CHUNK: Final = 2_000
TEXT_BYTES: Final = 8 * 1024 * 1024  # how many bytes of edits are held before they are passed on


def _refuse_to_write(_delta: Delta) -> None:
    raise AssertionError("a fold that only looks has nobody to hand on what it holds")


class Fold:
    """
    One pass over changes in one transaction. Call :meth:`flush` before the transaction ends.

    It writes nothing itself: its result is a :class:`~edda_sync.store.delta.Delta`.

    Args:
        reader: The store's transaction; for looking only, a reader of the store.
        texts: The text documents in use.
        only: Keys of the entities to fold, if others must stay as they are.
        waiting: Where operations wait in the store; looked up again by default.
        write: Takes each delta, when it is complete or memory is full; by default nothing takes it.

    Attributes:
        change: The change that was last begun.
        uniques: The unique indexes, as the fold sees them.
    """

    def __init__(
        self,
        reader: StoreReader,
        texts: Texts,
        only: Collection[bytes] | None = None,
        waiting: Waiting | None = None,
        write: Callable[[Delta], None] = _refuse_to_write,
    ) -> None:
        self.reader, self.entities = reader, Entities(reader)
        self.view = View(reader, self.entities.known)
        self.texts = texts
        self.change: Current = NO_CHANGE
        self._write, self._only = write, only
        reads_all = only is None or UNREADABLE in only
        self._unapplied = NotApplied(reader, self.entities, waiting or Waiting(), reads_all=reads_all)
        self._rings, self.uniques = Rings(reader, self.entities), Uniques(reader, self.entities)
        deletions = Deletions(reader)
        self._projector = Projector(self.view, self.entities, self._rings, self.uniques, texts, deletions)
        self._budget = Budget()
        self._checks = Checks(self.entities, self._budget)
        self._applying = Applying(self.view, self.entities, texts, self._projector, self._checks, deletions)
        self._mentioned: dict[tuple[bytes, int], None] = {}  # by entity and position of the change
        self._number = 0  # of the operation within its change

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
            deps: Everything that it depends on, with its actor's previous change.
            position: Its position in the log.
            author: The public key of its device.
            void: Whether evidence removes its effect.
        """
        chain = names_of(self.reader).order(actor)
        self.change = change = Current((actor, seq), wall_ms, deps, position, author, chain, void=void)
        self._number = 0
        self._budget.begin()
        self._unapplied.begin(change)
        self._applying.begin(change)

    def read_ahead(self, bodies: Iterable[tuple[bytes, int]]) -> None:
        """
        Read the entities of the changes that will be folded next, all at once, which costs little more than reading one.

        Args:
            bodies: For each change, its whole body and the number of operations in its header.
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
        Fold the operations of a peer's change, and check each.

        Args:
            operations: All operations of the change, in order.
            understood: False if its header contains something that only a newer version knows: then all operations wait.
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
            self._mentioned[UNREADABLE, self.change.position] = None  # only its header says what it does
            self._unapplied.wait(UNREADABLE, 0, "only a newer version can read this change")

    def carry(self, one: Operation | Unread, number: int) -> None:
        """Fold an operation of this device, with its number in its change, like any other; it may have to wait."""
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
                continue  # it is neither refused nor waiting, because its effect does not depend on the order
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
        """Try the newborn path, for an operation that is the first one on its entity, and not special in any way."""
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
            return False  # the ordinary path decides
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
        """Tell whether an operation in a past waits, on an entity or on an unreadable one."""
        return self._unapplied.within(key, past)

    # --- this device's own --------------------------------------------------------------------------------------------

    def write(self, one: Operation) -> None:
        """
        Apply an operation of this device, by the rules that every peer applies.

        Raises:
            InvalidValueError: A peer would refuse it.
            LimitError: The change, this life, or all lives together would have written too much into one entity.
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
        Count an edit of this device that its text has already accepted, and write the text's cell.

        Args:
            entity, field, genesis: The text's entity, field and genesis.
            pieces, size: The number of pieces and of bytes in the edit.

        Raises:
            LimitError: This life, or all lives together, would have written too much into the entity.
        """
        entity.charge(self.change.chain, pieces, size)
        check_room(entity)
        self._mentioned[entity.key, self.change.position] = None
        self._applying.note_edit(entity, field, genesis)

    def forbid_ring(self, task_id: bytes) -> None:
        """Make the next flush raise :class:`InvalidValueError` if a task is its own ancestor."""
        self._rings.forbid(key_of("task", task_id))

    # --- entities that are whole --------------------------------------------------------------------------------------

    def load_state(self, other: Entity) -> None:
        """Take an entity's state from a segment, into an empty store. The caller takes its texts."""
        held = self.entities.of(other.kind, other.id)
        held.touched, held.deleted, held.cells = other.touched, other.deleted, other.cells
        held.spent, held.refused, held.ext = other.spent, other.refused, other.ext
        held.weight, held.overfull = other.weight, other.overfull
        self._projector.note(other.key, Became.SHOWN)
        self.flush_if_full()

    def is_sound(self, record: Record) -> bool:
        """
        Tell whether a stored entity has the hash and the rows of its state. Every text must be up to date.

        Raises:
            CorruptError: Its state, or one of its texts, cannot be read.
        """
        return self._projector.is_sound(record)

    def is_readable(self, key: bytes) -> bool:
        """Tell whether an entity can be read, with all its texts."""
        try:
            entity = self.entities.existing(*kind_and_id(key))
            for field, genesis in entity.edited_texts() if entity is not None else ():
                self.texts.document(self.view, (key, field, genesis))
        except LostStatesError:  # that is not about this entity
            raise
        except (CorruptError, RefusedTextError):  # it rotted, or names a missing text
            return False
        return True

    # --- writing ------------------------------------------------------------------------------------------------------

    def refresh(self) -> int:
        """
        Bring rows and hashes of edited texts up to date; return the number of these entities.

        An entity that cannot be read is left as it is; the scrub names it.
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
        """Write the rows of entities again, after the entities that they point at were folded again."""
        self.entities.load(keys)
        for key in keys:
            if self.entities.get(key) is not None:
                self._projector.note(key, Became.SHOWN)
        self.flush()

    def flush_if_full(self) -> None:
        """Pass on what is held, if it is much. What is forbidden may still be put right by the rest of the change."""
        if len(self.entities) >= CHUNK or self.view.size >= TEXT_BYTES:
            self.flush(is_last=False)

    def flush(self, *, is_last: bool = True) -> None:
        """Pass on the result of everything that was folded; ``is_last`` unless more of the same change follows."""
        delta = self.delta(is_last=is_last)
        withheld = [each.entity for name in delta.uniques for each in self.reader.uniques.withheld(name)]
        withheld += [each.entity for each in delta.claimed if each.withheld and each.name in delta.uniques]
        self._write(delta)
        if delta.uniques:
            self._claim_anew(delta.uniques, withheld)

    def _claim_anew(self, settings: Settings, withheld: Sequence[bytes]) -> None:
        """Look up what all claim under unique indexes that were written; ``withheld`` were not shown before."""
        for at in range(0, len(withheld), CHUNK):
            self.show_again(withheld[at : at + CHUNK])
        for page in concerned(self.reader, settings, CHUNK):
            self._projector.claim([self.entities.hold(each).key for each in page])
            self.flush()

    @property
    def work_us(self) -> int:
        """The estimated cost of reading and writing the entities that were here before, in microseconds."""
        return self._projector.work_us

    def hand_on(self, delta: Delta) -> None:
        """Pass on the finished result of the change that was begun, in place of folding it; see ``prepared``."""
        self._write(delta)

    def delta(self, *, is_last: bool = True) -> Delta:
        """
        Return the result of everything that was folded since the last delta, and forget it. The caller may write it.

        Raises:
            InvalidValueError: It is the last one of a change, and a task of :meth:`forbid_ring` is its own ancestor.
            ClashError: It is the last one; see ``Uniques.forbid``.
        """
        mentions = list(self._mentioned) if self._only is None else []
        delta = self._projector.delta(mentions, self._unapplied.take())
        self._rings.check(is_last=is_last)
        self.uniques.check(is_last=is_last)
        self._mentioned = {}
        self.entities.clear()
        return delta
