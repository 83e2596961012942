"""Conflicts as people see them: the value that is shown, and the concurrent values that are kept beside it."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from edda_sync.crdt import cells
from edda_sync.crdt.cells import Write
from edda_sync.crdt.entity import Entity
from edda_sync.crdt.state import entity_of
from edda_sync.engine import lost
from edda_sync.fold.conflicts import conflicts_of
from edda_sync.fold.texts import Texts
from edda_sync.fold.view import View
from edda_sync.store.seams import StoreReader
from edda_sync.words import values
from edda_sync.words.errors import CorruptError, RefusedTextError
from edda_sync.words.listed import Conflict, ConflictValue
from edda_sync.words.model import TEXT_FIELDS


def kept_values(reader: StoreReader, among: Collection[bytes] | None = None) -> list[Conflict]:
    """
    Return every cell of a visible entity that has several concurrent values, every deletion that an edit has undone, and
    every rename that became two tags, in the order of entities and fields.

    Args:
        reader: A reader of the store.
        among: Keys of the entities to look at; None for all.
    """
    texts, found = Texts(), list[Conflict]()  # not the writer's texts: those may be ahead of the reader
    keys = {*reader.index.conflicted(), *reader.index.contested()} if among is None else among
    deletions = reader.index.deletions(keys)
    for key, record in sorted(reader.states.get(keys).items()):
        try:
            entity = entity_of(key, record.state)
            listed = [] if entity.hidden else _of_entity(reader, texts, entity)
            if key in deletions:
                listed += lost.conflicts(reader, entity, [*deletions[key]])
            found += sorted(listed, key=lambda each: each.field)
        except (CorruptError, RefusedTextError):  # the scrub reports it
            continue
    return found


def _of_entity(reader: StoreReader, texts: Texts, entity: Entity) -> list[Conflict]:
    return [
        Conflict(
            kind=entity.kind,
            id=values.id_text(entity.id),
            title=entity.value("title") or entity.value("name") or "",
            field=name,
            shown=_as_value(reader, texts, entity, name, cells.visible(entity.cells[name])),
            kept=tuple(_as_value(reader, texts, entity, name, write) for write in kept),
        )
        for name, kept in sorted(conflicts_of(entity, texts).items())
    ]


def _as_value(reader: StoreReader, texts: Texts, entity: Entity, name: str, write: Write) -> ConflictValue:
    return lost.told(reader, write, _readable(reader, texts, entity, name, write[3]))


def _readable(reader: StoreReader, texts: Texts, entity: Entity, name: str, content: Any) -> Any:
    """Return a cell's value in the form in which the API returns it."""
    if name == TEXT_FIELDS.get(entity.kind):
        return texts.readable(View(reader), entity, name, content)
    if name == "parent_id" and content is not None:
        return values.id_text(content)
    if name.startswith(("metadata.", "agent_context.")) and content is not None:
        return values.parse_json(name, content)
    if entity.kind == "workspace" and name.startswith("unique.") and content is not None:
        from edda_sync.crdt import uniques  # rarely needed
        from edda_sync.words.indexes import as_data

        return as_data(uniques.decode(name.removeprefix(uniques.GROUP), content))
    if name == "status" and isinstance(content, list):
        return content[0]
    return content
