"""The projector: writes what became of entities in a fold, as states, hashes, digest and the rows that tables show."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from enum import IntEnum
from typing import Final

from edda_sync.crdt import digests, integrity, rows, state
from edda_sync.crdt.entity import Entity, key_of
from edda_sync.fold.conflicts import conflicts_of
from edda_sync.fold.entities import Entities
from edda_sync.fold.rings import Rings
from edda_sync.fold.texts import Texts
from edda_sync.store.seams import Record, Shown, StoreWriter
from edda_sync.words import values
from edda_sync.words.errors import CorruptError

_NO_HASH: Final = bytes(state.HASH_BYTES)


class Became(IntEnum):
    """What became of an entity, the lesser first."""

    EDITED = 1  # a text of it was edited, and its hash and row wait for the refresh
    TOUCHED = 2  # its state and hash change, and no row does
    SHOWN = 3  # its row changes as well


class Projector:
    """
    What is to be written of a fold's entities; :meth:`flush` writes it.

    Args:
        tx: The store's transaction.
        entities, rings: The fold's.
        texts: The text documents in use.
    """

    def __init__(self, tx: StoreWriter, entities: Entities, rings: Rings, texts: Texts) -> None:
        self._tx, self._entities, self._rings, self._texts = tx, entities, rings, texts
        self._changed: dict[bytes, Became] = {}  # in the order in which it did
        self._strange: set[bytes] = set()  # what a peer's operations made: it is read back before it is kept

    def note(self, key: bytes, became: Became) -> None:
        """Note what became of an entity that the fold holds."""
        before = self._changed.get(key, became)
        self._changed[key] = became if became is before else Became.SHOWN  # edited and touched is shown, too

    def strange(self, key: bytes) -> None:
        """Note that a peer's operation is about an entity."""
        self._strange.add(key)

    def flush(self) -> None:
        """
        Write all of it.

        Raises:
            CorruptError: What a peer's operations made cannot be read back: a fault of this version. Nothing is kept.
        """
        tx, entities, texts = self._tx, self._entities, self._texts
        for key, is_strange in entities.grown.items():
            self.note(key, Became.SHOWN)
            if is_strange:
                self._strange.add(key)
        touched = [key for key, became in self._changed.items() if became is Became.SHOWN]
        new = frozenset(key for key in touched if not entities.was_visible(key))
        newborns = list(entities.newborns.values())
        affected = self._affected(touched, new) if touched or newborns else ()
        overfull = [key for key in self._changed if entities[key].overfull]
        if overfull:
            tx.forget(overfull)  # its texts, and what was refused of it and waits: out of the digest it is then, too
            for key in overfull:
                texts.forget_of(key)
        records, conflicted, shown, added = [], {}, [], 0
        gone = defaultdict[str, list[bytes]](list)
        for key, became in self._changed.items():
            entity, before = entities[key], entities.before(key)
            encoded, hidden = state.encode(entity), entity.hidden
            if key in self._strange and state.decode(entity.id, encoded) != entity:
                raise CorruptError(f"The {entity.kind} {values.id_text(entity.id)}")
            old = before.hash if before is not None else _NO_HASH
            fresh = old
            if became is not Became.EDITED:
                fresh = state.hash_entity(key, encoded, self._text_hashes(entity))
                added = digests.add(added if before is None or entity.overfull else digests.sub(added, old), fresh)
            records.append(Record(key, hidden, fresh, state.to_stored(key, encoded)))
            conflicted[key] = not hidden and bool(conflicts_of(entity, self._texts))
            if hidden and entities.was_visible(key):
                gone[entity.kind].append(key)
        times: dict[int, str] = {}
        for newborn in newborns:
            record = newborn.record()
            added = digests.add(added, record.hash)
            records.append(record)
            conflicted[record.key] = False
            if newborn.wall_ms not in times:
                times[newborn.wall_ms] = values.time_of(newborn.wall_ms)
            shown.append(newborn.shown(times[newborn.wall_ms], entities.is_visible))
        new |= entities.newborns.keys()
        for key in affected:
            entity = entities[key]
            if not entity.hidden and entity.kind in rows.COLUMNS:
                shown.append(self._shown(entity))
        if records:
            tx.save(records, conflicted)
        if added:
            tx.add_to_digest(added)
        for kind, keys in gone.items():
            tx.hide(kind, keys)
        if shown:
            tx.show(shown, new)
        for key in [key for key, became in self._changed.items() if became is Became.EDITED]:
            tx.set_stale(key, True)
        for key in [key for key in tx.stale_texts() if self._changed.get(key) is Became.SHOWN]:
            tx.set_stale(key, False)
        self._changed, self._strange = {}, set()

    def is_sound(self, record: Record) -> bool:
        """As ``Fold.is_sound``."""
        entity = self._entities.hold(record)
        encoded = state.encode(entity)
        if record.hash != state.hash_entity(record.key, encoded, self._text_hashes(entity)):
            return False
        if record.hidden != entity.hidden:
            return False
        if entity.hidden or entity.kind not in rows.COLUMNS:
            return True
        shown, entity_id = self._shown(entity), values.id_text(entity.id)
        tags = {tag for tag, _ in self._tx.tags_of(entity.kind, [entity_id])[entity_id]}
        links = {row[1] for row in self._tx.links_of(entity_id, None)} if entity.kind == "task" else set()
        return (
            self._tx.row(entity.kind, entity_id) == shown.row
            and tags == {tag for tag, _ in shown.tags}
            and links == {document for document, _, _ in shown.links}
        )

    def _text_hashes(self, entity: Entity) -> list[bytes]:
        return [
            self._texts.document(self._tx, (entity.key, field, genesis)).hash()
            for field, genesis in entity.edited_texts()
        ]

    def _affected(self, touched: list[bytes], new: frozenset[bytes]) -> Iterable[bytes]:
        """Return all whose rows change: what was touched, what points at what came or went, and rings."""
        tx, entities = self._tx, self._entities
        affected = dict.fromkeys(touched)
        came = [key for key in touched if key in new and not entities[key].hidden]
        came += entities.newborns
        went = [key for key in touched if key not in new and entities[key].hidden]
        pointing = [*tx.waiting_for(came), *tx.referrers(went)] if went else tx.waiting_for(came)
        entities.load(pointing)
        affected.update(dict.fromkeys(pointing))
        tasks = [key for key in affected if entities[key].kind == "task"]
        if pointing or any(key not in new for key in tasks):
            ringed = tx.in_rings()
            entities.load(ringed)
            affected.update(dict.fromkeys(ringed))
        settled: set[bytes] = set()
        for task in tasks:
            ring = self._rings.above(task, settled) if "parent_id" in entities[task].cells else []
            if ring:
                affected[integrity.withheld_of(ring).key] = None
        return affected

    def _shown(self, entity: Entity) -> Shown:
        tags, links, withheld, parent_id = [], [], [], None
        for cell, target_id, value, created_at in rows.edges_of(entity):
            kind = integrity.target_kind(cell)
            target = key_of(kind, target_id)
            if not self._entities.is_visible(target):
                withheld.append((cell, target, integrity.HIDDEN))
            elif kind == "tag":
                tags.append((cell[-rows.ID_CHARACTERS :], created_at))
            elif kind == "document":
                links.append((cell[-rows.ID_CHARACTERS :], value, created_at))
            elif self._rings.is_withheld(entity):
                withheld.append((cell, target, integrity.RING))
            else:
                parent_id = values.id_text(target_id)
        row = rows.row_of(entity, self._texts.text_of(self._tx, entity), parent_id)
        return Shown(entity.kind, entity.key, row, tuple(tags), tuple(links), tuple(withheld))
