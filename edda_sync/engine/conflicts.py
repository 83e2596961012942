"""
Conflicts as people see them: the value that is shown, and the concurrent values that are kept beside it.

Of a text, each place is listed that concurrent changes replaced (:mod:`~edda_sync.crdt.text.overlaps`).
"""

from __future__ import annotations

from collections.abc import Collection
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from edda_sync.crdt import rows
from edda_sync.crdt.cells import Write
from edda_sync.crdt.entity import Entity
from edda_sync.crdt.frontier import Dot
from edda_sync.crdt.keys import key_of
from edda_sync.crdt.state import entity_of
from edda_sync.engine import lost
from edda_sync.fold.conflicts import conflicts_of
from edda_sync.fold.texts import Texts
from edda_sync.fold.view import View
from edda_sync.store.seams import StoreReader
from edda_sync.words import values
from edda_sync.words.errors import CorruptError, RefusedTextError, RemoteProtocolError
from edda_sync.words.listed import Conflict, ConflictValue
from edda_sync.words.model import TEXT_FIELDS

if TYPE_CHECKING:
    from edda_sync.crdt.text.document import TextDocument
    from edda_sync.crdt.text.overlaps import Overlap
    from edda_sync.engine.overlapping import Knowing


def kept_values(reader: StoreReader, among: Collection[bytes] | None = None) -> list[Conflict]:
    """
    Return every cell of a visible entity that has several concurrent values, every place of a text that concurrent changes
    replaced, every deletion that an edit has undone, and every rename that became two tags, in the order of entities,
    fields and places.

    Args:
        reader: A reader of the store.
        among: Keys of the entities to look at; None for all.
    """
    texts, found = Texts(), list[Conflict]()  # not the writer's texts: those may be ahead of the reader
    keys = {*reader.index.conflicted(), *reader.index.contested()} if among is None else among
    deletions = _deletions(reader, keys)
    knowing: Knowing | None = None
    for key, record in sorted(reader.states.get(keys).items()):
        try:
            entity = entity_of(key, record.state)
            listed = [] if entity.hidden else _of_cells(reader, texts, entity)
            shown = None if entity.hidden else texts.shown(View(reader), entity)
            if shown is not None and shown[1].sequence.is_disputed:
                from edda_sync.engine.overlapping import Knowing

                knowing = knowing or Knowing(reader)
                listed += _of_text(reader, knowing, entity, *shown)
            if key in deletions:
                listed += lost.conflicts(reader, entity, [*deletions[key]])
            found += sorted(listed, key=lambda each: each.field)
        except (CorruptError, RefusedTextError, RemoteProtocolError):  # the scrub reports it, or the doctor a change
            continue
    return found


def _deletions(reader: StoreReader, keys: Collection[bytes]) -> dict[bytes, tuple[Write, ...]]:
    try:
        return reader.index.deletions(keys)
    except CorruptError:  # of one of them: a listing goes on without those
        found: dict[bytes, tuple[Write, ...]] = {}
        for key in keys:
            with suppress(CorruptError):
                found |= reader.index.deletions([key])
        return found


def of_field(reader: StoreReader, kind: str, entity_id: bytes, field: str) -> list[Conflict]:
    """Return the places of a text that are in conflict."""
    from edda_sync.engine.overlapping import Knowing

    key, texts = key_of(kind, entity_id), Texts()
    record = reader.states.get([key]).get(key)
    entity = None if record is None else entity_of(key, record.state)
    if entity is None or entity.hidden or field != TEXT_FIELDS.get(kind):
        return []
    shown = texts.shown(View(reader), entity)
    return [] if shown is None else _of_text(reader, Knowing(reader), entity, *shown)


def _of_cells(reader: StoreReader, texts: Texts, entity: Entity) -> list[Conflict]:
    return [
        Conflict(
            kind=entity.kind,
            id=values.id_text(entity.id),
            title=_title(entity),
            field=name,
            shown=_as_value(reader, texts, entity, name, rows.shown(name, entity.cells[name])),
            kept=tuple(_as_value(reader, texts, entity, name, write) for write in kept),
        )
        for name, kept in sorted(conflicts_of(entity, texts).items())
    ]


def _of_text(
    reader: StoreReader, knowing: Knowing, entity: Entity, genesis: bytes, document: TextDocument
) -> list[Conflict]:
    from edda_sync.crdt.text.overlaps import overlaps
    from edda_sync.engine.overlapping import NotHereError, TextLog

    field = TEXT_FIELDS[entity.kind]
    try:
        found = overlaps(document.sequence, TextLog(reader, entity, field, genesis, knowing))
        return [_of_place(reader, entity, field, each) for each in found]
    except NotHereError:  # a segment stands for these changes, and the log behind it is on its way
        return []


def _of_place(reader: StoreReader, entity: Entity, field: str, overlap: Overlap) -> Conflict:
    readings: dict[str, ConflictValue] = {}
    for side in overlap.sides:
        value = max((_of_change(reader, dot, side.text) for dot in side.dots), key=_rank)
        if side.text not in readings or _rank(value) > _rank(readings[side.text]):
            readings[side.text] = value
    ranked = sorted(readings.values(), key=_rank, reverse=True)
    shown = readings.get(overlap.shown) or replace(ranked[0], value=overlap.shown)
    return Conflict(
        kind=entity.kind,
        id=values.id_text(entity.id),
        title=_title(entity),
        field=field,
        shown=shown,
        kept=tuple([each for each in ranked if each.value != overlap.shown]),
        position=overlap.position,
    )


def _of_change(reader: StoreReader, dot: Dot, text: str) -> ConflictValue:
    from edda_sync.engine.overlapping import stamp

    actor, seq, wall_ms = stamp(reader, dot)
    return lost.told(reader, (actor, seq, wall_ms, text), text)


def _rank(value: ConflictValue) -> tuple[str, str, int]:
    """Return the stamp of a value; times are of one length, so they compare as text."""
    return value.written_at, value.actor, value.seq


def _title(entity: Entity) -> str:
    return entity.value("title") or entity.value("name") or ""


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
        return " ".join(content)  # and when it was done: otherwise two that differ in that would look alike
    return content
