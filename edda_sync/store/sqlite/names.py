"""The names under which the SQLite store keeps entities: tables, columns, and keys (``crdt.keys.key_of``)."""

from __future__ import annotations

from typing import Final

from edda_sync.crdt.keys import id_text_of, key_of
from edda_sync.words.model import COLUMNS

TABLE: Final = {"task": "tasks", "document": "documents", "tag": "tags"}
COLUMNS_OF: Final = {TABLE[kind]: ", ".join(columns) for kind, columns in COLUMNS.items()} | {
    "task_documents": "task_id, document_id, relationship_type, created_at",
    "entity_tags": "entity_type, entity_id, tag_id, created_at",
}  # columns are named, since somebody may have added one


def bounds(kind: str) -> tuple[bytes, bytes]:
    """Return the least and the greatest key that an entity of a kind can have."""
    return key_of(kind, bytes(16)), key_of(kind, b"\xff" * 16)


text_of = id_text_of
