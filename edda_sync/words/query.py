"""Queries for tasks and documents: which ones, in which order, and how many."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, TypeVar

from edda_sync.words import limits, values
from edda_sync.words.errors import InvalidValueError
from edda_sync.words.values import When

R = TypeVar("R")

TASK_ORDERS = ("urgent", "created_at", "updated_at", "due_date", "title", "priority", "relevance")
DOCUMENT_ORDERS = ("updated_at", "created_at", "title", "relevance")


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskQuery:
    """
    Which tasks to find. Every condition that is set must hold. :data:`MOST_URGENT` finds what to do next.

    Attributes:
        status: One status or several.
        priority: One priority or several.
        tags: One name or several. A task must carry all of them.
        parent: Id of a parent; ``""`` finds tasks without one.
        due_from, due_before: Range of ``due_date``, without its end: text, a ``datetime``, or a ``date``.
        created_from, created_before, updated_from, updated_before: Ranges of ``created_at`` and ``updated_at``.
        text: Words that the title or description must contain, each as a whole word, or with a final ``*`` as the beginning
            of a word.
        order: One of ``urgent`` (by priority, due date with none last, age; the default), ``created_at``, ``updated_at``,
            ``due_date``, ``title``, ``priority``, ``relevance`` (needs ``text``).
        descending: Whether to reverse the order.
        limit: How many tasks to find at most.
        offset: How many tasks to skip first.
    """

    status: str | Sequence[str] | None = None
    priority: int | Sequence[int] | None = None
    tags: str | Sequence[str] = ()
    parent: str | None = None
    due_from: When | None = None
    due_before: When | None = None
    created_from: When | None = None
    created_before: When | None = None
    updated_from: When | None = None
    updated_before: When | None = None
    text: str | None = None
    order: str = "urgent"
    descending: bool = False
    limit: int | None = None
    offset: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentQuery:
    """
    Which documents to find. Every condition that is set must hold. The other fields are as in :class:`TaskQuery`.

    Attributes:
        doc_type: One type or several.
        content_type: One media type or several.
        task: Id of a task that must link to the document.
    """

    doc_type: str | Sequence[str] | None = None
    content_type: str | Sequence[str] | None = None
    tags: str | Sequence[str] = ()
    task: str | None = None
    created_from: When | None = None
    created_before: When | None = None
    updated_from: When | None = None
    updated_before: When | None = None
    text: str | None = None
    order: str = "updated_at"
    descending: bool = False
    limit: int | None = None
    offset: int = 0


Query = TaskQuery | DocumentQuery
Row = tuple[Any, ...]
"""A row of a table, as a store returns it."""

MOST_URGENT = TaskQuery(status=("open", "in_progress"), limit=50)
"""Open or in progress, by priority, due date (none last), age, id."""


class Plan(NamedTuple):
    """
    A checked query, in the form that every store understands.

    Attributes:
        kind: ``task`` or ``document``.
        equal: Columns, each with the values of which one must match. None stands for NULL.
        ranges: Columns, each with the first value in the range and the first value after it. Either may be None.
        tag_ids: Ids of tags that the entity must carry.
        linked_from: Id of a task that must link to the document; None for any.
        words: Words that must occur, each with True if it is the beginning of a word.
        order: Column names, each with True for descending. NULLs come last in both directions. The last one is ``id``.
    """

    kind: str
    equal: tuple[tuple[str, tuple[str | int | None, ...]], ...]
    ranges: tuple[tuple[str, str | None, str | None], ...]
    tag_ids: tuple[str, ...]
    linked_from: str | None
    words: tuple[tuple[str, bool], ...]
    order: tuple[tuple[str, bool], ...]
    limit: int
    offset: int


def pages(read: Callable[[Plan], Sequence[Row]], kind: str, size: int) -> Iterator[Sequence[Row]]:
    """
    Yield all rows of a table ordered by id, in pages, so that neither memory nor one statement holds all of them.

    Args:
        read: Returns the rows of a plan, as a store's reader does. The first column must be the id.
        kind: ``task`` or ``document``.
        size: How many rows a page has.
    """
    after = ""
    while True:
        rows = read(Plan(kind, (), (("id", after, None),), (), None, (), (("id", False),), size, 0))
        yield rows
        if len(rows) < size:
            return
        after = rows[-1][0] + "!"  # after this id: no id contains a character below this one


def plan(query: Query) -> Plan:
    """
    Check a query, and return it as a plan for a store.

    Raises:
        InvalidValueError: A condition is not acceptable.
    """
    task = isinstance(query, TaskQuery)
    words = _words(query.text)
    order = _order(query, task, bool(words))
    equal: list[tuple[str, tuple[str | int | None, ...]]] = []
    ranges = [_range(query, "created"), _range(query, "updated")]
    if isinstance(query, TaskQuery):
        if query.status is not None:
            equal.append(("status", tuple(values.status(each) for each in _several(query.status))))
        if query.priority is not None:
            equal.append(("priority", tuple(values.priority(each) for each in _several(query.priority))))
        if query.parent is not None:
            parent = values.id_text(values.id_bytes("parent", query.parent)) if query.parent else None
            equal.append(("parent_id", (parent,)))
        ranges.append(_range(query, "due"))
    else:
        for name in ("doc_type", "content_type"):
            if getattr(query, name) is not None:
                equal.append((name, tuple(values.line(name, each) for each in _several(getattr(query, name)))))
    if query.limit is not None and not 0 <= query.limit <= limits.QUERY_LIMIT_MAX:
        raise InvalidValueError("limit", f"must be from 0 to {limits.QUERY_LIMIT_MAX:,}", query.limit)
    if not 0 <= query.offset <= limits.QUERY_LIMIT_MAX:
        raise InvalidValueError("offset", f"must be from 0 to {limits.QUERY_LIMIT_MAX:,}", query.offset)
    linked_from = None if task else query.task  # type: ignore[union-attr]
    return Plan(
        kind="task" if task else "document",
        equal=tuple(equal),
        ranges=tuple(each for each in ranges if each[1:] != (None, None)),
        tag_ids=tuple(values.tag_id(values.line("tags", name)) for name in _several(query.tags)),
        linked_from=None if linked_from is None else values.id_text(values.id_bytes("task", linked_from)),
        words=words,
        order=order,
        limit=limits.QUERY_LIMIT_MAX if query.limit is None else query.limit,
        offset=query.offset,
    )


def _several(value: object) -> Sequence[object]:
    if value is None:
        return ()
    return (value,) if isinstance(value, (str, int)) else tuple(value)  # type: ignore[arg-type]


def _range(query: Query, name: str) -> tuple[str, str | None, str | None]:
    """Return a column, and the start and end of the range of its time."""
    column = "due_date" if name == "due" else f"{name}_at"
    start, end = (_moment(field, getattr(query, field)) for field in (f"{name}_from", f"{name}_before"))
    return column, start, end


def _moment(field: str, value: When | None) -> str | None:
    return None if value is None else values.time(field, value)


def _words(text: str | None) -> tuple[tuple[str, bool], ...]:
    if text is None:
        return ()
    checked = values.text("text", text, bytes_max=10_000)
    words = tuple(
        (word.rstrip("*"), word.endswith("*")) for word in checked.replace("\0", " ").split() if word.rstrip("*")
    )
    if not words:
        raise InvalidValueError("text", "has no word to look for", text)
    return words


def _order(query: Query, task: bool, has_words: bool) -> tuple[tuple[str, bool], ...]:
    orders = TASK_ORDERS if task else DOCUMENT_ORDERS
    if query.order not in orders:
        raise InvalidValueError("order", f"must be one of {', '.join(orders)}", query.order)
    if query.order == "relevance" and not has_words:
        raise InvalidValueError("order", "relevance needs text to look for", query.order)
    down = query.descending
    if query.order == "urgent":
        return (("priority", down), ("due_date", down), ("created_at", down), ("id", down))
    latest_first = not task and query.order.endswith("_at")  # documents begin with the latest, unless reversed
    direction = down != latest_first
    return ((query.order, direction), ("id", direction))  # both in one direction, as in the index


# --- the same plan over rows in memory: for the memory store, and for what a transaction has not committed yet ---


def matches(plan: Plan, row: Mapping[str, Any], tag_ids: Collection[str], linked: bool) -> bool:
    """
    Tell whether a row meets a plan's conditions.

    Args:
        plan: The checked query.
        row: Column values by name.
        tag_ids: Ids of the tags that the entity carries.
        linked: Whether the task in ``plan.linked_from`` links to it.
    """
    for column, accepted in plan.equal:
        if row[column] not in accepted:
            return False
    for column, start, end in plan.ranges:
        value = row[column]
        if value is None or (start is not None and value < start) or (end is not None and value >= end):
            return False
    if plan.linked_from is not None and not linked:
        return False
    if not all(tag_id in tag_ids for tag_id in plan.tag_ids):
        return False
    return not plan.words or occurrences(plan, row) > 0


def occurrences(plan: Plan, row: Mapping[str, Any]) -> int:
    """Return how often the words of a plan occur in a row; 0 unless each of them does."""
    held = [tokens(row["title"]), tokens(row["description" if plan.kind == "task" else "content"] or "")]
    phrases = [(phrase, begins) for word, begins in plan.words if (phrase := tokens(word))]  # without punctuation
    counts = [sum(_count(words, phrase, begins) for words in held) for phrase, begins in phrases]
    return sum(counts) if all(counts) else 0


def _count(words: list[str], phrase: list[str], begins: bool) -> int:
    """Count a phrase among words. What a person typed as one word can be several, such as ``local-first``."""
    *whole, last = phrase
    found = 0
    for at in range(len(words) - len(whole)):
        end = words[at + len(whole)]
        if words[at : at + len(whole)] == whole and (end.startswith(last) if begins else end == last):
            found += 1
    return found


def tokens(text: str) -> list[str]:
    """
    Return a text's words as the full-text index splits them: letters and digits, without case and without the diacritics of
    Latin letters.

    Source: the tokenizer ``unicode61 remove_diacritics 2`` of SQLite's FTS5. It uses the tables of Unicode 6.1, and may
    treat newer characters differently.
    """
    return text.translate(_FOLDED).split()


class _Folded(dict[int, str]):
    """The folded form of each character, by code point. It is computed when the character first occurs."""

    def __missing__(self, code_point: int) -> str:
        folded = self[code_point] = _fold(chr(code_point))
        return folded


_FOLDED: Final = _Folded()
_MARKS: Final = frozenset(
    "\u0300\u0301\u0302\u0303\u0304\u0306\u0307\u0308\u0309\u030a\u030b\u030c\u030f\u0311\u031b\u0323\u0324\u0325\u0326"
    "\u0327\u0328\u032d\u032e\u0330\u0331"
)  # the marks of Latin letters; any other mark separates words


def _fold(character: str) -> str:
    if character in _MARKS:
        return ""
    category = unicodedata.category(character)
    if category[0] not in "LN" and category != "Co":
        return " "
    one = next((c for c in (character.casefold(), character.lower()) if len(c) == 1), character)
    base = unicodedata.normalize("NFD", one)[0]
    return base.lower() if base.isascii() else one


def in_order(plan: Plan, rows: list[R], column: Callable[[R, str], Any]) -> list[R]:
    """Return rows in a plan's order; ``column`` reads one value of a row. For relevance, the given order is kept."""
    if plan.order[0][0] == "relevance":
        return rows
    for name, descending in reversed(plan.order):
        rows.sort(key=lambda row: _comparable(name, column(row, name)), reverse=descending)
        if name == "due_date":
            rows.sort(key=lambda row: column(row, name) is None)
    return rows


def _comparable(name: str, value: Any) -> Any:
    """Return the sort key of a value. As in SQLite, NULL comes before numbers, and numbers before texts."""
    if isinstance(value, str):
        return 2, value.translate(_ASCII_LOWER) if name == "title" else value
    if value is None:
        return 0, ""
    return (1, value) if isinstance(value, (int, float)) else (3, value)


_ASCII_LOWER = {upper: upper + 32 for upper in range(ord("A"), ord("Z") + 1)}
