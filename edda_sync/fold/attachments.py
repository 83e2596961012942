"""The attachments of a document, as a store's index has them: a function of the document's cells."""

from __future__ import annotations

from collections.abc import Iterable

from edda_sync.crdt import cells
from edda_sync.crdt.attachments import GROUP, decode
from edda_sync.crdt.entity import Entity
from edda_sync.store.seams import Attached
from edda_sync.words import values


def is_any(names: Iterable[str]) -> bool:
    """Tell whether any of some names of cells is that of an attachment, present or detached."""
    return any(name.startswith(GROUP) for name in names)


def attached(entity: Entity) -> list[Attached]:
    """
    Return the attachments of a document, in the order of their cells.

    An attachment is present if any sibling has it (add wins). Of the siblings that have it, the greatest is shown.
    """
    found = []
    for name in sorted(name for name in entity.cells if name.startswith(GROUP)):
        adds = [write for write in entity.cells[name] if write[3] is not None]
        if adds:
            write = cells.visible(adds)
            record = decode(write[3])
            found.append(Attached(name, write[3], record.root, record.size, values.time_of(write[2])))
    return found
