"""
The ledger: changes into a store's log, and their fold beside it, in one transaction.

1. A dot is allocated inside the commit: ``seq`` is the head's plus one, so no two changes of an actor share one.
2. A change enters the log only when all that it depends on is in (causal delivery).
3. Log and view move together: whoever sees a change in the log sees its effects.
4. The same dot under two hashes is a fork: it is noted, and neither replaces the other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from hashlib import blake2b
from typing import Any, Final

import msgspec

from edda_sync import limits, values
from edda_sync.crdt import change as changes
from edda_sync.crdt import frontier
from edda_sync.crdt.change import DELETE, EDIT, NO_HASH, PUT, TOUCH, Birth, Change, Header, Operation
from edda_sync.crdt.diff import diff, rebase
from edda_sync.crdt.entity import OWN_TIME, Entity, key_of
from edda_sync.crdt.fold import Fold
from edda_sync.crdt.frontier import Frontier
from edda_sync.crdt.texts import TextEdit, Texts
from edda_sync.errors import (
    CorruptError,
    InvalidValueError,
    LimitError,
    NotFoundError,
    RefusedTextError,
    RemoteProtocolError,
    UsageError,
)
from edda_sync.model import TEXT_FIELDS
from edda_sync.protocols import Head, Logged, StoreReader, StoreWriter

ACTOR_KEY: Final = "actor"
PUBLIC_KEY: Final = "public_key"
NONCE_KEY: Final = "nonce"
WORKSPACE_KEY: Final = "workspace"
TOLD_KEY: Final = "told_members"
"""The members' public keys, 32 bytes each, as this device was told them when it joined."""

DRAFTS_AT_ONCE: Final = 500  # whose entities are read together

_encode_cells = msgspec.msgpack.Encoder().encode
_decode_cells = msgspec.msgpack.Decoder(dict[str, Any]).decode
_encode_pairs = msgspec.msgpack.Encoder().encode
_decode_pairs = msgspec.msgpack.Decoder(list[tuple[int, int]]).decode


# --- drafts: what a transaction wants; operations are made of them inside the commit ---------------------------------


@dataclass(frozen=True, slots=True)
class Put:
    """
    Write cells. A text is its start when the field is empty, and is refused otherwise: see :class:`Rewrite`.

    ``new`` says that the id was made just now, so that nobody looks for what has it.
    """

    kind: str
    id: bytes
    encoded: bytes
    new: bool = False

    @staticmethod
    def of(kind: str, entity_id: bytes, cells: Mapping[str, Any], *, new: bool = False) -> Put:
        """Return the draft; its cells are encoded at once, since a bulk transaction holds 100,000 of them."""
        return Put(kind, entity_id, _encode_cells(cells), new)

    @property
    def cells(self) -> dict[str, Any]:
        """The cells, the caller's own."""
        return _decode_cells(self.encoded)


@dataclass(frozen=True, slots=True)
class Rewrite:
    """Make a text that read ``base`` read ``new``: merged, as edits, into what it reads now."""

    kind: str
    id: bytes
    base: str | None
    new: str | None


@dataclass(frozen=True, slots=True)
class EditText:
    """
    Edit a text.

    ``base`` gives the text that the positions count in; None means the text as the commit finds it.
    """

    kind: str
    id: bytes
    edits: tuple[TextEdit, ...]
    base: Callable[[], str] | None = None


@dataclass(frozen=True, slots=True)
class Delete:
    """Hide an entity."""

    kind: str
    id: bytes


@dataclass(frozen=True, slots=True)
class Touch:
    """Bring an entity back, or keep it."""

    kind: str
    id: bytes


@dataclass(frozen=True, slots=True)
class Expect:
    """Refuse the whole transaction unless an entity is visible; or, with ``present`` False, if there ever was one."""

    kind: str
    id: bytes
    present: bool = True


Draft = Put | Rewrite | EditText | Delete | Touch | Expect


class Admitted(Enum):
    """What became of a change."""

    APPLIED = "applied"
    KNOWN = "known"
    EARLY = "early"  # something that it depends on is not here
    FORK = "fork"


