"""The projector: turns the entities of a fold into states, hashes, the digest, and the rows of the tables."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from enum import IntEnum
from typing import Final

from edda_sync.crdt import digests, integrity, rows, state
from edda_sync.crdt.entity import Entity
from edda_sync.crdt.keys import key_of
from edda_sync.fold import attachments
from edda_sync.fold.conflicts import conflicts_of
from edda_sync.fold.deletions import Deletions
from edda_sync.fold.entities import Entities
from edda_sync.fold.rings import Rings
from edda_sync.fold.texts import Texts
from edda_sync.fold.uniques import Uniques
from edda_sync.fold.view import View
from edda_sync.store.delta import Delta
from edda_sync.store.seams import Patch, Pointed, Record, Shown, Unapplied
from edda_sync.words import limits, values
from edda_sync.words.errors import CorruptError
from edda_sync.words.model import TEXT_FIELDS

_NO_HASH: Final = bytes(state.HASH_BYTES)
_SUM_END: Final = 1 << 128


class Became(IntEnum):
    """How much of an entity changed, the least first."""

    EDITED = 1  # one of its texts was edited; its hash and row wait for the refresh
    TOUCHED = 2  # its state and hash change, but not its row
    SHOWN = 3  # its row changes as well


class Projector:
    """
    Collects what is to be written about a fold's entities; :meth:`delta` returns it.

    Args:
        view: The fold's view.
        entities, rings, uniques: The fold's.
        texts: The text documents in use.
        deletions: The open deletions of the fold's entities.

    Attributes:
        work_us: The estimated cost of reading and writing the entities that were here before, in microseconds.
    """

    def __init__(
        self, view: View, entities: Entities, rings: Rings, uniques: Uniques, texts: Texts, deletions: Deletions
    ) -> None:
        self._view, self._entities, self._rings, self._texts = view, entities, rings, texts
        self._uniques, self._deletions = uniques, deletions
        self._claiming: list[bytes] = []  # entities that have not changed, and may claim something new
        self._reader = view.reader
        self._changed: dict[bytes, Became] = {}  # in the order of the changes
        self._written: dict[bytes, set[str] | None] = {}  # the cells of the row that changed; None if it may be any
        self.work_us = 0
        self._strange: set[bytes] = set()  # of a peer's operations: decoded again before they are stored

    def note(self, key: bytes, became: Became, written: Iterable[str] | None = None) -> None:
        """
        Note that an entity of the fold has changed.

        Args:
            key: The entity's key.
            became: How much of it changed.
            written: The cells of its row that changed; None if it may be any.
        """
        before = self._changed.get(key)
        if before is None:
            before = became
            self.work_us += limits.TAKE_TEXT_US if became is Became.EDITED else limits.TAKE_ENTITY_US
        self._changed[key] = now = became if became is before else Became.SHOWN  # both together mean shown
        if now is not Became.SHOWN:
            return
        if became is not before and Became.EDITED in (became, before):
            written = None  # its text as well
        elif became is Became.TOUCHED:
            return
        known = self._written.setdefault(key, set())
        if written is None or known is None:
            self._written[key] = None
        else:
            known.update(written)

    def strange(self, key: bytes) -> None:
        """Note that a peer's operation is about an entity."""
        self._strange.add(key)

    def claim(self, keys: Iterable[bytes]) -> None:
        """Have it looked up, by the next :meth:`delta`, what entities of the fold claim under the unique indexes."""
        self._claiming += keys

    def delta(self, mentions: Sequence[tuple[bytes, int]] = (), unapplied: Sequence[Unapplied] = ()) -> Delta:
        """
        Return what is to be written, and start again.

        Args:
            mentions, unapplied: What the fold adds to the delta.

        Raises:
            CorruptError: A state made by a peer's operations cannot be decoded again, which is a bug. Nothing is stored.
        """
        entities = self._entities
        for key, is_strange in entities.grown.items():
            self.note(key, Became.SHOWN)
            if is_strange:
                self._strange.add(key)
        overfull = [key for key in self._changed if entities[key].overfull]
        for key in overfull:
            self._texts.forget_of(key)
        records, conflicted, added, attached, settings = [], {}, 0, {}, dict[str, bytes | None]()
        hidden = defaultdict[str, list[bytes]](list)
        for key, became in self._changed.items():
            record, growth = self._record(key, became)
            records.append(record)
            added += growth
            entity = entities[key]
            conflicted[key] = not record.hidden and self._may_conflict(entity)
            if became is not Became.EDITED and entity.kind == "document" and attachments.is_any(entity.cells):
                attached[key] = attachments.attached(entity)
            if entity.kind == "workspace":
                settings |= self._uniques.changed_settings(entity)
            if record.hidden and entities.was_visible(key):
                hidden[entity.kind].append(key)
        ends = self._reader.index.stale_among([key for key, became in self._changed.items() if became is Became.SHOWN])
        shown, new, patches, pointed = self._rows(ends)
        for newborn in entities.newborns.values():
            record = newborn.record()
            added = digests.add(added % _SUM_END, record.hash)
            records.append(record)
            conflicted[record.key] = False
            if newborn.kind == "document" and attachments.is_any(newborn.cells):
                attached[record.key] = attachments.attached(newborn.entity())
        stale = {key: True for key, became in self._changed.items() if became is Became.EDITED}
        stale |= {key: False for key in self._changed if key in ends}
        unclaimed, claimed = self._uniques.take()
        may_differ = [key for key, became in self._changed.items() if became is not Became.EDITED]
        deletions = self._deletions.take(map(entities.__getitem__, may_differ))
        self._changed, self._written, self._strange, self._claiming = {}, {}, set(), []
        return Delta(
            mentions=mentions, unapplied=unapplied, texts=self._view.take(), overfull=overfull, records=records,
            conflicted=conflicted, digest=added % _SUM_END, hidden=hidden, shown=shown, new=new, patches=patches,
            pointed=pointed, attached=attached, unclaimed=unclaimed, claimed=claimed, uniques=settings, stale=stale,
            deletions=deletions,
        )  # fmt: skip

    def _may_conflict(self, entity: Entity) -> bool:
        """Tell whether a cell of an entity has several values, or changes of its text may overlap."""
        return bool(conflicts_of(entity, self._texts)) or self._texts.is_disputed(self._view, entity)

    def _record(self, key: bytes, became: Became) -> tuple[Record, int]:
        """Return the record that the store keeps of an entity, and what is added to the digest."""
        entity, before = self._entities[key], self._entities.before(key)
        encoded = state.encode(entity)
        if key in self._strange and state.decode(entity.id, encoded) != entity:
            raise CorruptError(f"The {entity.kind} {values.id_text(entity.id)}")
        fresh, growth = before.hash if before is not None else _NO_HASH, 0
        if became is not Became.EDITED:
            old, fresh = fresh, state.hash_entity(key, encoded, self._text_hashes(entity))
            growth = digests.add(0 if before is None or entity.overfull else digests.sub(0, old), fresh)
        return Record(key, entity.hidden, fresh, state.to_stored(key, encoded)), growth

    def _rows(self, stale: Collection[bytes]) -> tuple[list[Shown], frozenset[bytes], list[Patch], list[Pointed]]:
        """
        Return the rows to show again, the entities that had no row, the changes of other rows, and the new targets of cells.

        Args:
            stale: The changed entities whose rows wait for their texts.
        """
        entities, newborns = self._entities, self._entities.newborns
        touched = [key for key, became in self._changed.items() if became is Became.SHOWN]
        overfull = [key for key in self._changed if entities[key].overfull]
        looked = [*touched, *newborns, *self._claiming, *overfull]
        if not looked:
            self._uniques.look(())
            return [], frozenset(), [], []
        new = frozenset([key for key in touched if not entities.was_visible(key)])
        others = self._others(touched, new)
        moved = self._uniques.look(looked)
        others.update(dict.fromkeys(key for key in moved if key not in newborns))
        self._uniques.recall(others)
        shown, patches, pointed, times = [], [], [], dict[int, str]()
        for newborn in newborns.values():
            time = times.get(newborn.wall_ms)
            if time is None:
                time = times[newborn.wall_ms] = values.time_of(newborn.wall_ms)
            shown.append(newborn.shown(time, entities.is_visible, self._uniques.withheld(newborn.key)))
        whole: list[Entity] = []
        for key in dict.fromkeys([*touched, *others]):
            entity = entities[key]
            if entity.hidden or entity.kind not in rows.COLUMNS:
                continue
            written = None if key in new or key in others else self._written[key]
            if written is None or "parent_id" in written:
                whole.append(entity)
                continue
            pointed += [self._pointed(entity, cell) for cell in rows.edges_among(written)]
            patch = self._patch(entity, {*written, TEXT_FIELDS[entity.kind]} if key in stale else written)
            if patch.columns:
                patches.append(patch)
        self._rings.recall(entity.key for entity in whole if "parent_id" in entity.cells)
        shown += [self._shown(entity) for entity in whole]
        return shown, new.union(newborns), patches, pointed

    def _patch(self, entity: Entity, written: Collection[str]) -> Patch:
        """Return what changes in the row of an entity that is already shown, when some cells were written."""
        columns, withheld = rows.columns_of(entity, written), self._uniques.withheld(entity.key)
        text = self._texts.text_of(self._view, entity) if TEXT_FIELDS.get(entity.kind) in columns else None
        row = (
            dict(zip(rows.COLUMNS[entity.kind], rows.row_of(entity, text, None, withheld), strict=True))
            if columns
            else {}
        )
        return Patch(entity.kind, values.id_text(entity.id), columns, tuple([row[column] for column in columns]))

    def _pointed(self, entity: Entity, cell: str) -> Pointed:
        """Return where a tag or link of an entity that is already shown points now."""
        edge, target_id = rows.edge_of(cell, entity.cells[cell]), rows.target_of(cell)
        kind = integrity.target_kind(cell)
        shown: tuple[str, ...] = ()
        withheld: tuple[bytes, str] | tuple[()] = ()
        if edge is not None:
            target = key_of(kind, edge.target)
            if not self._entities.is_visible(target):
                withheld = target, integrity.HIDDEN
            else:
                shown = (edge.created_at,) if kind == "tag" else (edge.value, edge.created_at)
        return Pointed(entity.kind, entity.key, values.id_text(entity.id), cell, target_id, shown, withheld)

    def is_sound(self, record: Record) -> bool:
        """See ``Fold.is_sound``."""
        entity = self._entities.hold(record)
        encoded = state.encode(entity)
        if record.hash != state.hash_entity(record.key, encoded, self._text_hashes(entity)):
            return False
        if record.hidden != entity.hidden:
            return False
        if entity.hidden or entity.kind not in rows.COLUMNS:
            return True
        if "parent_id" in entity.cells and not self._rings.is_sound(entity):
            return False
        self._uniques.look(())
        self._uniques.recall((record.key,))
        shown, entity_id = self._shown(entity), values.id_text(entity.id)
        tags = {tag for tag, _ in self._reader.edges.tags_of(entity.kind, [entity_id])[entity_id]}
        links = {row[1] for row in self._reader.edges.links_of(entity_id, None)} if entity.kind == "task" else set()
        return (
            self._reader.tables.row(entity.kind, entity_id) == shown.row
            and tags == {tag for tag, _ in shown.tags}
            and links == {document for document, _, _ in shown.links}
            and self._uniques.is_sound(entity)
            and [*self._reader.attachments.of(entity.key)] == attachments.attached(entity)
        )

    def _text_hashes(self, entity: Entity) -> list[bytes]:
        return [
            self._texts.document(self._view, (entity.key, field, genesis)).hash()
            for field, genesis in entity.edited_texts()
        ]

    def _others(self, touched: list[bytes], new: frozenset[bytes]) -> dict[bytes, None]:
        """Return other entities whose rows change: those that point at what appeared or disappeared, and tasks of rings."""
        reader, entities = self._reader, self._entities
        came = [key for key in touched if key in new and not entities[key].hidden]
        came += entities.newborns
        went = [key for key in touched if key not in new and entities[key].hidden]
        pointing = (
            [*reader.edges.withheld_to(came), *reader.edges.referrers(went)] if went else reader.edges.withheld_to(came)
        )
        entities.load(pointing)
        others = dict.fromkeys(pointing)
        moved = [key for key in dict.fromkeys([*touched, *pointing]) if self._may_have_moved(key, new, others)]
        born = [key for key in moved if key in new and "parent_id" in entities[key].cells]
        others.update(dict.fromkeys(self._rings.look(born, [key for key in moved if key not in new])))
        return others

    def _may_have_moved(self, key: bytes, new: frozenset[bytes], others: Collection[bytes]) -> bool:
        """Tell whether an entity is a task that may show another parent than before, or none."""
        entity = self._entities[key]
        if entity.kind != "task":
            return False
        written = self._written.get(key)
        return key in new or key in others or entity.hidden or written is None or "parent_id" in written

    def _shown(self, entity: Entity) -> Shown:
        tags, links, withheld, parent_id = [], [], [], None
        for cell, target_id, value, created_at in rows.edges_of(entity):
            kind = integrity.target_kind(cell)
            target = key_of(kind, target_id)
            if not self._entities.is_visible(target):
                withheld.append((cell, target, integrity.HIDDEN))
            elif kind == "tag":
                tags.append((rows.target_of(cell), created_at))
            elif kind == "document":
                links.append((rows.target_of(cell), value, created_at))
            elif self._rings.is_withheld(entity.key):
                withheld.append((cell, target, integrity.RING))
            else:
                parent_id = values.id_text(target_id)
        text, withheld_cells = self._texts.text_of(self._view, entity), self._uniques.withheld(entity.key)
        row = rows.row_of(entity, text, parent_id, withheld_cells)
        return Shown(entity.kind, entity.key, row, tuple(tags), tuple(links), tuple(withheld))
