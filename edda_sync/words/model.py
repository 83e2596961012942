"""
The objects that people and programs use: tasks and documents. Objects that are only read are in ``listed``.

An object's fields are :data:`UNSET` until somebody sets them. An object that was read from a store has every field set. It
also remembers the version that was read: an update writes only the differences from *that*, so that it never reverts what
sync brought meanwhile. Values that are read are shown as they are stored; only values that somebody sets are checked.
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import copy, deepcopy
from dataclasses import dataclass, field, replace
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar

from edda_sync.words import arguments, values
from edda_sync.words.errors import InvalidValueError

if TYPE_CHECKING:
    from edda_sync.words.listed import Attachment, Link, Tag

TaskId = str
DocumentId = str
Replacement = tuple[int, int, str]
"""Position, number of deleted code points, inserted text. Each position counts in the text after the edit before it."""

After = Sequence[tuple[bytes, int] | None]
"""
For each of some replacements, the name and the clock of the unit behind which what it inserts is to stand, also if that unit
is deleted; None where the position tells it. Such replacements ascend and do not overlap.
"""

T = TypeVar("T", str, str | None)


class Time(Protocol[T]):
    """
    The type of a field that holds a moment, for type checkers. At run time it is a field like any other.

    Any value that ``values.time`` understands may be set. What was read from a store is text.
    """

    def __get__(self, item: object, kind: type | None = None, /) -> T:
        """Return RFC 3339 text."""
        ...

    def __set__(self, item: object, value: datetime.date | T, /) -> None:
        """Take text, a ``datetime``, which is local without a zone, or a ``date``, which is that day anywhere."""
        ...


class _Unset:
    """The value of a field that nobody has set. There is only one."""

    def __repr__(self) -> str:
        return "UNSET"

    def __bool__(self) -> bool:
        return False

    def __reduce__(self) -> str:
        return "UNSET"  # so that copying or unpickling gives the same object


UNSET: Final[Any] = _Unset()

Cells = dict[str, Any]
"""Cell values by cell name, as changes carry them: ``title``, ``status``, ``metadata.KEY``, ``tag.ID``, ``link.ID``..."""


@dataclass(slots=True, kw_only=True)
class Task:
    """
    A task; pass it to ``create_task`` or ``update_task``.

    Attributes:
        id: UUID text; made by ``create_task`` when unset.
        title: 1 to 500 code points.
        description: Text that merges; a rewritten text is compared by words. None if there is none.
        status: ``open``, ``in_progress``, ``blocked``, ``done`` or ``cancelled``.
        priority: 0 (most urgent) to 4.
        due_date: RFC 3339 UTC, a day being its first moment. A ``date`` or ``datetime`` may be set, too, here and below; a
            ``datetime`` without a zone is local, and a text must say its zone.
        parent_id: Id of the task that this one is part of.
        metadata: Any JSON by key; each key merges by itself.
        agent_context: The same, for AI agents.
        tags: Names of tags. Missing tags are created.
        created_at: RFC 3339 UTC. It is derived, but an import may set it.
        updated_at: RFC 3339 UTC. It is derived.
        completed_at: RFC 3339 UTC. It is part of the status, and derived unless an import sets both.
    """

    id: str = UNSET
    title: str = UNSET
    description: str | None = UNSET
    status: str = UNSET
    priority: int = UNSET
    due_date: Time[str | None] = UNSET
    parent_id: str | None = UNSET
    metadata: dict[str, Any] = UNSET
    agent_context: dict[str, Any] = UNSET
    tags: set[str] = UNSET
    created_at: Time[str] = UNSET
    updated_at: str = UNSET
    completed_at: Time[str | None] = UNSET
    _base: Base | None = field(default=None, repr=False, compare=False)


@dataclass(slots=True, kw_only=True)
class Document:
    """
    A document; pass it to ``create_document`` or ``update_document``.

    Attributes:
        id: UUID text; made by ``create_document`` when unset.
        title: 1 to 500 code points.
        content: Text that merges; a rewritten text is compared by words. None if there is none.
        content_type: A media type; ``text/markdown`` by default.
        doc_type: The purpose, such as ``note`` (the default), ``spec`` or ``journal``.
        metadata: Any JSON by key; each key merges by itself.
        agent_context: The same, for AI agents.
        tags: Names of tags. Missing tags are created.
        created_at: RFC 3339 UTC. It is derived, but an import may set it.
        updated_at: RFC 3339 UTC. It is derived.
        version: Short hash that changes with every edit and is equal on equal devices. It is derived.
    """

    id: str = UNSET
    title: str = UNSET
    content: str | None = UNSET
    content_type: str = UNSET
    doc_type: str = UNSET
    metadata: dict[str, Any] = UNSET
    agent_context: dict[str, Any] = UNSET
    tags: set[str] = UNSET
    created_at: Time[str] = UNSET
    updated_at: str = UNSET
    version: str = UNSET
    _base: Base | None = field(default=None, repr=False, compare=False)


Item = Task | Document

Base = Callable[[], Item]
"""Makes the object again as it was read. Most objects are read and never updated, so this is done only if needed."""


KINDS: Final = ("task", "document", "tag", "device", "workspace")
"""The kinds, in the order of their numbers in stores (``crdt.keys.key_of``). A new kind goes to the end."""

TASK_COLUMNS: Final = (
    "id", "title", "description", "status", "priority", "created_at", "updated_at", "completed_at", "due_date",
    "parent_id", "metadata", "agent_context",
)  # fmt: skip
DOCUMENT_COLUMNS: Final = (
    "id", "title", "content_type", "content", "doc_type", "created_at", "updated_at", "version", "metadata", "agent_context",
)  # fmt: skip
TAG_COLUMNS: Final = ("id", "name", "color", "description", "created_at")
COLUMNS: Final = {"task": TASK_COLUMNS, "document": DOCUMENT_COLUMNS, "tag": TAG_COLUMNS}
"""Columns of the specification's tables of entities, by kind. The names are those of the objects' fields."""

TABLES: Final = ("tasks", "documents", "tags", "task_documents", "entity_tags")
"""The specification's tables."""

