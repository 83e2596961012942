"""Items: the objects that people use, made from rows and cells of a store or a change."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from edda_sync.crdt.keys import key_of
from edda_sync.words import values
from edda_sync.words.errors import DamagedRowsError
from edda_sync.words.fitting import matches
from edda_sync.words.model import UNSET, Document, Item, Task, as_json, parse_mapping
from edda_sync.words.query import Plan, Row

if TYPE_CHECKING:
    from edda_sync.store.seams import StoreReader


def item_of_row(kind: str, row: Row, tags: Iterable[str]) -> Item:
    """
    Return the task or document of a row, as it is stored. No value is checked.

    The object remembers the row: ``words.model.changed_cells`` makes the object again, to find what an update changes.
    """
    names = tuple(tags)
    item = _item(kind, row, names)
    item._base = partial(_item, kind, row, names)
    return item


def _item(kind: str, row: Row, tags: tuple[str, ...]) -> Item:
    if bytes in map(type, row):  # another program wrote bytes, but callers expect text
        row = tuple(each.decode(errors="replace") if isinstance(each, bytes) else each for each in row)
    if kind == "task":
        return Task(
            id=row[0], title=row[1], description=row[2], status=row[3], priority=row[4], created_at=row[5],
            updated_at=row[6], completed_at=row[7], due_date=row[8], parent_id=row[9], metadata=parse_mapping(row[10]),
            agent_context=parse_mapping(row[11]), tags=set(tags),
        )  # fmt: skip
    return Document(
        id=row[0], title=row[1], content_type=row[2], content=row[3], doc_type=row[4], created_at=row[5],
        updated_at=row[6], version=row[7], metadata=parse_mapping(row[8]), agent_context=parse_mapping(row[9]),
        tags=set(tags),
    )  # fmt: skip


def blank_item(kind: str, entity_id: str) -> Item:
    """Return an item that a transaction has created and not yet committed. Its times are the epoch."""
    common: dict[str, Any] = {
        "id": entity_id, "title": values.TITLE_DEFAULT, "metadata": {}, "agent_context": {}, "tags": set(),
        "created_at": values.time_of(0), "updated_at": values.time_of(0),
    }  # fmt: skip
    if kind == "task":
        return Task(
            **common, description=None, status=values.STATUS_DEFAULT, priority=values.PRIORITY_DEFAULT, due_date=None,
            parent_id=None, completed_at=None,
        )  # fmt: skip
    return Document(
        **common, content=None, content_type=values.CONTENT_TYPE_DEFAULT, doc_type=values.DOC_TYPE_DEFAULT, version="",
    )  # fmt: skip


def item_with(kind: str, entity_id: str, cells: Mapping[str, Any]) -> Item:
    """Return an item with the fields that the cells of a creation set, and no others."""
    item: Item = Task(id=entity_id) if kind == "task" else Document(id=entity_id)
    for name, empty in (("metadata", dict), ("agent_context", dict), ("tags", set)):
        group = "tag" if name == "tags" else name
        if any(cell.startswith(f"{group}.") for cell in cells):
            setattr(item, name, empty())
    set_cells(item, cells)
    if isinstance(item, Task) and item.completed_at is None:
        item.completed_at = UNSET  # it is part of the status, and nobody set it
    return item


def set_cells(item: Item, cells: Mapping[str, Any]) -> None:
    """Write the cells of a draft into an item."""
    for name, value in cells.items():
        group, dot, rest = name.partition(".")
        if group in ("metadata", "agent_context") and dot:
            mapping = getattr(item, group)
            mapping.pop(rest, None)
            if value is not None:
                mapping[rest] = values.parse_json(group, value)
        elif group == "tag" and dot:
            item.tags.difference_update({tag for tag in item.tags if values.tag_id(tag) == rest})
            if isinstance(value, str):
                item.tags.add(value)
        elif name == "status":
            assert isinstance(item, Task), "only tasks have a status"
            item.status, item.completed_at = value if isinstance(value, list) else (value, None)
        elif name == "parent_id":
            assert isinstance(item, Task), "only tasks have a parent"
            item.parent_id = None if value is None else values.id_text(value)
        elif name == "created_at":
            if isinstance(value, str):
                item.created_at = value
        elif group not in ("link", "file"):
            setattr(item, name, value)


def matches_item(plan: Plan, item: Item, among: bool = True) -> bool:
    """Tell whether an item meets a plan's conditions; see ``words.fitting.matches``."""
    return matches(plan, as_json(item), {values.tag_id(tag) for tag in item.tags}, among)


def row_of(reader: StoreReader, kind: str, entity: str) -> Row | None:
    """
    Return the row of a task or document; None if there is none, or it is in the trash.

    Raises:
        DamagedRowsError: The row is not what was written, or is missing.
    """
    row = reader.tables.row(kind, entity)
    if row is None:
        key = key_of(kind, values.id_bytes("id", entity))
        record = reader.states.get([key]).get(key)
        if record is not None and not record.hidden:
            raise DamagedRowsError(kind, [entity])
    return row


def tag_names(reader: StoreReader, kind: str, ids: list[str]) -> dict[str, list[str]]:
    """Return the names of the tags of some tasks or documents, by id."""
    return {entity: [name for _, name in tags] for entity, tags in reader.edges.tags_of(kind, ids).items()}
