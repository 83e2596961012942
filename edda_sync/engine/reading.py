"""
Reading: what is stored, as the objects that people use.

Looking needs a reader only, so it never waits for whoever writes. Where nobody writes, the rows of edited texts are written
first, for all who look afterwards; else they are worked out (``fresh``). What cannot be read is left out of a listing, and
the scrub names it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from edda_sync.crdt.keys import key_of
from edda_sync.engine import missing
from edda_sync.engine.items import item_of_row
from edda_sync.engine.matching import matching
from edda_sync.engine.opened import Opened
from edda_sync.words import values
from edda_sync.words.errors import (
    AmbiguousIdError,
    DiskFaultError,
    DiskFullError,
    NotFoundError,
    ReadOnlyError,
    UsageError,
)
from edda_sync.words.model import Item
from edda_sync.words.query import Query, Row, plan

if TYPE_CHECKING:
    from edda_sync.crdt.frontier import Frontier
    from edda_sync.fold.scrub import Damage
    from edda_sync.store.seams import StoreReader, StoreWriter
    from edda_sync.store.sqlite.sql import SqlConnection
    from edda_sync.words.listed import Conflict, Link, Member, Tag
    from edda_sync.workspace.lives import Life


class Reading:
    """
    What is to be seen of one store.

    Args:
        opened: The store.
        refresh: Writes the rows of edited texts, inside a transaction.
        now: Wall clock, in seconds since 1970.
    """

    def __init__(self, opened: Opened, refresh: Callable[[StoreWriter], object], now: Callable[[], float]) -> None:
        self._opened, self._write_texts, self._now = opened, refresh, now

    @contextmanager
    def snapshot(self) -> Iterator[StoreReader]:
        """Open a reader of a state in which every text is up to date."""
        store = self._opened.store
        with store.read() as reader:
            stale = reader.index.stale()
            if not stale:
                yield reader
                return
        self._refresh()
        from edda_sync.engine.fresh import fresh

        with store.read() as reader:
            yield fresh(reader, reader.index.stale())

    def _refresh(self) -> None:
        """Write the rows of edited texts, unless somebody else writes at this moment."""
        self._write_ahead(self._write_texts)

    def index_texts(self) -> None:
        """Bring the full-text index up to date, unless somebody else writes at this moment."""
        store = self._opened.store
        with store.read() as reader:
            due = reader.tables.unindexed() or bool(reader.index.stale())
        if due:

            def work(tx: StoreWriter) -> None:
                self._write_texts(tx)
                tx.tables.index_texts()

            self._write_ahead(work)

    def _write_ahead(self, work: Callable[[StoreWriter], object]) -> None:
        """Write what all who look can do without, unless somebody else writes at this moment, or nothing can be written."""
        with suppress(DiskFullError, DiskFaultError, ReadOnlyError):  # whoever writes is told so
            self._opened.store.transact_unless_busy(work)

    # --- tasks and documents ------------------------------------------------------------------------------------------

    def get(self, kind: str, item_id: str) -> Item | None:
        """Return a task or document; None when there is none, or it is in the trash."""
        checked = values.id_text(values.id_bytes("id", item_id))
        with self.snapshot() as reader:
            row = reader.tables.row(kind, checked)
            return None if row is None else item_of_row(kind, row, tag_names(reader, kind, [checked])[checked])

    def query(self, query: Query) -> list[Item]:
        """Return the tasks or documents that meet a query, in its order."""
        checked = plan(query)
        if checked.words:
            self.index_texts()
        with self.snapshot() as reader:
            found = matching(reader, checked)
            names = tag_names(reader, checked.kind, [row[0] for row in found])
        return [item_of_row(checked.kind, row, names[row[0]]) for row in found]

    def trash(self, kind: str) -> list[Item]:
        """Return the tasks or documents in the trash; a task names the parent that it comes back to, wherever that is."""
        from edda_sync.engine import hidden

        with self._opened.store.read() as reader:
            return hidden.trash(reader, kind)

    def in_trash(self, kind: str, ids: Iterable[str]) -> set[str]:
        """Return those of some ids that are of tasks or documents in the trash."""
        keys = {key_of(kind, values.id_bytes("id", each)): each for each in ids}
        with self._opened.store.read() as reader:
            return {keys[key] for key, record in reader.states.get(keys).items() if record.hidden}

    def resolve(self, kind: str, reference: str) -> str:
        """Return the whole id of a whole or short one; as ``StorageEngine.resolve``."""
        digits = values.digits_of_id(reference)
        with self._opened.store.read() as reader:
            if len(digits) == 32:
                whole = bytes.fromhex(digits)
                found = [values.id_text(whole)] if reader.states.get([key_of(kind, whole)]) else []
            else:
                found = reader.index.ids_ending(kind, digits) if digits else []
        if not found:
            raise NotFoundError(kind, reference)
        if len(found) > 1:
            raise AmbiguousIdError(reference, found)
        return found[0]

    def overfull(self) -> list[tuple[str, str]]:
        """Return kind and id of what is larger than can be shown: so much did all devices together write into it."""
        from edda_sync.engine import hidden

        with self._opened.store.read() as reader:
            return hidden.overfull(reader)

    # --- tags, links, conflicts, tables -------------------------------------------------------------------------------

    def tags(self) -> list[Tag]:
        """Return all tags, by name."""
        from edda_sync.words.listed import Tag

        with self._opened.store.read() as reader:
            found = reader.tables.all("tags")
        tags = [Tag(id=row[0], name=row[1], color=row[2], description=row[3], created_at=row[4]) for row in found]
        return sorted(tags, key=lambda tag: values.tag_name_normal(tag.name))

    def links(self, task_id: str | None, document_id: str | None) -> list[Link]:
        """Return the links of a task, of a document, or all."""
        from edda_sync.words.listed import Link

        with self._opened.store.read() as reader:
            found = reader.edges.links_of(task_id, document_id)
        return [Link(task_id=r[0], document_id=r[1], relationship_type=r[2], created_at=r[3]) for r in found]

    def conflicts(self) -> list[Conflict]:
        """Return every cell that has several concurrent values, with the ones that are kept but not shown."""
        from edda_sync.engine.conflicts import kept_values

        with self._opened.store.read() as reader:
            return kept_values(reader)

    def table(self, name: str) -> list[Row]:
        """Return all rows of one of the specification's tables, by primary key."""
        with self.snapshot() as reader:
            return reader.tables.all(name)

    def counts(self) -> dict[str, int]:
        """Return how many tasks, documents, tags, hidden entities and changes there are."""
        with self._opened.store.read() as reader:
            return reader.tables.counts()

    def sql(self) -> SqlConnection:
        """
        Return a connection that reads the store's file as it is now and later, for SQL, pandas and notebooks; close it.

        It is of the Python DB-API, as the standard library's ``sqlite3.Connection``. Do not open the file with that one, nor
        with a library that does, in a process that uses the store: two copies of SQLite in one process undo each other's
        locks, which damages what is read and ends the process. Other programs may open it.

        Fetch all of an answer, or close its cursor: as long as one is open, the journal cannot shrink. Once 64 MB were
        written meanwhile, by any program, the cursor is ended, and so is a transaction: what is fetched of it, or run in it,
        raises ``OutdatedError``. No other file can be attached, since it could be written.

        Raises:
            UsageError: The store is in memory.
        """
        with self.snapshot():  # what was edited a moment ago is in the tables now
            if self._opened.file is None:
                raise UsageError("A store in memory has no SQL; open one in a folder.")
            return self._opened.file.sql()

    # --- the log ------------------------------------------------------------------------------------------------------

    def frontier(self) -> Frontier:
        """Return which changes of each actor are here."""
        with self._opened.store.read() as reader:
            return {head.actor: head.seq for head in reader.log.heads().values()}

    def digest(self) -> str:
        """Return a digest of the whole content: equal on devices that are equal."""
        with self.snapshot() as reader:
            return f"{reader.index.digest():032x}"

    def waiting(self) -> int:
        """Return how many operations are here but not applied, since only a newer version knows them."""
        with self._opened.store.read() as reader:
            return reader.unapplied.waiting()

    def refused(self) -> int:
        """Return how many operations are refused for good, by every device alike."""
        with self._opened.store.read() as reader:
            return sum(each.refused for each in reader.unapplied.operations())

    # --- devices ------------------------------------------------------------------------------------------------------

    def members(self) -> list[Member]:
        """Return the devices of the workspace, by name."""
        from edda_sync.workspace import members

        with self._opened.store.read() as reader:
            return members.members(reader)

    def certificates(self) -> dict[str, bytes]:
        """Return the certificates of the members by device id."""
        from edda_sync.workspace import members

        with self._opened.store.read() as reader:
            return members.certificates(reader)

    def lives(self) -> list[Life]:
        """Return the lives of the devices' stores, as the log tells of them."""
        from edda_sync.workspace import lives

        with self._opened.store.read() as reader:
            return lives.lives(reader)

    def forked(self) -> list[str]:
        """Return the devices of which a chain is proved to fork, by id."""
        from edda_sync.workspace import lives

        with self._opened.store.read() as reader:
            return lives.forked(reader)

    def copies(self) -> list[Life]:
        """Return the lives of other copies of this device's store, latest first; see ``lives.copies``."""
        from edda_sync.workspace import lives

        with self._opened.store.read() as reader:
            return lives.copies(reader, int(self._now() * 1000))

    # --- soundness ----------------------------------------------------------------------------------------------------

    def news(self) -> list[str]:
        """Return what a person must know of what was found when the store was opened, in sentences."""
        return self._opened.news

    def missing(self) -> int:
        """Return how many changes were acknowledged here and are gone, until a peer brings them back."""
        with self._opened.store.read() as reader:
            return missing.count(reader)

    def journals_aside(self) -> list[str]:
        """Return the names of the journals beside the store's file that were put aside: of another file, or damaged."""
        return [] if self._opened.file is None else self._opened.file.journals_aside()

    def damaged_parts(self, bytes_max: int | None = None) -> list[str]:
        """
        Return which parts of the store's file are damaged, as a person calls them; it is read whole for that.

        Args:
            bytes_max: A larger file is not looked at; None for any.
        """
        file = self._opened.file
        if file is None or (bytes_max is not None and file.path.stat().st_size > bytes_max):
            return []
        return file.damaged_parts()

    def scrub(self, after: bytes = b"", limit: int = 1_000) -> tuple[list[Damage], bytes | None]:
        """
        Look whether stored entities still are what was written; ``Writing.refold`` or ``rebuild`` mends what is not.

        Args:
            after: Where the last call said to go on; empty at the start.
            limit: How many to look at.

        Returns:
            What is damaged, and where to go on; None once the digest's sum, at the end, was looked at too.
        """
        from edda_sync.fold.scrub import scrub_digest, scrub_entities

        store = self._opened.store
        with store.read() as reader:
            due = bool(reader.index.stale())
        if due:
            self._refresh()
        with store.read() as reader:
            found, following = scrub_entities(reader, after, limit)
            return (found + scrub_digest(reader) if following is None else found), following


def tag_names(reader: StoreReader, kind: str, ids: list[str]) -> dict[str, list[str]]:
    """Return the names of the tags of some tasks or documents, by id."""
    return {entity: [name for _, name in tags] for entity, tags in reader.edges.tags_of(kind, ids).items()}
