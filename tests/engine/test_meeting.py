from __future__ import annotations

from edda_sync.engine.answer import Answer, Seen
from edda_sync.engine.meeting import Index
from edda_sync.engine.watched import Watch
from edda_sync.words import values
from edda_sync.words.model import TASK_COLUMNS
from edda_sync.words.query import TaskQuery, plan

ID = values.id_text(bytes(16))


def answer(query: TaskQuery) -> Answer:
    return Answer(plan(query), Watch(lambda _: None))


def task(**columns: object) -> Seen:
    row = {"id": ID, "status": "open", "priority": 2, "metadata": None, "parent_id": None, **columns}
    return Seen.of("task", ID, tuple(row.get(column) for column in TASK_COLUMNS))


def test_a_change_meets_the_queries_that_its_row_may_enter_or_leave() -> None:
    index, held = Index(), answer(TaskQuery(status="done"))
    held.ids = {ID}
    fitting, other = answer(TaskQuery(status="open")), answer(TaskQuery(status="blocked"))
    for each in (held, fitting, other):
        index.add(each)
    assert index.meeting(task()) == {held, fitting}
    assert index.meeting(Seen.of("task", ID, None)) == {held}
    held.ids = set()
    index.place(held, ID)
    assert index.meeting(task()) == {fitting}


def test_paths_are_looked_at_only_while_a_query_asks_for_them() -> None:
    index, asking = Index(), answer(TaskQuery(where={"metadata.a": 1}))
    assert index.meeting(task(metadata='{"a":1}')) == set()
    index.add(asking)
    assert index.meeting(task(metadata='{"a":1}')) == {asking}
    assert index.meeting(task(metadata='{"a":"1"}')) == set()
    index.remove(asking)
    assert index.meeting(task(metadata='{"a":1}')) == set()
    index.remove(asking)  # a second time
    assert vars(index)["_by_feature"] == {}
    assert vars(index)["_paths"] == {"task": {}, "document": {}}
