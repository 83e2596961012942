"""Edges: which visible entities show which others, and which edges are withheld."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Protocol

from edda_sync.words.query import Row


class EdgesReader(Protocol):
    """What points where. Edges are written with the rows that show them (``tables``)."""

    def referrers(self, targets: Sequence[bytes]) -> list[bytes]:
        """Return the entities whose rows show one of these as parent, tag or link."""
        ...

    def withheld_to(self, targets: Sequence[bytes]) -> list[bytes]:
        """Return the entities with an edge to one of these that is withheld."""
        ...

    def parent(self, task: bytes) -> bytes | None:
        """Return the parent that a visible task shows, or would but for a ring."""
        ...

    def parents_among(self, tasks: Collection[bytes]) -> set[bytes]:
        """Return which of some tasks a visible task shows as its parent, or would but for a ring."""
        ...

    def in_rings(self) -> list[bytes]:
        """Return the tasks whose parent is withheld because of a ring."""
        ...

    def in_rings_among(self, tasks: Collection[bytes]) -> set[bytes]:
        """Return of which of some tasks the parent is withheld because of a ring."""
        ...

    def has_rings(self) -> bool:
        """Tell whether any task's parent is withheld because of a ring."""
        ...

    def tags_of(self, kind: str, ids: Sequence[str]) -> dict[str, list[tuple[str, str]]]:
        """Return for each entity its tags: id and name."""
        ...

    def carriers(self, tag: str) -> list[tuple[str, str]]:
        """Return kind and id of the tasks and documents that carry a tag, in order."""
        ...

    def links_of(self, task: str | None, document: str | None) -> list[Row]:
        """Return rows of ``task_documents``, of a task, of a document, or all."""
        ...
