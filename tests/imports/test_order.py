from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from edda_sync.imports.order import parents_first
from edda_sync.words.model import Task

NAMES = "abcdefg"


@st.composite
def forests(draw: st.DrawFn) -> list[Task]:
    """Tasks that may each name any task as parent, even themselves or a missing one."""
    names = draw(st.lists(st.sampled_from(NAMES), unique=True))
    return [Task(id=name, title=name, parent_id=draw(st.sampled_from([None, *NAMES]))) for name in names]


def own(task: Task) -> Task:
    return task


@given(forests())
def test_each_comes_after_its_parent_and_none_is_lost(tasks: list[Task]) -> None:
    ordered = parents_first(tasks, own)
    assert {task.id for task in ordered} == {task.id for task in tasks}
    assert len(ordered) == len(tasks)
    there = {task.id for task in tasks}
    seen: set[str | None] = set()
    for task in ordered:
        assert task.parent_id not in there or task.parent_id in seen
        seen.add(task.id)


@given(forests())
def test_each_ring_loses_one_edge_and_nothing_else_does(tasks: list[Task]) -> None:
    before = {str(task.id): task.parent_id for task in tasks}
    after = {str(task.id): task.parent_id for task in parents_first(tasks, own)}
    lost = {name for name in before if before[name] != after[name]}
    rings = {frozenset(ring) for ring in (_ring(before, name) for name in before) if ring}
    assert all(len(ring & lost) == 1 for ring in rings)
    assert lost <= set().union(*rings)


def test_tasks_in_order_stay_in_order() -> None:
    tasks = [Task(id="a", title="a"), Task(id="b", title="b", parent_id="a"), Task(id="c", title="c")]
    assert parents_first(tasks, own) == tasks


def test_a_missing_parent_stays_named() -> None:
    (task,) = parents_first([Task(id="a", title="a", parent_id="z")], own)
    assert task.parent_id == "z"


def _ring(parents: dict[str, str | None], name: str) -> list[str]:
    """Return the ring of parents that a task stands in, if it does."""
    path = [name]
    while (above := parents.get(path[-1])) is not None and above not in path:
        path.append(above)
    return path if parents.get(path[-1]) == name else []


def test_the_task_of_a_ring_that_loses_its_parent_is_told_with_it() -> None:
    lost = []
    tasks = [
        Task(id="a", title="a", parent_id="b"),
        Task(id="b", title="b", parent_id="a"),
        Task(id="c", parent_id="c"),
    ]
    ordered = parents_first(tasks, own, lambda task: lost.append((task.id, task.parent_id)))
    assert lost == [("b", "a"), ("c", "c")]
    assert {task.id: task.parent_id for task in ordered} == {"a": "b", "b": None, "c": None}
