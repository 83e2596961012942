"""
Reading: what is stored, as the objects that people use.

Reading needs only a reader, so it never waits for a writer. If nobody is writing, the rows of edited texts are written
first, for all later reads; otherwise they are computed (``fresh``). Items that cannot be read are left out of a
listing, and the scrub reports them.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import cached_property
from typing import TYPE_CHECKING, Final

from edda_sync.crdt.keys import key_of
from edda_sync.engine import missing
from edda_sync.engine.items import item_of_row, row_of, tag_names
from edda_sync.engine.matching import count, matching
from edda_sync.engine.opened import Opened
from edda_sync.engine.referring import meant, shortest
from edda_sync.engine.soundly import Stored, Writes, soundly
from edda_sync.words import arguments, values
from edda_sync.words.errors import (
    DamagedRowsError,
    DiskFaultError,
    DiskFullError,
    InvalidValueError,
    NoFolderError,
    ReadOnlyError,
    UsageError,
)
from edda_sync.words.model import TABLES, Item
from edda_sync.words.query import Plan, Query, Row, as_of, plan

if TYPE_CHECKING:
    from edda_sync.crdt.frontier import Frontier
    from edda_sync.engine.cached import CachedItems
    from edda_sync.engine.files import Files
    from edda_sync.fold.scrub import Damage
    from edda_sync.store.seams import StoreReader, StoreWriter
    from edda_sync.store.sqlite.sql import SqlConnection
    from edda_sync.words.listed import Conflict, Explained, Link, Member, Tag
    from edda_sync.words.metrics import StorageMetrics
    from edda_sync.workspace.lives import Life


_STORED: Final = Stored()


class Reading:
    """
    Reads one store.

    Args:
        opened: The store.
        writes: Returns the store's write side.
        now: Wall clock, in seconds since 1970.
    """

    def __init__(self, opened: Opened, writes: Callable[[], Writes], now: Callable[[], float]) -> None:
        self._opened, self._writes, self.now = opened, writes, now
        self._cached: CachedItems | None = None
        self._counting = threading.Lock()
        self._queries, self._query_s = 0, 0.0

    @cached_property
    def files(self) -> Files:
        """The attachments of documents."""
        from edda_sync.engine.files import Files  # rarely needed

        return Files(self._opened, self.now, self.mend)

    @contextmanager
    def snapshot(self) -> Iterator[StoreReader]:
        """Open a reader of a state in which every text is up to date."""
        with _STORED, self._opened.store.read() as reader:
            stale = reader.index.stale()
            if not stale:
                yield reader
                return
        self._refresh()
        from edda_sync.engine.fresh import fresh

        with _STORED, self._opened.store.read() as reader:
            yield fresh(reader, reader.index.stale())

    def _refresh(self) -> None:
        """Write the rows of edited texts, unless somebody else is writing now."""
        self._write_ahead(lambda tx: self._writes().ledger.refresh(tx))

    def index_texts(self) -> None:
        """Bring the full-text index up to date, unless somebody else is writing now."""
        store = self._opened.store
        with store.read() as reader:
            due = reader.tables.unindexed() or bool(reader.index.stale())
        if due:

            def work(tx: StoreWriter) -> None:
                self._writes().ledger.refresh(tx)
                tx.tables.index_texts()

            self._write_ahead(work)

    def _write_ahead(self, work: Callable[[StoreWriter], object]) -> None:
        """Write something that readers can do without, unless somebody else is writing now, or nothing can be written."""
        with suppress(DiskFullError, DiskFaultError, ReadOnlyError, NoFolderError):  # a writer will get this error
            self._opened.store.transact_unless_busy(work)

    def mend(self, error: DamagedRowsError) -> None:
        """Make rows anew that are not what was written. See ``soundly``."""
        self._writes().mend(error)

    # --- tasks and documents ------------------------------------------------------------------------------------------

    @soundly
    def get(self, kind: str, item_id: str) -> Item | None:
        """Return a task or document; None if there is none, or it is in the trash."""
        checked = values.id_text(values.id_bytes("id", item_id))
        if self._opened.config.cache_config.max_size:
            return self._cached_items().get(kind, checked)
        with self.snapshot() as reader:
            row = row_of(reader, kind, checked)
            return None if row is None else item_of_row(kind, row, tag_names(reader, kind, [checked])[checked])

    def _cached_items(self) -> CachedItems:
        """Return the cache of the open store. The first reader makes it."""
        cached, store = self._cached, self._opened.store
        if cached is None or cached.store is not store:
            from edda_sync.engine.cached import CachedItems
            from edda_sync.store.cache import CacheManager

            if cached is not None:
                cached.end()
            cached = CachedItems(
                CacheManager(self._opened.config.cache_config), store, self._writes().ledger.feed, self.snapshot
            )
            self._cached = cached
        return cached

    @soundly
    def query(self, query: Query) -> list[Item]:
        """Return the tasks or documents that meet a query, in the query's order."""
        began = time.perf_counter()
        checked = self.plan(query)
        if checked.words or checked.no_words:
            self.index_texts()
        with self.snapshot() as reader:
            found = matching(reader, checked)
            names = tag_names(reader, checked.kind, [row[0] for row in found])
        items = [item_of_row(checked.kind, row, names[row[0]]) for row in found]
        with self._counting:
            self._queries, self._query_s = self._queries + 1, self._query_s + time.perf_counter() - began
        return items

    def plan(self, query: Query) -> Plan:
        """Check a query. See ``ahead.as_of``."""
        return as_of(plan(query), self.now)

    def count(self, query: Query) -> int:
        """Return how many tasks or documents meet a query's conditions; its limit, offset and place do not matter."""
        checked = plan(query)
        if checked.words or checked.no_words:
            self.index_texts()
        with self.snapshot() as reader:
            return count(reader, checked)

    def explain(self, query: Query) -> list[Explained]:
        """Return how the store finds the rows of a query: what is tried first, and what is done if that does not suffice."""
        with _STORED, self._opened.store.read() as reader:
            return reader.tables.explain(plan(query))

    def trash(self, kind: str) -> list[Item]:
        """Return the tasks or documents in the trash. A task names its parent, even if that is in the trash, too."""
        from edda_sync.engine import hidden

        arguments.kind_of_item(kind)
        with _STORED, self._opened.store.read() as reader:
            return hidden.trash(reader, kind)

    def in_trash(self, kind: str, ids: Iterable[str]) -> set[str]:
        """Return those of some ids that belong to tasks or documents in the trash."""
        keys = {key_of(kind, values.id_bytes("id", each)): each for each in ids}
        with _STORED, self._opened.store.read() as reader:
            return {keys[key] for key, record in reader.states.get(keys).items() if record.hidden}

    def resolve(self, kind: str, reference: str) -> str:
        """
        Return the complete id of a task or document: a complete one, six characters of either end, or a title.

        Raises:
            NotFoundError, AmbiguousIdError: Nothing is meant by it, or several items are. See ``engine.referring``.
        """
        arguments.kind_of_item(kind)
        with _STORED, self._opened.store.read() as reader:
            return meant(reader, kind, values.text("id", reference))

    def short_ids(self, kind: str, ids: Iterable[str]) -> dict[str, str]:
        """Return the ends of the ids of tasks or documents that :meth:`resolve` takes: see ``engine.referring.shortest``."""
        with _STORED, self._opened.store.read() as reader:
            return {each: shortest(reader, kind, each) for each in ids}

    def overfull(self) -> list[tuple[str, str]]:
        """Return kind and id of each entity that is too large to be shown, because its devices wrote too much into it."""
        from edda_sync.engine import hidden

        with _STORED, self._opened.store.read() as reader:
            return hidden.overfull(reader)

    # --- tags, links, conflicts, tables -------------------------------------------------------------------------------

    @soundly
    def tags(self) -> list[Tag]:
        """Return all tags, ordered by name."""
        from edda_sync.words.listed import Tag

        with _STORED, self._opened.store.read() as reader:
            found = reader.tables.all("tags")
        tags = [Tag(id=row[0], name=row[1], color=row[2], description=row[3], created_at=row[4]) for row in found]
        return sorted(tags, key=lambda tag: values.tag_name_normal(tag.name))

    @soundly
    def links(self, task_id: str | None, document_id: str | None) -> list[Link]:
        """Return the links of a task, of a document, or all links."""
        from edda_sync.words.listed import Link

        for field, each in (("task_id", task_id), ("document_id", document_id)):
            if each is not None:
                values.id_bytes(field, each)
        with _STORED, self._opened.store.read() as reader:
            found = reader.edges.links_of(task_id, document_id)
        return [Link(task_id=r[0], document_id=r[1], relationship_type=r[2], created_at=r[3]) for r in found]

    def conflicts(self) -> list[Conflict]:
        """Return every cell that has several concurrent values, with those that are kept but not shown."""
        from edda_sync.engine.conflicts import kept_values

        with _STORED, self._opened.store.read() as reader:
            return kept_values(reader)

    @soundly
    def table(self, name: str) -> list[Row]:
        """Return all rows of one of the specification's tables, ordered by primary key."""
        if name not in TABLES:
            raise InvalidValueError("name", f"must be one of {', '.join(TABLES)}", name)
        with self.snapshot() as reader:
            return reader.tables.all(name)

    def counts(self) -> dict[str, int]:
        """Return how many tasks, documents, tags, hidden entities and changes there are."""
        with _STORED, self._opened.store.read() as reader:
            return reader.tables.counts()

    def sql(self) -> SqlConnection:
        """
        Return a connection that reads the store's file, for SQL, pandas and notebooks. It also sees later changes.
        Close it.

        It follows the Python DB-API, like the standard library's ``sqlite3.Connection``. In a process that uses the
        store, do not open the file with that module, or with a library that uses it: two copies of SQLite in one process
        undo each other's locks, which damages what is read and crashes the process. Other programs may open the file.

        Fetch all rows of a result, or close its cursor: while a cursor is open, the journal cannot shrink. Once any
        program has written 64 MB in that time, the cursor is ended, and so is a transaction. Further use of it raises
        ``OutdatedError``. No other file can be attached, since it could be written.

        Raises:
            UsageError: The store is in memory.
        """
        with self.snapshot():  # the latest edits are in the tables now
            if self._opened.file is None:
                raise UsageError("A store in memory has no SQL; open one in a folder.")
            return self._opened.file.sql()

    # --- the log ------------------------------------------------------------------------------------------------------

    def frontier(self) -> Frontier:
        """Return the frontier: which changes of each actor are here."""
        with _STORED, self._opened.store.read() as reader:
            return {head.actor: head.seq for head in reader.log.heads().values()}

    def digest(self) -> str:
        """Return a digest of the whole content. It is equal on devices that are equal."""
        with self.snapshot() as reader:
            return f"{reader.index.digest():032x}"

    def waiting(self) -> int:
        """Return how many operations are here but not applied, because only a newer version knows them."""
        with _STORED, self._opened.store.read() as reader:
            return reader.unapplied.waiting()

    def refused(self) -> int:
        """Return how many operations are refused for good, on every device."""
        with _STORED, self._opened.store.read() as reader:
            return sum(each.refused for each in reader.unapplied.operations())

    def metrics(self) -> StorageMetrics:
        """Return the figures of this store; see ``StorageEngine.metrics``."""
        from edda_sync.engine import measured

        with _STORED, self._opened.store.read() as reader:
            cache = self._cached_items().cache.metrics if self._opened.config.cache_config.max_size else None
            return measured.metrics(reader, self._opened, self._queries, self._query_s, cache)

    # --- devices ------------------------------------------------------------------------------------------------------

    def members(self) -> list[Member]:
        """Return the devices of the workspace, ordered by name."""
        from edda_sync.workspace import members

        with _STORED, self._opened.store.read() as reader:
            return members.members(reader)

    def certificates(self) -> dict[str, bytes]:
        """Return the certificates of the members by device id."""
        from edda_sync.workspace import members

        with _STORED, self._opened.store.read() as reader:
            return members.certificates(reader)

    def lives(self) -> list[Life]:
        """Return the lives of the devices' stores, as the log shows them."""
        from edda_sync.workspace import lives

        with _STORED, self._opened.store.read() as reader:
            return lives.lives(reader)

    def forked(self) -> list[str]:
        """Return the ids of the devices with a chain that is proved to fork."""
        from edda_sync.workspace import lives

        with _STORED, self._opened.store.read() as reader:
            return lives.forked(reader)

    def copies(self) -> list[Life]:
        """Return the lives of other copies of this device's store, the latest first; see ``lives.copies``."""
        from edda_sync.workspace import lives

        with _STORED, self._opened.store.read() as reader:
            return lives.copies(reader, int(self.now() * 1000))

    # --- soundness ----------------------------------------------------------------------------------------------------

    def news(self) -> list[str]:
        """Return what a person must know about the state in which the store was found when it was opened, in sentences."""
        return self._opened.news

    def missing(self) -> int:
        """Return how many changes were acknowledged here and are missing, until a peer brings them back."""
        with _STORED, self._opened.store.read() as reader:
            return missing.count(reader)

    def is_encrypted(self) -> bool:
        """Tell whether the store is encrypted on disk."""
        return self._opened.file is not None and self._opened.file.keys is not None

    def encryption(self) -> dict[str, str] | None:
        """Return where the key of an encrypted store is kept, and when its data key was made; None for a plain one."""
        keys = None if self._opened.file is None else self._opened.file.keys
        return None if keys is None else {"key": keys.kept, "data_key_made": keys.data.current.made}

    def journals_aside(self) -> list[str]:
        """Return the names of journals beside the file that were put aside: those of another file, and damaged ones."""
        return [] if self._opened.file is None else self._opened.file.checks.journals_aside()

    def damaged_parts(self, bytes_max: int | None = None) -> list[str]:
        """
        Return which parts of the store's file are damaged, in words for a person. The whole file is read.

        Args:
            bytes_max: A larger file is not checked; None for no limit.
        """
        file = self._opened.file
        if file is None or (bytes_max is not None and file.path.stat().st_size > bytes_max):
            return []
        return file.checks.damaged_parts()

    def scrub(self, after: bytes = b"", limit: int = 1_000) -> tuple[list[Damage], bytes | None]:
        """
        Check whether stored entities are still what was written. ``Writing.refold`` or ``rebuild`` mends damaged ones.

        Args:
            after: Where to continue, as the last call returned it; empty at the start.
            limit: How many entities to check.

        Returns:
            The damage, and where to continue; None once the digest's sum was checked, too, at the end.
        """
        from edda_sync.fold.scrub import scrub_digest, scrub_entities

        with _STORED, self._opened.store.read() as reader:
            due = bool(reader.index.stale())
        if due:
            self._refresh()
        with _STORED, self._opened.store.read() as reader:
            found, following = scrub_entities(reader, after, limit)
            return (found + scrub_digest(reader) if following is None else found), following
