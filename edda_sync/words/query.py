"""Queries for tasks and documents: which ones, in which order, and how many."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar

from edda_sync.words import arguments, limits, values
from edda_sync.words.arguments import several
from edda_sync.words.errors import InvalidValueError
from edda_sync.words.model import COLUMNS, Document, Task
from edda_sync.words.order import Order, Place, cursor_of, place_in
from edda_sync.words.values import When

if TYPE_CHECKING:
    from edda_sync.words.model import Item
    from edda_sync.words.paths import Condition
    from edda_sync.words.phrases import Phrase
    from edda_sync.words.places import Near

Where = Mapping[str, Any] | Sequence[Sequence[Any]]
"""Conditions on metadata, as :class:`TaskQuery` explains them."""

TASK_ORDERS = ("urgent", "created_at", "updated_at", "due_date", "title", "priority", "relevance", "distance")
UNPLACED = ("relevance", "distance")
"""Orders in which the place of a row depends on more than the row."""
DOCUMENT_ORDERS = ("updated_at", "created_at", "title", "relevance")


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskQuery:
    """
    Which tasks to find. Every condition that is set must hold. :data:`MOST_URGENT` finds what to do next.

    Attributes:
        status: One status or several.
        priority: One priority or several.
        priority_from, priority_to: Range of the priority, with both ends.
        tags: One name or several. A task must carry all of them.
        any_tags: A task must carry one of them, if there are any.
        no_tags: A task must carry none of them.
        parent: Id of a parent; ``""`` finds tasks without one.
        under: Id of a task; finds its subtasks at any depth.
        document: Id of a document to which a task must link.
        due_from, due_before: Range of ``due_date``, without its end: text, a ``datetime``, or a ``date``.
        due_except: Ranges of ``due_date`` that are not meant, each without its end (:mod:`.spans` says what for).
        has_due: Whether a task must have a due date, or have none; None for either.
        completed_from, completed_before, created_from, created_before, updated_from, updated_before: Ranges of
            ``completed_at``, ``created_at`` and ``updated_at``.
        where: Conditions on ``metadata`` and ``agent_context``: triples such as ``("metadata.estimate", ">=", 3)``, with
            ``=``, ``!=``, ``<``, ``<=``, ``>``, ``>=`` or ``contains`` (words, as for ``text``), or pairs with ``exists``
            or ``missing``. Types are compared as well: 3 is not ``"3"``. A mapping means equality:
            ``{"metadata.owner": "ana"}``. The whole ``title``, ``description`` or ``content`` can be compared, too.
        text: Words that the title or description must contain, each as a whole word, or with a final ``*`` as the beginning
            of a word; ``"quoted words"`` must stand side by side. Parts of words will do in scripts without spaces between
            words. See :mod:`edda_sync.words.folding`.
        no_text: One such text or several, none of which may be found.
        near: Latitude and longitude, in degrees, of a place from which tasks may be ``within`` so many metres.
        within: How far they may be; None for any distance.
        place: The path where tasks say their place: an object with the numbers ``lat`` and ``lon``.
        order: One of ``urgent`` (by priority, due date with none last, age; the default), ``created_at``, ``updated_at``,
            ``due_date``, ``title``, ``priority``, ``relevance`` (needs ``text``), ``distance`` (the default with ``near``).
        descending: Whether to reverse the order. A time in the future, from a wrong clock, never leads.
        limit: How many tasks to find at most.
        offset: How many tasks to skip first.
        after: A cursor from :func:`cursor`: only tasks behind that place in the order, while others come and go.
    """

    status: str | Sequence[str] | None = None
    priority: int | Sequence[int] | None = None
    priority_from: int | None = None
    priority_to: int | None = None
    tags: str | Sequence[str] = ()
    any_tags: str | Sequence[str] = ()
    no_tags: str | Sequence[str] = ()
    parent: str | None = None
    under: str | None = None
    document: str | None = None
    due_from: When | None = None
    due_before: When | None = None
    due_except: Sequence[tuple[When, When]] = ()
    has_due: bool | None = None
    completed_from: When | None = None
    completed_before: When | None = None
    created_from: When | None = None
    created_before: When | None = None
    updated_from: When | None = None
    updated_before: When | None = None
    where: Where = ()
    text: str | None = None
    no_text: str | Sequence[str] = ()
    near: tuple[float, float] | None = None
    within: float | None = None
    place: str = "metadata.location"
    order: str | None = None
    descending: bool = False
    limit: int | None = None
    offset: int = 0
    after: str | None = None


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
    any_tags: str | Sequence[str] = ()
    no_tags: str | Sequence[str] = ()
    task: str | None = None
    created_from: When | None = None
    created_before: When | None = None
    updated_from: When | None = None
    updated_before: When | None = None
    where: Where = ()
    text: str | None = None
    no_text: str | Sequence[str] = ()
    order: str = "updated_at"
    descending: bool = False
    limit: int | None = None
    offset: int = 0
    after: str | None = None


Query = TaskQuery | DocumentQuery
_RANGES: Final = "a list of ranges, each with its start and its end"
Row = tuple[Any, ...]
"""A row of a table, as a store returns it."""

MOST_URGENT = TaskQuery(status=("open", "in_progress"), limit=50)
"""Open or in progress, by priority, due date (none last), age, id."""


Q = TypeVar("Q", TaskQuery, DocumentQuery)


def asked(query: Q | None, kind: type[Q]) -> Q:
    """
    Return what a program asks; for everything, if it does not say.

    Raises:
        InvalidValueError: It is another kind of query, or none.
    """
    return kind() if query is None else arguments.of_type("query", query, kind, f"an edda.{kind.__name__}")


class Plan(NamedTuple):
    """
    A checked query, in the form that every store understands.

    Attributes:
        kind: ``task`` or ``document``.
        equal: Columns, each with the values of which one must match. None stands for NULL.
        ranges: Columns, each with the first value in the range and the first value after it. Either may be None.
        tag_ids: Ids of tags that the entity must carry.
        linked_from: Id of a task that must link to the document; None for any.
        words: Words and phrases that must occur.
        no_words: The same several times; of none of these may all occur.
        order: Column names, each with True for descending. NULLs come last in both directions. The last one is ``id``.
        any_tag_ids, no_tag_ids: Ids of tags of which the entity must carry one, and none. Nothing is asked if
            there are none.
        linked_to: Id of a document to which the task must link; None for any.
        under: Id of a task that must be above the task, at any distance; None for any.
        where: Conditions on JSON columns.
        after: A place in the order; only rows behind it are found.
        near: How far a row's place may be from another one; None for rows with or without a place.
        without: Ranges in which a column must not be, as in ``ranges``, both of whose ends are given.
        ahead: From when on a time of the order is in the future, and comes last; None for as it is. See :mod:`.ahead`.
    """

    kind: str
    equal: tuple[tuple[str, tuple[str | int | None, ...]], ...]
    ranges: tuple[tuple[str, str | None, str | None], ...]
    tag_ids: tuple[str, ...]
    linked_from: str | None
    words: tuple[Phrase, ...]
    order: Order
    limit: int
    offset: int
    any_tag_ids: tuple[str, ...] = ()
    no_tag_ids: tuple[str, ...] = ()
    linked_to: str | None = None
    under: str | None = None
    where: tuple[Condition, ...] = ()
    after: Place | None = None
    near: Near | None = None
    without: tuple[tuple[str, str, str], ...] = ()
    ahead: str | None = None
    no_words: tuple[tuple[Phrase, ...], ...] = ()


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
    arguments.of_type("query", query, (TaskQuery, DocumentQuery), "an edda.TaskQuery or an edda.DocumentQuery")
    task = isinstance(query, TaskQuery)
    words = () if query.text is None else _phrases("text", query.text)
    order = _order(query, task, bool(words))
    equal: list[tuple[str, tuple[str | int | None, ...]]] = []
    ranges = [_range(query, "created"), _range(query, "updated")]
    if isinstance(query, TaskQuery):
        if query.status is not None:
            equal.append(("status", tuple(values.status(each) for each in several("status", query.status))))
        if query.priority is not None:
            equal.append(("priority", tuple(values.priority(each) for each in several("priority", query.priority))))
        if query.priority_from is not None or query.priority_to is not None:
            equal.append(("priority", _priorities(query.priority_from, query.priority_to)))
        if query.parent is not None:
            parent = values.id_text(values.id_bytes("parent", query.parent)) if query.parent else None
            equal.append(("parent_id", (parent,)))
        ranges += [_range(query, "due"), _range(query, "completed")]
        if query.has_due is not None:
            arguments.flag("has_due", query.has_due)
            ranges += [("due_date", "", None)] if query.has_due else []  # every time comes after the empty text
            equal += [] if query.has_due else [("due_date", (None,))]
    else:
        for name in ("doc_type", "content_type"):
            if getattr(query, name) is not None:
                equal.append((name, tuple(values.line(name, each) for each in several(name, getattr(query, name)))))
    most = limits.QUERY_LIMIT_MAX
    arguments.flag("descending", query.descending)
    return Plan(
        kind="task" if task else "document",
        equal=tuple(equal),
        ranges=tuple(each for each in ranges if each[1:] != (None, None)),
        tag_ids=_tag_ids(query, "tags"),
        linked_from=_id(query, "task"),
        words=words,
        order=order,
        limit=most if query.limit is None else arguments.whole_number("limit", query.limit, most),
        offset=arguments.whole_number("offset", query.offset, most),
        any_tag_ids=_tag_ids(query, "any_tags"),
        no_tag_ids=_tag_ids(query, "no_tags"),
        linked_to=_id(query, "document"),
        under=_id(query, "under"),
        where=_where(query.where, "task" if task else "document"),
        after=_place(query, order),
        near=_near(query),
        without=_without(query),
        no_words=tuple([_phrases("no_text", each) for each in several("no_text", query.no_text)]),
    )


def whole(plan: Plan) -> Plan:
    """Return the plan that finds all rows that meet a plan's conditions."""
    return plan._replace(limit=limits.QUERY_LIMIT_MAX, offset=0, after=None)


