"""
The storage engine: the specification's interface, on a store and its ledger.

The engine is composed of parts: the open store (``opened``), its device (``own``), what is read (``reading``), and the
write side (``write_side``), which is loaded when it is first needed. A write goes down one path: the set fields of an
object become drafts (``drafting``), which one transaction of the store takes (``writing``). The ledger turns them into
operations and folds them, and one SQL commit contains log and tables.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Self, TypeVar

from edda_sync.engine.opened import OnEnd, Opened
from edda_sync.engine.own import OwnDevice
from edda_sync.engine.reading import Reading
from edda_sync.engine.remembering import Remembering
from edda_sync.words.config import StorageConfig, absolute
from edda_sync.words.configured import configured
from edda_sync.words.model import Document, DocumentId, Item, Replacement, Task, TaskId
from edda_sync.words.query import DocumentQuery, Row, TaskQuery, asked

if TYPE_CHECKING:
    from edda_sync.crdt.frontier import Frontier
    from edda_sync.engine.indexes import IndexManager
    from edda_sync.engine.life import Sidecar
    from edda_sync.engine.membership import Membership
    from edda_sync.engine.transaction import Transaction
    from edda_sync.engine.watched import Watch
    from edda_sync.engine.write_side import WriteSide
    from edda_sync.engine.writing import Writing
    from edda_sync.files.reading import FileReader
    from edda_sync.ledger.ledger import Ledger
    from edda_sync.store.seams import Store, StoreReader
    from edda_sync.store.sqlite.sql import SqlConnection
    from edda_sync.transport.identity import Identity
    from edda_sync.words.listed import Attachment, Link, Member, Tag
    from edda_sync.words.metrics import StorageMetrics
    from edda_sync.workspace.welcome import DeviceCard, Welcome

T = TypeVar("T")


class StorageEngine(Remembering):
    """
    The tasks and documents of one device. Its methods block, and may be called from several threads. Open one with
    :func:`edda_sync.open`, and close it, or use it in a ``with`` block. Its parts have further methods: :attr:`indexes`,
    :attr:`own` and :attr:`reading`, which only read; :attr:`ledger`, :attr:`writing` and :attr:`membership`.

    Args:
        home: The store's folder. A relative path is resolved now, so it does not depend on later changes of folder.
        now: Wall clock, in seconds since 1970.
        random: Source of random bytes.
    """

    def __init__(
        self, home: Path, *, now: Callable[[], float] = time.time, random: Callable[[int], bytes] = os.urandom
    ) -> None:
        self._opened = Opened(home, random)
        self.own = OwnDevice(self._opened)
        self.reading = Reading(self._opened, lambda: self._writes(), now)
        self._now, self._random = now, random
        self._loading = threading.Lock()
        self._write_side: WriteSide | None = None

    # --- the specification's interface --------------------------------------------------------------------------------

    def initialize(self, config: StorageConfig | None = None) -> None:
        """Open the store; create it, its device and its workspace if there is none. Arguments and errors: :func:`open`."""
        if not self.open_store(configured(self.home, config)):
            self.found()

    def create_task(self, task: Task) -> TaskId:
        """
        Create a task, and return its id: its own if it has one, otherwise a new one. It is durable when this returns.

        Args:
            task: The task; ``title`` must be set, and all other fields have defaults.

        Raises:
            InvalidValueError: A value is not acceptable.
            NotFoundError: The parent does not exist here.
        """
        return self._writes().at_once(lambda tx: tx.create_task(task))

    def update_task(self, task: Task) -> None:
        """
        Write the fields that differ from the version that was read; all fields that are set, if it was not read.

        None clears a field. A description is merged by words with concurrent changes.

        Raises:
            NotFoundError: The task does not exist here, or is in the trash.
            InvalidValueError: A value is not acceptable.
            StaleError: A field that it would write has changed since it was read; texts and tags merge instead.
        """
        self._writes().at_once(lambda tx: tx.update_task(task))

    def delete_task(self, task_id: TaskId) -> None:
        """Move a task to the trash. An edit that is concurrent with this brings it back."""
        self._writes().at_once(lambda tx: tx.delete_task(task_id))

    def get_task(self, task_id: TaskId) -> Task | None:
        """Return a task; None if there is none, or it is in the trash."""
        item = self.reading.get("task", task_id)
        assert item is None or isinstance(item, Task), "the tasks table holds tasks"
        return item

    def query_tasks(self, query: TaskQuery | None = None) -> list[Task]:
        """
        Return the tasks that meet a query, in its order; all, by urgency, without one.

        Raises:
            InvalidValueError: A condition is not acceptable.
        """
        return [item for item in self.reading.query(asked(query, TaskQuery)) if isinstance(item, Task)]

    def create_document(self, document: Document) -> DocumentId:
        """Create a document and return its id; see :meth:`create_task`."""
        return self._writes().at_once(lambda tx: tx.create_document(document))

    def update_document(self, document: Document) -> None:
        """Write the fields that differ from the version that was read; see :meth:`update_task`."""
        self._writes().at_once(lambda tx: tx.update_document(document))

    def delete_document(self, document_id: DocumentId) -> None:
        """Move a document to the trash; see :meth:`delete_task`."""
        self._writes().at_once(lambda tx: tx.delete_document(document_id))

    def get_document(self, document_id: DocumentId) -> Document | None:
        """Return a document; None if there is none, or it is in the trash."""
        item = self.reading.get("document", document_id)
        assert item is None or isinstance(item, Document), "the documents table holds documents"
        return item

    def query_documents(self, query: DocumentQuery | None = None) -> list[Document]:
        """Return the documents that meet a query, in the query's order; see :meth:`query_tasks`."""
        return [item for item in self.reading.query(asked(query, DocumentQuery)) if isinstance(item, Document)]

    def begin_transaction(self, agent: str | None = None, reason: str | None = None) -> Transaction:
        """Begin a transaction, for an AI agent or program of a name, and a reason if given; use it in a ``with`` block."""
        return self._writes().begin(agent, reason)

    def close(self) -> None:
        """
        Finish running transactions and release the store. A second call does nothing.

        Raises:
            UsageError: This process was forked after the store was opened: the parent closes it.
        """
        if self._write_side is not None:
            self._write_side.end_watching()
        if self._opened.close() and self._write_side is not None:
            self._write_side.ledger.forget()  # the next store that is opened may be an older state

    # --- beyond it ----------------------------------------------------------------------------------------------------

    def transact(
        self, work: Callable[[Transaction], T], *, retries: int = 5, agent: str | None = None, reason: str | None = None
    ) -> T:
        """Run ``work`` in a transaction; again if what it read or wrote has changed. See ``WriteSide.transact``."""
        return self._writes().transact(work, retries, agent, reason)

    def edit_text(self, item_id: str, field: str, edits: Iterable[Replacement]) -> None:
        """Edit the present text of a description or content by characters; see ``Transaction.edit_text``."""
        self._writes().at_once(lambda tx: tx.edit_text(item_id, field, edits))

    def restore_task(self, task_id: TaskId) -> None:
        """Bring a task back from the trash."""
        self._writes().at_once(lambda tx: tx.restore_task(task_id))

    def restore_document(self, document_id: DocumentId) -> None:
        """Bring a document back from the trash."""
        self._writes().at_once(lambda tx: tx.restore_document(document_id))

    def resolve(self, kind: str, reference: str) -> str:
        """Return the complete id of a ``task`` or ``document`` for a complete or short one. See ``Reading.resolve``."""
        return self.reading.resolve(kind, reference)

    def count(self, query: TaskQuery | DocumentQuery) -> int:
        """Return how many tasks or documents meet a query's conditions; its limit, offset and ``after`` do not matter."""
        return self.reading.count(query)

    def watch(self, query: TaskQuery | DocumentQuery) -> Watch:
        """Watch a query: iterate, with ``for`` or ``async for``, over what enters, leaves and changes. See ``Watch``."""
        return self._writes().watch(query)

    def tags(self) -> list[Tag]:
        """Return all tags, ordered by name."""
        return self.reading.tags()

    def links(self, *, task_id: TaskId | None = None, document_id: DocumentId | None = None) -> list[Link]:
        """Return the links of a task, of a document, or all links."""
        return self.reading.links(task_id, document_id)

    @property
    def indexes(self) -> IndexManager:
        """The indexes that people make. ``IndexManager.create`` makes one."""
        from edda_sync.engine.indexes import IndexManager

        return IndexManager(self._opened, lambda: self.writing)

    def attachments(self, document_id: DocumentId) -> list[Attachment]:
        """Return the files that are attached to a document. ``Transaction.attach`` attaches one."""
        return self.reading.files.attachments(document_id)

    def open_attachment(self, document_id: DocumentId, attachment: str) -> FileReader:
        """Open an attachment, by name or id, for reading in binary mode. See ``Files.open``."""
        return self.reading.files.open(document_id, attachment)

    def trash(self, kind: str) -> list[Item]:
        """Return the tasks or documents in the trash. A task names its parent, even if that is in the trash, too."""
        return self.reading.trash(kind)

    def counts(self) -> dict[str, int]:
        """Return how many tasks, documents, tags, hidden entities and changes there are."""
        return self.reading.counts()

    def table(self, name: str) -> list[Row]:
        """Return all rows of one of the specification's tables, ordered by primary key."""
        return self.reading.table(name)

    def sql(self) -> SqlConnection:
        """Return a connection that reads the store's tables, for pandas and notebooks. Close it. See ``Reading.sql``."""
        return self.reading.sql()

    def snapshot(self) -> AbstractContextManager[StoreReader]:
        """Open a reader of a state in which every text is up to date."""
        return self.reading.snapshot()

    def frontier(self) -> Frontier:
        """Return the frontier: which changes of each actor are here."""
        return self.reading.frontier()

    def digest(self) -> str:
        """Return a digest of the whole content. It is equal on devices that are equal."""
        return self.reading.digest()

    def waiting(self) -> int:
        """Return how many operations are here but not applied, because only a newer version knows them."""
        return self.reading.waiting()

    def refused(self) -> int:
        """Return how many operations are refused for good, on every device."""
        return self.reading.refused()

    def metrics(self) -> StorageMetrics:
        """Return the figures of this store. Those of its syncs are with ``Device.metrics``."""
        return self.reading.metrics()

    def members(self) -> list[Member]:
        """Return the devices of the workspace, ordered by name."""
        return self.reading.members()

    def rebuild(self) -> int:
        """Fold the whole log into new tables; return how many changes were folded. See ``Writing.rebuild``."""
        return self.writing.rebuild()

    def refold(self, keys: Sequence[bytes]) -> int:
        """Fold some entities again from the log; return how many changes were folded. See ``Writing.refold``."""
        return self.writing.refold(keys)

    def check_still_there(self) -> None:
        """Check that the file of this open store is still where it was. See ``Opened.check_still_there``."""
        self._opened.check_still_there()

    # --- parts, device and workspace ----------------------------------------------------------------------------------

    @property
    def ledger(self) -> Ledger:
        """Appends to the log and folds it. Use it only inside transactions of :attr:`store`."""
        return self._writes().ledger

    @property
    def writing(self) -> Writing:
        """Writes into the store."""
        return self._writes().writing

    @property
    def membership(self) -> Membership:
        """This device in its workspace."""
        from edda_sync.engine.membership import Membership

        return Membership(self._opened, self.own, self.writing, self.ledger)

    def _writes(self) -> WriteSide:
        """Return the write side. The first caller loads it."""
        if self._write_side is None:
            from edda_sync.engine.write_side import WriteSide

            with self._loading:
                if self._write_side is None:  # if several threads come here, the first one loads it
                    self._write_side = WriteSide(self._opened, self.own, self.reading, self._now, self._random)
        return self._write_side

    @property
    def has_written(self) -> bool:
        """Whether a change that was made by this process is on disk."""
        return self._write_side is not None and self._write_side.writing.latest is not None

    @property
    def home(self) -> Path:
        """The store's folder."""
        return self._opened.home

    @property
    def config(self) -> StorageConfig:
        """How the store is kept."""
        return self._opened.config

    @property
    def store(self) -> Store:
        """The open store."""
        return self._opened.store

    @property
    def database(self) -> Path | None:
        """The SQLite file; None for a store in memory."""
        return self._opened.database

    @property
    def name(self) -> str:
        """The name of this device for people."""
        return self.own.name

    @property
    def identity(self) -> Identity:
        """This device's identity. See ``OwnDevice.identity``."""
        return self.own.identity

    @property
    def workspace(self) -> bytes:
        """The id of the workspace: 16 bytes."""
        return self.own.workspace

    def open_store(self, config: StorageConfig | None = None, **how: bool) -> bool:
        """
        Open the store's files, or create them; tell whether the store belongs to a workspace. ``how``: see ``Opened.open``.

        If it does not, call :meth:`found` or :meth:`adopt` next. Only ``config`` counts here; see ``words.configured``.
        """
        on_end, on_idle = (lambda done: self.writing.ended(done)), (lambda tx: self.writing.catch_up(tx))
        return self._opened.open(config or StorageConfig(), on_end, on_idle, lambda: self.writing.read_anew(), **how)

    def attach(
        self, make: Callable[[OnEnd], Store], config: StorageConfig, identity: Identity, sidecar: Sidecar | None = None
    ) -> None:
        """Open a store that the caller has made, such as a simulated disk. See ``Opened.attach``."""
        self._opened.attach(lambda: make(lambda done: self.writing.ended(done)), config, sidecar)
        self.own.use(identity)

    def found(self) -> None:
        """Found a workspace with this device as its first member."""
        self.membership.found()

    def adopt(self, welcome: Welcome) -> None:
        """Become a member of the workspace that a welcome describes, also if the store belongs to it already."""
        self.membership.adopt(welcome)

    def welcome(self, card: DeviceCard, port: int = 0) -> Welcome:
        """Make a device a member, durably, and return the welcome to send to it. See ``Membership.welcome``."""
        return self.membership.welcome(card, port)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def open(path: str | os.PathLike[str], config: StorageConfig | None = None) -> StorageEngine:  # noqa: A001 - edda.open
    """
    Open the store in a folder, or create it; return its engine, ready for use. Close it, or use it in a ``with`` block.

    Args:
        path: The folder; ``~`` is the user's home.
        config: How to keep the store; see :class:`StorageConfig`, which says where the rest of it comes from.

    Raises:
        InvalidValueError, SettingError, ConfigFileError: A setting is not acceptable, or ``config.toml`` cannot be read.
        StorageError: The store cannot be opened or created, for the reason in the error, such as a LostStoreError.
    """
    engine = StorageEngine(absolute(path))
    try:
        engine.initialize(config)
    except BaseException:
        engine.close()
        raise
    return engine
