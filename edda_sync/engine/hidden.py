"""What no table shows: tasks and documents in the trash, and those that are too large to be shown."""

from __future__ import annotations

from typing import Final

from edda_sync.crdt import rows, state
from edda_sync.crdt.entity import Entity
from edda_sync.crdt.keys import kind_and_id
from edda_sync.engine.items import item_of_row
from edda_sync.fold.texts import Texts
from edda_sync.fold.view import View
from edda_sync.store.seams import Record, StoreReader
from edda_sync.words import values
from edda_sync.words.errors import CorruptError, RefusedTextError
from edda_sync.words.model import COLUMNS, Item

_AT_ONCE: Final = 500  # items of the trash that are read together
_TITLE: Final = {kind: COLUMNS[kind].index("title") for kind in ("task", "document")}


def trash(reader: StoreReader, kind: str) -> list[Item]:
    """Return the tasks or documents in the trash. An unreadable one is left out; the scrub reports it."""
    found, texts = reader.states.get(reader.index.hidden(kind)), Texts()
    items = [_item(reader, texts, record) for _, record in sorted(found.items())]
    return [item for item in items if item is not None]


def titled(reader: StoreReader, kind: str, title: str) -> list[str]:
    """Return the ids of the tasks or documents in the trash that have a title. Their texts are not read."""
    keys, found = reader.index.hidden(kind), list[str]()
    for at in range(0, len(keys), _AT_ONCE):  # the trash is never emptied, and need not fit into memory
        for record in reader.states.get(keys[at : at + _AT_ONCE]).values():
            entity = _entity(record)
            if entity is not None and rows.row_of(entity, None, None)[_TITLE[kind]] == title:
                found.append(values.id_text(entity.id))
    return sorted(found)


def overfull(reader: StoreReader) -> list[tuple[str, str]]:
    """Return kind and id of each entity that is too large to be shown, because its devices wrote too much into it."""
    found = [kind_and_id(each.key) for each in reader.states.scan() if state.is_overfull(each.key, each.state)]
    return [(kind, values.id_text(entity_id)) for kind, entity_id in found]


def _item(reader: StoreReader, texts: Texts, record: Record) -> Item | None:
    """Return the task or document of a record as it would be shown outside the trash; None if it is unreadable."""
    entity = _entity(record)
    if entity is None:
        return None
    try:
        text = texts.text_of(View(reader), entity)
    except (CorruptError, RefusedTextError):
        return None
    return item_of_row(entity.kind, rows.row_of(entity, text, rows.parent_of(entity)), _tags_of(reader, entity))


def _entity(record: Record) -> Entity | None:
    """Return the entity of a record; None if it is unreadable, or overfull: nothing else about it is kept then."""
    try:
        entity = state.entity_of(record.key, record.state)
    except CorruptError:
        return None
    return entity if entity.touched or entity.deleted else None


def _tags_of(reader: StoreReader, entity: Entity) -> list[str]:
    """Return the names of the tags that an item in the trash carries, without deleted tags."""
    ids = [values.id_text(edge.target) for edge in rows.edges_of(entity) if edge.cell.startswith("tag.")]
    return [row[1] for row in (reader.tables.row("tag", each) for each in ids) if row is not None]
