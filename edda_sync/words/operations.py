"""The specification's operations of a transaction, as ``Transaction.operations`` lists them."""

from __future__ import annotations

from dataclasses import dataclass

from edda_sync.words.model import Document, DocumentId, Task, TaskId


@dataclass(frozen=True, slots=True)
class CreateTask:
    """A task is created, with these fields."""

    task: Task


@dataclass(frozen=True, slots=True)
class UpdateTask:
    """These fields of a task are written, as far as they differ from the version that was read."""

    task: Task


@dataclass(frozen=True, slots=True)
class DeleteTask:
    """A task is moved to the trash."""

    task_id: TaskId


@dataclass(frozen=True, slots=True)
class CreateDocument:
    """A document is created, with these fields."""

    document: Document


@dataclass(frozen=True, slots=True)
class UpdateDocument:
    """These fields of a document are written, as far as they differ from the version that was read."""

    document: Document


@dataclass(frozen=True, slots=True)
class DeleteDocument:
    """A document is moved to the trash."""

    document_id: DocumentId


TransactionOperation = CreateTask | UpdateTask | DeleteTask | CreateDocument | UpdateDocument | DeleteDocument