def as_of(plan: Plan, now: Callable[[], float]) -> Plan:
    """Return a plan in which the future (by ``now``, in seconds since 1970) comes last, if the latest come first."""
    column, descending = plan.order[0]
    if not descending or not column.endswith("_at"):
        return plan
    return plan._replace(ahead=values.time_of(int((now() + limits.FUTURE_S) * 1000)))


def cursor(query: Query, item: Item) -> str:
    """
    Return a cursor for ``after``: the place of an item in a query's order. The item may be changed or deleted later.

    Raises:
        InvalidValueError: The order is ``relevance`` or ``distance``, in which an item has no fixed place.
    """
    order = plan(query).order
    arguments.of_type("item", item, (Task, Document), "an edda.Task or edda.Document")
    if order[0][0] in UNPLACED:
        raise _no_place(order[0][0])
    return cursor_of(order, tuple([getattr(item, name) for name, _ in order]))


def _no_place(order: str) -> InvalidValueError:
    return InvalidValueError("after", f"needs an order with fixed places, so not {order}; use offset", order)


def _place(query: Query, order: Order) -> Place | None:
    if query.after is None:
        return None
    if order[0][0] in UNPLACED:
        raise _no_place(order[0][0])
    return place_in(order, query.after)


def _near(query: Query) -> Near | None:
    if not isinstance(query, TaskQuery) or query.near is None:
        if isinstance(query, TaskQuery) and query.within is not None:
            raise InvalidValueError("within", "needs a place: set near, too", query.within)
        return None
    from edda_sync.words import paths, places  # rarely needed

    path = paths.path("place", query.place)
    if len(path) < 2:
        raise InvalidValueError("place", "must be a key of metadata or agent_context", query.place)
    return places.near(query.near, query.within, path)


