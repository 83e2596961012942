"""Objects that are only listed, and never passed back: tags, links, members, and values in conflict."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

DELETED: Final = "deleted"
"""The field of a conflict about a deletion that an edit has undone. Its values are False, which is shown, and True."""

RENAMED: Final = "renamed"
"""The field of a conflict about a tag that was renamed twice at once. Its values are names; items show all of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tag:
    """A tag. Its name is its identity, without regard to case or Unicode composition."""

    id: str
    name: str
    color: str | None
    description: str | None
    created_at: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """A task's link to a document."""

    task_id: str
    document_id: str
    relationship_type: str
    created_at: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """
    A file that is attached to a document.

    Attributes:
        id: UUID text.
        document_id: Id of the document.
        name: What people call the file. It was written by anybody, and is no path.
        content_type: Its media type.
        size: In bytes.
        created_at: When it was attached, by that device's clock.
        here: Whether its whole content is on this device.
    """

    id: str
    document_id: str
    name: str
    content_type: str
    size: int
    created_at: str
    here: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ConflictValue:
    """
    One of the concurrent values of a cell: what was written, when (by that device's clock), in which change (the actor in
    hex, and the number of the change), and by which agent, if that change is in the log and was made by one. Values are
    equal without regard to that, because a log may still be on its way.
    """

    value: Any
    written_at: str
    actor: str
    seq: int
    agent: str | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Conflict:
    """
    A cell with several concurrent values, or a place of a text that concurrent changes replaced. One value is shown (of a
    place, all that was written there); the others are kept until somebody who has seen them writes the cell or the place
    again, or settles it with ``StorageEngine.settle``. Two fields are no cells: ``DELETED`` and ``RENAMED``.

    Attributes:
        kind, id, title, field: Of what, and in which field.
        shown: The value that is shown. If nobody wrote just this in a place, the latest of its changes is named.
        kept: The other values, the latest first.
        position: Where the place begins in its text, in code points; None if the whole field is in conflict.
    """

    kind: str
    id: str
    title: str
    field: str
    shown: ConflictValue
    kept: tuple[ConflictValue, ...]
    position: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Clash:
    """
    Several items with the same values under a unique index. One shows them, until one of them is given others.

    Attributes:
        index, kind, columns: The name of the index, the kind of the items, and its columns.
        values: What they have in these columns.
        shown: The id of the item that shows them: the one that was made first.
        withheld: The ids of the others, which keep them unseen. Of several columns, the last key is not shown.
    """

    index: str
    kind: str
    columns: tuple[str, ...]
    values: tuple[Any, ...]
    shown: str
    withheld: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A device of the workspace."""

    device: str
    name: str
    certificate: bytes
    added_at: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Explained:
    """
    How a store answers a query.

    Attributes:
        statement: The SQL, with ``?`` for its parameters; empty for a store in memory.
        steps: What is done, one step each, as SQLite's ``EXPLAIN QUERY PLAN`` says it.
        indexes: The names of the indexes that are used.
    """

    statement: str
    steps: tuple[str, ...]
    indexes: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """
    A change, as the history of a task or document lists it, or of everything.

    Attributes:
        dot: Its name, such as ``1f3a9c20b7d4e586-12``, which ``StorageEngine.undo`` takes. Of a change that is damaged on
            this disk, it and ``at`` and ``device`` may be empty; then ``what`` says so.
        at: When it was made, by the clock of its device.
        device, name: The id of the device that made it, and its name; empty if it is not known here.
        agent: The AI agent or program that made it; None for a person.
        reason: Why, if that was said.
        what: What it did, a phrase each.
        fields: The names of the cells that it wrote.
    """

    dot: str
    at: str
    device: str
    name: str
    agent: str | None
    reason: str | None
    what: tuple[str, ...]
    fields: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """
    The changes of a task or document, of a tag, or of everything, the latest first.

    Attributes:
        changes: The changes.
        is_whole: Whether these are all, as far as they were asked for. It is False while the log behind the segment with
            which the store began is still on its way.
    """

    changes: tuple[Done, ...]
    is_whole: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class TakenBack:
    """
    What an undo does to a task, document or tag.

    Attributes:
        kind, id, title: Which one.
        fields: What is set back: names of cells; ``trashed`` if it goes to the trash, ``restored`` if it comes from there.
        left: What cannot be taken back, and why, in pairs of a field and a phrase.
    """

    kind: str
    id: str
    title: str
    fields: tuple[str, ...]
    left: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Undone:
    """
    The result of an undo.

    Attributes:
        dot: The name of the new change, which takes it back; None if nothing was to be done, or nothing should be.
        of: The names of the changes that were taken back.
        items: What became of the tasks, documents and tags that they were about.
    """

    dot: str | None
    of: tuple[str, ...]
    items: tuple[TakenBack, ...]
