"""What no table shows: tasks and documents in the trash, and those that are too large to be shown."""

from __future__ import annotations

from edda_sync.crdt import rows, state
from edda_sync.crdt.entity import Entity
from edda_sync.crdt.keys import kind_and_id
from edda_sync.engine.items import item_of_row
from edda_sync.fold.texts import Texts
from edda_sync.fold.view import View
from edda_sync.store.seams import Record, StoreReader
from edda_sync.words import values
from edda_sync.words.errors import CorruptError, RefusedTextError
from edda_sync.words.model import Item


def trash(reader: StoreReader, kind: str) -> list[Item]:
    """Return the tasks or documents in the trash. An unreadable one is left out; the scrub reports it."""
    found, texts = reader.states.get(reader.index.hidden(kind)), Texts()
    items = [_item(reader, texts, record) for _, record in sorted(found.items())]
    return [item for item in items if item is not None]


def overfull(reader: StoreReader) -> list[tuple[str, str]]:
    """Return kind and id of each entity that is too large to be shown, because its devices wrote too much into it."""
    found = [kind_and_id(each.key) for each in reader.states.scan() if state.is_overfull(each.key, each.state)]
    return [(kind, values.id_text(entity_id)) for kind, entity_id in found]


def _item(reader: StoreReader, texts: Texts, record: Record) -> Item | None:
    """Return the task or document of a record as it would be shown outside the trash; None if it is unreadable."""
    try:
        entity = state.entity_of(record.key, record.state)
        text = texts.text_of(View(reader), entity)
    except (CorruptError, RefusedTextError):
        return None
    if not (entity.touched or entity.deleted):  # it is overfull: nothing else about it is kept
        return None
    return item_of_row(entity.kind, rows.row_of(entity, text, rows.parent_of(entity)), _tags_of(reader, entity))


def _tags_of(reader: StoreReader, entity: Entity) -> list[str]:
    """Return the names of the tags that an item in the trash carries, without deleted tags."""
    ids = [values.id_text(edge.target) for edge in rows.edges_of(entity) if edge.cell.startswith("tag.")]
    return [row[1] for row in (reader.tables.row("tag", each) for each in ids) if row is not None]
