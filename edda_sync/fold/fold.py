"""
The fold: changes in, entities, texts and rows out, inside one transaction of a store.

Feed it a change with :meth:`Fold.begin`, and its operations with :meth:`Fold.receive` or, one's own, :meth:`Fold.write`;
:meth:`Fold.flush` hands on what came of it, as a delta. Memory holds at most ``CHUNK`` entities: of a longer change a delta
is handed on now and then, inside the same transaction.

1. Local and remote changes take the same path: an author folds its own operations as everybody else will.
2. What an operation does depends on the entity, the operation and its change's past: never on when it came.
3. An operation that cannot be folded stays in the log, and the rest of its change is folded. It *waits* when a newer
   version may know it, or when what it is about waits; it is *refused* when no version will take it, and is then part of
   the entity's state.
4. A text's edits are applied at once, its row and hash are brought up to date by :meth:`Fold.refresh`.
5. Inside, and in the store, an entity goes by its key (``entity.key_of``): one id may name several, one of each kind.
6. What would make an entity overfull makes it so, and from then on nothing has any effect on it; at this device's own
   commit it is an error. The log holds all of it, and what is about it.
7. Of a change that evidence takes out (*void*) the operations have no effect, and nobody else's vanish with them: what it
   wrote into texts keeps its place there, hidden, since others may have written beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from edda_sync.changes.chains import Chains, names_of
from edda_sync.crdt import cells, operation
from edda_sync.crdt.cells import Write
from edda_sync.crdt.entity import Entity, key_of, kind_and_id
from edda_sync.crdt.frontier import Frontier, from_pairs
from edda_sync.crdt.operation import Delete, Edit, Operation, Put, Touch, Unread
from edda_sync.crdt.records import EpochRecord, check_device, decode_epoch
from edda_sync.crdt.schema import unknown_cells
from edda_sync.fold import newborn
from edda_sync.fold.entities import Entities
from edda_sync.fold.newborn import Newborn
from edda_sync.fold.projector import Became, Projector
from edda_sync.fold.rings import Rings
from edda_sync.fold.texts import Texts
from edda_sync.fold.view import View
from edda_sync.fold.waiting import Waiting
from edda_sync.store.delta import Delta
from edda_sync.store.seams import Record, StoreReader, Unapplied
from edda_sync.words import limits, values
from edda_sync.words.errors import CorruptError, InvalidValueError, LimitError, RefusedTextError
from edda_sync.words.model import TEXT_FIELDS

if TYPE_CHECKING:
    from edda_sync.crdt.text.edits import TextEdit

CHUNK: Final = 2_000
TEXT_BYTES: Final = 8 * 1024 * 1024  # of what was done to texts: more is handed on
_NEVER: Final = (
    limits.CHANGE_OPERATIONS_MAX + 2
)  # beyond the number of any operation, that of what is too much included
_NEVER_DELETED: Final = ("device", "workspace")  # who is a member is no question of what is in the trash
UNREADABLE: Final = key_of("workspace", bytes(16))
"""Key of the entity that stands for whatever is refused and is about nothing that can be read."""


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
        self._write = write
        self._stored_waiting = waiting or Waiting()
        self.entities = Entities(reader)
        self._chains: Chains | None = None
        self._rings = Rings(reader, self.entities)
        self._projector = Projector(self.view, self.entities, self._rings, texts)
        self._only = only
        self._unapplied: list[Unapplied] = []
        self._mentioned: dict[tuple[bytes, int], None] = {}  # entity, and position of the change that is about it
        self._spent: dict[bytes, tuple[int, int]] = {}  # of a change's budget: cells and bytes, by entity
        self._waiting: dict[bytes, dict[bytes, int]] = {}  # what is not in the store yet: by entity, then first by name
        self._waits: dict[bytes, bool] = {}  # whether something in the change's past waits, by entity
        self._passed_over: int | None = None  # once it was looked up
        self._parented: dict[bytes, None] = {}  # tasks that this device gives a parent, which must close no ring
        self.actor, self.seq, self.wall_ms, self.position = b"", 0, 0, 0
        self.author = b""
        self.deps: Mapping[bytes, int] = {}
        self.past: Frontier = {}
        self._void = False
        self._written_void: dict[bytes, bytes | None] = {}  # by a void change: the text that an entity's field reads
        self._chain: Sequence[bytes] = ()  # the names of the author's chain, from the actor down
        self._number = 0

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
        self._chains = None  # as of this change: one before it may have begun a branch
        self.actor, self.seq, self.wall_ms, self.position, self.author = actor, seq, wall_ms, position, author
        self.deps, self.past = deps, {**deps, actor: seq}
        self._chain = names_of(self.reader).order(actor)
        self._number = 0
        self._spent, self._waits, self._passed_over = {}, {}, None
        self._void, self._written_void = void, {}

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
        if not understood and self._number == 0 and not self._void and (self._only is None or UNREADABLE in self._only):
            self._mentioned[UNREADABLE, self.position] = None  # what it does stands in its header alone
            self._wait(UNREADABLE, "only a newer version can read this change")

    def carry(self, one: Operation | Unread, number: int) -> None:
        """Fold an operation of this device's own, the so-many-th of its change, as everybody else does: it may wait."""
        self._number = number - 1
        self._receive_chunk([one], True)

    def _receive_chunk(self, chunk: list[Operation | Unread], understood: bool) -> None:
        keys = [UNREADABLE if each.kind is None or each.id is None else key_of(each.kind, each.id) for each in chunk]
        self.entities.load(keys if self._only is None else [key for key in keys if key in self._only])
        for each, key in zip(chunk, keys, strict=True):
            self._number += 1
            if self._only is not None and key not in self._only:
                continue
            self._mentioned[key, self.position] = None
            if type(each) is Put and understood and not self._void and self._bear(each, key, is_strange=True):
                continue
            held = self.entities.get(key)
            if held is not None and held.overfull:
                continue  # nothing is refused of it, and nothing waits: what it is hangs on no order
            self._projector.strange(key)
            if self._void:
                if understood and isinstance(each, (Put, Edit)):
                    self._receive_void(each)
            elif not understood:
                self._wait(key, "it belongs to a change that only a newer version can read")
            elif isinstance(each, Unread):
                if each.refused:
                    self._refuse(key, "it is malformed")
                else:
                    self._wait(key, "only a newer version knows this operation")
            else:
                self._receive_one(each)
        self.flush_if_full()

    def _bear(self, one: Put, key: bytes, *, is_strange: bool) -> bool:
        """Take the newborn path with an operation, if it is the first on its entity and nothing about it is special."""
        kind, written = one.kind, one.cells
        if kind not in newborn.KINDS or not self.entities.is_unwritten(key) or key in self._spent:
            return False
        if not written or written.get("parent_id") is not None or (kind == "tag" and "name" not in written):
            return False
        try:
            size = _size_of(written)
            if unknown_cells(kind, one.id, written) or _is_much(len(written), size):
                return False
            self._spend(one, size)
        except (InvalidValueError, LimitError):
            return False  # the ordinary path says what becomes of it
        dot = self.actor, self.seq
        self.entities.bear(Newborn(kind, one.id, key, dot, self.wall_ms, written, size, is_strange=is_strange))
        return True

    def _receive_one(self, one: Operation) -> None:
        key, size = key_of(one.kind, one.id), 0
        try:
            if isinstance(one, Put):
                unknown, size = self._check_put(one)
                if unknown:
                    self._wait(key, f"only a newer version knows the cell {unknown[0]}")
                    known = {name: value for name, value in one.cells.items() if name not in unknown}
                    if not known:
                        return
                    one, size = Put(one.kind, one.id, known), _size_of(known)
            elif isinstance(one, Delete):
                self._check_delete(one)
            entity = self._pay(one, size)
            if entity.is_too_heavy:
                entity.overfill()
                self._projector.note(key, Became.SHOWN)
        except (InvalidValueError, LimitError) as error:
            self._refuse(key, str(error))
        except RefusedTextError as error:
            self._refuse(key, error.reason)

    def _receive_void(self, one: Put | Edit) -> None:
        """Keep the places of what a void change wrote into a text; what would be refused has none."""
        entity, field = self.entities.of(one.kind, one.id), TEXT_FIELDS.get(one.kind, "")
        dot, written = (self.actor, self.seq), self._written_void
        try:
            if isinstance(one, Edit):
                if one.field != field or written.get(entity.key, one.genesis) not in (None, one.genesis):
                    return
                self.texts.apply(self.view, entity, one, self.texts.decode(one.edit), dot, self.deps, void=True)
                written[entity.key] = one.genesis
            elif field in one.cells:
                self._check_put(one)
                start = one.cells[field]
                written[entity.key] = None if start is None else self._genesis(entity, start)
                if start is not None:
                    self.texts.started_void(self.view, entity, field, start, dot)
        except (InvalidValueError, LimitError, RefusedTextError):
            return

    def _check_put(self, one: Put) -> tuple[list[str], int]:
        """Check what is written; return the cells that only a newer version knows, and how many bytes it is."""
        unknown = unknown_cells(one.kind, one.id, one.cells)
        if one.kind == "device" and "record" in one.cells:
            if check_device(one.id, one.cells["record"]).added_by != self.author:
                raise InvalidValueError("record", "names another device as the one that adds it", None)
            if self._seen(one, "record"):
                raise InvalidValueError("record", "is written once, and was written already", None)
        if one.kind == "workspace":
            for name, value in one.cells.items():
                if name not in unknown:
                    self._check_epoch(one, name, decode_epoch(value))
        size = _size_of(one.cells)
        self._spend(one, size)
        return unknown, size

    def _seen(self, one: Put, name: str) -> list[Any]:
        """Return what the change's past has written into a cell that nothing may replace."""
        written = self.entities.of(one.kind, one.id).cells.get(name, ())
        return [value for actor, seq, _, value in written if seq <= self.past.get(actor, 0)]

    def _check_epoch(self, one: Put, name: str, epoch: EpochRecord) -> None:
        """
        Check that an epoch follows one that its author knew: nobody may take the greatest depth there is.

        The first one is written by the very first change. Each is written once, so that all of them stay.
        """
        if self._seen(one, name):
            raise InvalidValueError("epoch", "is written once, and was written already", None)
        if epoch.follows is None:
            if self.seq != 1 or self.deps:
                raise InvalidValueError("epoch", "is a first one, and the workspace has one", None)
            return
        before = self._seen(one, f"epoch.{epoch.follows.hex()}")
        if not before or decode_epoch(before[0]).depth + 1 != epoch.depth:
            raise InvalidValueError("epoch", "does not follow an epoch that its author knew", None)

    def _spend(self, one: Put, size: int) -> None:
        """
        Check what a change writes into one entity against its budget: one that is refused spends nothing.

        Args:
            one: The operation.
            size: How many bytes it writes, its text as well.

        Raises:
            LimitError: The change writes more than one may.
        """
        key, text = key_of(one.kind, one.id), TEXT_FIELDS.get(one.kind)
        cells_spent, bytes_spent = self._spent.get(key, (0, 0))
        cells_spent += len(one.cells)
        bytes_spent += size
        if text in one.cells:
            bytes_spent -= operation.size_of(text) + operation.size_of(one.cells[text])
        if cells_spent > limits.ENTITY_CHANGE_CELLS_MAX:
            raise LimitError("the cells of one change in one entity", cells_spent, limits.ENTITY_CHANGE_CELLS_MAX)
        if bytes_spent > limits.ENTITY_CHANGE_BYTES_MAX:
            raise LimitError("the bytes of one change in one entity", bytes_spent, limits.ENTITY_CHANGE_BYTES_MAX)
        self._spent[key] = cells_spent, bytes_spent

    def _check_delete(self, one: Delete) -> None:
        if one.kind in _NEVER_DELETED:
            raise InvalidValueError("kind", f"is {one.kind}, of which nothing is deleted", one.kind)
        try:
            from_pairs(one.seen)
        except ValueError as error:
            raise InvalidValueError("seen", str(error), None) from None

    def _refuse(self, key: bytes, why: str) -> None:
        """Refuse an operation for good; or let it wait, while something in its past may decide it."""
        if self._waits_in_past(key):
            self._wait(key, f"what it is about waits for a newer version ({why})")
            return
        self._unapplied.append(Unapplied(self.position, self._number, key, True, why))
        self.entities.of(*kind_and_id(key)).refuse(self.actor, self.seq, self._number)
        self._projector.note(key, Became.TOUCHED)

    def _wait(self, key: bytes, why: str) -> None:
        self._unapplied.append(Unapplied(self.position, self._number, key, False, why))
        self._waiting.setdefault(key, {}).setdefault(self.actor, self.seq)
        self._waits[key] = True

    def _waits_in_past(self, key: bytes) -> bool:
        """Tell whether something before an operation, on the same entity or on one that nobody can read, waits."""
        for about in (key, UNREADABLE):
            if about not in self._waits:  # of the change itself, what comes before an operation is noted as it comes
                self._waits[about] = self._waits_about(about, self.deps)
        return self._waits[key] or self._waits[UNREADABLE] or self._first_passed_over() < self._number

    def _waits_about(self, about: bytes, past: Mapping[bytes, int]) -> bool:
        pending = self._waiting.get(about, {})
        waits = any(seq <= past.get(name, 0) for name, seq in pending.items())
        return waits or self._stored_waiting.within(self.reader, about, past)

    def waits_within(self, key: bytes, past: Mapping[bytes, int]) -> bool:
        """Tell whether something that a past holds waits, on an entity or on one that nobody can read."""
        return any(self._waits_about(about, past) for about in (key, UNREADABLE))

    def _first_passed_over(self) -> int:
        """Return the first operation of the change that waits and is not folded now, as nobody can read what it is about."""
        if self._only is None or UNREADABLE in self._only:
            return _NEVER
        if self._passed_over is None:
            stored = [each for each in self.reader.unapplied(UNREADABLE) if each.position == self.position]
            waiting = [each.number for each in stored if not each.refused]
            self._passed_over = min(waiting, default=_NEVER)
        return self._passed_over

    # --- applying -----------------------------------------------------------------------------------------------------

    def write(self, one: Operation) -> None:
        """
        Apply an operation of this device's own, by the rules that every reader holds it to.

        Raises:
            InvalidValueError: A reader would refuse it.
            LimitError: The change, or this life, or all lives together, would have written too much into one entity.
        """
        size = 0
        if isinstance(one, Put):
            key = key_of(one.kind, one.id)
            if self._bear(one, key, is_strange=False):
                self._mentioned[key, self.position] = None
                return
            unknown, size = self._check_put(one)
            if unknown:
                raise InvalidValueError(unknown[0], "is nothing that this version writes", None)
        elif isinstance(one, Delete):
            self._check_delete(one)
        check_room(self._pay(one, size))

    def _pay(self, one: Operation, size: int) -> Entity:
        """
        Apply an operation that its author may still afford, and return its entity; one that is refused costs nothing.

        Raises:
            LimitError: Its author has written as much into the entity as one life may.
            RefusedTextError: The text does not take the edit; nothing has changed.
        """
        entity = self.entities.of(one.kind, one.id)
        if entity.overfull:
            check_room(entity)  # a peer's operations have no effect, and come not as far
        if isinstance(one, Put):
            entity.charge(self._chain, len(one.cells), size)
        elif isinstance(one, Edit):
            edit = self.texts.decode(one.edit)
            entity.charge(self._chain, edit.pieces, len(one.edit))
            try:
                self._edit(entity, one, edit)
            except RefusedTextError:
                entity.refund(self._chain[-1], edit.pieces, len(one.edit))
                raise
            return entity
        self.apply(one)
        return entity

    def charge_edit(self, entity: Entity, pieces: int, size: int) -> None:
        """
        Count an edit of this device's own.

        Raises:
            LimitError: This life, or all lives together, would have written too much into the entity.
        """
        entity.charge(self._chain, pieces, size)
        check_room(entity)

    def apply(self, one: Put | Delete | Touch) -> None:
        """Apply an operation that is known to be sound."""
        entity = self.entities.of(one.kind, one.id)
        self._mentioned[entity.key, self.position] = None
        if isinstance(one, Put):
            self._put(entity, one.cells)
        elif isinstance(one, Delete):
            self._chains = self._chains or Chains(self.reader)
            entity.delete(self._chains.pairs(one.seen, self.past))
            self._projector.note(entity.key, Became.SHOWN, ())
            return
        else:  # every change that tags something touches the tag, which then looks as before
            same = one.kind == "tag" and self.entities.was_visible(entity.key)
            self._projector.note(entity.key, Became.TOUCHED if same else Became.SHOWN, ())
        entity.touch(self.actor, self.seq)

    def _put(self, entity: Entity, written: Mapping[str, Any]) -> None:
        self._projector.note(entity.key, Became.SHOWN, written)
        text_field = TEXT_FIELDS.get(entity.kind)
        actor, seq, wall, past = self.actor, self.seq, self.wall_ms, self.past
        if not entity.cells:  # it is new, nearly always
            entity.cells = {name: [(actor, seq, wall, value)] for name, value in written.items()}
            return
        for name, value in written.items():
            if name == text_field and name in entity.cells:
                # An edit made elsewhere meanwhile still needs the start that this write replaces.
                for write in entity.cells[name]:
                    if isinstance(write[3], str):
                        self.texts.keep_start(self.view, entity, name, write[3])
                if isinstance(value, str):
                    self.texts.started(self.view, entity, name, value, (actor, seq))
            entity.put(name, (actor, seq, wall, value), past)

    def _edit(self, entity: Entity, one: Edit, edit: TextEdit) -> None:
        if one.field != TEXT_FIELDS.get(entity.kind):
            raise RefusedTextError("it edits a field that is no text")
        siblings = entity.cells.get(one.field, [])
        if any(
            write[:2] == (self.actor, self.seq) and not self._reads(entity, write, one.genesis) for write in siblings
        ):
            raise RefusedTextError(
                "its change writes another text of the same field"
            )  # a cell holds one write a change
        self.texts.apply(self.view, entity, one, edit, (self.actor, self.seq), self.deps)
        self.note_edit(entity, one.field, one.genesis)

    def _reads(self, entity: Entity, write: Write, genesis: bytes) -> bool:
        """Tell whether a text cell's write stands for nothing, or for the text of a genesis."""
        return write[3] is None or self._genesis(entity, write[3]) == genesis

    def note_edit(self, entity: Entity, field: str, genesis: bytes) -> None:
        """Write an edited text's cell: an edit replaces, of what its author saw, the same text and emptiness."""
        self._mentioned[entity.key, self.position] = None
        siblings = entity.cells.get(field, [])
        kept = [
            write
            for write in siblings
            if write[1] > self.past.get(write[0], 0) or not self._reads(entity, write, genesis)
        ]
        shown_before = cells.visible(siblings)[3] if siblings else None
        own = (self.actor, self.seq, self.wall_ms, genesis)
        entity.cells[field] = sorted((*kept, own), key=lambda w: (w[0], w[1])) if kept else [own]
        entity.touch(self.actor, self.seq)
        same = shown_before is not None and self._genesis(entity, shown_before) == genesis
        seen = same and self.entities.was_visible(entity.key)
        self._projector.note(entity.key, Became.EDITED if seen else Became.SHOWN, (field,))

    def _genesis(self, entity: Entity, value: str | bytes) -> bytes:
        return value if isinstance(value, bytes) else self.texts.genesis(entity, value)

    # --- for the ledger -----------------------------------------------------------------------------------------------

    def text_of(self, entity: Entity) -> str | None:
        """Return an entity's description or content as it reads now."""
        return self.texts.text_of(self.view, entity)

    def forbid_ring(self, task_id: bytes) -> None:
        """Let the next flush raise :class:`InvalidValueError` if a task is its own ancestor then."""
        self._parented[key_of("task", task_id)] = None

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

    # --- writing ------------------------------------------------------------------------------------------------------

    def refresh(self) -> int:
        """
        Bring rows and hashes of edited texts up to date; return of how many entities.

        One that cannot be read is left as it is: it ends nothing, and the scrub names it.
        """
        stale = [key for key in self.reader.stale_texts() if self.is_readable(key)]
        self.entities.load(stale)
        for key in stale:
            entity = self.entities.get(key)
            if entity is not None:
                self._projector.note(key, Became.SHOWN, (TEXT_FIELDS[entity.kind],))
        self.flush()
        return len(stale)

    def is_readable(self, key: bytes) -> bool:
        """Tell whether an entity can be read, with each of its texts."""
        try:
            entity = self.entities.existing(*kind_and_id(key))
            for field, genesis in entity.edited_texts() if entity is not None else ():
                self.texts.document(self.view, (key, field, genesis))
        except (CorruptError, RefusedTextError):  # what rotted, or names a text that is not there
            return False
        return True

    def show_again(self, keys: Sequence[bytes]) -> None:
        """Write the rows of entities anew: what they point at was folded anew."""
        self.entities.load(keys)
        for key in keys:
            if self.entities.get(key) is not None:
                self._projector.note(key, Became.SHOWN)
        self.flush()

    def flush_if_full(self) -> None:
        """Write what is held when it is much."""
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
        delta = self._projector.delta(mentions, self._unapplied)
        for key in reversed(self._parented):
            if self._rings.is_in_ring(key):
                task = values.id_text(kind_and_id(key)[1])
                raise InvalidValueError("parent_id", "would make the task part of itself", task)
        self._mentioned, self._unapplied, self._waiting, self._parented = {}, [], {}, {}
        self.entities.clear()
        return delta


