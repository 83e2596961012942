"""
Rows: what the specification's tables show of an entity, as a pure function of its state. ``integrity`` adds what
depends on other entities (parents, tags and links that are hidden or missing).

Derived columns never conflict: ``updated_at`` is the time of the latest visible write, ``completed_at`` is part of the
status, ``version`` is a short hash of what touched the document.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from hashlib import blake2b
from typing import Any, Final, NamedTuple

from edda_sync.crdt import cells, frontier
from edda_sync.crdt.cells import Siblings, Write
from edda_sync.crdt.entity import OWN_TIME, Entity
from edda_sync.crdt.frontier import Frontier, Pairs
from edda_sync.words import limits, values
from edda_sync.words.model import COLUMNS as COLUMNS  # callers that use rows use their columns, too
from edda_sync.words.query import Row

ID_CHARACTERS: Final = 36
_MEMBERS: Final = ("tag.", "link.")
_EDGES: Final = (*_MEMBERS, "parent_id")


class Edge(NamedTuple):
    """What an entity says about another one, before integrity is checked."""

    cell: str
    target: bytes
    value: Any
    created_at: str


def row_of(entity: Entity, text: str | None, parent_id: str | None, withheld: Collection[str] = frozenset()) -> Row:
    """
    Return the row of a visible task, document or tag.

    Args:
        entity: The state of the entity.
        text: The present text of its description or content.
        parent_id: The parent that may be shown. For tasks only.
        withheld: Cells of metadata and agent_context that another entity shows (``fold.uniques``).
    """
    writes = {
        name: siblings[0] if len(siblings) == 1 else cells.visible(siblings) for name, siblings in entity.cells.items()
    }
    shown = {name: write[3] for name, write in writes.items() if name not in withheld}
    walls = {write[2] for write in writes.values()}
    entity_id = values.id_text(entity.id)
    created_at = shown.get("created_at")
    if created_at is None:
        created_at = values.time_of(min(walls, default=limits.WALL_MS_MAX))
    elif created_at == OWN_TIME:
        created_at = values.time_of(writes["created_at"][2])
    updated_at = values.time_of(max(walls, default=0))
    done_at = values.time_of(writes["status"][2]) if shown.get("status") == "done" else None
    version = version_of(entity.touched) if entity.kind == "document" else ""
    return _row(entity.kind, entity_id, shown, (created_at, updated_at, done_at), text, parent_id, version)


def row_of_new(kind: str, entity_id: str, cells: Mapping[str, Any], time: str, text: str | None, version: str) -> Row:
    """
    Return the row of a visible entity that was written by a single operation.

    Args:
        kind, entity_id: The kind and the id of the entity; the id is text.
        cells: Values by cell name.
        time: Wall time of the change, as text.
        text: The description or content.
        version: From :func:`version_of`. For documents only.
    """
    created_at = cells.get("created_at")
    if created_at is None or created_at == OWN_TIME:
        created_at = time
    return _row(kind, entity_id, cells, (created_at, time, time), text, None, version)


def _row(
    kind: str,
    entity_id: str,
    shown: Mapping[str, Any],
    times: tuple[str, str, str | None],
    text: str | None,
    parent_id: str | None,
    version: str,
) -> Row:
    """Return a row of visible values; ``times`` are those of the creation, of the latest write and of the completion."""
    get, (created_at, updated_at, done_at) = shown.get, times
    if kind == "tag":
        return entity_id, get("name", entity_id), get("color"), get("description"), created_at
    title = get("title", values.TITLE_DEFAULT)
    metadata, agent_context = _object(shown, "metadata."), _object(shown, "agent_context.")
    if kind == "document":
        content_type, doc_type = (
            get("content_type", values.CONTENT_TYPE_DEFAULT),
            get("doc_type", values.DOC_TYPE_DEFAULT),
        )
        return (
            entity_id, title, content_type, text, doc_type, created_at, updated_at, version, metadata, agent_context,
        )  # fmt: skip
    status, completed_at = get("status", values.STATUS_DEFAULT), None
    if isinstance(status, list):
        status, completed_at = status
    elif status == "done":
        completed_at = done_at
    priority = get("priority", values.PRIORITY_DEFAULT)
    return (
        entity_id, title, text, status, priority, created_at, updated_at, completed_at, get("due_date"), parent_id,
        metadata, agent_context,
    )  # fmt: skip


def _object(shown: Mapping[str, Any], prefix: str) -> str | None:
    """Return canonical JSON of the cells of one mapping. Their values are canonical JSON already."""
    names = [name for name in shown if name.startswith(prefix)]
    members = [f"{_quote(name[len(prefix) :])}:{shown[name]}" for name in sorted(names) if shown[name] is not None]
    return "{" + ",".join(members) + "}" if members else None


def _quote(key: str) -> str:
    return '"' + key + '"' if key.isidentifier() else values.json_value("metadata", key)


def version_of(touched: Frontier) -> str:
    """Return a short hash of the changes that touched a document."""
    pairs: Pairs = frontier.to_pairs(touched)
    return blake2b(repr(pairs).encode(), digest_size=6, person=b"edda-version").hexdigest()


def edges_of(entity: Entity) -> list[Edge]:
    """Return the parent, tags and links that the cells of an entity name."""
    found = [edge_of(name, siblings) for name, siblings in entity.cells.items() if name.startswith(_EDGES)]
    return [edge for edge in found if edge is not None]


def edge_of(name: str, siblings: Siblings) -> Edge | None:
    """
    Return the parent, tag or link that a cell names; None if it names none.

    A tag or link is present if any sibling has it (add wins). Of the siblings that have it, the greatest is shown.
    """
    if name == "parent_id":
        parent = cells.visible(siblings)[3]
        return None if parent is None else Edge(name, parent, None, "")
    write = shown(name, siblings)
    if write[3] is None:
        return None
    return Edge(name, bytes.fromhex(target_of(name).replace("-", "")), write[3], values.time_of(write[2]))


def shown(name: str, siblings: Siblings) -> Write:
    """Return the write that a cell shows: of a tag or link, the latest that has it."""
    adds = [write for write in siblings if write[3] is not None] if name.startswith(_MEMBERS) else siblings
    return cells.visible(adds or siblings)


def target_of(cell: str) -> str:
    """Return the id, as text, of the tag or document that a cell names."""
    return cell[-ID_CHARACTERS:]


def columns_of(entity: Entity, written: Collection[str]) -> tuple[str, ...]:
    """
    Return the columns of an entity's row that may have changed, in the row's order.

    Args:
        entity: A visible task, document or tag, in its present state.
        written: Names of the cells that were written. It must not contain ``parent_id``, because whether a row shows a
            parent depends on other entities, too.
    """
    changed = {name.partition(".")[0] for name in written}
    if "status" in changed:
        changed.add("completed_at")
    if changed:
        changed.add("updated_at")
        if "created_at" not in entity.cells:  # then the row shows the least time among the visible writes
            changed.add("created_at")
    if entity.kind == "document":
        changed.add("version")
    return tuple([column for column in COLUMNS[entity.kind] if column in changed])


def edges_among(names: Iterable[str]) -> list[str]:
    """Return those of some cell names that name a tag or a link."""
    return [name for name in names if name.startswith(_MEMBERS)]


def parent_of(entity: Entity) -> str | None:
    """Return the parent that an entity names, even if that parent is not visible."""
    return next((values.id_text(edge.target) for edge in edges_of(entity) if edge.cell == "parent_id"), None)
