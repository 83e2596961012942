"""
Rows: what the specification's tables show of an entity. A pure function of its state; integrity.py adds what depends on
other entities (parents, tags and links that are hidden or missing).

Derived columns never conflict: ``updated_at`` is the time of the latest visible write, ``completed_at`` lives in the
status, ``version`` is a short hash of what touched the document.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import Any, Final, NamedTuple

from edda_sync.crdt import cells, frontier
from edda_sync.crdt.entity import OWN_TIME, Entity
from edda_sync.crdt.frontier import Pairs
from edda_sync.words import limits, values

Row = tuple[Any, ...]

TASK_COLUMNS: Final = (
    "id", "title", "description", "status", "priority", "created_at", "updated_at", "completed_at", "due_date",
    "parent_id", "metadata", "agent_context",
)  # fmt: skip
DOCUMENT_COLUMNS: Final = (
    "id", "title", "content_type", "content", "doc_type", "created_at", "updated_at", "version", "metadata", "agent_context",
)  # fmt: skip
TAG_COLUMNS: Final = ("id", "name", "color", "description", "created_at")
COLUMNS: Final = {"task": TASK_COLUMNS, "document": DOCUMENT_COLUMNS, "tag": TAG_COLUMNS}

CONTENT_TYPE_DEFAULT: Final = "text/markdown"
DOC_TYPE_DEFAULT: Final = "note"
ID_CHARACTERS: Final = 36
_EDGES: Final = ("tag.", "link.", "parent_id")


class Edge(NamedTuple):
    """What an entity says about another one, before integrity looks at it."""

    cell: str
    target: bytes
    value: Any
    created_at: str


def row_of(entity: Entity, text: str | None, parent_id: str | None) -> Row:
    """
    Return the row of a visible task, document or tag.

    Args:
        entity: Its state.
        text: Its description or content as it reads now.
        parent_id: The parent that may be shown; tasks only.
    """
    writes = {
        name: siblings[0] if len(siblings) == 1 else cells.visible(siblings) for name, siblings in entity.cells.items()
    }
    shown = {name: write[3] for name, write in writes.items()}
    walls = {write[2] for write in writes.values()}
    entity_id = values.id_text(entity.id)
    created_at = shown.get("created_at")
    if created_at is None:
        created_at = values.time_of(min(walls, default=limits.WALL_MS_MAX))
    elif created_at == OWN_TIME:
        created_at = values.time_of(writes["created_at"][2])
    if entity.kind == "tag":
        return entity_id, shown.get("name", entity_id), shown.get("color"), shown.get("description"), created_at
    updated_at = values.time_of(max(walls, default=0))
    title = shown.get("title", values.TITLE_DEFAULT)
    members = sorted([name for name in shown if "." in name and shown[name] is not None])
    metadata, agent_context = _object(shown, members, "metadata."), _object(shown, members, "agent_context.")
    if entity.kind == "document":
        content_type = shown.get("content_type", CONTENT_TYPE_DEFAULT)
        doc_type = shown.get("doc_type", DOC_TYPE_DEFAULT)
        return (
            entity_id, title, content_type, text, doc_type, created_at, updated_at, version_of(entity), metadata,
            agent_context,
        )  # fmt: skip
    status, completed_at = shown.get("status", values.STATUS_DEFAULT), None
    if isinstance(status, list):
        status, completed_at = status
    elif status == "done":
        completed_at = values.time_of(writes["status"][2])
    priority = shown.get("priority", values.PRIORITY_DEFAULT)
    return (
        entity_id, title, text, status, priority, created_at, updated_at, completed_at, shown.get("due_date"),
        parent_id, metadata, agent_context,
    )  # fmt: skip


def _object(shown: dict[str, Any], names: list[str], prefix: str) -> str | None:
    """Return canonical JSON of the cells of one mapping, of some names in order: their values are canonical JSON already."""
    members = [f"{_quote(name[len(prefix) :])}:{shown[name]}" for name in names if name.startswith(prefix)]
    return "{" + ",".join(members) + "}" if members else None


def _quote(key: str) -> str:
    return '"' + key + '"' if key.isidentifier() else values.json_value("metadata", key)


def version_of(entity: Entity) -> str:
    """Return a short hash of what touched a document."""
    pairs: Pairs = frontier.to_pairs(entity.touched)
    return blake2b(repr(pairs).encode(), digest_size=6, person=b"edda-version").hexdigest()


def edges_of(entity: Entity) -> list[Edge]:
    """
    Return the parent, tags and links that an entity's cells name.

    A tag or link is present when any sibling has it (add wins); the write that shows is the greatest of those that do.
    """
    edges = []
    for name, siblings in entity.cells.items():
        if not name.startswith(_EDGES):
            continue
        if name == "parent_id":
            parent = cells.visible(siblings)[3]
            if parent is not None:
                edges.append(Edge(name, parent, None, ""))
            continue
        adds = [write for write in siblings if write[3] is not None]
        if adds:
            write = cells.visible(adds)
            target = bytes.fromhex(name[-ID_CHARACTERS:].replace("-", ""))
            edges.append(Edge(name, target, write[3], values.time_of(write[2])))
    return edges


def parent_of(entity: Entity) -> str | None:
    """Return the parent that an entity names, whether or not that is there to be shown."""
    return next((values.id_text(edge.target) for edge in edges_of(entity) if edge.cell == "parent_id"), None)
