"""Seen: what a transaction read or wrote, compared with what is there when it commits."""

from __future__ import annotations

from collections.abc import Mapping

from edda_sync.crdt.entity import Entity
from edda_sync.crdt.keys import kind_and_id
from edda_sync.crdt.state import entity_of
from edda_sync.store.seams import Record, StoreReader
from edda_sync.words import values
from edda_sync.words.errors import ConflictError
from edda_sync.words.model import TEXT_FIELDS


def check_unchanged(reader: StoreReader, seen: Mapping[bytes, Entity | None]) -> None:
    """
    Compare entities with what a transaction saw of them. Texts are not compared, since they merge.

    Args:
        reader: The store at the commit.
        seen: What the transaction saw, by key; None where nothing was.

    Raises:
        ConflictError: A cell has changed meanwhile.
    """
    now = reader.states.get(seen)
    changed = []
    for key, before in seen.items():
        entity_id, current = kind_and_id(key)[1], _entity_of(now.get(key))
        if (before is None) != (current is None):
            changed.append((values.id_text(entity_id), "existence"))
        elif before is not None and current is not None:
            texts = TEXT_FIELDS.get(before.kind)
            names = {*before.cells, *current.cells}
            different = [n for n in sorted(names) if n != texts and before.cells.get(n) != current.cells.get(n)]
            if before.hidden != current.hidden:
                different.append("existence")
            changed += [(values.id_text(entity_id), name) for name in different]
    if changed:
        raise ConflictError(changed)


def _entity_of(record: Record | None) -> Entity | None:
    return None if record is None else entity_of(record.key, record.state)
