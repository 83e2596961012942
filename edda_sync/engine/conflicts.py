"""Conflicts as people see them: which value is shown, and which ones are kept beside it."""

from __future__ import annotations

from typing import Any

from edda_sync.crdt import cells
from edda_sync.crdt.cells import Write
from edda_sync.crdt.entity import Entity, kind_and_id
from edda_sync.fold.conflicts import conflicts_of
from edda_sync.fold.view import View
from edda_sync.ledger.ledger import Ledger
from edda_sync.store.seams import StoreWriter
from edda_sync.words import values
from edda_sync.words.model import TEXT_FIELDS, Conflict, ConflictValue


def kept_values(tx: StoreWriter, ledger: Ledger) -> list[Conflict]:
    """Return every cell of a visible entity that has several concurrent values, by entity and cell."""
    fold = ledger.fold(tx)
    found = []
    for key in tx.conflicted():
        if not fold.is_readable(key):
            continue
        entity = fold.entities.existing(*kind_and_id(key))
        assert entity is not None, "what is marked as conflicted is stored"
        for name, kept in sorted(conflicts_of(entity, ledger.texts).items()):
            shown = cells.visible(entity.cells[name])
            found.append(
                Conflict(
                    kind=entity.kind,
                    id=values.id_text(entity.id),
                    title=entity.value("title") or entity.value("name") or "",
                    field=name,
                    shown=_as_value(tx, ledger, entity, name, shown),
                    kept=tuple(_as_value(tx, ledger, entity, name, write) for write in kept),
                )
            )
    return found


def _as_value(tx: StoreWriter, ledger: Ledger, entity: Entity, name: str, write: Write) -> ConflictValue:
    actor, seq, wall_ms, content = write
    return ConflictValue(
        value=_readable(tx, ledger, entity, name, content),
        written_at=values.time_of(wall_ms),
        actor=actor.hex(),
        seq=seq,
    )


def _readable(tx: StoreWriter, ledger: Ledger, entity: Entity, name: str, content: Any) -> Any:
    """Return a cell's value as the API would."""
    if name == TEXT_FIELDS.get(entity.kind):
        return ledger.texts.readable(View(tx), entity, name, content)
    if name == "parent_id" and content is not None:
        return values.id_text(content)
    if name.startswith(("metadata.", "agent_context.")) and content is not None:
        return values.parse_json(name, content)
    if name == "status" and isinstance(content, list):
        return content[0]
    return content
