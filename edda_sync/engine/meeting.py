"""The index of watched queries: which of them a changed row can matter to."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

from edda_sync.engine.answer import Answer, Seen, features, interests
from edda_sync.store.feed import Named
from edda_sync.words.paths import Path


class Index:
    """The watched queries by what a row must have to matter to them."""

    def __init__(self) -> None:
        self._by_feature: dict[tuple[str, Hashable], set[Answer]] = {}
        self._by_row: dict[Named, set[Answer]] = {}
        self._by_name: dict[Named, set[Answer]] = {}
        self._paths: dict[str, dict[Path, int]] = {kind: {} for kind in ("task", "document")}
        self._linking = 0  # how many queries ask for the tasks that link to a document
        self._placed: dict[Answer, tuple[set[str], frozenset[Named]]] = {}

    @property
    def asks_for_links(self) -> bool:
        """Whether any query asks for the tasks that link to a document."""
        return self._linking > 0

    def add(self, answer: Answer) -> None:
        """Add a query with its present answer."""
        kind = answer.plan.kind
        for interest in interests(answer.plan):
            self._by_feature.setdefault((kind, interest), set()).add(answer)
            if isinstance(interest, tuple) and interest[0] == "where":
                paths = self._paths[kind]
                paths[interest[1]] = paths.get(interest[1], 0) + 1
        for each in answer.ids:
            self._by_row.setdefault((kind, each), set()).add(answer)
        for named in answer.names:
            self._by_name.setdefault(named, set()).add(answer)
        self._placed[answer] = set(answer.ids), answer.names
        self._linking += answer.plan.linked_to is not None

    def remove(self, answer: Answer) -> None:
        """Remove a query."""
        placed = self._placed.pop(answer, None)
        if placed is None:
            return
        self._linking -= answer.plan.linked_to is not None
        kind, (ids, names) = answer.plan.kind, placed
        for interest in interests(answer.plan):
            _drop(self._by_feature, (kind, interest), answer)
            if isinstance(interest, tuple) and interest[0] == "where":
                paths = self._paths[kind]
                paths[interest[1]] -= 1
                if not paths[interest[1]]:
                    del paths[interest[1]]
        for each in ids:
            _drop(self._by_row, (kind, each), answer)
        for named in names:
            _drop(self._by_name, named, answer)

    def place(self, answer: Answer, item_id: str) -> None:
        """Note whether an item is now in a query's answer."""
        ids = self._placed[answer][0]
        if (item_id in answer.ids) == (item_id in ids):
            return
        if item_id in ids:
            ids.discard(item_id)
            _drop(self._by_row, (answer.plan.kind, item_id), answer)
        else:
            ids.add(item_id)
            self._by_row.setdefault((answer.plan.kind, item_id), set()).add(answer)

    def meeting(self, seen: Seen) -> set[Answer]:
        """Return the queries that a change can matter to."""
        found = set(self._by_row.get((seen.kind, seen.id), ())) | self._by_name.get((seen.kind, seen.id), set())
        columns = seen.columns
        if not columns:
            return found
        for feature in features(columns, seen.tags, list(self._paths[seen.kind])):
            found |= self._by_feature.get((seen.kind, feature), set())
        if self._by_name:
            names: list[tuple[str, Any]] = [("task", columns.get("parent_id"))]
            names += [("document", each) for each in seen.links]
            for name in names:
                found |= self._by_name.get(name, set())
        return found


def _drop(index: dict[Any, set[Answer]], key: Hashable, answer: Answer) -> None:
    held = index.get(key)
    if held is not None:
        held.discard(answer)
        if not held:
            del index[key]
