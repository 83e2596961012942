"""Earlier: a task or document as it was at a time."""

from __future__ import annotations

from edda_sync.crdt.keys import key_of
from edda_sync.crdt.state import entity_of
from edda_sync.engine.items import item_of_row, tag_names
from edda_sync.ledger import looking_back
from edda_sync.store.seams import StoreReader
from edda_sync.words import values
from edda_sync.words.model import Item, Task


def item(reader: StoreReader, kind: str, entity_id: bytes, wall_ms: int) -> Item | None:
    """
    Return a task or document as it was at a time, with the tags that it had; None if it was not there, or in the trash.

    Args:
        reader: A reader of the store, whose log is whole.
        kind, entity_id: Which one.
        wall_ms: The time, in milliseconds since 1970.
    """
    key = key_of(kind, entity_id)
    now = reader.states.get([key]).get(key)
    if now is None:
        return None
    tags = [name[4:] for name in entity_of(key, now.state).cells if name.startswith("tag.")]
    keys = [key, *(key_of("tag", values.id_bytes("tags", tag)) for tag in tags)]
    then = looking_back.as_of(reader, keys, wall_ms)
    whole = values.id_text(entity_id)
    row = then.tables.row(kind, whole)
    if row is None:
        return None
    found = item_of_row(kind, row, tag_names(then, kind, [whole])[whole])
    if isinstance(found, Task):  # its parent was not folded, and so is not in the row
        parent = entity_of(key, then.states.get([key])[key].state).value("parent_id")
        found.parent_id = None if parent is None else values.id_text(parent)
    return found
