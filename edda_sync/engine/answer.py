"""The answer of one watched query: which rows are in it, and whether a change can matter to it."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from edda_sync.engine.items import item_of_row, tag_names
from edda_sync.engine.matching import matching
from edda_sync.engine.watched import Watch
from edda_sync.store.feed import Named
from edda_sync.store.seams import Row, StoreReader
from edda_sync.store.seams.edges import among
from edda_sync.words import limits
from edda_sync.words.fitting import matches
from edda_sync.words.model import COLUMNS, Item
from edda_sync.words.order import is_after, place_of
from edda_sync.words.paths import MISSING, Path, number, type_of, value_at
from edda_sync.words.query import UNPLACED, Plan

ANY = ("any",)


class Seen(NamedTuple):
    """
    A task or document as it is now.

    Attributes:
        kind, id: Its kind and id.
        columns: The values of its columns by name, in the order of its row; empty if it is not visible.
        tags: Its tags, as pairs of id and name.
        links: The ids of the documents that it links to, if anybody asks for links.
    """

    kind: str
    id: str
    columns: Mapping[str, Any]
    tags: Sequence[tuple[str, str]] = ()
    links: frozenset[str] = frozenset()

    @classmethod
    def of(
        cls, kind: str, entity: str, row: Row | None, tags: Sequence[tuple[str, str]] = (), links: Iterable[str] = ()
    ) -> Seen:
        """Return a task or document by its row; None if it is not visible."""
        columns = {} if row is None else dict(zip(COLUMNS[kind], row, strict=True))
        return cls(kind, entity, columns, tags, frozenset(links))

    def item(self) -> Item:
        """Return it as an object. It must be visible."""
        return item_of_row(self.kind, tuple(self.columns.values()), [name for _, name in self.tags])


def hangs(plan: Plan) -> bool:
    """Tell whether a plan asks for links or a subtree."""
    return plan.under is not None or plan.linked_from is not None or plan.linked_to is not None


def interests(plan: Plan) -> list[Hashable]:
    """
    Return conditions of which a row must meet one, if it is to meet the plan: the most selective ones.

    :func:`features` returns the same for a row. What asks for links or a subtree is found by :attr:`Answer.names` instead.
    """
    if hangs(plan):
        return []
    if plan.tag_ids:
        return [("tag", plan.tag_ids[0])]
    equal = dict(plan.equal)
    if "parent_id" in equal:
        return [("parent_id", value) for value in equal["parent_id"]]
    for each in plan.where:
        if each.operator == "=":
            return [("where", each.path, type_of(each.value), each.value)]
    if plan.any_tag_ids:
        return [("tag", tag) for tag in plan.any_tag_ids]
    for column in ("doc_type", "content_type", "status", "priority"):
        if column in equal:
            return [(column, value) for value in equal[column]]
    return [ANY]


def features(columns: Mapping[str, Any], tags: Sequence[tuple[str, str]], paths: Sequence[Path]) -> Iterator[Hashable]:
    """Yield what :func:`interests` may name of a row, at the paths that any plan names."""
    yield ANY
    for tag, _ in tags:
        yield "tag", tag
    for column in ("parent_id", "doc_type", "content_type", "status", "priority"):
        if column in columns:
            yield column, columns[column]
    for path in paths:
        value = value_at(columns, path)
        if value is not MISSING and not isinstance(value, (dict, list)):
            yield "where", path, type_of(value), number(value)


class Answer:
    """
    The answer of a query. Call :meth:`read` first.

    Args:
        plan: The query.
        watch: Is told of it.
        as_of_now: Returns a plan in which what is in the future now comes last.

    Attributes:
        ids: What is in it: in a limited query also the rows that its offset skips.
        names: What its links and subtree hang on: a change of one of these may change which rows count.
        reads: How often the query was run.
    """

    def __init__(self, plan: Plan, watch: Watch, as_of_now: Callable[[Plan], Plan] = lambda plan: plan) -> None:
        self.plan, self.watch, self._as_of_now = plan, watch, as_of_now
        self.ids: set[str] = set()
        self.names: frozenset[Named] = frozenset()
        self.reads = 0
        self._hangs = hangs(plan)
        self._allowed: set[str] | None = None
        self._below: set[str] = set()  # the whole subtree, also what does not fit otherwise
        self._linking: set[str] = set()  # all tasks that link to the document
        self._is_whole = plan.limit >= limits.QUERY_LIMIT_MAX and not plan.offset
        self._last: tuple[Any, ...] | None = None  # the place of the last row, if there may be rows behind it

    def read(self, reader: StoreReader) -> None:
        """Run the query."""
        plan = self._as_of_now(self.plan)
        wide = plan._replace(limit=min(plan.limit + plan.offset, limits.QUERY_LIMIT_MAX), offset=0)
        rows = matching(reader, wide)
        self.ids = {row[0] for row in rows}
        if self._hangs:
            self._hang(reader)
        is_full = not self._is_whole and len(rows) >= wide.limit
        last = dict(zip(COLUMNS[plan.kind], rows[-1], strict=True)) if is_full and rows else None
        has_place = last is not None and plan.order[0][0] not in UNPLACED
        self._last = place_of(plan.order, last) if has_place and last is not None else None
        shown = rows[plan.offset : plan.offset + plan.limit]
        names = tag_names(reader, plan.kind, [row[0] for row in shown])
        items = {row[0]: item_of_row(plan.kind, row, names[row[0]]) for row in shown}
        self.watch.show(items, first=not self.reads)
        self.reads += 1

    def _hang(self, reader: StoreReader) -> None:
        """Look up which rows the links and the subtree allow."""
        plan, edges = self.plan, reader.edges
        self._allowed = among(edges, plan)
        self._below = set() if plan.under is None else edges.below(plan.under)
        self._linking = set() if plan.linked_to is None else {row[0] for row in edges.links_of(None, plan.linked_to)}
        named = {("task", each) for each in (*self._below, *self._linking)}
        named |= {(plan.kind, each) for each in self._allowed or ()}
        for kind, each in (("task", plan.under), ("task", plan.linked_from), ("document", plan.linked_to)):
            if each is not None:
                named.add((kind, each))
        self.names = frozenset(named)

    def meet(self, seen: Seen) -> bool:
        """
        Take in a change; tell whether the query has to be run again instead.

        Args:
            seen: What may have changed.
        """
        if self._hangs and self._moves(seen):
            return True
        if seen.kind != self.plan.kind:
            return False
        is_inside, fits = seen.id in self.ids, self._fits(seen)
        if self._is_whole:
            (self.ids.add if fits else self.ids.discard)(seen.id)
            if fits or is_inside:
                self.watch.put(seen.id, seen.item() if fits else None)
            return False
        if is_inside or not fits:
            return is_inside
        if self.plan.limit + self.plan.offset == 0:
            return False
        plan = self._as_of_now(self.plan)
        return self._last is None or not is_after(plan.order, self._last, seen.columns, plan.ahead)

    def _fits(self, seen: Seen) -> bool:
        if not seen.columns:
            return False
        is_among = self._allowed is None or seen.id in self._allowed
        return matches(self._as_of_now(self.plan), seen.columns, {tag for tag, _ in seen.tags}, is_among)

    def _moves(self, seen: Seen) -> bool:
        """Tell whether a change makes other rows count, or this one for other reasons than its own row."""
        plan = self.plan
        if (seen.kind, seen.id) in (("task", plan.under), ("task", plan.linked_from), ("document", plan.linked_to)):
            return True
        if seen.kind != "task" or plan.kind != "task":
            return False
        if plan.under is not None:
            parent = seen.columns.get("parent_id")
            if (seen.id in self._below) != (parent is not None and (parent == plan.under or parent in self._below)):
                return True
        linked = bool(seen.columns) and plan.linked_to in seen.links
        return plan.linked_to is not None and (seen.id in self._linking) != linked