TEXT_FIELDS: Final = {"task": "description", "document": "content"}
KINDS_BY_TEXT: Final = {field: kind for kind, field in TEXT_FIELDS.items()}


def given(kind: str, value: object) -> Item:
    """
    Return what a program passed as a ``task`` or ``document``.

    Raises:
        InvalidValueError: It is something else.
    """
    if kind == "task":
        return arguments.of_type(kind, value, Task, 'an edda.Task, such as edda.Task(title="Buy milk")')
    return arguments.of_type(kind, value, Document, 'an edda.Document, such as edda.Document(title="Notes")')


def kind_of(item: Item) -> str:
    """Return ``task`` or ``document``."""
    return "task" if isinstance(item, Task) else "document"


def cells_of(item: Item, read: Item | None = None) -> Cells:
    """
    Return the cells of the fields that are set in an object. Each value is checked and canonical.

    Args:
        item: The object.
        read: The object as it was read. A field that has not changed is not checked: another version may have written a
            value that this one would refuse, and a merge may make a text longer than anybody may write.

    Raises:
        InvalidValueError: A value is not acceptable.
    """
    cells: Cells = {}
    for name, check in (_TASK_CHECKS if isinstance(item, Task) else _DOCUMENT_CHECKS).items():
        value = getattr(item, name)
        if value is UNSET:
            continue
        if value is None and name in _NULLABLE:
            cells[name] = None
        else:
            cells[name] = value if read is not None and value == getattr(read, name) else check(value)
    if isinstance(item, Task):
        _task_cells(item, cells)
    for name in ("metadata", "agent_context"):
        mapping = getattr(item, name)
        if mapping is not UNSET:
            cells.update(_mapping_cells(name, mapping))
    if item.tags is not UNSET:
        cells.update(tag_cells(item.tags))
    return cells