def _where(given: Where, kind: str) -> tuple[Condition, ...]:
    if not given:
        return ()
    from edda_sync.words.paths import condition  # rarely needed

    if isinstance(given, Mapping):
        given = [(path, "=", value) for path, value in given.items()]
    elif isinstance(given, str) or not isinstance(given, Sequence):
        raise InvalidValueError("where", "must be a mapping, or a list of conditions", given)
    found = tuple([condition("where", each) for each in given])
    for each in found:
        if each.path[0] not in COLUMNS[kind]:
            raise InvalidValueError("where", f"names {each.path[0]}, which a {kind} does not have", each.path[0])
    return found


def _tag_ids(query: Query, field: str) -> tuple[str, ...]:
    return tuple([values.tag_id(values.line(field, name)) for name in several(field, getattr(query, field))])


def _id(query: Query, field: str) -> str | None:
    given = getattr(query, field, None)
    return None if given is None else values.id_text(values.id_bytes(field, given))


def _priorities(first: int | None, last: int | None) -> tuple[int, ...]:
    low = 0 if first is None else values.priority(first)
    high = limits.PRIORITY_MAX if last is None else values.priority(last)
    return tuple(range(low, high + 1))


def _range(query: Query, name: str) -> tuple[str, str | None, str | None]:
    """Return a column, and the start and end of the range of its time."""
    column = "due_date" if name == "due" else f"{name}_at"
    start, end = (_moment(field, getattr(query, field)) for field in (f"{name}_from", f"{name}_before"))
    return column, start, end


def _without(query: Query) -> tuple[tuple[str, str, str], ...]:
    if not isinstance(query, TaskQuery):
        return ()
    ranges = [arguments.parts("due_except", each, 2, _RANGES) for each in several("due_except", query.due_except)]
    return tuple([("due_date", *(values.time("due_except", end) for end in each)) for each in ranges])  # type: ignore[misc]


def _moment(field: str, value: When | None) -> str | None:
    return None if value is None else values.time(field, value)


def _phrases(field: str, text: str) -> tuple[Phrase, ...]:
    from edda_sync.words.phrases import phrases  # rarely needed

    return phrases(field, text)


def _order(query: Query, task: bool, has_words: bool) -> Order:
    orders = TASK_ORDERS if task else DOCUMENT_ORDERS
    is_near = isinstance(query, TaskQuery) and query.near is not None
    order = query.order or ("distance" if is_near else "urgent")
    if order not in orders:
        raise InvalidValueError("order", f"must be one of {', '.join(orders)}", query.order)
    if order == "relevance" and not has_words:
        raise InvalidValueError("order", "relevance needs text to look for", query.order)
    if order == "distance" and not is_near:
        raise InvalidValueError("order", "distance needs a place: set near, too", query.order)
    down = query.descending
    if order == "urgent":
        return (("priority", down), ("due_date", down), ("created_at", down), ("id", down))
    if order == "distance":
        return (("distance", down), ("id", False))
    latest_first = not task and order.endswith("_at")  # documents begin with the latest, unless reversed
    direction = down != latest_first
    return ((order, direction), ("id", direction))  # both in one direction, as in the index
