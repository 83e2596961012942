from __future__ import annotations

import asyncio

import pytest

import edda_sync as edda
from edda_sync.engine.watched import QueryChange, Watch
from edda_sync.words.errors import UsageError
from edda_sync.words.model import Item

PATIENCE_S = 90.0


def task(task_id: str, title: str) -> Item:
    return edda.Task(id=task_id, title=title)


def watch() -> Watch:
    return Watch(lambda _: None)


def test_the_first_result_is_told_even_if_it_is_empty() -> None:
    made = watch()
    assert made.take() is None
    made.show({}, first=True)
    assert made.take() == QueryChange([], [], [])
    made.show({}, first=False)
    assert made.take() is None


def test_what_changed_since_the_last_look_is_one_difference() -> None:
    made = watch()
    made.show({"a": task("a", "1"), "b": task("b", "1"), "c": task("c", "1")}, first=True)
    made.take()
    made.put("a", task("a", "2"))
    made.put("a", task("a", "3"))
    made.put("b", None)
    made.put("d", task("d", "1"))
    made.put("e", task("e", "1"))
    made.put("e", None)
    made.put("c", task("c", "2"))
    made.put("c", task("c", "1"))
    assert made.take() == QueryChange([task("d", "1")], [task("a", "3")], [task("b", "1")])
    assert made.take() is None


def test_a_result_that_is_run_anew_is_told_as_the_difference_to_the_one_before() -> None:
    made = watch()
    made.show({"a": task("a", "1"), "b": task("b", "1")}, first=True)
    made.take()
    made.show({"b": task("b", "2"), "c": task("c", "1")}, first=False)
    assert made.take() == QueryChange([task("c", "1")], [task("b", "2")], [task("a", "1")])


def test_what_came_and_went_between_two_looks_is_not_shown_to_whoever_iterates() -> None:
    made = watch()
    made.show({}, first=True)
    assert next(made) == QueryChange([], [], [])
    made.put("a", task("a", "1"))
    made.put("a", None)
    made.end(UsageError("over"))
    with pytest.raises(UsageError):
        next(made)


def test_an_error_comes_after_everything_that_was_told_before_it() -> None:
    made = watch()
    made.show({"a": task("a", "1")}, first=True)
    made.end(UsageError("over"))
    assert next(made).added == [task("a", "1")]
    with pytest.raises(UsageError, match="over"):
        made.take()


def test_waiting_ends_when_the_time_is_over() -> None:
    assert watch().wait(0.0) is None


def test_closing_tells_whoever_made_it() -> None:
    closed: list[Watch] = []
    with Watch(closed.append) as made:
        pass
    assert closed == [made]


async def test_a_task_is_woken_from_another_thread() -> None:
    made = watch()
    async with asyncio.timeout(PATIENCE_S):
        waiting = asyncio.ensure_future(anext(made))
        await asyncio.sleep(0)
        await asyncio.to_thread(made.show, {}, first=True)
        assert await waiting == QueryChange([], [], [])
