"""Edges: which visible entities show which others, and which edges are withheld."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Protocol

from edda_sync.words.query import Row


class EdgesReader(Protocol):
    """Which entities point at which. Edges are written together with the rows that show them (``tables``)."""

    def referrers(self, targets: Sequence[bytes]) -> list[bytes]:
        """Return the entities whose rows show one of these as a parent, tag or link."""
        ...

    def withheld_to(self, targets: Sequence[bytes]) -> list[bytes]:
        """Return the entities that have a withheld edge to one of these."""
        ...

    def parent(self, task: bytes) -> bytes | None:
        """Return the parent that a visible task shows, or that is withheld only because of a ring."""
        ...

    def parents_among(self, tasks: Collection[bytes]) -> set[bytes]:
        """Return those of some tasks that a visible task has as its parent, shown or withheld because of a ring."""
        ...

    def in_rings(self) -> list[bytes]:
        """Return the tasks whose parent is withheld because of a ring."""
        ...

    def in_rings_among(self, tasks: Collection[bytes]) -> set[bytes]:
        """Return those of some tasks whose parent is withheld because of a ring."""
        ...

    def has_rings(self) -> bool:
        """Tell whether the parent of any task is withheld because of a ring."""
        ...

    def tags_of(self, kind: str, ids: Sequence[str]) -> dict[str, list[tuple[str, str]]]:
        """Return the tags of each entity, as pairs of id and name."""
        ...

    def carriers(self, tag: str) -> list[tuple[str, str]]:
        """Return the kind and id of the tasks and documents that carry a tag, in order."""
        ...

    def links_of(self, task: str | None, document: str | None) -> list[Row]:
        """Return rows of ``task_documents``: those of a task, those of a document, or all."""
        ...
