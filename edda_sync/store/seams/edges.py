"""Edges: which visible entities show which others, and which edges are withheld."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Protocol

from edda_sync.words.query import Plan, Row


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

    def below(self, task: str) -> set[str]:
        """Return the ids of the visible tasks below a task, at any depth."""
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


class Hanging(Protocol):
    """What :func:`among` asks of edges."""

    def links_of(self, task: str | None, document: str | None) -> list[Row]: ...

    def below(self, task: str) -> set[str]: ...


def among(edges: Hanging, plan: Plan) -> set[str] | None:
    """Return the ids that a plan's links and subtree allow; None if it asks for neither."""
    allowed: list[set[str]] = []
    if plan.linked_from is not None:
        allowed.append({row[1] for row in edges.links_of(plan.linked_from, None)})
    if plan.linked_to is not None:
        allowed.append({row[0] for row in edges.links_of(None, plan.linked_to)})
    if plan.under is not None:
        allowed.append(edges.below(plan.under))
    return set.intersection(*allowed) if allowed else None
