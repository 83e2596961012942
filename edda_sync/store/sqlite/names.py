"""The names under which the SQLite store keeps entities: tables, columns, and keys (``crdt.keys.key_of``)."""

from __future__ import annotations

from typing import Final

from edda_sync.crdt.keys import key_of, kind_and_id
from edda_sync.words import values
from edda_sync.words.model import COLUMNS

TABLE: Final = {"task": "tasks", "document": "documents", "tag": "tags"}
COLUMNS_OF: Final = {TABLE[kind]: ", ".join(columns) for kind, columns in COLUMNS.items()} | {
    "task_documents": "task_id, document_id, relationship_type, created_at",
    "entity_tags": "entity_type, entity_id, tag_id, created_at",
}  # columns are named, since somebody may have added one


def bounds(kind: str) -> tuple[bytes, bytes]:
    """Return the least and the greatest key that an entity of a kind can have."""
    return key_of(kind, bytes(16)), key_of(kind, b"\xff" * 16)


def text_of(key: bytes) -> str:
    """Return the id in a key, as text."""
    return values.id_text(kind_and_id(key)[1])