def _task_cells(task: Task, cells: Cells) -> None:
    if task.completed_at is not UNSET and task.completed_at is not None:
        if task.status is UNSET:
            raise InvalidValueError("completed_at", "is part of the status; set the status too", task.completed_at)
        if task.status == "done":
            cells["status"] = ["done", values.time("completed_at", task.completed_at)]
    if task.parent_id is not UNSET:
        cells["parent_id"] = None if task.parent_id is None else values.id_bytes("parent_id", task.parent_id)


_Checks = dict[str, Callable[[Any], Any]]
_COMMON_CHECKS: Final[_Checks] = {
    "title": values.title,
    "created_at": partial(values.time, "created_at"),
}
_TASK_CHECKS: Final[_Checks] = {
    **_COMMON_CHECKS,
    "description": partial(values.text, "description"),
    "status": values.status,
    "priority": values.priority,
    "due_date": partial(values.time, "due_date"),
}
_DOCUMENT_CHECKS: Final[_Checks] = {
    **_COMMON_CHECKS,
    "content": partial(values.text, "content"),
    "content_type": partial(values.line, "content_type"),
    "doc_type": partial(values.line, "doc_type"),
}
_NULLABLE: Final = ("description", "content", "due_date")


def _mapping_cells(name: str, mapping: object) -> Cells:
    if mapping is None:
        return {}
    if not isinstance(mapping, Mapping):
        raise InvalidValueError(name, "must be a JSON object", mapping)
    return {f"{name}.{values.key(name, key)}": values.json_value(name, value) for key, value in mapping.items()}


def tag_cells(names: Iterable[str]) -> Cells:
    """Return the cells that carry tags: ``tag.ID`` with the tag's name. The change creates missing tags."""
    if isinstance(names, str) or not isinstance(names, Iterable):
        given: object = names
        what = "one text" if isinstance(given, str) else type(given).__name__
        raise InvalidValueError("tags", f"must be a set of names, not {what}", names)
    return {_tag_cell(values.text("tags", name)): name for name in names}


@lru_cache(maxsize=1_024)  # the same few names come again and again
def _tag_cell(name: str) -> str:
    return "tag." + values.tag_id(values.line("tags", name))


def changed_cells(item: Item, read: Item | None) -> Cells:
    """
    Return what an update of an object must write: the cells that differ from the version that was read.

    A key or tag that the object has lost since is written as None. An object that was not read from a store writes all the
    fields that are set.

    Args:
        item: The object.
        read: The version that was read, from :func:`base_of`.
    """
    if read is None:
        return cells_of(item)
    base, now = cells_of(read, read), cells_of(item, read)
    if isinstance(read, Task):
        base["status"] = read.status
        if isinstance(item, Task) and now.get("status") == ["done", read.completed_at]:
            now["status"] = "done"  # completed_at came with the object, and was not set by anybody
    changed = {name: value for name, value in now.items() if base.get(name) != value}
    for name in base:
        group, dot, _ = name.partition(".")
        holder = {"metadata": item.metadata, "agent_context": item.agent_context, "tag": item.tags}.get(group, UNSET)
        if dot and holder is not UNSET and name not in now:
            changed[name] = None
    return changed


def base_of(item: Item) -> Item | None:
    """Return an object as it was read; None if it was not read from a store."""
    return None if item._base is None else item._base()


def remember_base(item: Item) -> None:
    """Note the present state of an object as the version that was read. :func:`changed_cells` compares with that."""
    item._base = partial(copy, deepcopy(replace(item, _base=None)))


def as_json(item: Item | Tag | Link | Attachment) -> dict[str, Any]:
    """Return an object as JSON data. The keys are the specification's column names, and ``tags`` with sorted names."""
    names = [name for name in item.__dataclass_fields__ if not name.startswith("_")]
    found = {name: getattr(item, name) for name in names}
    return {
        name: sorted(value) if isinstance(value, (set, frozenset)) else value
        for name, value in found.items()
        if value is not UNSET
    }


def parse_mapping(encoded: str | None) -> dict[str, Any]:
    """Return a metadata column as a dictionary; an empty one if another program wrote something else than a JSON object."""
    if encoded is None:
        return {}
    try:
        found = json.loads(encoded)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
