"""
Where a store keeps its states: in tables of the SQLite file, or beside it (``store.rocks``).

The name of the backend is one of the store's named values. Every transaction of a process checks it, and every reader before
it reads states, because another process may move them at any time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, Protocol

from edda_sync.store.seams.index import IndexReader, IndexWriter
from edda_sync.store.seams.states import StatesReader, StatesWriter
from edda_sync.store.sqlite.index import SqliteIndex, SqliteIndexWriter
from edda_sync.store.sqlite.statements import Statements, WriterStatements
from edda_sync.store.sqlite.states import SqliteStatesReader, SqliteStatesWriter, StatesStatements
from edda_sync.store.sqlite.summary import Summary, SummaryWriter
from edda_sync.words.errors import EddaError, MovedStatesError

if TYPE_CHECKING:
    from edda_sync.store.sqlite.keyed import FileKeys

Keep = Callable[[str, "FileKeys | None"], "Keeping"]
"""Returns what keeps the states of a store, by the name of the backend that its file names, and the keys of the file."""
Transact = Callable[[Callable[[WriterStatements], Any]], Any]
"""Runs work in one durable transaction, with the writer's statements, and returns its result."""


class KeptStates(StatesReader, Protocol):
    """The states of a reader."""

    def begin(self) -> bool:
        """
        Fix what is read, at the beginning of a read transaction.

        Returns:
            Whether that succeeded. If not, the transaction must begin again.

        Raises:
            MovedStatesError: Another process has moved the states since the store was opened. What reads states may raise
                this, too.
        """
        ...

    def ended(self) -> None:
        """Release what was read, since the transaction has ended."""
        ...

    def disown(self, refuse: Callable[..., NoReturn]) -> None:
        """Refuse every use from now on."""
        ...


class KeptIndexReader(IndexReader, Protocol):
    """The index of a reader."""

    def hidden_count(self) -> int:
        """Return how many entities are in the trash."""
        ...


class KeptIndex(KeptIndexReader, IndexWriter, Protocol):
    """The index of a transaction."""

    def drop(self, entities: Sequence[bytes]) -> None:
        """Forget that some entities are stale."""
        ...

    def reset(self) -> None:
        """Forget what is remembered."""
        ...


class KeptStatesWriter(StatesWriter, Protocol):
    """The states of a transaction."""

    def begin(self) -> bool:
        """Fix what is read, at the beginning of a transaction. It raises the errors of :meth:`KeptStates.begin`."""
        ...

    def flush(self) -> None:
        """Write into SQLite what is not there yet. This is called before a part that may be undone, and before COMMIT."""
        ...

    def committed(self) -> None:
        """Note that the transaction is on disk."""
        ...

    def reset(self) -> None:
        """Forget what is remembered, because a transaction or a part of it was undone, or another process has written."""
        ...

    def drop(self, entities: Sequence[bytes]) -> None:
        """Forget the states and the texts of some entities."""
        ...

    def clear(self) -> None:
        """Forget all states and texts."""
        ...

    def disown(self, refuse: Callable[..., NoReturn]) -> None:
        """Refuse every use from now on."""
        ...


class Keeping(Protocol):
    """
    What keeps the states of an open store.

    Attributes:
        name: The name of the backend.
        fault: Why what was written could not be settled; None if it could.
        overwrites: Whether what is no longer used is overwritten, as it was plain, and nobody reads it.
    """

    name: str
    fault: EddaError | None
    overwrites: bool

    def reader(self, sql: Statements, summary: Summary) -> tuple[KeptStates, KeptIndexReader]:
        """Return the facets of a reader."""
        ...

    def writer(self, sql: WriterStatements, summary: SummaryWriter) -> tuple[KeptStatesWriter, KeptIndex]:
        """Return the facets of the writer."""
        ...

    def is_due(self, *, quiet: bool) -> bool:
        """Tell whether :meth:`settle` should be called: now, or else when it is quiet, because nobody writes."""
        ...

    def settle(self, transact: Transact) -> None:
        """Put what was written where it is to stay. A fault shows later, and loses nothing."""
        ...

    def check(self, sql: Statements) -> None:
        """
        Check that what was written can be settled, and that what was settled is still there.

        Raises:
            EddaError: It is not, or the last settlement failed.
        """
        ...

    def folders(self, sql: Statements) -> list[Path]:
        """Return the folders in which something of this store is kept, beside its file."""
        ...

    def is_behind(self, sql: Statements) -> bool:
        """Tell whether something lies elsewhere than in the encrypted file that is plain, or under a former data key."""
        ...

    def close(self) -> None:
        """Release everything. It is opened again when it is needed."""
        ...


class InSql:
    """Implementation of :class:`Keeping` for states that are in tables of the SQLite file."""

    name = "sqlite"
    fault: EddaError | None = None
    overwrites = False

    def reader(self, sql: Statements, summary: Summary) -> tuple[KeptStates, KeptIndexReader]:
        """Return the facets of a reader."""
        states = StatesStatements(sql)
        return SqliteStatesReader(states, summary), SqliteIndex(sql, summary, states)

    def writer(self, sql: WriterStatements, summary: SummaryWriter) -> tuple[KeptStatesWriter, KeptIndex]:
        """Return the facets of the writer."""
        return SqliteStatesWriter(sql, summary), SqliteIndexWriter(sql, summary)

    def is_due(self, *, quiet: bool) -> bool:  # noqa: ARG002 - the protocol's
        """Tell that there is nothing to settle."""
        return False

    def settle(self, transact: Transact) -> None:
        """Do nothing: what was written is where it is to stay."""

    def check(self, _sql: Statements) -> None:
        """Find nothing: the file itself is checked by the store."""

    def folders(self, _sql: Statements) -> list[Path]:
        """Return none."""
        return []

    def is_behind(self, _sql: Statements) -> bool:
        """Tell that there is nothing elsewhere."""
        return False

    def close(self) -> None:
        """Do nothing: the connections are closed by the store."""


def in_sql(name: str, _keys: FileKeys | None) -> InSql:
    """
    Return what keeps the states of a store that has them in its SQLite file.

    Raises:
        MovedStatesError: They are elsewhere, by the name of the backend.
    """
    if name != InSql.name:
        raise MovedStatesError(name)
    return InSql()
