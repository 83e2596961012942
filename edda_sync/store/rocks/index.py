"""The index over states that RocksDB keeps: what follows from single states is there, too; the rest is in SQL."""

from __future__ import annotations

from collections.abc import Callable

from edda_sync.store.rocks import keys
from edda_sync.store.rocks.view import View
from edda_sync.store.sqlite.index import SqliteIndex, SqliteIndexWriter
from edda_sync.store.sqlite.names import text_of
from edda_sync.store.sqlite.statements import Statements, WriterStatements
from edda_sync.store.sqlite.summary import Summary, SummaryWriter
from edda_sync.words import limits


class _Marks:
    """What readers and writers of the index find in the view."""

    __slots__ = ()

    _view: Callable[[], View]

    def hidden(self, kind: str) -> list[bytes]:
        return self._view().marked(keys.HIDDENS, kind)

    def hidden_count(self) -> int:
        return len(self._view().marked(keys.HIDDENS))

    def conflicted(self) -> list[bytes]:
        return self._view().marked(keys.CONFLICTS)

    def ids_ending(self, kind: str, suffix: str) -> list[str]:
        found = self._view().ending(kind, bytes.fromhex(suffix[-limits.SHORT_ID_CHARACTERS_MIN :]))
        return [text_of(key) for key in found if key.hex().endswith(suffix)][: limits.CANDIDATES_MAX]


class RocksIndex(_Marks, SqliteIndex):
    """
    Implementation of ``seams.index.IndexReader``.

    Args:
        sql: The statements of the reader.
        summary: The summary.
        view: Returns what the reader sees of states.
    """

    __slots__ = ("_view",)

    def __init__(self, sql: Statements, summary: Summary, view: Callable[[], View]) -> None:
        super().__init__(sql, summary)
        self._view = view


class RocksIndexWriter(_Marks, SqliteIndexWriter):
    """Implementation of ``seams.index.IndexWriter``. The arguments are those of :class:`RocksIndex`."""

    __slots__ = ("_view",)

    def __init__(self, sql: WriterStatements, summary: SummaryWriter, view: Callable[[], View]) -> None:
        super().__init__(sql, summary)
        self._view = view
