"""
Drafting: what a transaction wants to do, as a list of drafts in their order.

Nothing here reads a store. The transaction passes in what a draft must know (a tag's row, the text in which positions
count), and the commit compares that with what it finds (``changes.drafts.Expect``).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from edda_sync.changes.drafts import Delete, Draft, EditText, Expect, Put, Rewrite, Touch
from edda_sync.crdt.entity import OWN_TIME
from edda_sync.crdt.keys import key_of, kind_and_id
from edda_sync.store.seams import Row
from edda_sync.words import arguments, limits, values
from edda_sync.words.errors import InvalidValueError
from edda_sync.words.model import TEXT_FIELDS, UNSET, Cells, Item, Replacement, cells_of, kind_of, tag_cells

_DEFAULTS: Final[dict[str, Cells]] = {
    "task": {"status": values.STATUS_DEFAULT, "priority": values.PRIORITY_DEFAULT},
    "document": {"content_type": values.CONTENT_TYPE_DEFAULT, "doc_type": values.DOC_TYPE_DEFAULT},
}


_EDITS: Final = "a list of triples: the position, how many characters are deleted there, and the text that is inserted"


class Drafts:
    """
    The drafts of one transaction. Each method adds some.

    Attributes:
        listed: All drafts, in order.
        taken_back: How many deletions were replaced by touches.
    """

    def __init__(self) -> None:
        self.listed: list[Draft] = []
        self.taken_back = 0
        # The positions in ``listed`` of each entity's drafts, by key, without those that only expect something.
        self._of_entity: dict[bytes, list[int]] = {}
        self._deleted: dict[bytes, list[int]] = {}  # the positions of deletions that nothing has taken back, by key

    def of(self, key: bytes, first: int = 0) -> list[Draft]:
        """Return the drafts of an entity, in order, without the first ``first``."""
        return [self.listed[at] for at in self._of_entity.get(key, ())[first:]]

    def ids(self, kind: str) -> list[bytes]:
        """Return the ids of the entities of a kind that have drafts."""
        return [entity for its, entity in map(kind_and_id, self._of_entity) if its == kind]

    def is_deleted(self, key: bytes) -> bool:
        """Tell whether an entity is to be deleted."""
        return key in self._deleted

    def add(self, draft: Draft) -> None:
        """Add a draft."""
        key = key_of(draft.kind, draft.id)
        if isinstance(draft, Delete):
            self._deleted.setdefault(key, []).append(len(self.listed))
        elif self._deleted:
            self._take_back_deletions(draft)
        if not isinstance(draft, Expect):
            self._of_entity.setdefault(key, []).append(len(self.listed))
        self.listed.append(draft)

    def _take_back_deletions(self, draft: Draft) -> None:
        """
        Turn deletions into touches, if the draft restores the deleted entity, or uses the deleted tag.

        A deletion covers its whole change, so nothing that follows it in the change would bring the entity back.
        """
        used: set[bytes] = set()
        if isinstance(draft, Touch) or (isinstance(draft, Put) and draft.kind == "tag"):
            used.add(key_of(draft.kind, draft.id))
        if isinstance(draft, Put):
            tags = [name[4:] for name, value in draft.cells.items() if name.startswith("tag.") and value]
            used.update(key_of("tag", values.id_bytes("tags", tag)) for tag in tags)
        for key in used & self._deleted.keys():
            for at in self._deleted.pop(key):
                self.listed[at] = Touch(*kind_and_id(key))
                self.taken_back += 1

    # --- tasks and documents ------------------------------------------------------------------------------------------

    def create(self, item: Item, item_id: str) -> None:
        """
        Create a task or document.

        Args:
            item: What to create.
            item_id: The item's own id, or a new one if it has none.
        """
        if item.title is UNSET:
            raise InvalidValueError("title", "is missing", None)
        kind, entity = kind_of(item), values.id_bytes("id", item_id)
        cells: Cells = {
            **_DEFAULTS[kind],
            **{name: value for name, value in cells_of(item).items() if value is not None},
        }
        cells.setdefault("created_at", OWN_TIME)
        if item.id is not UNSET:
            self.add(Expect(kind, entity, present=False))
        parent = cells.get("parent_id")
        if isinstance(parent, bytes) and key_of("task", parent) not in self._of_entity:
            self.add(Expect("task", parent))
        self.add(Put.of(kind, entity, cells, new=item.id is UNSET))

    def update(self, kind: str, entity: bytes, cells: Cells, base: str | None) -> None:
        """
        Write cells of a task or document.

        Args:
            kind, entity: Kind and id of the task or document.
            cells: The new values.
            base: The text with which a new text among the cells is compared.
        """
        self.add(Expect(kind, entity))
        if isinstance(cells.get("parent_id"), bytes):
            self.add(Expect("task", cells["parent_id"]))
        field = TEXT_FIELDS[kind]
        if field in cells:
            self.add(Rewrite(kind, entity, base, cells[field]))
        others = {name: value for name, value in cells.items() if name != field}
        if others:
            self.add(Put.of(kind, entity, others))

    def edit_text(self, kind: str, entity: bytes, edits: Iterable[Replacement], seen: str | None) -> None:
        """
        Edit a text by characters.

        Args:
            kind, entity: Kind and id of the task or document that has the text.
            edits: As for ``Transaction.edit_text``.
            seen: The text in which the edits' positions count; None for the text that the commit finds.
        """
        field = TEXT_FIELDS[kind]
        listed = [_replacement(field, each) for each in arguments.of_type("edits", edits, Iterable, _EDITS)]
        self.add(EditText(kind, entity, tuple(listed), None if seen is None else _Constant(seen)))

    # --- tags and links -----------------------------------------------------------------------------------------------

    def add_tag(self, kind: str, entity: bytes, name: str) -> None:
        """Tag a task or document. The tag is created if it does not exist."""
        self.add(Expect(arguments.kind_of_item(kind), entity))
        self.add(Put.of(kind, entity, tag_cells([name])))

    def remove_tag(self, kind: str, entity: bytes, name: str) -> None:
        """Take a tag off a task or document."""
        self.add(Expect(arguments.kind_of_item(kind), entity))
        self.add(Put.of(kind, entity, dict.fromkeys(tag_cells([name]))))

    def create_tag(self, name: str, color: str | None, description: str | None, existing: Row | None) -> str:
        """
        Create a tag, or set the properties of an existing one; return its id.

        Args:
            name, color, description: The values to set.
            existing: The tag's row, if there is one.
        """
        tag_id = values.tag_id(name)
        cells: Cells = {"name": name, "created_at": OWN_TIME}
        if color is not None:
            cells["color"] = values.text("color", color)
        if description is not None:
            cells["description"] = values.text("description", description)
        if existing is not None:
            cells.pop("created_at")
            if existing[1] == name:
                cells.pop("name")
        tag = values.id_bytes("id", tag_id)
        if cells:
            self.add(Put.of("tag", tag, cells))
        elif self.is_deleted(key_of("tag", tag)):
            self.add(Touch("tag", tag))
        return tag_id

    def rename_tag(self, old: str, new: str, new_name: str, carriers: Sequence[tuple[str, str]]) -> None:
        """
        Give another tag to all carriers of a tag, and delete the tag.

        Args:
            old, new: Ids of the old and the new tag.
            new_name: Name of the new tag.
            carriers: Kind and id of each task or document that carries the old tag.
        """
        for kind, entity in carriers:
            cells: Cells = {f"tag.{new}": new_name, f"tag.{old}": None}
            self.add(Put.of(kind, values.id_bytes("id", entity), cells))
        self.add(Delete("tag", values.id_bytes("id", old)))

    def link(self, task: bytes, document: bytes, relationship_type: str) -> None:
        """Link a document to a task."""
        self.add(Expect("task", task))
        self.add(Expect("document", document))
        relationship = values.line("relationship_type", relationship_type)
        self.add(Put.of("task", task, {f"link.{values.id_text(document)}": relationship}))

    def unlink(self, task: bytes, document: bytes) -> None:
        """Remove a link."""
        self.add(Expect("task", task))
        self.add(Put.of("task", task, {f"link.{values.id_text(document)}": None}))

    # --- attachments ----------------------------------------------------------------------------------------------------

    def attach(self, document: bytes, attachment: str, record: bytes | None) -> None:
        """
        Write an attachment of a document.

        Args:
            document, attachment: Their ids; that of the attachment is text.
            record: Its record; None to detach it.
        """
        if key_of("document", document) not in self._of_entity:
            self.add(Expect("document", document))
        self.add(Put.of("document", document, {f"file.{attachment}": record}))


def _replacement(field: str, edit: object) -> Replacement:
    """Return an edit of a text, once its parts have the types that they must have."""
    at, deleted, inserted = arguments.parts("edits", edit, 3, _EDITS)
    most = limits.TEXT_BYTES_MAX
    return (
        arguments.whole_number("position", at, most), arguments.whole_number("deleted", deleted, most),
        values.text(field, inserted),
    )  # fmt: skip


class _Constant:
    """A base text that is already known."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def __call__(self) -> str:
        return self._text
