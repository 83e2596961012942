"""
The storage engine: the specification's interface, over a store and its ledger.

The path of a write: an object's set fields become drafts (``transaction``), the ledger makes operations of them inside
the store's lock and folds them (``ledger.ledger``, ``fold.fold``), and one SQL commit holds log, entities and tables.
"""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self, TypeVar

from edda_sync.changes import early
from edda_sync.changes.chains import names_of, points_of
from edda_sync.changes.change import Birth
from edda_sync.changes.drafts import Draft
from edda_sync.crdt import ext as exts
from edda_sync.crdt import records
from edda_sync.crdt.entity import key_of, kind_and_id
from edda_sync.crdt.frontier import Dot, Frontier
from edda_sync.engine import conflicts, life, opening
from edda_sync.engine.items import item_of_row
from edda_sync.engine.life import Sidecar, open_sidecar
from edda_sync.engine.transaction import Transaction
from edda_sync.fold.scrub import Damage, scrub_digest, scrub_entities
from edda_sync.fold.texts import Texts
from edda_sync.ledger.ledger import Ledger
from edda_sync.ledger.refold import verify_logged
from edda_sync.store.seams import Head, Row, Store, StoreReader, StoreWriter
from edda_sync.sync import readmission
from edda_sync.words import limits, values
from edda_sync.words.config import StorageConfig, absolute
from edda_sync.words.errors import (
    AmbiguousIdError,
    ConflictError,
    LostIdentityError,
    NotAStoreError,
    NotFoundError,
    UsageError,
)
from edda_sync.words.folders import make_folder, make_state_folder, naming_state, state_folder
from edda_sync.words.model import Conflict, Document, DocumentId, Item, Link, Member, Replacement, Tag, Task, TaskId
from edda_sync.words.query import DocumentQuery, Query, TaskQuery, plan
from edda_sync.workspace import actor as actors
from edda_sync.workspace import authority, lives
from edda_sync.workspace import members as workspaces
from edda_sync.workspace.lives import Life

if TYPE_CHECKING:
    from edda_sync.transport.identity import Identity
    from edda_sync.workspace.welcome import DeviceCard, Welcome

T = TypeVar("T")

STORE_ID: Final = "store_id"
SNAPSHOT_TRIES: Final = 20
INDEX_ROWS: Final = 2_000  # rows of one step of the full-text index: a writer beside it waits no longer


