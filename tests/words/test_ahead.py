"""What a wrong clock put into the future leads no list of the latest, wherever the list comes from."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

import edda_sync as edda
from edda_sync.engine.engine import StorageEngine
from edda_sync.words import limits, order
from edda_sync.words.ahead import in_turn
from edda_sync.words.model import Item
from edda_sync.words.order import in_order, is_after
from edda_sync.words.query import as_of, plan

NOW, YEAR_2100 = 1_800_000_000.0, 4_102_444_800.0
LATEST = edda.TaskQuery(order="updated_at", descending=True)


class Clocked:
    """A store whose clock was in 2100 once, with what was written then and since."""

    def __init__(self, store: StorageEngine, tick: Callable[[float], None]) -> None:
        self.store, self.tick = store, tick
        for title, at in (
            ("2100", YEAR_2100),
            ("2101", YEAR_2100 + 4e7),
            ("one", NOW),
            ("two", NOW + 1),
            ("three", NOW + 2),
        ):
            tick(at)
            store.create_task(edda.Task(title=title))
            store.create_document(edda.Document(title=title))


@pytest.fixture(params=["memory", "sqlite"])
def clocked(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Clocked]:
    now = [NOW]

    def tick(at: float) -> None:
        now[0] = at

    store = StorageEngine(tmp_path / "store", now=lambda: now[0])
    store.initialize(edda.StorageConfig(backend=request.param))
    yield Clocked(store, tick)
    store.close()


def titles(found: Sequence[Item]) -> list[str]:
    return [str(each.title) for each in found]


def test_what_a_wrong_clock_put_into_the_future_leads_no_list_of_the_latest(clocked: Clocked) -> None:
    expected = ["three", "two", "one", "2101", "2100"]
    assert titles(clocked.store.query_documents()) == expected
    for name in ("updated_at", "created_at"):
        assert titles(clocked.store.query_documents(edda.DocumentQuery(order=name))) == expected
        assert titles(clocked.store.query_tasks(replace(LATEST, order=name))) == expected
    assert titles(clocked.store.query_tasks(replace(LATEST, text="two OR one"))) == []
    assert titles(clocked.store.query_tasks(replace(LATEST, text="2100"))) == ["2100"]


def test_the_first_in_a_list_of_the_oldest_are_the_oldest(clocked: Clocked) -> None:
    assert titles(clocked.store.query_tasks(edda.TaskQuery(order="updated_at"))) == [
        "one",
        "two",
        "three",
        "2100",
        "2101",
    ]


@pytest.mark.parametrize("size", [1, 2, 3, 4])
def test_pages_by_cursor_and_by_offset_go_through_all_of_it(clocked: Clocked, size: int) -> None:
    expected, found, query = titles(clocked.store.query_tasks(LATEST)), list[str](), replace(LATEST, limit=size)
    while page := clocked.store.query_tasks(query):
        found += titles(page)
        query = replace(query, after=edda.cursor(query, page[-1]))
    assert found == expected
    pages = [clocked.store.query_tasks(replace(LATEST, limit=size, offset=at)) for at in range(0, 6, size)]
    assert [title for page in pages for title in titles(page)] == expected


def test_a_transaction_sees_its_drafts_before_what_is_in_the_future(clocked: Clocked) -> None:
    with clocked.store.begin_transaction() as tx:
        tx.update_task(replace(clocked.store.query_tasks(replace(LATEST, text="one"))[0], priority=0))
        assert titles(tx.query_tasks(LATEST))[-2:] == ["2101", "2100"]
        assert titles(tx.query_tasks(replace(LATEST, limit=1)))[0] != "2101"


def test_a_limited_live_query_tells_what_is_new_although_something_is_in_the_future(clocked: Clocked) -> None:
    with clocked.store.watch(replace(LATEST, limit=1)) as watch:
        changes = iter(watch)
        assert titles(list(next(changes).added)) == ["three"]
        clocked.tick(NOW + limits.FUTURE_S * 10)  # now is later than what was the future when the watch began
        clocked.store.create_task(edda.Task(title="four"))
        assert titles(list(next(changes).added)) == ["four"]


def test_once_the_time_has_come_a_time_is_as_any_other(clocked: Clocked) -> None:
    clocked.tick(YEAR_2100 + 1)
    assert titles(clocked.store.query_documents())[0] == "2100"


def test_only_orders_by_a_clock_with_the_latest_first_are_changed() -> None:
    for query in (
        edda.TaskQuery(),
        edda.TaskQuery(order="due_date", descending=True),
        edda.TaskQuery(order="updated_at"),
    ):
        assert as_of(plan(query), lambda: NOW) == plan(query)
    with_ahead = as_of(plan(LATEST), lambda: NOW)
    assert with_ahead.ahead is not None
    first, second = in_turn(with_ahead)
    assert (first.ranges, second.ranges) == (
        (("updated_at", None, with_ahead.ahead),),
        (("updated_at", with_ahead.ahead, None),),
    )


def test_rows_in_memory_are_in_the_same_order_and_after_the_same_places() -> None:
    wanted, ahead = (("updated_at", True), ("id", True)), "2027"
    rows = [{"updated_at": at, "id": at} for at in ("2100", "2026", "2101", "2025")]
    found = in_order(wanted, rows, lambda row, name: row[name], ahead)
    assert [row["id"] for row in found] == ["2026", "2025", "2101", "2100"]
    for at, row in enumerate(found):
        place = order.place_of(wanted, row)
        assert [is_after(wanted, place, each, ahead) for each in found] == [other > at for other in range(4)]
