"""
Transactions: operations that become visible together, here and on every device.

A transaction buffers what it is to do and reads one unmoving state of the store plus its own buffer. Its commit takes
the store's lock, checks that no cell that it read or wrote has changed meanwhile, and makes one change of all of it.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from types import TracebackType
from typing import Protocol, Self

from edda_sync.changes.drafts import Delete, Draft, EditText, Expect, Put, Rewrite, Touch
from edda_sync.crdt import rows
from edda_sync.crdt.entity import OWN_TIME, Entity, key_of, kind_and_id
from edda_sync.crdt.frontier import Dot
from edda_sync.crdt.state import entity_of
from edda_sync.engine.items import blank_item, item_of_row, matches_item, set_cells
from edda_sync.fold.texts import Texts
from edda_sync.fold.view import View
from edda_sync.store.seams import Record, StoreReader, StoreWriter
from edda_sync.words import values
from edda_sync.words.errors import ConflictError, InvalidValueError, NotFoundError, UsageError
from edda_sync.words.model import (
    TEXT_FIELDS,
    UNSET,
    Cells,
    Document,
    DocumentId,
    Item,
    Replacement,
    Task,
    TaskId,
    cells_of,
    changed_cells,
    remember_base,
    tag_cells,
)
from edda_sync.words.query import DocumentQuery, Plan, Query, TaskQuery, in_order, plan


class TransactionState(enum.Enum):
    """Where a transaction stands."""

    ACTIVE = "active"
    COMMITTED = "committed"
    ROLLED_BACK = "rolled back"
    ABORTED = "aborted"  # its commit failed; nothing of it was written


class Host(Protocol):
    """What a transaction needs of its engine."""

    def snapshot(self) -> AbstractContextManager[StoreReader]:
        """Open a reader of a state in which every text is up to date."""
        ...

    def commit_drafts(
        self,
        drafts: Sequence[Draft],
        agent: str | None,
        reason: str | None,
        check: Callable[[StoreWriter], None] | None,
    ) -> Dot | None:
        """Make one change of drafts, durably."""
        ...

    def new_id(self) -> str:
        """Return an id that nobody has."""
        ...

    def resolve(self, kind: str, reference: str) -> str:
        """Return the whole id of a whole or short one."""
        ...


class Transaction:
    """
    A set of operations that commits whole or not at all. Use it in a ``with`` block, which commits at its end, or rolls
    back when an exception leaves it; or call :meth:`commit` or :meth:`rollback`.

    Attributes:
        state: A :class:`TransactionState`.
        operations: The drafts so far, in order.
        dot: The committed change; None before, or when nothing was to be done.
    """

    def __init__(
        self, host: Host, agent: str | None = None, reason: str | None = None, *, checked: bool = True
    ) -> None:
        self.state = TransactionState.ACTIVE
        self.operations: list[Draft] = []
        self.dot: Dot | None = None
        self._host = host
        self._agent, self._reason = agent, reason
        self._checked = checked
        self._of_entity: dict[bytes, list[int]] = {}  # by key, as all below
        self._deleted: set[bytes] = set()
        self._seen: dict[bytes, Entity | None] = {}
        self._bases: list[tuple[Item, Cells]] = []  # what objects were read at, should this come to nothing
        self._opened: AbstractContextManager[StoreReader] | None = None
        self._reader: StoreReader | None = None

    # --- tasks --------------------------------------------------------------------------------------------------------

    def create_task(self, task: Task) -> TaskId:
        """Create a task and return its id. See ``StorageEngine.create_task``."""
        if task.title is UNSET:
            raise InvalidValueError("title", "is missing", None)
        cells = {"status": values.STATUS_DEFAULT, "priority": values.PRIORITY_DEFAULT, **_present(cells_of(task))}
        return self._create("task", task, cells)

    def update_task(self, task: Task) -> None:
        """Write what differs from the version a task was read at. See ``StorageEngine.update_task``."""
        self._update("task", task)

    def delete_task(self, task_id: TaskId) -> None:
        """Move a task to the trash."""
        self._delete("task", task_id)

    def restore_task(self, task_id: TaskId) -> None:
        """Bring a task back from the trash."""
        self._draft(Touch("task", values.id_bytes("id", task_id)))

    def get_task(self, task_id: TaskId) -> Task | None:
        """Return a task as this transaction sees it."""
        found = self._item("task", values.id_bytes("id", task_id))
        assert found is None or isinstance(found, Task), "the tasks table holds tasks"
        return found

    def query_tasks(self, query: TaskQuery) -> list[Task]:
        """Return tasks as this transaction sees them."""
        return [item for item in self._query(query) if isinstance(item, Task)]

    # --- documents ----------------------------------------------------------------------------------------------------

    def create_document(self, document: Document) -> DocumentId:
        """Create a document and return its id. See ``StorageEngine.create_document``."""
        if document.title is UNSET:
            raise InvalidValueError("title", "is missing", None)
        cells = {
            "content_type": rows.CONTENT_TYPE_DEFAULT,
            "doc_type": rows.DOC_TYPE_DEFAULT,
            **_present(cells_of(document)),
        }
        return self._create("document", document, cells)

    def update_document(self, document: Document) -> None:
        """Write what differs from the version a document was read at. See ``StorageEngine.update_document``."""
        self._update("document", document)

    def delete_document(self, document_id: DocumentId) -> None:
        """Move a document to the trash."""
        self._delete("document", document_id)

    def restore_document(self, document_id: DocumentId) -> None:
        """Bring a document back from the trash."""
        self._draft(Touch("document", values.id_bytes("id", document_id)))

    def get_document(self, document_id: DocumentId) -> Document | None:
        """Return a document as this transaction sees it."""
        found = self._item("document", values.id_bytes("id", document_id))
        assert found is None or isinstance(found, Document), "the documents table holds documents"
        return found

    def query_documents(self, query: DocumentQuery) -> list[Document]:
        """Return documents as this transaction sees them."""
        return [item for item in self._query(query) if isinstance(item, Document)]

    # --- texts, tags, links -------------------------------------------------------------------------------------------

    def edit_text(self, item_id: str, field: str, edits: Iterable[Replacement]) -> None:
        """
        Edit a description or content by characters.

        Args:
            item_id: Id of a task (``description``) or document (``content``).
            field: Which of the two.
            edits: ``(position, deleted, inserted)`` in code points of the text as this transaction sees it, one after
                another: each counts in what the one before it left.

        Raises:
            InvalidValueError: The field is no text. A position outside the text is found at the commit.
        """
        kind = next((kind for kind, name in TEXT_FIELDS.items() if name == field), None)
        if kind is None:
            raise InvalidValueError("field", "must be description (of a task) or content (of a document)", field)
        listed = tuple((int(at), int(deleted), values.text(field, inserted)) for at, deleted, inserted in edits)
        entity = values.id_bytes("id", item_id)
        base = None
        if self._reader is not None:  # it has looked: its positions count in what it saw
            seen = self._text(kind, entity)
            base = _Constant(seen)
        self._draft(EditText(kind, entity, listed, base))

    def add_tag(self, item_id: str, name: str, kind: str = "task") -> None:
        """Tag a task, or with ``kind="document"`` a document; the tag is made if need be."""
        entity = values.id_bytes("id", item_id)
        self._draft(Expect(kind, entity))
        self._draft(Put.of(kind, entity, tag_cells([name])))

    def remove_tag(self, item_id: str, name: str, kind: str = "task") -> None:
        """Take a tag off a task or document."""
        entity = values.id_bytes("id", item_id)
        self._draft(Expect(kind, entity))
        self._draft(Put.of(kind, entity, dict.fromkeys(tag_cells([name]))))

    def create_tag(self, name: str, color: str | None = None, description: str | None = None) -> str:
        """Make a tag, or set what an existing one looks like; return its id."""
        name = values.line("name", name)
        tag_id = values.tag_id(name)
        cells: Cells = {"name": name, "created_at": OWN_TIME}
        if color is not None:
            cells["color"] = values.text("color", color)
        if description is not None:
            cells["description"] = values.text("description", description)
        existing = self._snapshot().row("tag", tag_id)
        if existing is not None:
            cells.pop("created_at")
            if existing[1] == name:
                cells.pop("name")
        tag = values.id_bytes("id", tag_id)
        if cells:
            self._draft(Put.of("tag", tag, cells))
        elif key_of("tag", tag) in self._deleted:
            self._draft(Touch("tag", tag))
        return tag_id

    def delete_tag(self, name: str) -> None:
        """Delete a tag: nothing carries it any more, unless somebody uses it meanwhile."""
        tag_id = values.tag_id(values.line("name", name))
        if self._snapshot().row("tag", tag_id) is None:
            raise NotFoundError("tag", name)
        self._draft(Delete("tag", values.id_bytes("id", tag_id)))

    def rename_tag(self, name: str, new_name: str) -> str:
        """Rename a tag: a new tag, carried by all that carried the old one, in one change; return the new id."""
        reader = self._snapshot()
        old_id, new_id = values.tag_id(values.line("name", name)), values.tag_id(values.line("name", new_name))
        row = reader.row("tag", old_id)
        if row is None:
            raise NotFoundError("tag", name)
        if old_id == new_id:  # only its case or composition changes
            self._draft(Put.of("tag", values.id_bytes("id", old_id), {"name": new_name}))
            return new_id
        self.create_tag(new_name, row[2], row[3])
        for kind, entity, tag, _ in reader.table("entity_tags"):
            if tag == old_id:
                self._draft(
                    Put.of(kind, values.id_bytes("id", entity), {f"tag.{new_id}": new_name, f"tag.{old_id}": None})
                )
        self._draft(Delete("tag", values.id_bytes("id", old_id)))
        return new_id

    def link(self, task_id: TaskId, document_id: DocumentId, relationship_type: str = "reference") -> None:
        """Link a document to a task."""
        task, document = values.id_bytes("task", task_id), values.id_bytes("document", document_id)
        self._draft(Expect("task", task))
        self._draft(Expect("document", document))
        relationship = values.line("relationship_type", relationship_type)
        self._draft(Put.of("task", task, {f"link.{values.id_text(document)}": relationship}))

    def unlink(self, task_id: TaskId, document_id: DocumentId) -> None:
        """Take a link away."""
        task, document = values.id_bytes("task", task_id), values.id_bytes("document", document_id)
        self._draft(Expect("task", task))
        self._draft(Put.of("task", task, {f"link.{values.id_text(document)}": None}))

    # --- end ----------------------------------------------------------------------------------------------------------

    def commit(self) -> Dot | None:
        """
        Make one durable change of all of it; return its dot, or None when nothing was to be done.

        Raises:
            ConflictError: A cell that it read or wrote has changed meanwhile.
            NotFoundError, LimitError, StorageError: As they say; nothing was written.
        """
        self._active()
        try:
            check = self._check if self._checked and self._seen else None
            self.dot = self._host.commit_drafts(self.operations, self._agent, self._reason, check)
        except BaseException:
            self.state = TransactionState.ABORTED
            self._restore_bases()
            raise
        finally:
            self._release()
        self.state = TransactionState.COMMITTED
        return self.dot

    def rollback(self) -> None:
        """Forget all of it."""
        self._active()
        self.state = TransactionState.ROLLED_BACK
        self._restore_bases()
        self._release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.state is not TransactionState.ACTIVE:
            return
        if kind is None:
            self.commit()
        else:
            self.rollback()

    def _active(self) -> None:
        if self.state is not TransactionState.ACTIVE:
            raise UsageError(f"This transaction is {self.state.value}; begin another.")

    def _release(self) -> None:
        if self._opened is not None:
            self._opened.__exit__(None, None, None)
        self._opened = self._reader = None

    def _restore_bases(self) -> None:
        for item, base in reversed(self._bases):
            item._base = base

    def _check(self, tx: StoreWriter) -> None:
        """Compare the cells that were read or written with what the commit finds."""
        now = tx.records(self._seen)
        changed = []
        for key, seen in self._seen.items():
            entity_id, current = kind_and_id(key)[1], _entity_of(now.get(key))
            if (seen is None) != (current is None):
                changed.append((values.id_text(entity_id), "existence"))
            elif seen is not None and current is not None:
                texts = TEXT_FIELDS.get(seen.kind)  # they merge
                names = {*seen.cells, *current.cells}
                different = [n for n in sorted(names) if n != texts and seen.cells.get(n) != current.cells.get(n)]
                if seen.hidden != current.hidden:
                    different.append("existence")
                changed += [(values.id_text(entity_id), name) for name in different]
        if changed:
            raise ConflictError(changed)

    # --- drafts -------------------------------------------------------------------------------------------------------

    def _draft(self, draft: Draft) -> None:
        self._active()
        key = key_of(draft.kind, draft.id)
        if isinstance(draft, Delete):
            self._deleted.add(key)
        elif self._deleted:
            self._take_back_deletions(draft)
        if not isinstance(draft, Expect):
            self._of_entity.setdefault(key, []).append(len(self.operations))
        self.operations.append(draft)

    def _take_back_deletions(self, draft: Draft) -> None:
        """Of what a draft restores or tags with: a deletion covers its whole change, whatever follows in it."""
        used: set[bytes] = set()
        if isinstance(draft, Touch) or (isinstance(draft, Put) and draft.kind == "tag"):
            used.add(key_of(draft.kind, draft.id))
        if isinstance(draft, Put):
            tags = [name[4:] for name, value in draft.cells.items() if name.startswith("tag.") and value]
            used.update(key_of("tag", values.id_bytes("tags", tag)) for tag in tags)
        for key in used & self._deleted:
            self._deleted.discard(key)
            for at in self._of_entity[key]:
                deletion = self.operations[at]
                if isinstance(deletion, Delete):
                    self.operations[at] = Touch(deletion.kind, deletion.id)

    def _create(self, kind: str, item: Item, cells: Cells) -> str:
        entity_id = self._host.new_id() if item.id is UNSET else item.id
        entity = values.id_bytes("id", entity_id)
        if item.id is not UNSET:
            self._draft(Expect(kind, entity, present=False))
        cells.setdefault("created_at", OWN_TIME)
        parent = cells.get("parent_id")
        if isinstance(parent, bytes) and key_of("task", parent) not in self._of_entity:
            self._draft(Expect("task", parent))
        self._draft(Put.of(kind, entity, cells, new=item.id is UNSET))
        return entity_id

    def _update(self, kind: str, item: Item) -> None:
        if item.id is UNSET:
            raise InvalidValueError("id", "is missing; only what has an id can be updated", None)
        entity = values.id_bytes("id", item.id)
        cells = changed_cells(item)
        if self._checked:
            self._see(kind, entity)
        self._draft(Expect(kind, entity))
        if isinstance(cells.get("parent_id"), bytes):
            self._draft(Expect("task", cells["parent_id"]))
        field = TEXT_FIELDS[kind]
        if field in cells:
            new = cells.pop(field)
            base = item._base.get(field) if item._base is not None else self._text(kind, entity)
            self._draft(Rewrite(kind, entity, base, new))
        if cells:
            self._draft(Put.of(kind, entity, cells))
        if item._base is not None:  # the next update of the same object compares with what this one writes
            self._bases.append((item, item._base))
            remember_base(item)

    def _delete(self, kind: str, item_id: str) -> None:
        entity = values.id_bytes("id", item_id)
        if self._checked:
            self._see(kind, entity)
        self._draft(Delete(kind, entity))

    # --- reading ------------------------------------------------------------------------------------------------------

    def _snapshot(self) -> StoreReader:
        self._active()
        if self._reader is None:
            self._opened = self._host.snapshot()
            self._reader = self._opened.__enter__()
        return self._reader

    def _see(self, kind: str, entity: bytes) -> None:
        """Remember an entity as the snapshot has it, for the check at the commit."""
        key = key_of(kind, entity)
        if key not in self._seen:
            self._seen[key] = self._stored(kind, entity)

    def _stored(self, kind: str, entity: bytes) -> Entity | None:
        key = key_of(kind, entity)
        return _entity_of(self._snapshot().records([key]).get(key))

    def _text(self, kind: str, entity: bytes) -> str:
        item = self._item(kind, entity)
        if item is None:
            raise NotFoundError(kind, values.id_text(entity))
        return getattr(item, TEXT_FIELDS[kind]) or ""

    def _item(self, kind: str, entity: bytes) -> Item | None:
        if self._checked:
            self._see(kind, entity)
        reader, entity_id = self._snapshot(), values.id_text(entity)
        row = reader.row(kind, entity_id)
        item = None
        if row is not None:
            item = item_of_row(kind, row, [name for _, name in reader.tags_of(kind, [entity_id])[entity_id]])
        for at in self._of_entity.get(key_of(kind, entity), ()):
            item = self._with_draft(kind, entity, item, self.operations[at])
        return item

    def _with_draft(self, kind: str, entity: bytes, item: Item | None, draft: Draft) -> Item | None:
        """Return an item as a draft leaves it."""
        if isinstance(draft, Delete):
            return None
        if isinstance(draft, Touch):
            return item if item is not None else self._from_trash(kind, entity)
        if isinstance(draft, Put):
            item = item if item is not None else blank_item(kind, values.id_text(entity))
            set_cells(item, draft.cells)
        elif isinstance(draft, (Rewrite, EditText)) and item is not None:
            from edda_sync.crdt.text.diff import (  # only who looks at a text of its own needs it
                apply_edits,
                diff,
                rebase,
            )

            field = TEXT_FIELDS[kind]
            text = getattr(item, field) or ""
            if isinstance(draft, EditText):
                setattr(item, field, apply_edits(text, list(draft.edits)))
            elif draft.new is None:
                setattr(item, field, None)
            else:
                edits = rebase(diff(draft.base or "", draft.new), draft.base or "", text)
                setattr(item, field, apply_edits(text, edits))
        if item is not None:
            remember_base(item)
        return item

    def _from_trash(self, kind: str, entity: bytes) -> Item | None:
        reader, state = self._snapshot(), self._stored(kind, entity)
        if state is None:
            return None
        tags, parent_id = [], None
        for edge in rows.edges_of(state):
            target = values.id_text(edge.target)
            if edge.cell.startswith("tag.") and (tag := reader.row("tag", target)) is not None:
                tags.append(tag[1])
            elif edge.cell == "parent_id" and reader.row("task", target) is not None:
                parent_id = target
        return item_of_row(kind, rows.row_of(state, Texts().text_of(View(reader), state), parent_id), tags)

    def _query(self, query: Query) -> list[Item]:
        checked = plan(query)
        reader = self._snapshot()
        pending = [entity for kind, entity in map(kind_and_id, self._of_entity) if kind == checked.kind]
        # What is pending may push others out of the page, or leave it: read enough, and cut afterwards.
        wide = replace(checked, limit=checked.limit + checked.offset + len(pending), offset=0) if pending else checked
        left_out = {values.id_text(entity) for entity in pending}
        rows_found = [row for row in reader.rows(wide) if row[0] not in left_out]
        tags = reader.tags_of(checked.kind, [row[0] for row in rows_found])
        found = [item_of_row(checked.kind, row, [name for _, name in tags[row[0]]]) for row in rows_found]
        if self._checked:
            for item in found:
                self._see(checked.kind, values.id_bytes("id", item.id))
        if not pending:
            return found
        found += self._pending(checked, reader, pending)
        ordered = in_order(checked, found, lambda item, column: getattr(item, column))
        return ordered[checked.offset : checked.offset + checked.limit]

    def _pending(self, checked: Plan, reader: StoreReader, pending: list[bytes]) -> list[Item]:
        linked = {row[1] for row in reader.links_of(checked.linked_from, None)} if checked.linked_from else set()
        items = (self._item(checked.kind, entity) for entity in pending)
        return [item for item in items if item is not None and matches_item(checked, item, item.id in linked)]


class _Constant:
    """A base text that is known already."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def __call__(self) -> str:
        return self._text


def _entity_of(record: Record | None) -> Entity | None:
    return None if record is None else entity_of(record.key, record.state)


def _present(cells: Cells) -> Cells:
    """Return the cells of a new entity: what is None need not be written."""
    return {name: value for name, value in cells.items() if value is not None}
