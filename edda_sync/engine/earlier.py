"""Earlier: a task or document as it was at a time, or after a change."""

from __future__ import annotations

from edda_sync.crdt.frontier import Dot
from edda_sync.crdt.keys import key_of
from edda_sync.crdt.rows import version_of
from edda_sync.crdt.state import entity_of
from edda_sync.engine.items import item_of_row, tag_names
from edda_sync.ledger import looking_back
from edda_sync.store.seams import StoreReader
from edda_sync.words import values
from edda_sync.words.errors import NotFoundError
from edda_sync.words.model import TEXT_FIELDS, Item, Task


def item(reader: StoreReader, kind: str, entity_id: bytes, at: int | Dot) -> Item | None:
    """
    Return a task or document as it was, with the tags that it had; None if it was not there, or in the trash.

    Args:
        reader: A reader of the store, whose log is whole.
        kind, entity_id: Which one.
        at: The time, in milliseconds since 1970; or a change in the log: then it is what the author of that saw after it.
    """
    key = key_of(kind, entity_id)
    now = reader.states.get([key]).get(key)
    if now is None:
        return None
    tags = [name[4:] for name in entity_of(key, now.state).cells if name.startswith("tag.")]
    keys = [key, *(key_of("tag", values.id_bytes("tags", tag)) for tag in tags)]
    then = looking_back.as_of(reader, keys, at) if isinstance(at, int) else looking_back.after(reader, keys, at)
    whole = values.id_text(entity_id)
    row = then.tables.row(kind, whole)
    if row is None:
        return None
    found = item_of_row(kind, row, tag_names(then, kind, [whole])[whole])
    if isinstance(found, Task):  # its parent was not folded, and so is not in the row
        parent = entity_of(key, then.states.get([key])[key].state).value("parent_id")
        found.parent_id = None if parent is None else values.id_text(parent)
    return found


def version(reader: StoreReader, kind: str, entity_id: bytes) -> str:
    """
    Return the version of a task or document.

    Raises:
        NotFoundError: There is none.
    """
    key = key_of(kind, entity_id)
    record = reader.states.get([key]).get(key)
    if record is None:
        raise NotFoundError(kind, values.id_text(entity_id))
    return version_of(entity_of(key, record.state).touched)


def text(reader: StoreReader, kind: str, entity_id: bytes, version: str) -> str | None:
    """
    Return the description or content that a task or document had at a version.

    Args:
        reader: A reader of the store, whose log is whole.
        kind, entity_id: Which one.
        version: The version.

    Raises:
        NotFoundError: It never had this version here.
    """
    then = looking_back.at_version(reader, key_of(kind, entity_id), version)
    row = None if then is None else then.tables.row(kind, values.id_text(entity_id))
    if row is None:
        raise NotFoundError("version", version)
    found: str | None = getattr(item_of_row(kind, row, ()), TEXT_FIELDS[kind])
    return found
