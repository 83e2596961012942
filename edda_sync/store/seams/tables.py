"""The specification's tables: what people see of the visible entities, and the full text of these."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple, Protocol

from edda_sync.words.query import Plan, Row

if TYPE_CHECKING:
    from edda_sync.words.indexes import IndexConfig
    from edda_sync.words.listed import Explained


class Shown(NamedTuple):
    """What the tables show of a visible entity."""

    kind: str
    key: bytes
    row: Row
    tags: tuple[tuple[str, str], ...]  # tag id, created_at
    links: tuple[tuple[str, str, str], ...]  # document id, relationship, created_at
    withheld: tuple[tuple[str, bytes, str], ...]  # cell, target, and why it is withheld: hidden or ring


class Patch(NamedTuple):
    """
    What changed in the row of a visible entity.

    Attributes:
        kind: The kind of the entity.
        id: The id of the entity, as text.
        columns: The names of the changed columns, in the order of the row.
        values: The new value of each of these columns.
    """

    kind: str
    id: str
    columns: tuple[str, ...]
    values: Row


class Pointed(NamedTuple):
    """
    The new target of one tag or link of a visible entity whose row is already shown.

    Attributes:
        kind, key, id: The kind, key and id of the entity; the id is text.
        cell: The cell that names the tag or document.
        target: The id of that tag or document, as text.
        shown: The rest of the row that shows it, as in :class:`Shown`; empty if no row shows it.
        withheld: The target's key, and why it is withheld; empty if it is not withheld.
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
        """Return the rows that a query asks for, in its order."""
        ...

    def count(self, plan: Plan) -> int:
        """Return how many rows meet a query's conditions. Its limit, offset and place do not matter."""
        ...

    def explain(self, plan: Plan) -> list[Explained]:
        """Return how the rows of a query are found: what is tried first, and what is done if that does not suffice."""
        ...

    def indexes(self) -> Sequence[IndexConfig]:
        """Return the indexes that people made, in the order in which they were made."""
        ...

    def row(self, kind: str, entity: str) -> Row | None:
        """Return the row of a visible entity; None if there is none."""
        ...

    def all(self, name: str) -> list[Row]:
        """
        Return all rows of one of the specification's tables, ordered by primary key.

        Raises:
            DamagedRowsError: One of them is not what was written; so do all other methods that return rows, but ``scan``.
        """
        ...

    def scan(self, name: str) -> Iterator[Row]:
        """Yield all rows of a table as they are, to compare them, ordered by primary key. Do not write meanwhile."""
        ...

    def counts(self) -> dict[str, int]:
        """Return the numbers of visible tasks, documents and tags, of hidden entities, and of changes in the log."""
        ...

    def unindexed(self) -> bool:
        """Tell whether rows wait for the full-text index."""
        ...

    def unindexed_of(self, kind: str) -> Sequence[str]:
        """Return the ids of the tasks or documents whose rows wait for the full-text index, in order."""
        ...


class TablesWriter(TablesReader, Protocol):
    """Writes rows, together with their edges."""

    def show(self, shown: Sequence[Shown], new: frozenset[bytes]) -> None:
        """Write everything that the tables show of some entities; those in ``new`` have no row in any table yet."""
        ...

    def patch(self, patches: Sequence[Patch]) -> None:
        """
        Write some columns of rows that the tables already show.

        Raises:
            CorruptError: A table lacks one of these rows.
        """
        ...

    def point(self, pointed: Sequence[Pointed]) -> None:
        """Write the new targets of some tags and links of entities that the tables already show; the others stay."""
        ...

    def hide(self, kind: str, keys: Sequence[bytes]) -> None:
        """Remove the rows of entities, with everything that depends on them."""
        ...

    def index_texts(self, limit: int = -1) -> int:
        """Write waiting rows into the full-text index, at most ``limit`` of them; return how many were written."""
        ...

    def make_index(self, config: IndexConfig) -> None:
        """Make a checked index, whose name no other index has, and fill it."""
        ...

    def drop_index(self, name: str) -> None:
        """Remove an index that there is."""
        ...
