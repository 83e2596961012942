from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

import edda_sync as edda
from edda_sync.engine.answer import Answer, Seen, features, interests
from edda_sync.engine.watched import Watch
from edda_sync.words import values
from edda_sync.words.fitting import matches
from edda_sync.words.query import Query, plan

# That answers follow every change is shown in ``test_live``.

TAGS = ("work", "home")
PARENTS = [values.id_text(bytes([number] * 16)) for number in (1, 2)]
HELD = (None, "{}", '{"a":1}', '{"a":"1"}', '{"a":true}', '{"a":null}', '{"a":1e30}', '{"a":[1]}', "{broken")
VALUES: tuple[Any, ...] = (1, "1", True, None, 10**30)


@given(
    query=st.builds(
        edda.TaskQuery,
        tags=st.sampled_from([(), "work"]),
        any_tags=st.sampled_from([(), TAGS]),
        status=st.none() | st.sampled_from(["open", ("open", "done"), ()]),
        priority=st.none() | st.integers(0, 2),
        parent=st.none() | st.sampled_from(["", *PARENTS]),
        where=st.just(()) | st.sampled_from(VALUES).map(lambda value: {"metadata.a": value}),
    ),
    status=st.sampled_from(["open", "done"]),
    priority=st.integers(0, 2),
    parent=st.sampled_from([None, *PARENTS]),
    metadata=st.sampled_from(HELD),
    tags=st.sampled_from([(), ("work",), ("home",), TAGS]),
)
def test_a_row_that_meets_a_plan_has_a_feature_that_the_plan_is_interested_in(
    query: Query, status: str, priority: int, parent: str | None, metadata: str | None, tags: tuple[str, ...]
) -> None:
    row = {"status": status, "priority": priority, "parent_id": parent, "metadata": metadata, "title": "t"}
    carried = [(values.tag_id(tag), tag) for tag in tags]
    if matches(plan(query), row, {tag for tag, _ in carried}):
        assert set(interests(plan(query))) & set(features(row, carried, [("metadata", "a")]))


def test_the_most_selective_condition_is_of_interest() -> None:
    assert interests(plan(edda.TaskQuery(status="open", tags=["work"]))) == [("tag", values.tag_id("work"))]
    assert interests(plan(edda.TaskQuery(status="open", parent=PARENTS[0]))) == [("parent_id", PARENTS[0])]
    assert interests(plan(edda.TaskQuery(status="open"))) == [("status", "open")]
    assert interests(plan(edda.DocumentQuery())) == [("any",)]
    assert interests(plan(edda.TaskQuery(status=()))) == []


def test_no_parent_and_the_least_priority_are_conditions_like_any_other() -> None:
    found = set(features({"status": "open", "priority": 0, "parent_id": None}, [], []))
    for query in (edda.TaskQuery(parent=""), edda.TaskQuery(priority=0)):
        assert set(interests(plan(query))) <= found


def test_a_limited_list_is_run_again_when_a_row_of_it_leaves_and_not_when_another_one_does() -> None:
    answer = Answer(plan(edda.TaskQuery(status="open", limit=1)), Watch(lambda _: None))
    answer.ids = {PARENTS[0]}
    assert answer.meet(Seen.of("task", PARENTS[0], None))
    assert not answer.meet(Seen.of("task", PARENTS[1], None))
