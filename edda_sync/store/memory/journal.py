"""
What the memory store holds, as dictionaries by name, and the journal of former values with which a transaction is undone.

To undo a transaction, its journal is walked backwards. A dictionary that a reader may still use is copied before its next
change.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from edda_sync.crdt.keys import kind_and_id
from edda_sync.words import values
from edda_sync.words.errors import StorageError

Table = dict[Any, Any]
Tables = dict[str, Table]
Entry = tuple[str, Any, Any]
"""Table, key, and the former value."""

ABSENT: Final = object()
LOG: Final = (
    "meta", "log", "dots", "log_parts", "segments", "segment_parts", "heads", "signatures", "incoming", "incoming_parts",
    "evidence", "mentions", "behind", "rewritten", "serials", "held_files", "indexes",
)  # fmt: skip
VIEW: Final = (
    "tasks", "documents", "tags", "tag_names", "entity_tags", "task_documents", "withheld", "entities", "conflicted",
    "deletions", "texts", "tails", "stale", "unapplied", "digest", "unindexed", "search",
    "attachments", "attached", "unique", "claims",
)  # fmt: skip
TABLE: Final = {"task": "tasks", "document": "documents", "tag": "tags"}


def empty_tables() -> Tables:
    """Return the tables of a new store."""
    return {name: {} for name in (*LOG, *VIEW)}


def undo(tables: Tables, journal: list[Entry]) -> None:
    """Restore the values that the tables had before a journal's writes."""
    for name, key, stood in reversed(journal):
        if stood is ABSENT:
            tables[name].pop(key, None)
        else:
            tables[name][key] = stood


def text_of(key: bytes) -> str:
    """Return the id in an entity's key, as text."""
    return values.id_text(kind_and_id(key)[1])


def refused(why: str) -> StorageError:
    """Return the error for a write that the constraints of the specification forbid."""
    return StorageError(f"The store in memory could not do what was asked ({why}); nothing was written.")


class Journal:
    """
    The writes of a transaction.

    Args:
        tables: The dictionaries to write to.
        shared: The names of the tables that a reader may be using.

    Attributes:
        entries: The former value for each write, in the order of the writes.
    """

    __slots__ = ("_shared", "entries", "tables")

    def __init__(self, tables: Tables, shared: set[str]) -> None:
        self.tables = tables
        self._shared = shared
        self.entries: list[Entry] = []

    def set(self, name: str, key: Any, value: Any) -> None:
        """Write a value, even if the key has one already."""
        table = self._own(name)
        self.entries.append((name, key, table.get(key, ABSENT)))
        table[key] = value

    def add(self, name: str, key: Any, value: Any) -> None:
        """Write a value for a key that must not have one yet."""
        if key in self.tables[name]:
            raise refused(f"UNIQUE constraint failed: {name}")
        self.set(name, key, value)

    def keep(self, name: str, key: Any, value: Any) -> None:
        """Write a value, unless the key has one already."""
        if key not in self.tables[name]:
            self.set(name, key, value)

    def drop(self, name: str, key: Any) -> None:
        """Remove a key, if it is there."""
        table = self._own(name)
        if key in table:
            self.entries.append((name, key, table.pop(key)))

    def drop_where(self, name: str, condition: Callable[[Any], bool]) -> None:
        """Remove the keys that meet a condition."""
        for key in [key for key in self.tables[name] if condition(key)]:
            self.drop(name, key)

    def clear(self, name: str) -> None:
        """Remove all keys of a table."""
        self.drop_where(name, lambda _key: True)

    def undo_since(self, begun: int) -> None:
        """Undo all writes except the first ``begun``."""
        for name, _, _ in self.entries[begun:]:
            self._own(name)
        undo(self.tables, self.entries[begun:])
        del self.entries[begun:]

    def _own(self, name: str) -> Table:
        if name in self._shared:
            self._shared.discard(name)
            self.tables[name] = dict(self.tables[name])
        return self.tables[name]


class Facet:
    """
    A facet of a reader.

    Args:
        tables: What the store holds.
    """

    __slots__ = ("_tables",)

    def __init__(self, tables: Tables) -> None:
        self._tables = tables


class WriterFacet(Facet):
    """
    A facet of a transaction.

    Args:
        journal: The journal of the transaction's writes.
    """

    __slots__ = ("_journal",)

    def __init__(self, journal: Journal) -> None:
        super().__init__(journal.tables)
        self._journal = journal