def check_room(entity: Entity | None) -> None:
    """
    Look whether this device may go on writing into an entity.

    Raises:
        LimitError: All lives together have written as much into it as an entity may hold.
    """
    if entity is not None and (entity.overfull or entity.is_too_heavy):
        most = limits.ENTITY_BYTES_MAX
        size = max(entity.weight, most + 1)  # of one that is overfull nobody counts any more
        raise LimitError(f"what all devices wrote into one {entity.kind}", size, most, "go on in a new one")


def _is_much(cells: int, size: int) -> bool:
    """Tell whether so many cells and bytes alone are more than one life may write into an entity, or it may hold."""
    return (
        cells > limits.ENTITY_LIFE_CELLS_MAX
        or size > limits.ENTITY_LIFE_BYTES_MAX
        or limits.ENTITY_CELL_BYTES * cells + size > limits.ENTITY_BYTES_MAX
    )


def _size_of(cells: Mapping[str, Any]) -> int:
    """
    Return how many bytes some cells take, by a change's and a life's budget: ``size_of`` names and values.

    A control character of a name, which may be a key of metadata, counts as the six that it takes in JSON.
    """
    size_of, size = operation.size_of, 0
    for name, value in cells.items():
        size += len(name) if name.isascii() else size_of(name)
        if not name.isprintable():
            size += 5 * sum(character < " " for character in name)
        if type(value) is str and value.isascii():
            size += len(value)
        else:
            size += 8 if value is True or type(value) is int else size_of(value)  # most of what is no text
    return size