# --- writing ----------------------------------------------------------------------------------------------------------


class Ledger:
    """The log of one store and process, and the fold of it; every call happens inside a transaction of the store."""

    def __init__(self, texts: Texts) -> None:
        self.texts = texts

    def fold(self, tx: StoreWriter) -> Fold:
        """Return a fold over a transaction."""
        return Fold(tx, self.texts)

    def refresh(self, tx: StoreWriter) -> int:
        """Bring rows and hashes of edited texts up to date; return how many there were."""
        with _own_texts():
            return self.fold(tx).refresh()

    def commit(
        self,
        tx: StoreWriter,
        drafts: Sequence[Draft],
        wall_ms: int,
        agent: str | None = None,
        reason: str | None = None,
    ) -> changes.Dot | None:
        """
        Turn drafts into this device's next change; return its dot, or None when they change nothing.

        Args:
            tx: A transaction of the store.
            drafts: What to do, in order.
            wall_ms: Wall time in milliseconds since 1970.
            agent, reason: Who asks for it and why.

        Raises:
            NotFoundError: A draft names something that is not here.
            InvalidValueError: A text edit lies outside its text.
            LimitError: The change would be too large.
        """
        heads = tx.heads()
        actor = actor_of(tx)
        head = heads.get(actor)
        seq = 1 if head is None else head.seq + 1
        deps = {other.actor: other.seq for other in heads.values()}
        previous = {} if head is None else dict(_decode_pairs(head.deps))
        position = tx.log_position() + 1
        fold = self.fold(tx)
        wall_ms = min(max(wall_ms, 0), limits.WALL_MS_MAX)
        fold.begin(actor, seq, wall_ms, deps, position)
        body = _Body(tx, position)
        tagged: set[bytes] = set()
        for at in range(0, len(drafts), DRAFTS_AT_ONCE):
            some = drafts[at : at + DRAFTS_AT_ONCE]
            fold.expect_new(key_of(draft.kind, draft.id) for draft in some if isinstance(draft, Put) and draft.new)
            fold.load([key_of(draft.kind, draft.id) for draft in some])
            with _own_texts():
                for draft in some:
                    for operation in self._operations(fold, draft, tagged):
                        body.add(changes.encode_operation(operation))
                fold.flush_if_full()
        if body.operations == 0:
            return None
        birth = None
        if head is None:
            birth = Birth(_meta(tx, PUBLIC_KEY), _meta(tx, NONCE_KEY))
        whole, parts = body.end()
        changed = frontier.difference(deps, previous)
        changed.pop(actor, None)
        header = Header(
            changes.VERSION, actor, seq, wall_ms, tuple(sorted(changed.items())), body.operations, body.size, parts,
            agent, reason, birth,
        )  # fmt: skip
        change = Change(header, changes.encode_header(header), whole)
        if len(change.raw) > limits.HEADER_BYTES_MAX:
            raise LimitError("the number of devices that this change depends on", len(deps), limits.ACTORS_MAX)
        self._append(tx, change, head, birth)
        with _own_texts():
            fold.flush()
        return actor, seq

    def _append(self, tx: StoreWriter, change: Change, head: Head | None, birth: Birth | None) -> Logged:
        header = change.header
        digest = changes.hash_change(NO_HASH if head is None else head.hash, change.content)
        logged = Logged(tx.log_position() + 1, header.actor, header.seq, digest, change.raw, change.body)
        deps = changes.full_deps(header, {} if head is None else dict(_decode_pairs(head.deps)))
        deps.pop(header.actor, None)
        encoded = _encode_pairs(frontier.to_pairs(deps))
        if head is not None:
            moved = head._replace(seq=header.seq, hash=digest, deps=encoded)
        else:
            assert birth is not None, "a first change without a birth was refused when it was decoded"
            moved = Head(header.actor, header.seq, digest, encoded, birth.public_key, 0, b"")
        tx.append(logged, moved)
        return logged

    # --- drafts -> operations; each is folded as soon as it is made, so that the next one sees it
    # ----------------------

    def _operations(self, fold: Fold, draft: Draft, tagged: set[bytes]) -> Iterator[Operation]:
        if isinstance(draft, Put):
            operation: Operation = [PUT, draft.kind, draft.id, draft.cells]
            yield from self._tagging(fold, operation[3], tagged)
        elif isinstance(draft, Rewrite):
            yield from self._rewrite(fold, draft)
            return
        elif isinstance(draft, EditText):
            yield self._edit(fold, draft)
            return
        elif isinstance(draft, Expect):
            _expect(fold, draft)
            return
        else:
            operation = self._hide_or_touch(fold, draft)
        fold.apply(operation)
        if operation[0] == PUT and operation[3].get("parent_id") and fold.is_in_ring(operation[2]):
            raise InvalidValueError("parent_id", "would make the task part of itself", values.id_text(operation[2]))
        yield operation

    def _tagging(self, fold: Fold, cells: dict[str, Any], tagged: set[bytes]) -> Iterator[Operation]:
        """Make or touch the tags that a Put carries: a draft's tag cell holds the tag's name, an operation's is True."""
        names = {}
        for cell, value in cells.items():
            if isinstance(value, str) and cell.startswith("tag."):
                cells[cell] = True
                tag_id = values.id_bytes("tags", cell[4:])
                if tag_id not in tagged:
                    names[tag_id] = value
        fold.load([key_of("tag", tag_id) for tag_id in names])
        tagged.update(names)
        for tag_id, name in names.items():
            tag = fold.existing("tag", tag_id)
            made: Operation = [TOUCH, "tag", tag_id]
            if tag is None or "name" not in tag.cells:
                made = [PUT, "tag", tag_id, {"created_at": OWN_TIME, "name": name}]
            fold.apply(made)
            yield made

    def _rewrite(self, fold: Fold, draft: Rewrite) -> Iterator[Operation]:
        entity = visible(fold, draft.kind, draft.id)
        field = TEXT_FIELDS[draft.kind]
        current = fold.text_of(entity)
        if draft.new is None or current is None:
            if draft.new is None and current is None:
                return
            yield self._start(fold, entity, field, draft.new)
            return
        edits = diff(draft.base or "", draft.new)
        if draft.base != current:
            edits = rebase(edits, draft.base or "", current)
        if edits:
            yield self._edit(fold, EditText(draft.kind, draft.id, tuple(edits)))

    def _edit(self, fold: Fold, draft: EditText) -> Operation:
        entity = visible(fold, draft.kind, draft.id)
        field = TEXT_FIELDS[draft.kind]
        edits: Sequence[TextEdit] = draft.edits
        if draft.base is not None:
            base, current = draft.base(), fold.text_of(entity) or ""
            if base != current:
                edits = rebase(list(edits), base, current)
        shown = entity.value(field)
        if shown is None:  # the first words of an empty field are its start
            return self._start(fold, entity, field, _written(edits, field))
        start = shown if isinstance(shown, str) else None
        genesis = shown if isinstance(shown, int) else self.texts.genesis(draft.id, field, shown)
        update = self.texts.edit(fold.tx, (entity.key, field, genesis), start, fold.actor, edits)
        fold.note_edit(entity, field, genesis)
        return [EDIT, draft.kind, draft.id, field, genesis, update]

    def _start(self, fold: Fold, entity: Entity, field: str, start: str | None) -> Operation:
        """Start a text, or clear it. One that was edited under this very start, and cleared, is brought to it by edits."""
        if start is not None:
            key = (entity.key, field, self.texts.genesis(entity.id, field, start))
            known = fold.tx.text(*key) is not None
            edits = diff(self.texts.document(fold.tx, key).string(), start) if known else []
            if edits:
                update = self.texts.edit(fold.tx, key, None, fold.actor, edits)
                fold.note_edit(entity, field, key[2])
                return [EDIT, entity.kind, entity.id, field, key[2], update]
        operation: Operation = [PUT, entity.kind, entity.id, {field: start}]
        fold.apply(operation)
        return operation

    def _hide_or_touch(self, fold: Fold, draft: Delete | Touch) -> Operation:
        if isinstance(draft, Delete):
            return [DELETE, draft.kind, draft.id, frontier.to_pairs(visible(fold, draft.kind, draft.id).touched)]
        if fold.existing(draft.kind, draft.id) is None:
            raise NotFoundError(draft.kind, values.id_text(draft.id))
        return [TOUCH, draft.kind, draft.id]

    # --- from peers ---------------------------------------------------------------------------------------------------

    def admit(self, tx: StoreWriter, fold: Fold, change: Change) -> Admitted:
        """
        Take a change whose hash a signed head covers. A large one must have all its parts kept.

        Raises:
            RemoteProtocolError: Its author is no member.
        """
        header = change.header
        heads = tx.heads()
        head = heads.get(header.actor)
        held = 0 if head is None else head.seq
        if header.seq <= held:
            return Admitted.KNOWN
        previous = {} if head is None else dict(_decode_pairs(head.deps))
        deps = changes.full_deps(header, previous)
        if header.seq > held + 1 or any(seq > (heads[a].seq if a in heads else 0) for a, seq in deps.items()):
            return Admitted.EARLY
        if header.birth is not None and not is_welcome(tx, fold, header, header.birth):
            raise RemoteProtocolError("a change by a device that is not a member")
        logged = self._append(tx, change, head, header.birth)
        body: Iterable[bytes] = (change.body,)
        if header.parts:
            tx.complete(header.actor, header.seq, logged.position)
            body = tx.parts(logged.position)
        fold.begin(header.actor, header.seq, header.wall_ms, deps, logged.position)
        fold.receive(changes.decode_operation(piece) for piece in changes.cut_operations(body))
        return Admitted.APPLIED

    def rebuild(self, tx: StoreWriter, merge_segment: Callable[[Fold, bytes, Frontier], dict[int, Frontier]]) -> int:
        """
        Fold the whole log into an empty view; return how many changes it was.

        Args:
            tx: A transaction of the store.
            merge_segment: Joins a segment, by its hash, into the fold, given the frontier that the log has reached so
                far; returns what each of its heads depends on.
        """
        tx.clear_view()
        self.texts = Texts()
        fold = self.fold(tx)
        merged = dict(tx.segments())
        deps_of: dict[int, Frontier] = {}
        held: Frontier = {}
        count = 0
        for position in range(1, tx.log_position() + 1):
            if position in merged:
                fold.flush()
                heads = merge_segment(fold, merged[position], held)
                fold.flush()
                for actor, deps in heads.items():
                    if deps[actor] + 1 > held.get(actor, 0):
                        deps_of[actor], held[actor] = deps, deps[actor] + 1
                continue
            logged = tx.logged(position)
            header = changes.decode_header(logged.raw)
            deps = deps_of[header.actor] = changes.full_deps(header, deps_of.get(header.actor, {}))
            held[header.actor] = header.seq
            fold.begin(header.actor, header.seq, header.wall_ms, deps, position)
            body: Iterable[bytes] = tx.parts(position) if header.parts else (logged.body,)
            fold.receive(changes.decode_operation(piece) for piece in changes.cut_operations(body))
            count += 1
        fold.flush()
        fold.refresh()
        return count


