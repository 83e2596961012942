"""
Transactions: operations that become visible together, here and on every device.

A transaction buffers what it is to do. It reads one fixed state of the store, with its own buffer on top. Its commit takes
the store's lock, checks that no cell that it read or wrote has changed meanwhile, and writes everything as one change.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable
from functools import cached_property
from types import TracebackType
from typing import TYPE_CHECKING, Self, TypeVar

from edda_sync.changes.drafts import Delete, Draft, Put, Touch
from edda_sync.crdt.entity import Entity
from edda_sync.crdt.frontier import Dot
from edda_sync.crdt.keys import key_of
from edda_sync.engine.drafting import Drafts
from edda_sync.engine.pending import Pending, Sight
from edda_sync.engine.reading import Reading
from edda_sync.engine.recorded import Recorded
from edda_sync.engine.seen import ReadAt, check_unchanged
from edda_sync.engine.soundly import mending, soundly
from edda_sync.engine.writing import Writing
from edda_sync.store.seams import StoreWriter
from edda_sync.words import values
from edda_sync.words.errors import DamagedRowsError, InvalidValueError, NotFoundError, UsageError
from edda_sync.words.model import (
    KINDS_BY_TEXT,
    TEXT_FIELDS,
    UNSET,
    Base,
    Document,
    DocumentId,
    Item,
    Replacement,
    Task,
    TaskId,
    base_of,
    changed_cells,
    given,
    kind_of,
    remember_base,
)
from edda_sync.words.query import DocumentQuery, TaskQuery, asked

if TYPE_CHECKING:
    from edda_sync.engine.attaching import Attaching, Source
    from edda_sync.words.operations import TransactionOperation

T = TypeVar("T")


class TransactionState(enum.Enum):
    """The state of a transaction."""

    ACTIVE = "active"
    COMMITTED = "committed"
    ROLLED_BACK = "rolled back"
    ABORTED = "aborted"  # its commit failed, and nothing was written


class Transaction:
    """
    A set of operations that commits as a whole or not at all. Use it in a ``with`` block. The block commits at its end, or
    rolls back if an exception leaves it. Otherwise call :meth:`commit` or :meth:`rollback`.

    Attributes:
        state: A :class:`TransactionState`.
        dot: The committed change; None before the commit, or if there was nothing to do.
    """

    def __init__(
        self,
        reading: Reading,
        writing: Writing,
        agent: str | None = None,
        reason: str | None = None,
        *,
        checked: bool = True,
    ) -> None:
        self.state = TransactionState.ACTIVE
        self.dot: Dot | None = None
        self._reading, self._writing = reading, writing
        self._agent, self._reason = agent, reason
        self._checked = checked
        self._drafts = Drafts()
        self._recorded, self._read_at = Recorded(), ReadAt()
        self._seen: dict[bytes, Entity | None] = {}  # what was read or written, as the snapshot has it, by key
        self._bases: list[tuple[Item, Base]] = []  # the versions at which objects were read, for a rollback
        self._sight = Sight(reading, self._drafts, self._see)
        self._attaching: Attaching | None = None

    @cached_property
    def id(self) -> str:
        """Its id, a UUID. Each transaction has another one."""
        return self._writing.new_id()

    @property
    def drafts(self) -> list[Draft]:
        """What is to be done, in order, as the ledger takes it."""
        return self._drafts.listed

    @property
    def operations(self) -> list[TransactionOperation]:
        """The specification's operations so far, in order; edits of texts, tags and links are only among :attr:`drafts`."""
        return self._recorded.listed(self._drafts.listed)

    # --- tasks --------------------------------------------------------------------------------------------------------

    def create_task(self, task: Task) -> TaskId:
        """Create a task and return its id. See ``StorageEngine.create_task``."""
        return self._create(given("task", task))

    def update_task(self, task: Task) -> None:
        """Write the fields that differ from the version that was read. See ``StorageEngine.update_task``."""
        self._update(given("task", task))

    def delete_task(self, task_id: TaskId) -> None:
        """Move a task to the trash."""
        self._delete("task", task_id)

    def restore_task(self, task_id: TaskId) -> None:
        """Bring a task back from the trash."""
        self._active().add(Touch("task", values.id_bytes("id", task_id)))

    @soundly
    def get_task(self, task_id: TaskId) -> Task | None:
        """Return a task as this transaction sees it."""
        found = self._view().item("task", values.id_bytes("id", task_id))
        assert found is None or isinstance(found, Task), "the tasks table holds tasks"
        return found

    @soundly
    def query_tasks(self, query: TaskQuery | None = None) -> list[Task]:
        """Return tasks as this transaction sees them."""
        return [item for item in self._view().query(asked(query, TaskQuery)) if isinstance(item, Task)]

    # --- documents ----------------------------------------------------------------------------------------------------

    def create_document(self, document: Document) -> DocumentId:
        """Create a document and return its id. See ``StorageEngine.create_document``."""
        return self._create(given("document", document))

    def update_document(self, document: Document) -> None:
        """Write the fields that differ from the version that was read. See ``StorageEngine.update_document``."""
        self._update(given("document", document))

    def delete_document(self, document_id: DocumentId) -> None:
        """Move a document to the trash."""
        self._delete("document", document_id)

    def restore_document(self, document_id: DocumentId) -> None:
        """Bring a document back from the trash."""
        self._active().add(Touch("document", values.id_bytes("id", document_id)))

    @soundly
    def get_document(self, document_id: DocumentId) -> Document | None:
        """Return a document as this transaction sees it."""
        found = self._view().item("document", values.id_bytes("id", document_id))
        assert found is None or isinstance(found, Document), "the documents table holds documents"
        return found

    @soundly
    def query_documents(self, query: DocumentQuery | None = None) -> list[Document]:
        """Return documents as this transaction sees them."""
        return [item for item in self._view().query(asked(query, DocumentQuery)) if isinstance(item, Document)]

    # --- texts, tags, links -------------------------------------------------------------------------------------------

    def edit_text(self, item_id: str, field: str, edits: Iterable[Replacement]) -> None:
        """
        Edit a description or content by characters.

        Args:
            item_id: Id of a task (``description``) or document (``content``).
            field: ``description`` or ``content``.
            edits: Triples ``(position, deleted, inserted)``, counted in code points. The first position counts in the text
                as this transaction sees it; each other position counts in the text after the edit before it.

        Raises:
            InvalidValueError: The field is not a text. (Only the commit finds a position outside the text.)
        """
        kind = KINDS_BY_TEXT.get(str(field))
        if kind is None:
            raise InvalidValueError("field", "must be description (of a task) or content (of a document)", field)
        drafts, entity = self._active(), values.id_bytes("id", item_id)
        seen = self._view().text(kind, entity) if self._sight.is_open else None  # positions count in it
        drafts.edit_text(kind, entity, edits, seen)

    def add_tag(self, item_id: str, name: str, kind: str = "task") -> None:
        """Tag a task, or a document with ``kind="document"``. The tag is created if it does not exist."""
        self._active().add_tag(kind, values.id_bytes("id", item_id), name)

    def remove_tag(self, item_id: str, name: str, kind: str = "task") -> None:
        """Remove a tag from a task or document."""
        self._active().remove_tag(kind, values.id_bytes("id", item_id), name)

    @soundly
    def create_tag(self, name: str, color: str | None = None, description: str | None = None) -> str:
        """Create a tag, or set the properties of an existing one; return its id."""
        name = values.line("name", name)
        existing = self._view().made_tag(values.tag_id(name))
        return self._active().create_tag(name, color, description, existing)

    @soundly
    def delete_tag(self, name: str) -> None:
        """Delete a tag. Nothing carries it any more, unless somebody uses it concurrently."""
        tag_id = values.tag_id(values.line("name", name))
        if self._view().tag(tag_id) is None:
            raise NotFoundError("tag", name)
        self._active().add(Delete("tag", values.id_bytes("id", tag_id)))

    @soundly
    def rename_tag(self, name: str, new_name: str) -> str:
        """Rename a tag in one change: create the new tag, give it to all carriers of the old one; return the new id."""
        view, drafts = self._view(), self._active()
        old_id, new_id = values.tag_id(values.line("name", name)), values.tag_id(values.line("name", new_name))
        row = view.tag(old_id)
        if row is None:
            raise NotFoundError("tag", name)
        if old_id == new_id:  # only its case or its Unicode composition changes
            drafts.add(Put.of("tag", values.id_bytes("id", old_id), {"name": new_name}))
            return new_id
        self.create_tag(new_name, row[2], row[3])
        drafts.rename_tag(old_id, new_id, new_name, view.carriers(old_id))
        return new_id

    def link(self, task_id: TaskId, document_id: DocumentId, relationship_type: str = "reference") -> None:
        """Link a document to a task."""
        task, document = values.id_bytes("task", task_id), values.id_bytes("document", document_id)
        self._active().link(task, document, relationship_type)

    def unlink(self, task_id: TaskId, document_id: DocumentId) -> None:
        """Remove a link."""
        self._active().unlink(values.id_bytes("task", task_id), values.id_bytes("document", document_id))

    # --- attachments --------------------------------------------------------------------------------------------------

    def attach(
        self, document_id: DocumentId, source: Source, *, name: str | None = None, content_type: str | None = None
    ) -> str:
        """
        Attach a file to a document; return the attachment's id. ``StorageEngine.open_attachment`` reads it again.

        Args:
            document_id: Id of the document.
            source: A path, or a stream in binary mode, which is read up to its end, one mebibyte at a time.
            name: What people call it; by default the name of the file.
            content_type: Its media type; by default what its name suggests.

        Raises:
            InvalidValueError, LimitError, UsageError: The name, type, size or kind of the file is not acceptable.
            OSError, StorageError: It cannot be read, or its content cannot be written.
        """
        from edda_sync.engine.attaching import Attaching

        drafts, document = self._active(), values.id_bytes("document", document_id)
        self._attaching = self._attaching or Attaching(self._reading.files)
        record, attachment = self._attaching.add(source, name, content_type), self._writing.new_id()
        drafts.attach(document, attachment, record)
        return attachment

    def reattach(self, document_id: DocumentId, attachment: str, record: bytes) -> None:
        """
        Attach again what was taken off a document, under its former id. Its content need not be here.

        Args:
            document_id: Id of the document.
            attachment: Id of the attachment.
            record: What the document said about it, encoded.
        """
        self._active().attach(values.id_bytes("document", document_id), attachment, record)

    def detach(self, document_id: DocumentId, attachment: str) -> None:
        """Take an attachment, by name or id, off a document. Its content is dropped a day later, unless it is needed."""
        found = self._reading.files.find(document_id, attachment).id
        self._active().attach(values.id_bytes("document", document_id), found, None)

    # --- end ----------------------------------------------------------------------------------------------------------

    def commit(self) -> Dot | None:
        """
        Write everything as one durable change; return its dot, or None if there was nothing to do.

        Raises:
            ConflictError: A cell that the transaction read or wrote has changed meanwhile, or since its object was read.
            NotFoundError, LimitError, StorageError: Nothing was written, for the reason in the error.
        """
        self._active()
        try:
            if self._attaching is not None:
                self._attaching.settle()
            is_checked = self._attaching is not None or self._read_at.is_any or (self._checked and self._seen)
            check, said = self._before if is_checked else None, (self._agent, self._reason)
            self.dot = mending(self, lambda: self._writing.commit_drafts(self._drafts.listed, *said, check))
        except BaseException as error:
            self.state = TransactionState.ABORTED
            self._restore_bases()
            self._release(error)
            raise
        self._release()
        self.state = TransactionState.COMMITTED
        if self.dot is not None:
            self._writing.announce()
        return self.dot

    def rollback(self) -> None:
        """Forget everything that was to be done."""
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

    def _active(self) -> Drafts:
        """Return the drafts, if the transaction is still active."""
        if self.state is not TransactionState.ACTIVE:
            raise UsageError(f"This transaction is {self.state.value}; begin another.")
        return self._drafts

    def _release(self, error: BaseException | None = None) -> None:
        self._sight.close()
        if self._attaching is not None:
            self._attaching.close(error, failed=self.state is not TransactionState.ACTIVE)
        self._attaching = None

    def _restore_bases(self) -> None:
        for item, base in reversed(self._bases):
            item._base = base

    def _before(self, tx: StoreWriter) -> None:
        """Do what precedes the change inside the transaction of the store."""
        if self._checked and self._seen:
            check_unchanged(tx, self._seen)
        self._read_at.check(tx)
        if self._attaching is not None:
            self._attaching.hold(tx)

    # --- inside -------------------------------------------------------------------------------------------------------

    def _create(self, item: Item) -> str:
        drafts = self._active()
        item_id = self._writing.new_id() if item.id is UNSET else item.id
        drafts.create(item, item_id)
        self._recorded.created(len(drafts.listed) - 1)
        return item_id

    @soundly
    def _update(self, item: Item) -> None:
        if item.id is UNSET:
            raise InvalidValueError("id", "is missing; only what has an id can be updated", None)
        drafts, kind, read = self._active(), kind_of(item), base_of(item)
        entity, cells, base = values.id_bytes("id", item.id), changed_cells(item, read), None
        self._see(kind, entity)
        self._read_at.note(read, cells, drafts)
        if (field := TEXT_FIELDS[kind]) in cells:
            base = getattr(read, field) if read is not None else self._view().text(kind, entity)
        drafts.update(kind, entity, cells, base)
        if self._checked:  # otherwise nobody can ask for it
            self._recorded.updated(item)
        if item._base is not None:  # the next update of the same object compares with what this one writes
            self._bases.append((item, item._base))
            remember_base(item)

    def _delete(self, kind: str, item_id: str) -> None:
        drafts, entity = self._active(), values.id_bytes("id", item_id)
        self._see(kind, entity)
        drafts.add(Delete(kind, entity))
        self._recorded.deleted(kind, values.id_text(entity))

    def _view(self) -> Pending:
        """Return the state that this transaction sees. It is opened at the first read, and stays the same."""
        self._active()
        return self._sight.open()

    def mend(self, error: DamagedRowsError) -> None:
        """Have rows that rotted made anew, and read the state of that moment from now on. See ``soundly``."""
        self._reading.mend(error)
        self._sight.close()

    def _see(self, kind: str, entity: bytes) -> None:
        """Remember an entity as the snapshot has it, for the check at the commit."""
        key = key_of(kind, entity)
        if self._checked and key not in self._seen:
            self._seen[key] = self._view().stored(kind, entity)
