"""
The fold: changes in, entities, texts and rows out, inside one transaction of a store.

Feed it a change with :meth:`Fold.begin` and :meth:`Fold.apply` for each operation; :meth:`Fold.flush` writes what came
of it. Memory holds at most ``CHUNK`` entities: a longer change is flushed on the way, inside the same transaction.

1. Local and remote changes take the same path: an author folds its own operations as everybody else will.
2. What an operation does depends on the entity, the operation and its change's past: never on when it came.
3. An operation that cannot be folded is counted and kept in the log; the rest of its change is folded.
4. A text's edits are applied at once, its row and hash are brought up to date by :meth:`Fold.refresh`.
5. Inside, and in the store, an entity goes by its key (``entity.key_of``): one id may name several, one of each kind.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any, Final

from edda_sync import limits, values
from edda_sync.crdt import cells, integrity, rows
from edda_sync.crdt.cells import Write
from edda_sync.crdt.change import DELETE, EDIT, PUT, TOUCH, Operation
from edda_sync.crdt.entity import (
    HASH_BYTES,
    Entity,
    bucket_of,
    check_write,
    entity_of,
    hash_entity,
    hash_text,
    key_of,
    to_stored,
)
from edda_sync.crdt.frontier import Frontier, covers, from_pairs
from edda_sync.crdt.texts import Texts
from edda_sync.errors import InvalidValueError, RefusedTextError
from edda_sync.model import KINDS, TEXT_FIELDS
from edda_sync.protocols import Record, Shown, StoreWriter

CHUNK: Final = 2_000
_NO_HASH: Final = bytes(HASH_BYTES)
_EDITED: Final = 1  # what became of an entity: a text of it was edited, and its hash and row wait for the refresh;
_TOUCHED: Final = 2  # its state and hash change, and no row does;
_SHOWN: Final = 3  # its row changes as well
_OWN_SIBLINGS: Final = ("tag.", "link.", "created_at")  # add wins, or derived: several values there are no conflict


class Fold:
    """One pass over changes in one transaction; call :meth:`flush` before the transaction ends."""

    def __init__(self, tx: StoreWriter, texts: Texts) -> None:
        self.tx = tx
        self.texts = texts
        self._entities: dict[bytes, Entity] = {}
        self._before: dict[bytes, Record | None] = {}  # of all that was looked for
        self._changed: dict[bytes, int] = {}  # what became of them, in the order in which it did
        self._unknown: dict[tuple[bytes | None, int], int] = defaultdict(int)
        self.actor = self.seq = self.wall_ms = self.position = 0
        self.past: Frontier = {}

    def begin(self, actor: int, seq: int, wall_ms: int, deps: Mapping[int, int], position: int) -> None:
        """
        Start a change.

        Args:
            actor, seq: Its dot.
            wall_ms: Its wall time in milliseconds.
            deps: All that it depends on.
            position: Where it stands in the log.
        """
        self.actor, self.seq, self.wall_ms, self.position = actor, seq, wall_ms, position
        self.past = {**deps, actor: seq}

    # --- operations ---------------------------------------------------------------------------------------------------

    def receive(self, operations: Iterable[Operation | None]) -> None:
        """Apply operations that a peer sent: each is checked, and counted as unknown where it cannot be folded."""
        chunk: list[Operation | None] = []
        for operation in operations:
            chunk.append(operation)
            if len(chunk) == CHUNK:
                self._receive_chunk(chunk)
                chunk = []
        self._receive_chunk(chunk)

    def _receive_chunk(self, chunk: list[Operation | None]) -> None:
        keys = [key_of(op[1], op[2]) if op is not None and _is_known(op) else None for op in chunk]
        self.load(key for key in keys if key is not None)
        for operation, key in zip(chunk, keys, strict=True):
            unknown = 1
            if operation is not None and key is not None:
                unknown = self._check(operation)
                if unknown >= 0:
                    self.apply(operation)
                else:
                    unknown = 1
            if unknown:
                self._unknown[key, self.position] += unknown
        if len(self._entities) >= CHUNK:
            self.flush()

    def _check(self, operation: Operation) -> int:
        """Return how many cells of a peer's operation are unknown (and drop them), or -1 when all of it is."""
        code, kind, entity_id = operation[:3]
        if code == DELETE:
            try:
                return 0 if covers(self.past, from_pairs([tuple(pair) for pair in operation[3]])) else -1
            except (TypeError, ValueError):
                return -1
        if code != PUT:
            return 0
        unknown = 0
        for name, value in list(operation[3].items()):
            try:
                check_write(kind, entity_id, name, value)
            except InvalidValueError:
                del operation[3][name]
                unknown += 1
        return unknown

    def apply(self, operation: Operation) -> None:
        """Apply an operation that is known to be sound."""
        code, kind = operation[0], operation[1]
        entity = self.entity(kind, operation[2])
        if code == EDIT:
            if not self._edit(entity, operation[3], operation[4], operation[5]):
                return
        elif code == DELETE:
            entity.delete(dict(operation[3]))
            self._changed[entity.key] = _SHOWN
            return
        elif code == PUT:
            self._put(entity, operation[3])
            self._changed[entity.key] = _SHOWN
        else:  # every change that tags something touches the tag, which then looks as before
            same = kind == "tag" and self._was_visible(entity.key)
            self._note(entity.key, _TOUCHED if same else _SHOWN)
        entity.touch(self.actor, self.seq)

    def _note(self, key: bytes, what: int) -> None:
        self._changed[key] = max(what, self._changed.get(key, what))

    def _was_visible(self, key: bytes) -> bool:
        before = self._before[key]
        return before is not None and not before.hidden

    def _put(self, entity: Entity, written: dict[str, Any]) -> None:
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
                        self.texts.keep_start(self.tx, entity, name, write[3])
            entity.put(name, (actor, seq, wall, value), past)

    def _edit(self, entity: Entity, field: str, genesis: int, update: bytes) -> bool:
        """Apply an edit of a text; False when it was refused."""
        siblings = entity.cells.get(field, [])
        start = next(
            (w[3] for w in siblings if isinstance(w[3], str) and self._genesis(entity, field, w[3]) == genesis), None
        )
        try:
            self.texts.apply(self.tx, (entity.key, field, genesis), start, self.actor, update)
        except RefusedTextError as refused:
            self.tx.quarantine(entity.key, field, genesis, refused.reason)
            return False
        self.note_edit(entity, field, genesis)
        return True

    def note_edit(self, entity: Entity, field: str, genesis: int) -> None:
        """Write an edited text's cell: an edit replaces, of what its author saw, the same text and emptiness."""
        siblings = entity.cells.get(field, [])
        kept = [
            write
            for write in siblings
            if write[1] > self.past.get(write[0], 0)
            or not (write[3] is None or self._genesis(entity, field, write[3]) == genesis)
        ]
        shown_before = cells.visible(siblings)[3] if siblings else None
        entity.cells[field] = sorted([*kept, (self.actor, self.seq, self.wall_ms, genesis)], key=lambda w: (w[0], w[1]))
        entity.touch(self.actor, self.seq)
        same = shown_before is not None and self._genesis(entity, field, shown_before) == genesis
        self._note(entity.key, _EDITED if same and self._was_visible(entity.key) else _SHOWN)

    def _genesis(self, entity: Entity, field: str, value: str | int) -> int:
        return value if isinstance(value, int) else self.texts.genesis(entity.id, field, value)

    # --- entities -----------------------------------------------------------------------------------------------------

    def entity(self, kind: str, entity_id: bytes) -> Entity:
        """Return an entity as it stands in this fold; a new one when there is none."""
        key = key_of(kind, entity_id)
        found = self._entities.get(key)
        if found is None:
            self.load([key])
            found = self._entities.get(key)
        if found is None:
            found = self._entities[key] = Entity(entity_id, kind)
        return found

    def existing(self, kind: str, entity_id: bytes) -> Entity | None:
        """Return an entity as it stands in this fold, if anything ever touched it."""
        key = key_of(kind, entity_id)
        self.load([key])
        found = self._entities.get(key)
        return found if found is not None and (found.touched or found.deleted) else None

    def text_of(self, entity: Entity) -> str | None:
        """Return an entity's description or content as it reads now."""
        return self.texts.text_of(self.tx, entity)

    def merge(self, other: Entity, ours: Frontier, theirs: Frontier) -> None:
        """Join an entity's state from a segment; the texts of both are joined by the caller."""
        self.entity(other.kind, other.id).merge(ours, other, theirs)
        self._changed[other.key] = _SHOWN
        if len(self._entities) >= CHUNK:
            self.flush()

    def flush_if_full(self) -> None:
        """Write what is held when it is much."""
        if len(self._entities) >= CHUNK:
            self.flush()

    def expect_new(self, keys: Iterable[bytes]) -> None:
        """Take it that nothing is stored under these keys; a store refuses to show what is not new after all."""
        self._before.update(dict.fromkeys(keys))

    def load(self, keys: Iterable[bytes]) -> None:
        """Read entities that will be asked for: many at once cost little more than one."""
        wanted = [key for key in keys if key not in self._before]
        if wanted:
            self._before.update(dict.fromkeys(wanted))
            for record in self.tx.records(wanted).values():
                self._hold(record)

    def _hold(self, record: Record) -> Entity:
        entity = self._entities[record.key] = entity_of(record.key, record.state)
        self._before[record.key] = record
        return entity

    # --- writing ------------------------------------------------------------------------------------------------------

    def refresh(self) -> int:
        """Bring rows and hashes of edited texts up to date; return how many entities it were."""
        stale = self.tx.stale_texts()
        self.load(stale)
        self._changed.update((key, _SHOWN) for key in stale if key in self._entities)
        self.flush()
        return len(stale)

    def flush(self) -> None:
        """Write states, hashes, digest and rows of all that was touched."""
        touched = [key for key, what in self._changed.items() if what == _SHOWN]
        new = frozenset(key for key in touched if not self._was_visible(key))
        affected = self._affected(touched, new) if touched else ()
        records, conflicted, shown, deltas = [], {}, [], defaultdict[int, int](int)
        gone = defaultdict[str, list[bytes]](list)
        for key, what in self._changed.items():
            entity, before = self._entities[key], self._before[key]
            state, hidden = entity.encode(), entity.hidden
            old = before.hash if before is not None else _NO_HASH
            fresh = old
            if what != _EDITED:
                fresh = hash_entity(entity.id, state, self._text_hashes(entity))
                deltas[bucket_of(entity.id)] += int.from_bytes(fresh, "big") - int.from_bytes(old, "big")
            records.append(Record(key, hidden, fresh, to_stored(key, state)))
            conflicted[key] = not hidden and bool(conflicts_of(entity, self.texts))
            if hidden and self._was_visible(key):
                gone[entity.kind].append(key)
        for key in affected:
            entity = self._entities[key]
            if not entity.hidden and entity.kind in rows.COLUMNS:
                shown.append(self._shown(entity))
        self.tx.save(records, conflicted)
        self.tx.add_to_buckets(deltas)
        for kind, keys in gone.items():
            self.tx.hide(kind, keys)
        if shown:
            self.tx.show(shown, new)
        for key in [key for key, what in self._changed.items() if what == _EDITED]:
            self.tx.set_stale(key, True)
        for key in [key for key in self.tx.stale_texts() if self._changed.get(key) == _SHOWN]:
            self.tx.set_stale(key, False)
        for (unknown_of, position), count in self._unknown.items():
            self.tx.add_unknown_operations(unknown_of, position, count)
        self._entities, self._before, self._changed, self._unknown = {}, {}, {}, defaultdict(int)

    def is_sound(self, record: Record) -> bool:
        """
        Tell whether a stored entity has the hash and the rows that its state says; every text must be up to date.

        Raises:
            CorruptError: Its state, or a text of it, cannot even be read.
        """
        entity = self._hold(record)
        if record.hash != hash_entity(entity.id, entity.encode(), self._text_hashes(entity)):
            return False
        if record.hidden != entity.hidden:
            return False
        if entity.hidden or entity.kind not in rows.COLUMNS:
            return True
        shown, entity_id = self._shown(entity), values.id_text(entity.id)
        tags = {tag for tag, _ in self.tx.tags_of(entity.kind, [entity_id])[entity_id]}
        links = {row[1] for row in self.tx.links_of(entity_id, None)} if entity.kind == "task" else set()
        return (
            self.tx.row(entity.kind, entity_id) == shown.row
            and tags == {tag for tag, _ in shown.tags}
            and links == {document for document, _, _ in shown.links}
        )

    def _text_hashes(self, entity: Entity) -> list[bytes]:
        hashes = []
        for field, genesis in entity.edited_texts():
            document = self.texts.document(self.tx, (entity.key, field, genesis))
            hashes.append(hash_text(document.string(), document.vector()))
        return hashes

    def _affected(self, touched: list[bytes], new: frozenset[bytes]) -> Iterable[bytes]:
        """Return all whose rows change: what was touched, what points at what came or went, and rings."""
        affected = dict.fromkeys(touched)
        came = [key for key in touched if key in new and not self._entities[key].hidden]
        went = [key for key in touched if key not in new and self._entities[key].hidden]
        pointing = [*self.tx.waiting_for(came), *self.tx.referrers(went)] if went else self.tx.waiting_for(came)
        self.load(pointing)
        affected.update(dict.fromkeys(pointing))
        tasks = [key for key in affected if self._entities[key].kind == "task"]
        if pointing or any(key not in new for key in tasks):
            ringed = self.tx.in_rings()
            self.load(ringed)
            affected.update(dict.fromkeys(ringed))
        settled: set[bytes] = set()
        for task in tasks:
            ring = self._ring_above(task, settled) if "parent_id" in self._entities[task].cells else []
            if ring:
                affected[integrity.withheld_of(ring).key] = None
        return affected

    def is_in_ring(self, task_id: bytes) -> bool:
        """Tell whether a task is its own ancestor."""
        return any(member.id == task_id for member in self._ring_above(key_of("task", task_id), set()))

    def _ring_above(self, task: bytes, settled: set[bytes]) -> list[Entity]:
        """Return the ring above a task; remembers in ``settled`` what is known to reach the top."""
        walked: list[bytes] = []

        def parent_of(child: bytes) -> bytes | None:
            walked.append(child)
            parent = self._parent_of(child)
            return None if parent in settled else parent

        if self._parent_of(task) is None:
            return []
        ring = integrity.ring_above(task, parent_of)
        if not ring:
            settled.update(walked)
        self.load(ring)
        return [self._entities[member] for member in ring]

    def _parent_of(self, task: bytes) -> bytes | None:
        entity = self._entities.get(task)
        if entity is None:
            parent = self.tx.parent_edge(task)
        elif entity.hidden or "parent_id" not in entity.cells:
            return None
        else:
            parent_id = cells.visible(entity.cells["parent_id"])[3]
            parent = None if parent_id is None else key_of("task", parent_id)
        return parent if parent is not None and self._is_visible(parent) else None

    def _is_visible(self, key: bytes) -> bool:
        if key not in self._before:
            self.load([key])
        entity = self._entities.get(key)
        return entity is not None and not entity.hidden

    def _shown(self, entity: Entity) -> Shown:
        tags, links, withheld, parent_id = [], [], [], None
        for cell, target_id, value, created_at in rows.edges_of(entity):
            kind = integrity.target_kind(cell)
            target = key_of(kind, target_id)
            if not self._is_visible(target):
                withheld.append((cell, target, integrity.HIDDEN))
            elif kind == "tag":
                tags.append((cell[-rows.ID_CHARACTERS :], created_at))
            elif kind == "document":
                links.append((cell[-rows.ID_CHARACTERS :], value, created_at))
            elif self._closes_ring(entity):
                withheld.append((cell, target, integrity.RING))
            else:
                parent_id = values.id_text(target_id)
        row = rows.row_of(entity, self.text_of(entity), parent_id)
        return Shown(entity.kind, entity.key, row, tuple(tags), tuple(links), tuple(withheld))

    def _closes_ring(self, entity: Entity) -> bool:
        ring = self._ring_above(entity.key, set())
        return any(member is entity for member in ring) and integrity.withheld_of(ring) is entity


