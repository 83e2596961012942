"""What queries find among hostile values, against the same asked in plain Python; and pages, while others write."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Final

import pytest

import edda_sync as edda
from edda_sync.testing import devices
from edda_sync.words.indexes import IndexType
from edda_sync.words.order import title_key

ITEMS: Final = 90
QUERIES: Final = 120
TITLES: Final = (
    "apple", "Äpfel", "Apfel", "äpfel", "A\u0308pfel", "zebra", "Zoë", "ﬁsh", "fish", "Straße", "STRASSE", "İstanbul",
    "ıstanbul", "検索", "😀", "a'b", 'a"b', "50% _x_", "a\\b", "-1", "10", "9", "null", "  x", "x", "é", "e\u0301",
    "\u200bx",
)  # fmt: skip
VALUES: Final[tuple[Any, ...]] = (
    None, True, False, 0, -0.0, 1, 1.0, -1, -1.5, 2**53, 2**53 + 1, 2**63, -(2**63), 10**30, 1e308, 5e-324, "", "1", "1.0",
    "-1", "true", "null", "ä", "a\u0308", "z", "Z", "😀", "a'b", 'a"b', "%", "_", [], [1], {}, {"x": 1}, {"x": {"y.z": "1"}},
)  # fmt: skip
KEYS: Final = ("k", "a.b", "K", "k k", "$", "#", "[0]", "*", "ключ", "x'y", "0", "--", "k[0]", "@", "?", ":k")
TAGS: Final = ("work", "Work", "Straße", "STRASSE", "home", "x y", "ü")
OPERATORS: Final = ("=", "!=", "<", "<=", ">", ">=", "exists", "missing")
ASKED: Final = ("tags", "any_tags", "no_tags", "under", "parent", "due", "priority", "document")
PATHS: Final = (
    *(("metadata", key) for key in KEYS), ("agent_context", "plan", "step"), ("agent_context", "plan", "a.b", "c"),
    ("metadata", "k", "x"), ("metadata", "k", "x", "y.z"), ("title",),
)  # fmt: skip
ORDERS: Final = ("urgent", "created_at", "updated_at", "due_date", "title", "priority")
Chance = random.Random
Test = Callable[[edda.Task], bool]


class Asked:
    """The items of a store as plain objects, and who links to whom."""

    def __init__(self, store: edda.StorageEngine, documents: list[str]) -> None:
        self.store, self.documents = store, documents
        self.tasks = {task.id: task for task in store.query_tasks(edda.TaskQuery())}
        self.linked = {
            each: {task.id for task in store.query_tasks(edda.TaskQuery(document=each))} for each in documents
        }


@pytest.fixture(scope="module", params=["sqlite", "memory", "sqlite with indexes"])
def asked(request: pytest.FixtureRequest) -> Iterator[Asked]:
    backend, _, indexed = request.param.partition(" ")
    ticks = (1_800_000_000 + number // 7 for number in itertools.count())  # so that many have one time
    with devices(1, backend=backend, now=lambda: float(next(ticks))) as (store,):
        documents = [store.create_document(edda.Document(title=f"D{number}")) for number in range(3)]
        made = fill(store, documents, Chance(7))
        if indexed:
            store.indexes.create("k", ["metadata.k"])
            store.indexes.create("ab", ['metadata."a.b"', "status"], where_clause="priority <= 2")
            store.indexes.create("text", ["metadata.k"], IndexType.HASH)
            store.indexes.create("title", ["title"], IndexType.HASH)
            store.indexes.create("unique", ["metadata.ticket"], unique=True)
        for task_id in made[::9]:
            store.delete_task(task_id)
        store.restore_task(made[9])
        yield Asked(store, documents)


def fill(store: edda.StorageEngine, documents: list[str], chance: Chance) -> list[str]:
    made: list[str] = []
    for number in range(ITEMS):
        metadata = {key: chance.choice(VALUES) for key in KEYS if chance.random() < 0.4}
        task = edda.Task(
            title=chance.choice(TITLES), metadata={**metadata, "ticket": number}, priority=chance.randrange(5),
            agent_context={"plan": {"step": chance.choice(VALUES), "a.b": {"c": chance.choice(VALUES)}}},
            status=chance.choice(["open", "in_progress", "done", "cancelled"]),
            due_date=chance.choice([None, "2026-01-01", "2026-01-01T00:00:00.001Z", "1969-12-31", "2026-06-01"]),
            tags={tag for tag in TAGS if chance.random() < 0.3},
            parent_id=chance.choice([*made[-6:], None, None]) if made else None,
        )  # fmt: skip
        made.append(store.create_task(task))
        if chance.random() < 0.3:
            store.transact(lambda tx, task_id=made[-1]: tx.link(task_id, chance.choice(documents)))  # type: ignore[misc]
    return made


# --- the same in plain Python -----------------------------------------------------------------------------------------


def kind_of(value: Any) -> str:
    if value is None or isinstance(value, (bool, list, dict)):
        return repr(type(value))
    return "text" if isinstance(value, str) else "number"


def at_path(task: edda.Task, path: tuple[str, ...]) -> Any:
    """Return the value at a path; an Ellipsis if nothing stands there."""
    value: Any = getattr(task, path[0])
    for key in path[1:]:
        if not isinstance(value, dict) or key not in value:
            return ...
        value = value[key]
    return value


def number(value: Any) -> Any:
    """A number beyond 64 bits is compared as floating point."""
    return float(value) if type(value) is int and not -(2**63) <= value < 2**63 else value


def meets(found: Any, operator: str, wanted: Any) -> bool:
    if operator in ("exists", "missing"):
        return (found is not ...) == (operator == "exists")
    same = found is not ... and kind_of(found) == kind_of(wanted)
    found, wanted = number(found), number(wanted)
    if operator in ("=", "!="):
        return (same and found == wanted) == (operator == "=")
    return same and {"<": found < wanted, "<=": found <= wanted, ">": found > wanted, ">=": found >= wanted}[operator]


def below(tasks: dict[str, edda.Task], top: str, task: edda.Task) -> bool:
    while isinstance(task.parent_id, str):
        if task.parent_id == top:
            return True
        task = tasks[task.parent_id]
    return False


def drawn(asked: Asked, chance: Chance) -> tuple[dict[str, Any], Test]:
    """Return some fields of a query, and the same as a function of a task."""
    fields: dict[str, Any] = {}
    tests: list[Test] = []
    for _ in range(chance.choice([1, 1, 2, 3])):
        what = chance.choice([*ASKED, *["where"] * 6])
        if what in fields:
            continue
        if what == "where":
            condition = a_condition(chance)
            fields["where"] = [condition]
            tests.append(partial(fulfils, condition))
        elif what in ("tags", "any_tags", "no_tags"):
            fields[what] = chance.sample(TAGS, chance.choice([1, 1, 2]))
            tests.append(partial(carries, what, {name.casefold() for name in fields[what]}))
        elif what == "under":
            fields[what] = chance.choice([*asked.tasks])
            tests.append(partial(below, asked.tasks, fields[what]))
        elif what == "parent":
            fields[what] = chance.choice([*asked.tasks, ""])
            tests.append(partial(is_child, fields[what]))
        elif what == "due":
            fields |= {"due_from": "1970-01-01", "due_before": "2026-01-02"}
            tests.append(lambda task: isinstance(task.due_date, str) and "1970" < task.due_date < "2026-01-02")
        elif what == "priority":
            fields |= {"priority_from": 1, "priority_to": 2}
            tests.append(lambda task: task.priority in (1, 2))
        else:
            fields[what] = chance.choice(asked.documents)
            tests.append(partial(is_one_of, asked.linked[fields[what]]))
    return fields, lambda task: all(test(task) for test in tests)


def a_condition(chance: Chance) -> tuple[Any, ...]:
    path = chance.choice(PATHS)
    if path == ("title",):
        return path, "=", chance.choice(TITLES)
    operator = chance.choice(OPERATORS)
    if operator in ("exists", "missing"):
        return path, operator
    plain = [each for each in VALUES if not isinstance(each, (list, dict))]
    if operator in ("<", "<=", ">", ">="):
        plain = [each for each in plain if each is not None and not isinstance(each, bool)]
    return path, operator, chance.choice(plain)


def fulfils(condition: tuple[Any, ...], task: edda.Task) -> bool:
    return meets(at_path(task, condition[0]), condition[1], condition[-1])


def carries(what: str, wanted: set[str], task: edda.Task) -> bool:
    tags = {str(tag).casefold() for tag in task.tags or ()}
    return {"tags": wanted <= tags, "any_tags": bool(wanted & tags), "no_tags": not wanted & tags}[what]


def is_child(parent: str, task: edda.Task) -> bool:
    return (task.parent_id or "") == parent


def is_one_of(ids: set[str], task: edda.Task) -> bool:
    return task.id in ids


def in_order(tasks: list[edda.Task], order: str, *, descending: bool) -> list[str]:
    """Return the ids of tasks in an order: what has no date comes last in both directions."""

    def key(task: edda.Task) -> tuple[Any, ...]:
        due = task.due_date or ""
        columns = {
            "urgent": (task.priority, due, task.created_at), "title": (title_key(str(task.title)),),
            "due_date": (due,), "priority": (task.priority,), "created_at": (task.created_at,),
            "updated_at": (task.updated_at,),
        }  # fmt: skip
        return (*columns[order], task.id)

    found = sorted(tasks, key=key, reverse=descending)
    if order == "due_date":
        found.sort(key=lambda task: not task.due_date)
    if order == "urgent":
        found.sort(key=lambda task: not task.due_date)
        found.sort(key=lambda task: int(str(task.priority)), reverse=descending)
    return [task.id for task in found]


def test_a_query_finds_what_plain_python_finds_and_counts_and_pages_it(asked: Asked) -> None:
    chance, found_some = Chance(11), 0
    for at in range(QUERIES):
        fields, holds = drawn(asked, chance)
        order, descending = chance.choice(ORDERS), chance.random() < 0.4
        meant = in_order(list(filter(holds, asked.tasks.values())), order, descending=descending)
        query = edda.TaskQuery(order=order, descending=descending, **fields)
        found = [task.id for task in asked.store.query_tasks(query)]
        assert found == meant, f"query {at}: {query}"
        assert asked.store.count(query) == len(meant), query
        if len(meant) > 3:
            assert pages(asked.store, fields, order, descending=descending) == meant, query
        found_some += bool(meant)
    assert found_some > QUERIES / 4


def pages(store: edda.StorageEngine, fields: dict[str, Any], order: str, *, descending: bool) -> list[str]:
    """Return the ids of all pages of a query, put together."""
    found: list[str] = []
    after: str | None = None
    while True:
        query = edda.TaskQuery(order=order, descending=descending, limit=3, after=after, **fields)
        page = store.query_tasks(query)
        found += [task.id for task in page]
        if len(page) < 3:
            return found
        after = edda.cursor(query, page[-1])


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("descending", [False, True])
def test_while_others_write_no_item_that_stays_is_missed_or_listed_twice(order: str, *, descending: bool) -> None:
    chance = Chance(order)
    ticks = (1_800_000_000 + number // 5 for number in itertools.count())
    with devices(1, backend="memory", now=lambda: float(next(ticks))) as (store,):
        with store.begin_transaction() as tx:
            for at in range(24):
                due = chance.choice([None, "2026-01-01", "2026-02-01"])
                tx.create_task(edda.Task(title=chance.choice(TITLES), priority=at % 3, due_date=due))
        there = [task.id for task in store.query_tasks(edda.TaskQuery(order=order, descending=descending))]
        gone, listed, after = set[str](), list[str](), None
        while True:
            query = edda.TaskQuery(order=order, descending=descending, limit=4, after=after)
            page = store.query_tasks(query)
            listed += [task.id for task in page]
            if len(page) < 4:
                break
            after = edda.cursor(query, page[-1])
            for task_id in (page[-1].id, chance.choice(there)):  # the one at which the next page begins, and another
                if task_id not in gone:
                    gone.add(task_id)
                    store.delete_task(task_id)
            store.create_task(edda.Task(title=chance.choice(TITLES), priority=chance.randrange(3)))
        assert len(listed) == len(set(listed))
        assert [each for each in listed if each in {*there} - gone] == [each for each in there if each not in gone]
