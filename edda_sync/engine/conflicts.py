"""Conflicts as people see them: the value that is shown, and the concurrent values that are kept beside it."""

from __future__ import annotations

from typing import Any

from edda_sync.changes import change as changes
from edda_sync.crdt import cells
from edda_sync.crdt.cells import Write
from edda_sync.crdt.entity import Entity
from edda_sync.crdt.state import entity_of
from edda_sync.fold.conflicts import conflicts_of
from edda_sync.fold.texts import Texts
from edda_sync.fold.view import View
from edda_sync.store.seams import StoreReader
from edda_sync.words import values
from edda_sync.words.errors import CorruptError, RefusedTextError
from edda_sync.words.listed import Conflict, ConflictValue
from edda_sync.words.model import TEXT_FIELDS


def kept_values(reader: StoreReader) -> list[Conflict]:
    """Return every cell of a visible entity that has several concurrent values, in the order of entities and cells."""
    texts, found = Texts(), list[Conflict]()  # not the writer's texts: those may be ahead of the reader
    for key, record in sorted(reader.states.get(reader.index.conflicted()).items()):
        try:
            found += _of_entity(reader, texts, entity_of(key, record.state))
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
    actor, seq, wall_ms, content = write
    return ConflictValue(
        value=_readable(reader, texts, entity, name, content),
        written_at=values.time_of(wall_ms),
        actor=actor.hex(),
        seq=seq,
        agent=_agent(reader, actor, seq),
    )


def _agent(reader: StoreReader, actor: bytes, seq: int) -> str | None:
    headers = reader.log.headers(actor, seq, seq)  # none, while a segment stands for the beginning of the log
    return changes.decode_header(headers[0]).agent if headers else None


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
