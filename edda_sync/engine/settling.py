"""
Settling: a conflict ends when somebody who has seen all its values writes the field again.

That is an ordinary change. It writes one of the values, so that it replaces all of them; concurrently somebody else may do
the same, or write something new, and then that is a conflict like any other.
"""

from __future__ import annotations

from typing import Any

from edda_sync.changes.drafts import Draft, EditText, Put, Rewrite
from edda_sync.crdt import rows
from edda_sync.crdt.entity import Entity
from edda_sync.crdt.keys import key_of
from edda_sync.crdt.state import entity_of
from edda_sync.engine import lost
from edda_sync.engine.conflicts import of_field
from edda_sync.fold.texts import Texts
from edda_sync.fold.view import View
from edda_sync.store.seams import StoreReader
from edda_sync.words import values
from edda_sync.words.errors import UsageError
from edda_sync.words.listed import DELETED, RENAMED, Conflict, ConflictValue
from edda_sync.words.model import TEXT_FIELDS


def settling(reader: StoreReader, conflict: Conflict, take: int | None) -> list[Draft]:
    """
    Return what settles a conflict, as drafts of one change.

    Args:
        reader: A reader or transaction of the store.
        conflict: The conflict, as it was listed.
        take: Which of the values that are kept is to be shown, from 0 on; None for the one that is shown already.

    Raises:
        UsageError: There is no such value, or it is in conflict no more, or with other values.
    """
    if take is not None and not 0 <= take < len(conflict.kept):
        raise UsageError(
            f"Of {conflict.field}, {len(conflict.kept):,} other values are kept; there is no number {take + 1}."
        )
    entity_id = values.id_bytes("id", conflict.id)
    if conflict.position is not None:
        return [_of_place(reader, conflict, entity_id, take)]
    key = key_of(conflict.kind, entity_id)
    record = reader.states.get([key]).get(key)
    entity = None if record is None else entity_of(key, record.state)
    if conflict.field in (DELETED, RENAMED):
        return _settling_lost(reader, conflict, entity, take)
    siblings = [] if entity is None else entity.cells.get(conflict.field, [])
    known = {_dot(each) for each in (conflict.shown, *conflict.kept)}
    if entity is None or not known <= {write[:2] for write in siblings}:
        raise _meanwhile(conflict)
    if rows.shown(conflict.field, siblings)[:2] != _dot(conflict.shown):
        raise UsageError(f"{conflict.field} shows another value by now; `edda conflicts` shows what is open now.")
    wanted = _dot(conflict.shown if take is None else conflict.kept[take])
    value: Any = next(write[3] for write in siblings if write[:2] == wanted)
    if conflict.field != TEXT_FIELDS.get(conflict.kind):
        return [Put.of(conflict.kind, entity_id, {conflict.field: value})]
    # An edit of one text leaves the other one where it is. So the field becomes empty, which replaces both, and begins anew.
    text = Texts().readable(View(reader), entity, conflict.field, value)
    emptied = Put.of(conflict.kind, entity_id, {conflict.field: None})
    return [emptied, Rewrite(conflict.kind, entity_id, None, text)]


def _of_place(reader: StoreReader, conflict: Conflict, entity_id: bytes, take: int | None) -> Draft:
    """
    Return what writes a place of a text anew: with the chosen value, or with what it shows.

    Two devices that settle a place alike make the same rewrite, which counts once.
    """
    now = [
        each
        for each in of_field(reader, conflict.kind, entity_id, conflict.field)
        if (each.shown, each.kept) == (conflict.shown, conflict.kept)
    ]
    if not now or conflict.position is None:
        raise _meanwhile(conflict)
    wanted = conflict.position
    at = min((each.position or 0 for each in now), key=lambda position: (abs(position - wanted), position))
    shown: str = conflict.shown.value
    text: str = shown if take is None else conflict.kept[take].value
    return EditText(conflict.kind, entity_id, ((at, len(shown), text),), whole=True)


def _settling_lost(reader: StoreReader, conflict: Conflict, entity: Entity | None, take: int | None) -> list[Draft]:
    deletions = [] if entity is None else list(reader.index.deletions([entity.key]).get(entity.key, ()))
    now = [] if entity is None else lost.conflicts(reader, entity, deletions)
    if entity is None or [each.kept for each in now if each.field == conflict.field] != [conflict.kept]:
        raise _meanwhile(conflict)
    return lost.settling(reader, entity, conflict.field, take)


def _meanwhile(conflict: Conflict) -> UsageError:
    return UsageError(f"{conflict.field} was written again meanwhile; `edda conflicts` shows what is open now.")


def _dot(value: ConflictValue) -> tuple[bytes, int]:
    return bytes.fromhex(value.actor), value.seq