def visible(fold: Fold, kind: str, entity_id: bytes) -> Entity:
    """
    Return a visible entity of a kind.

    Raises:
        NotFoundError: There is none.
    """
    entity = fold.existing(kind, entity_id)
    if entity is None or entity.hidden:
        raise NotFoundError(kind, values.id_text(entity_id))
    return entity


def _expect(fold: Fold, draft: Expect) -> None:
    if draft.present:
        visible(fold, draft.kind, draft.id)
    elif fold.existing(draft.kind, draft.id) is not None:
        raise InvalidValueError("id", f"is that of a {draft.kind} that exists already", values.id_text(draft.id))


@contextmanager
def _own_texts() -> Iterator[None]:
    """Say of a text that this device itself wrote, and that is refused, what it is: an entity that rotted names it."""
    try:
        yield
    except RefusedTextError:
        raise CorruptError("A text of this store") from None


class _Body:
    """A body in the making: whole while it is short, in stored parts once it is not."""

    def __init__(self, tx: StoreWriter, position: int) -> None:
        self._tx, self._position = tx, position
        self._rest = bytearray()
        self._parts: list[bytes] = []
        self.operations = self.size = 0

    def add(self, encoded: bytes) -> None:
        self.operations += 1
        self.size += len(encoded)
        if self.operations > limits.CHANGE_OPERATIONS_MAX:
            raise LimitError(
                "the number of operations in one transaction", self.operations, limits.CHANGE_OPERATIONS_MAX
            )
        if self.size > limits.CHANGE_BYTES_MAX:
            raise LimitError("the bytes of one transaction", self.size, limits.CHANGE_BYTES_MAX)
        self._rest += encoded
        while len(self._rest) > limits.PART_BYTES_MAX:
            self._keep(bytes(self._rest[: limits.PART_BYTES_MAX]))
            del self._rest[: limits.PART_BYTES_MAX]

    def end(self) -> tuple[bytes, tuple[bytes, ...]]:
        """Return the whole body and no hashes, or nothing and the hashes of its parts."""
        if not self._parts:
            return bytes(self._rest), ()
        self._keep(bytes(self._rest))
        return b"", tuple(self._parts)

    def _keep(self, part: bytes) -> None:
        self._tx.append_part(self._position, len(self._parts), part)
        self._parts.append(changes.hash_part(part))


