"""The values of an entity that are kept and not shown."""

from __future__ import annotations

from typing import Final

from edda_sync.crdt import cells
from edda_sync.crdt.cells import Write
from edda_sync.crdt.entity import Entity
from edda_sync.fold.texts import Texts
from edda_sync.words.model import TEXT_FIELDS

_OWN_SIBLINGS: Final = ("tag.", "file.", "created_at", "record")  # several values of these are no conflict
_LINKS: Final = "link."


def conflicts_of(entity: Entity, texts: Texts) -> dict[str, list[Write]]:
    """Return the values that are kept and not shown, by cell. A text and its own start count as one value."""
    found: dict[str, list[Write]] = {}
    if all(len(siblings) == 1 for siblings in entity.cells.values()):
        return found
    for name, siblings in entity.cells.items():
        if len(siblings) == 1 or name.startswith(_OWN_SIBLINGS):
            continue
        compared = siblings
        if name.startswith(_LINKS):  # it is there if anybody has it, and of several, what the document is to the task
            compared = [write for write in siblings if write[3] is not None]
        elif name == TEXT_FIELDS.get(entity.kind):
            compared = [
                (*write[:3], texts.genesis(entity, write[3]) if isinstance(write[3], str) else write[3])
                for write in siblings
            ]
        kept = {write[:2] for write in cells.conflicts(compared)}
        if kept:
            found[name] = [write for write in sorted(siblings, key=cells.rank, reverse=True) if write[:2] in kept]
    return found