class StorageEngine:
    """
    The tasks and documents of one device. Blocking and safe to share between threads.

    Open one with :func:`edda_sync.open`, and close it, or use it in a ``with`` block.

    Args:
        home: The store's folder; a relative path is one from the present folder, whatever that is later.
        now: Wall clock, in seconds since 1970.
        random: Source of random bytes.
    """

    def __init__(
        self, home: Path, *, now: Callable[[], float] = time.time, random: Callable[[int], bytes] = os.urandom
    ) -> None:
        self.home = absolute(home)
        self.config = StorageConfig()
        self._now, self._random = now, random
        self._store: Store | None = None
        self._ledger = Ledger(Texts())
        self._sidecar: Sidecar | None = None
        self._written: Head | None = None
        self._identity: Identity | None = None
        self._file: tuple[Path, int | None] | None = None  # the open file, and what tells it from others
        self._listeners: list[Callable[[], None]] = []

    # --- the specification's interface --------------------------------------------------------------------------------

    def initialize(self, config: StorageConfig | None = None) -> None:
        """
        Open the store, and make it, its device and its workspace if there is none.

        Raises:
            NotAStoreError, NewerStoreError, LostStoreError, NotPrivateError, ReadOnlyError, DiskFullError: As they say.
        """
        if not self.open_store(config):
            self.found()

    def create_task(self, task: Task) -> TaskId:
        """
        Create a task; durable when this returns.

        Args:
            task: What to create; ``title`` must be set, all else has defaults.

        Returns:
            Its id: a new one unless the task has one.

        Raises:
            InvalidValueError: A value is not acceptable.
            NotFoundError: Its parent is not here.
        """
        return self._at_once(lambda tx: tx.create_task(task))

    def update_task(self, task: Task) -> None:
        """
        Write what differs from the version a task was read at; of a task that was not read, all fields that are set.

        None clears a field. A description is merged by word with what came meanwhile.

        Raises:
            NotFoundError: It is not here, or in the trash.
            InvalidValueError: A value is not acceptable.
        """
        self._at_once(lambda tx: tx.update_task(task))

    def delete_task(self, task_id: TaskId) -> None:
        """Move a task to the trash; an edit that is concurrent with this brings it back."""
        self._at_once(lambda tx: tx.delete_task(task_id))

    def get_task(self, task_id: TaskId) -> Task | None:
        """Return a task; None when there is none, or it is in the trash."""
        item = self._get("task", task_id)
        assert item is None or isinstance(item, Task), "the tasks table holds tasks"
        return item

    def query_tasks(self, query: TaskQuery) -> list[Task]:
        """
        Return the tasks that meet a query, in its order.

        Raises:
            InvalidValueError: A condition is not acceptable.
        """
        return [item for item in self._query(query) if isinstance(item, Task)]

    def create_document(self, document: Document) -> DocumentId:
        """Create a document and return its id; as :meth:`create_task`."""
        return self._at_once(lambda tx: tx.create_document(document))

    def update_document(self, document: Document) -> None:
        """Write what differs from the version a document was read at; as :meth:`update_task`."""
        self._at_once(lambda tx: tx.update_document(document))

    def delete_document(self, document_id: DocumentId) -> None:
        """Move a document to the trash; as :meth:`delete_task`."""
        self._at_once(lambda tx: tx.delete_document(document_id))

    def get_document(self, document_id: DocumentId) -> Document | None:
        """Return a document; None when there is none, or it is in the trash."""
        item = self._get("document", document_id)
        assert item is None or isinstance(item, Document), "the documents table holds documents"
        return item

    def query_documents(self, query: DocumentQuery) -> list[Document]:
        """Return the documents that meet a query, in its order; as :meth:`query_tasks`."""
        return [item for item in self._query(query) if isinstance(item, Document)]

    def begin_transaction(self, agent: str | None = None, reason: str | None = None) -> Transaction:
        """
        Begin a transaction; use it in a ``with`` block.

        Args:
            agent: Who does this, if it is not the person: the name of an AI agent or a program.
            reason: Why.
        """
        agent = None if agent is None else values.line("agent", agent)
        if reason is not None:
            reason = values.line("reason", reason, code_points_max=limits.REASON_CODE_POINTS_MAX)
        return Transaction(self, agent, reason)

    def close(self) -> None:
        """
        Finish running transactions and let go of the store; again is nothing.

        Raises:
            UsageError: This process was forked since it was opened: it is the parent's to close.
        """
        if self._store is not None:
            self._store.close()
            self._store = None
            self._ledger.forget()  # what is opened next may be what was put back
        if self._sidecar is not None:
            self._sidecar.close()
            self._sidecar = None

    # --- beyond it ----------------------------------------------------------------------------------------------------

    def transact(
        self, work: Callable[[Transaction], T], *, retries: int = 5, agent: str | None = None, reason: str | None = None
    ) -> T:
        """
        Run ``work`` in a transaction, and again when something that it read or wrote has changed meanwhile.

        Raises:
            ConflictError: It changed every time.
        """
        for attempt in range(retries + 1):
            try:
                with self.begin_transaction(agent, reason) as tx:
                    result = work(tx)
                return result
            except ConflictError:
                if attempt == retries:
                    raise
        raise AssertionError("the last attempt returned or raised")

    def edit_text(self, item_id: str, field: str, edits: Iterable[Replacement]) -> None:
        """Edit a description or content by characters; as ``Transaction.edit_text``, in the text as it reads now."""
        self._at_once(lambda tx: tx.edit_text(item_id, field, edits))

    def restore_task(self, task_id: TaskId) -> None:
        """Bring a task back from the trash."""
        self._at_once(lambda tx: tx.restore_task(task_id))

    def restore_document(self, document_id: DocumentId) -> None:
        """Bring a document back from the trash."""
        self._at_once(lambda tx: tx.restore_document(document_id))

    def resolve(self, kind: str, reference: str) -> str:
        """
        Return the whole id of a whole or short one.

        Args:
            kind: ``task`` or ``document``.
            reference: A whole id, or at least six characters of its end.

        Raises:
            NotFoundError: It fits nothing.
            AmbiguousIdError: It fits several.
        """
        digits = values.digits_of_id(reference)
        with self.store.read() as reader:
            if len(digits) == 32:
                whole = bytes.fromhex(digits)
                found = [values.id_text(whole)] if reader.records([key_of(kind, whole)]) else []
            else:
                found = reader.ids_ending(kind, digits) if digits else []
        if not found:
            raise NotFoundError(kind, reference)
        if len(found) > 1:
            raise AmbiguousIdError(reference, found)
        return found[0]

    def tags(self) -> list[Tag]:
        """Return all tags, by name."""
        with self.store.read() as reader:
            rows = reader.table("tags")
        tags = [Tag(id=row[0], name=row[1], color=row[2], description=row[3], created_at=row[4]) for row in rows]
        return sorted(tags, key=lambda tag: values.tag_name_normal(tag.name))

    def links(self, *, task_id: TaskId | None = None, document_id: DocumentId | None = None) -> list[Link]:
        """Return the links of a task, of a document, or all."""
        with self.store.read() as reader:
            rows = reader.links_of(task_id, document_id)
        return [Link(task_id=r[0], document_id=r[1], relationship_type=r[2], created_at=r[3]) for r in rows]

    def trash(self, kind: str) -> list[Item]:
        """Return the tasks or documents in the trash; a task names the parent that it comes back to, wherever that is."""
        from edda_sync.crdt import rows

        def look(tx: StoreWriter) -> list[Item]:
            fold = self._ledger.fold(tx)
            readable = [kind_and_id(key) for key in tx.hidden(kind) if fold.is_readable(key)]
            found = (fold.entities.existing(*each) for each in readable)
            return [
                item_of_row(kind, rows.row_of(e, fold.text_of(e), rows.parent_of(e)), [])
                for e in found
                if e is not None
            ]

        return self.store.transact(look)

    def conflicts(self) -> list[Conflict]:
        """Return every cell that has several concurrent values, with the ones that are kept but not shown."""
        return self.store.transact(lambda tx: conflicts.kept_values(tx, self._ledger))

    def counts(self) -> dict[str, int]:
        """Return how many tasks, documents, tags, hidden entities and changes there are."""
        with self.store.read() as reader:
            return reader.counts()

    def table(self, name: str) -> list[Row]:
        """Return all rows of one of the specification's tables, by primary key."""
        with self.snapshot() as reader:
            return reader.table(name)

    def frontier(self) -> Frontier:
        """Return which changes of each actor are here."""
        with self.store.read() as reader:
            return {head.actor: head.seq for head in reader.heads().values()}

    def digest(self) -> str:
        """Return a digest of the whole content: equal on devices that are equal."""
        with self.snapshot() as reader:
            return f"{reader.digest():032x}"

    def waiting(self) -> int:
        """Return how many operations are here but not applied, since only a newer version knows them."""
        with self.store.read() as reader:
            return reader.waiting()

    def lives(self) -> list[Life]:
        """Return the lives of the devices' stores, as the log tells of them."""
        with self.store.read() as reader:
            return lives.lives(reader)

    def forked(self) -> list[str]:
        """Return the devices of which a chain is proved to fork, by id."""
        with self.store.read() as reader:
            return lives.forked(reader)

    def copies(self) -> list[Life]:
        """Return the lives of other copies of this device's store, latest first; see ``lives.copies``."""
        with self.store.read() as reader:
            return lives.copies(reader, int(self._now() * 1000))

    def refused(self) -> int:
        """Return how many operations are refused for good, by every device alike."""
        with self.store.read() as reader:
            return sum(each.refused for each in reader.unapplied())

    def overfull(self) -> list[tuple[str, str]]:
        """Return kind and id of what is larger than can be shown: so much did all devices together write into it."""
        from edda_sync.crdt import state

        with self.store.read() as reader:
            found = [kind_and_id(each.key) for each in reader.all_records() if state.is_overfull(each.key, each.state)]
        return [(kind, values.id_text(entity_id)) for kind, entity_id in found]

    def members(self) -> list[Member]:
        """Return the devices of the workspace, by name."""
        with self.store.read() as reader:
            return workspaces.members(reader)

    def certificates(self) -> dict[str, bytes]:
        """Return the certificates of the members by device id."""
        with self.store.read() as reader:
            return workspaces.certificates(reader)

    def rebuild(self) -> int:
        """
        Fold the whole log into fresh tables; return how many changes it was.

        Raises:
            CorruptError: A change in the log is not what was written; nothing has changed.
        """
        from edda_sync.sync.making import forget_made
        from edda_sync.sync.merging import open_taken

        def work(tx: StoreWriter) -> int:
            forget_made(tx)
            for position in tx.positions_missing({}):
                verify_logged(tx, tx.logged(position))
            return self._ledger.rebuild(tx, open_taken)

        return self.store.transact(work)

    def refold(self, keys: Sequence[bytes]) -> int:
        """
        Fold some entities anew from the log, each change of it verified by its hash; return how many changes it was.

        Raises:
            CorruptError: A change in the log is not what was written; nothing has changed.
        """
        from edda_sync.sync.making import forget_made

        def work(tx: StoreWriter) -> int:
            forget_made(tx)
            return self._ledger.refold(tx, keys)

        return self.store.transact(work)

    def scrub(self, after: bytes = b"", limit: int = 1_000) -> tuple[list[Damage], bytes | None]:
        """
        Look whether stored entities still are what was written; :meth:`refold` or :meth:`rebuild` mends what is not.

        Args:
            after: Where the last call said to go on; empty at the start.
            limit: How many to look at.

        Returns:
            What is damaged, and where to go on; None once the digest's sum, at the end, was looked at too.
        """

        def work(tx: StoreWriter) -> tuple[list[Damage], bytes | None]:
            self._ledger.refresh(tx)
            found, following = scrub_entities(tx, self._ledger.fold(tx), after, limit)
            return (found + scrub_digest(tx) if following is None else found), following

        return self.store.transact(work)

    def check_still_there(self) -> None:
        """
        Look whether the file of this open store is still where it was: what is read and written is nobody's otherwise.

        Raises:
            LostStoreError: It was taken away, or emptied.
            ReplacedStoreError: Another file is there.
        """
        if self._file is not None:
            opening.check_still_there(self.home, *self._file)

    # --- device and workspace -----------------------------------------------------------------------------------------

    @property
    def store(self) -> Store:
        """The open store."""
        if self._store is None:
            raise UsageError("This store is closed; open it again.")
        return self._store

    @property
    def ledger(self) -> Ledger:
        """The log's keeper; use it inside transactions of :attr:`store` only."""
        return self._ledger

    @property
    def database(self) -> Path | None:
        """The SQLite file; None for a store in memory."""
        return None if self.config.backend == "memory" else self.config.database(self.home)

    @property
    def identity(self) -> Identity:
        """
        This device's identity.

        Raises:
            LostIdentityError: The store has one, and it is not in the folder.
            StorageError: It is damaged or locked away.
        """
        if self._identity is None:
            from edda_sync.transport import identity

            found = identity.load(self.home)
            if found is None:
                self.check_identity()
                raise UsageError(f"{self.home} has no device yet; run `edda init`.")
            self._identity = found
        return self._identity

    def check_identity(self) -> None:
        """
        Look whether a store that belongs to a workspace still has the identity that it was made with.

        Raises:
            LostIdentityError: It has none.
        """
        if self.config.backend == "memory" or self._identity is not None or opening.has_identity(self.home):
            return
        with self.store.read() as reader:
            founded = reader.meta(actors.WORKSPACE_KEY) is not None
        if founded:
            raise LostIdentityError(str(self.home))

    @property
    def workspace(self) -> bytes:
        """The id of the workspace: 16 bytes."""
        return self._meta(actors.WORKSPACE_KEY)

    @property
    def workspace_key(self) -> bytes:
        """The key of the workspace under which one writes: 32 bytes that only members know."""
        with self.store.read() as reader:
            ring = workspaces.ring(reader)
        if not ring:
            raise UsageError(f"{self.home} belongs to no workspace yet; run `edda init` or `edda join`.")
        return ring[-1][1]

    def _meta(self, key: str) -> bytes:
        with self.store.read() as reader:
            value = reader.meta(key)
        if value is None:
            raise UsageError(f"{self.home} belongs to no workspace yet; run `edda init` or `edda join`.")
        return value

    @property
    def name(self) -> str:
        """What people call this device."""
        return self.config.name or platform.node() or "device"

    def open_store(self, config: StorageConfig | None = None, *, anew: bool = False) -> bool:
        """
        Open or make the store's files; unless a workspace is in them, :meth:`found` or :meth:`adopt` come next.

        Args:
            config: How to keep it.
            anew: Whether an empty store may be made beside the identity of a device, as whoever joins does.

        Returns:
            Whether the store belongs to a workspace.
        """
        if self._store is not None:
            raise UsageError("This store is open already.")
        self.config = config or StorageConfig()
        if self.config.backend == "memory":
            from edda_sync.store.memory.store import MemoryStore

            self._store = MemoryStore(self._on_end)
            return False
        from edda_sync.store.sqlite.store import SqliteStore

        state = state_folder(self.config)
        make_state_folder(state)  # first: without it no store is made either
        make_folder(self.home)
        # Once: a link on the way may point elsewhere by the time of the next look.
        self.home = Path(os.path.realpath(self.home))
        database = self.config.database(self.home)
        if self.config.database_path is not None:
            make_folder(database.parent)
        opening.check_not_lost(self.home, database, state, anew=anew)
        try:
            store = SqliteStore(database, self._on_end)
        except NotAStoreError:
            opening.check_not_overwritten(self.home, database)
            raise
        store.on_idle = self.catch_up
        self._store = store
        self._file = (database, opening.file_of(database))
        with store.read() as reader:
            store_id = reader.meta(STORE_ID)
            founded = reader.meta(actors.WORKSPACE_KEY) is not None
        if store_id is None:
            store_id = store.transact(self._name_store)
        with naming_state():
            self._sidecar = open_sidecar(state, store_id, store.path)
        return founded

    def attach(
        self,
        make_store: Callable[[Callable[[bool], None]], Store],
        config: StorageConfig,
        identity: Identity,
        sidecar: Sidecar | None = None,
    ) -> None:
        """
        Open over a store of the caller's own making, such as a simulated disk; :meth:`catch_up` is then the caller's.

        Args:
            make_store: Opens the store, given what to call after each transaction: True when it is on disk, False when
                it left no trace.
            config: Its name is what people call this device.
            identity: This device's.
            sidecar: What tells this store from its copies; None for a store that is never copied.
        """
        if self._store is not None:
            raise UsageError("This store is open already.")
        self.config, self._identity, self._sidecar = config, identity, sidecar
        self._store = make_store(self._on_end)

    def _name_store(self, tx: StoreWriter) -> bytes:
        store_id = tx.meta(STORE_ID)  # of two processes that make a store, the first one named it
        if store_id is None:
            store_id = self._random(16)
            tx.set_meta(STORE_ID, store_id)
        return store_id

    def found(self) -> None:
        """Found a workspace with this device as its first member."""
        identity = self.make_identity()
        birth = Birth(identity.public_key, self._random(16))

        def work(tx: StoreWriter) -> None:
            epoch = workspaces.found(tx, birth, self._random(32))
            if epoch is not None:
                card = DeviceCard(identity.certificate, self.name, identity.sealing_keys)
                drafts = [workspaces.member_draft(card, identity.public_key), epoch]
                self._write(tx, drafts, "founded")  # under the very actor that the workspace is named after

        from edda_sync.workspace.welcome import DeviceCard

        self.store.transact(work)
        self._announce()

    def adopt(self, welcome: Welcome) -> None:
        """Become a member of the workspace that a welcome describes, once more if the store belongs to it already."""
        public_key = self.make_identity().public_key

        def work(tx: StoreWriter) -> None:
            workspaces.adopt(tx, welcome, public_key, self._random(16))
            readmission.forget_shut_out(tx)

        self.store.transact(work)

    def readmit(self) -> bool:
        """
        Go on behind what let this device in again, if that is here: as ``sync.readmission`` says, and tell whether it is so.

        Call it before the device talks with others; from then on its talks do this themselves.
        """
        with self.store.read() as reader:
            if not readmission.is_due(reader):
                return False
        return self.store.transact(lambda tx: readmission.readmit(tx, self._ledger, self._random))

    def welcome(self, card: DeviceCard, port: int = 0) -> Welcome:
        """
        Make a device a member of the workspace, durably; return what it must be told, with the port we listen on.

        Raises:
            LimitError: The workspace has as many devices as it may have.
            UsageError: What this device holds is not proved yet.
        """
        from edda_sync.workspace.welcome import INVITER, Welcome, fitting

        added_by = self.identity.public_key

        def work(tx: StoreWriter) -> tuple[tuple[bytes, int, bytes], workspaces.Ring, dict[str, DeviceCard]]:
            if not workspaces.is_member(tx, card.certificate):
                workspaces.check_room(tx)
                workspaces.check_proved(tx)
                self._commit(tx, [workspaces.member_draft(card, added_by)], "paired")
            signing_key = records.certificate_key(card.certificate)
            listed = sorted(workspaces.cards(tx).items(), key=lambda each: each[0] != self.identity.device)
            added = authority.added_by(tx, signing_key)
            assert added is not None, "it was committed just now, or is in the log"
            return added, workspaces.ring(tx), fitting(listed)

        added, ring, told = self.store.transact(work)
        self._announce()
        by = exts.of({INVITER: self.identity.device.encode()})
        return Welcome(self.workspace, ring, told, port, added, by)

    def check_can_invite(self) -> None:
        """
        Look whether :meth:`welcome` would let a device in.

        Raises:
            UsageError: What this device holds is not proved yet.
        """
        with self.store.read() as reader:
            workspaces.check_proved(reader)

    def random(self, count: int) -> bytes:
        """Return random bytes, from this engine's source."""
        return self._random(count)

    def wall_s(self) -> float:
        """Return wall time in seconds since 1970, as this engine's clock has it."""
        return self._now()

    def make_identity(self) -> Identity:
        """Return this device's identity; a new one, kept, when it has none."""
        from edda_sync.transport import identity

        kept = self.config.backend != "memory"
        found = identity.load(self.home) if self._identity is None and kept else self._identity
        if found is None:
            found = identity.Identity.create()
            if kept:
                identity.save(self.home, found)
        self._identity = found
        return found

    # --- inside -------------------------------------------------------------------------------------------------------

    def on_commit(self, listener: Callable[[], None]) -> None:
        """Call ``listener`` after each of this process's own changes is durable; on the caller's thread."""
        self._listeners.append(listener)

    def catch_up(self, tx: StoreWriter) -> bool:
        """
        Do what may wait a moment after a write: rows of edited texts, the full-text index.

        Args:
            tx: A transaction of the store.

        Returns:
            Whether there is more to do.
        """
        self._ledger.refresh(tx)
        return tx.index_texts(INDEX_ROWS) == INDEX_ROWS

    def new_id(self) -> str:
        """Return an id that nobody has: time-ordered, so that rows made together lie together."""
        return values.uuid7(int(self._now() * 1000), self._random(10))

    @contextmanager
    def snapshot(self) -> Iterator[StoreReader]:
        """Open a reader of a state in which every text is up to date."""
        tries = 0
        while True:
            with self.store.read() as reader:
                # Who types without pause leaves no moment to look. After so many tries every edit that had been made when
                # the caller asked is shown, and perhaps not one that was made since.
                if tries == SNAPSHOT_TRIES or not reader.stale_texts():
                    yield reader
                    return
            refreshed = self.store.transact(self._ledger.refresh)
            tries = tries + 1 if refreshed else SNAPSHOT_TRIES  # what is left cannot be read, and stays as it was shown

    def commit_drafts(
        self,
        drafts: Sequence[Draft],
        agent: str | None,
        reason: str | None,
        check: Callable[[StoreWriter], None] | None,
    ) -> Dot | None:
        """Make one change of drafts, durably, and tell who listens."""
        if drafts:
            self.check_still_there()  # or it would be acknowledged in a file that nobody can find

        def work(tx: StoreWriter) -> Dot | None:
            if check is not None:
                check(tx)
            return self._commit(tx, drafts, reason, agent)

        dot = self.store.transact(work) if drafts else None
        if dot is not None:
            self._announce()
        return dot

    def _commit(
        self, tx: StoreWriter, drafts: Sequence[Draft], reason: str | None, agent: str | None = None
    ) -> Dot | None:
        self._live(tx)
        return self._write(tx, drafts, reason, agent)

    def _write(
        self, tx: StoreWriter, drafts: Sequence[Draft], reason: str | None, agent: str | None = None
    ) -> Dot | None:
        dot = self._ledger.commit(tx, drafts, int(self._now() * 1000), agent, reason)
        if dot is not None:
            self._written = tx.heads()[dot[0]]
        return dot

    def _live(self, tx: StoreWriter) -> None:
        """Begin a new life when this store may not be what it was, or its present one is known to be over: see ``life``."""
        if actors.actor_of(tx) not in tx.heads() and not early.is_pending(tx):  # else peers must hear of it
            readmission.readmit(tx, self._ledger, self._random)
        actor = actors.actor_of(tx)
        head = tx.heads().get(actor)
        why = self._doubt(tx, actor, head)
        if self._sidecar is not None:
            self._sidecar.note_file(tx)  # only now: what stood there tells a copy
        if why is not None:
            actors.new_life(tx, self._random(16), why)
            if tx.heads():
                with suppress(LostIdentityError):  # nothing hangs on it: the next life of whoever has the key does it
                    identity, now_ms = self.identity, int(self._now() * 1000)
                    lives.close_quiet(tx, self._workspace_of(tx), identity.public_key, identity.sign, now_ms)

    def _doubt(self, tx: StoreWriter, actor: bytes, head: Head | None) -> str | None:
        """Return why the present life must not go on; None when it may."""
        if head is None:
            return ""
        if points_of(tx, names_of(tx).actor(actor)):
            return life.FORKED
        if lives.is_closed(tx, actor):
            return life.CLOSED
        if self._sidecar is None or head == self._written:  # this very transaction wrote it, and looked before
            return None
        return self._sidecar.doubt(tx, head) or None

    @staticmethod
    def _workspace_of(tx: StoreReader) -> bytes:
        return tx.meta(actors.WORKSPACE_KEY) or b""

    def _on_end(self, committed: bool) -> None:
        if not committed:
            self._ledger.rolled_back()
            self._written = None
            return
        self._ledger.committed()
        written, self._written = self._written, None
        if written is not None and self._sidecar is not None:
            with suppress(OSError):  # the change is on disk already, and a sidecar may lag
                self._sidecar.remember(written)

    def _announce(self) -> None:
        for listener in self._listeners:
            listener()

    def _at_once(self, work: Callable[[Transaction], T]) -> T:
        with Transaction(self, checked=False) as tx:
            result = work(tx)
        return result

    def _get(self, kind: str, item_id: str) -> Item | None:
        checked = values.id_text(values.id_bytes("id", item_id))
        with self.snapshot() as reader:
            row = reader.row(kind, checked)
            return (
                None
                if row is None
                else item_of_row(kind, row, [name for _, name in reader.tags_of(kind, [checked])[checked]])
            )

    def _query(self, query: Query) -> list[Item]:
        checked = plan(query)
        if checked.words:
            self.index_texts()
        with self.snapshot() as reader:
            rows = reader.rows(checked)
            tags = reader.tags_of(checked.kind, [row[0] for row in rows])
        return [item_of_row(checked.kind, row, [name for _, name in tags[row[0]]]) for row in rows]

    def index_texts(self) -> None:
        """Bring the full-text index up to date."""
        with self.store.read() as reader:
            due = reader.unindexed() or bool(reader.stale_texts())
        if due:

            def work(tx: StoreWriter) -> None:
                self._ledger.refresh(tx)
                tx.index_texts()

            self.store.transact(work)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def open(path: str | os.PathLike[str], config: StorageConfig | None = None) -> StorageEngine:  # noqa: A001 - edda.open
    """
    Open the store in a folder, and make it if there is none. Close it, or use it in a ``with`` block.

    Args:
        path: The folder; ``~`` is the user's.
        config: How to keep it; see :class:`StorageConfig`.

    Returns:
        A :class:`StorageEngine` that is ready for use.

    Raises:
        NotAStoreError, NewerStoreError, LostStoreError, NotPrivateError, ReadOnlyError, DiskFullError: As they say.
    """
    engine = StorageEngine(Path(path))
    try:
        engine.initialize(config)
    except BaseException:
        engine.close()
        raise
    return engine