def _written(edits: Iterable[TextEdit], field: str) -> str:
    """Return what edits make of an empty text."""
    text = ""
    for at, deleted, inserted in edits:
        if not 0 <= at <= len(text) or not 0 <= deleted <= len(text) - at:
            raise InvalidValueError(field, f"has no position {at:,}", at)
        text = text[:at] + inserted + text[at + deleted :]
    return values.text(field, text)


# --- who writes -------------------------------------------------------------------------------------------------------


def _meta(reader: StoreReader, key: str) -> bytes:
    value = reader.meta(key)
    if value is None:
        raise UsageError("This store has no device yet; run `edda init`.")
    return value


def count_waiting(reader: StoreReader) -> int:
    """
    Return how many things are held and not applied: operations of a newer version, and texts that refused an edit.

    A large change of which parts are still to come is not held yet: no frontier has it, and its author may be gone.
    """
    return reader.unknown_operations() + len(reader.quarantined())


def actor_of(reader: StoreReader) -> int:
    """Return the actor under which this store writes."""
    return int.from_bytes(_meta(reader, ACTOR_KEY), "big")


def new_life(tx: StoreWriter, public_key: bytes, nonce: bytes) -> int:
    """Take a new actor: the next change is the first of another life of this device's store."""
    actor = changes.actor_of(Birth(public_key, nonce))
    tx.set_meta(PUBLIC_KEY, public_key)
    tx.set_meta(NONCE_KEY, nonce)
    tx.set_meta(ACTOR_KEY, actor.to_bytes(8, "big"))
    return actor


def workspace_of(birth: Birth) -> bytes:
    """Return the workspace that a founder's first actor makes: 16 bytes that nobody else can claim to have founded."""
    return blake2b(birth.public_key + birth.nonce, digest_size=16, person=b"edda-workspace").digest()


def device_entity(public_key: bytes) -> bytes:
    """Return the id of the entity that stands for a device."""
    return blake2b(public_key, digest_size=16, person=b"edda-device").digest()


def is_welcome(reader: StoreReader, fold: Fold, header: Header, birth: Birth) -> bool:
    """Tell whether a new actor belongs to a member, or to the founder of this very workspace."""
    if workspace_of(birth) == reader.meta(WORKSPACE_KEY) and not header.deps:
        return True
    return is_member(reader, fold, birth.public_key)


def is_member(reader: StoreReader, fold: Fold, public_key: bytes) -> bool:
    """Tell whether a key is a member's: the log says so, or, until that is here, whoever welcomed this device said it."""
    if fold.existing("device", device_entity(public_key)) is not None:
        return True
    told = reader.meta(TOLD_KEY) or b""
    return any(told[at : at + len(public_key)] == public_key for at in range(0, len(told), 32))
