"""
Which cells an entity of a kind may have, and which values these may have: the verdict on what a change writes.

Each check depends on the value alone, and not on this process's tables, clock or memory. Types are compared and never
coerced: ``True`` is not a number, and ``2.0`` is not a priority.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, Final

from edda_sync.crdt import attachments, frontier, records
from edda_sync.crdt.entity import OWN_TIME, Entity
from edda_sync.words import values
from edda_sync.words.errors import InvalidValueError
from edda_sync.words.model import TEXT_FIELDS

_Check = Callable[[Any], object]


def unknown_cells(kind: str, entity_id: bytes, cells: Mapping[str, Any]) -> list[str]:
    """
    Check what an operation of a peer writes into an entity; return the cells that only a newer version knows.

    Args:
        kind, entity_id: The kind and id of the entity.
        cells: Values by cell name, of any types.

    Raises:
        InvalidValueError: A value is not acceptable. The whole operation then has no effect on any device.
    """
    unknown, name = [], ""
    try:
        fields = _FIELDS[kind]
        for name, value in cells.items():
            check = fields.get(name) or _check_in_group(kind, name)
            if check is None:
                unknown.append(name)
            else:
                check(value)
    except (TypeError, ValueError) as error:  # a value of an unexpected type
        raise InvalidValueError(name, str(error), None) from None
    if kind == "tag" and "name" in cells and values.tag_id(cells["name"]) != values.id_text(entity_id):
        raise InvalidValueError("name", "is not the name of this tag", cells["name"])
    if kind == "device" and "record" in cells:
        records.check_device(entity_id, cells["record"])
    return unknown


def check_cell(kind: str, name: str, value: Any) -> bool:
    """
    Check one write of a cell; return whether this version knows the cell.

    Raises:
        InvalidValueError: This version knows the cell, and the value is not acceptable.
    """
    check = _FIELDS[kind].get(name) or _check_in_group(kind, name)
    if check is not None:
        check(value)
    return check is not None


@lru_cache(maxsize=4_096)  # the same few names come again and again
def _check_in_group(kind: str, name: str) -> _Check | None:
    """
    Return the check for the values of a cell in a group; None if this version does not know the cell.

    Raises:
        InvalidValueError: This version knows the group, and the cell's name is not acceptable.
    """
    group, dot, rest = name.partition(".")
    grouped = _GROUPS.get(kind, {}).get(group) if dot else None
    return None if grouped is None else grouped(group, rest)


def check_state(entity: Entity, at: Mapping[bytes, int]) -> None:
    """
    Check a state that came from a peer, as its operations would have been checked.

    Args:
        entity: The state.
        at: The frontier at which the state is claimed to be complete.

    Raises:
        InvalidValueError: No valid changes lead to this state.
    """
    if not frontier.covers(at, entity.touched) or not frontier.covers(at, entity.deleted):
        raise InvalidValueError("touched", "is not within the frontier of its segment", None)
    if entity.is_too_heavy:
        raise InvalidValueError("spent", "is more than an entity may hold", None)
    for name, siblings in entity.cells.items():
        for actor, seq, _, value in siblings:
            if seq > entity.touched.get(actor, 0):
                raise InvalidValueError(name, "was written outside of its frontier", None)
            if name == TEXT_FIELDS.get(entity.kind) and isinstance(value, bytes):
                if len(value) != 16:
                    raise InvalidValueError(name, "names no text", None)
            elif unknown_cells(entity.kind, entity.id, {name: value}):
                raise InvalidValueError(name, "is no cell of this version", None)


# --- values of cells --------------------------------------------------------------------------------------------------


def _status(value: Any) -> None:
    if isinstance(value, list):
        if len(value) != 2:
            raise InvalidValueError("status", "is no pair of a status and a time", value)
        status, completed_at = value
        values.status(status)
        if status != "done" or values.time("completed_at", completed_at) != completed_at:
            raise InvalidValueError("status", "has a time of completion that does not fit", value)
    else:
        values.status(value)


def _created_at(value: Any) -> None:
    if type(value) is int and value == OWN_TIME:
        return
    if not isinstance(value, str) or values.time("created_at", value) != value:
        raise InvalidValueError("created_at", "is not canonical", value)


def _due_date(value: Any) -> None:
    if value is not None and (not isinstance(value, str) or values.time("due_date", value) != value):
        raise InvalidValueError("due_date", "is not canonical", value)


def _reference(value: Any) -> None:
    if value is not None and not (isinstance(value, bytes) and len(value) == 16):
        raise InvalidValueError("parent_id", "is not an id", value)


def _text(value: Any) -> None:
    if value is not None:
        values.text("text", value)


def _line(value: Any) -> None:
    values.line("value", value)


def _tagged(value: Any) -> None:
    if value is not None and value is not True:
        _line(value)


def _linked(value: Any) -> None:
    if value is not None:
        _line(value)


# --- names of cells in a group, and what checks their values ----------------------------------------------------------


def _json(group: str, key: str) -> _Check:
    values.key(group, key)
    return lambda value: None if value is None else values.canonical_json(group, value)


def _tag(_group: str, tag_id: str) -> _Check:
    _check_id("tag", tag_id)
    return _tagged


def _link(_group: str, document_id: str) -> _Check:
    _check_id("link", document_id)
    return _linked


def _file(_group: str, attachment: str) -> _Check:
    attachments.check_cell(attachment, None)
    return lambda value: attachments.check_cell(attachment, value)


def _epoch(_group: str, name: str) -> _Check:
    return lambda value: records.check_epoch(name, value)


def _unique(_group: str, name: str) -> _Check:
    from edda_sync.crdt import uniques  # rarely needed

    uniques.check_cell(name, None)
    return lambda value: uniques.check_cell(name, value)


def _check_id(cell: str, entity_id: str) -> None:
    if values.id_text(values.id_bytes("id", entity_id)) != entity_id:
        raise InvalidValueError(cell, "is not a canonical id", entity_id)


_FIELDS: Final[dict[str, dict[str, _Check]]] = {
    "task": {
        "title": values.title,
        "description": _text,
        "status": _status,
        "priority": values.priority,
        "due_date": _due_date,
        "parent_id": _reference,
        "created_at": _created_at,
    },
    "document": {
        "title": values.title,
        "content": _text,
        "content_type": _line,
        "doc_type": _line,
        "created_at": _created_at,
    },
    "tag": {"name": _line, "color": _text, "description": _text, "created_at": _created_at},
    "device": {"name": _line, "record": records.decode_device, "created_at": _created_at},
    "workspace": {},
}
_GROUPS: Final[dict[str, dict[str, Callable[[str, str], _Check]]]] = {
    "task": {"metadata": _json, "agent_context": _json, "tag": _tag, "link": _link},
    "document": {"metadata": _json, "agent_context": _json, "tag": _tag, "file": _file},
    "workspace": {"epoch": _epoch, "unique": _unique},
}
