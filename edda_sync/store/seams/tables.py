"""The specification's tables: what people see of the visible entities, and its full text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple, Protocol

from edda_sync.words.query import Plan, Row


class Shown(NamedTuple):
    """What the tables show of a visible entity."""

    kind: str
    key: bytes
    row: Row
    tags: tuple[tuple[str, str], ...]  # tag id, created_at
    links: tuple[tuple[str, str, str], ...]  # document id, relationship, created_at
    withheld: tuple[tuple[str, bytes, str], ...]  # cell, target, why: hidden or ring


class Patch(NamedTuple):
    """
    What changed in the row of a visible entity.

    Attributes:
        kind: Of the entity.
        id: Its id, as text.
        columns: Names of columns, in the order of the row.
        values: What each of them is now.
    """

    kind: str
    id: str
    columns: tuple[str, ...]
    values: Row


class Pointed(NamedTuple):
    """
    Where a tag or link of a visible entity points now, whose row is shown already.

    Attributes:
        kind, key, id: Of the entity, its id as text as well.
        cell: What names the tag or document.
        target: The id of that, as text.
        shown: The rest of the row that shows it, as in :class:`Shown`; empty where none does.
        withheld: The target's key, and why it is withheld; empty where it is not.
    """

    kind: str
    key: bytes
    id: str
    cell: str
    target: str
    shown: tuple[str, ...]
    withheld: tuple[bytes, str] | tuple[()]


class TablesReader(Protocol):
    """The rows of the specification's tables."""

    def rows(self, plan: Plan) -> list[Row]:
        """Return the rows of a query, in its order."""
        ...

    def row(self, kind: str, entity: str) -> Row | None:
        """Return the row of a visible entity."""
        ...

    def all(self, name: str) -> list[Row]:
        """Return all rows of one of the specification's tables, ordered by primary key."""
        ...

    def scan(self, name: str) -> Iterator[Row]:
        """Yield all rows of one of the specification's tables, ordered by primary key; nothing is written meanwhile."""
        ...

    def counts(self) -> dict[str, int]:
        """Return how many tasks, documents and tags are visible, how many entities are hidden, and the changes."""
        ...

    def unindexed(self) -> bool:
        """Tell whether rows wait for the full-text index."""
        ...

    def unindexed_of(self, kind: str) -> Sequence[str]:
        """Return the ids of the tasks or documents whose rows wait for the full-text index, in order."""
        ...


class TablesWriter(TablesReader, Protocol):
    """Writes rows, and their edges with them."""

    def show(self, shown: Sequence[Shown], new: frozenset[bytes]) -> None:
        """Write what the tables show of entities; ``new`` are those that no table has a row of."""
        ...

    def patch(self, patches: Sequence[Patch]) -> None:
        """
        Write columns of rows that the tables show already.

        Raises:
            CorruptError: They do not.
        """
        ...

    def point(self, pointed: Sequence[Pointed]) -> None:
        """Write where some tags and links of entities point, whose rows the tables show already; their others stay."""
        ...

    def hide(self, kind: str, keys: Sequence[bytes]) -> None:
        """Remove the rows of entities and what hangs on them."""
        ...

    def index_texts(self, limit: int = -1) -> int:
        """Bring the full-text index up to date, by at most ``limit`` rows; return how many it was."""
        ...