def _is_known(operation: Operation) -> bool:
    """Tell whether an operation has a shape of this version."""
    if (
        len(operation) < 3
        or operation[1] not in KINDS
        or not isinstance(operation[2], bytes)
        or len(operation[2]) != 16
    ):
        return False
    code, rest = operation[0], operation[3:]
    if code == PUT:
        return len(rest) == 1 and isinstance(rest[0], dict) and set(map(type, rest[0])) <= {str}
    if code == EDIT:
        field, genesis, update = rest if len(rest) == 3 else (None, None, None)
        if field != TEXT_FIELDS.get(operation[1], "") or not isinstance(update, bytes):
            return False
        return isinstance(genesis, int) and 0 <= genesis < 2 << limits.ACTOR_BITS
    if code == DELETE:
        return len(rest) == 1 and isinstance(rest[0], list)
    return bool(code == TOUCH and not rest)


def conflicts_of(entity: Entity, texts: Texts) -> dict[str, list[Write]]:
    """Return the values that are kept but not shown, by cell; a text and its own start are one value."""
    found = {}
    for name, siblings in entity.cells.items():
        if len(siblings) == 1 or name.startswith(_OWN_SIBLINGS):
            continue
        if name == TEXT_FIELDS.get(entity.kind):
            siblings = [
                (*write[:3], texts.genesis(entity.id, name, write[3]) if isinstance(write[3], str) else write[3])
                for write in siblings
            ]
        kept = cells.conflicts(siblings)
        if kept:
            found[name] = kept
    return found
