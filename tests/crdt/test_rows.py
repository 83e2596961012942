from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edda_sync.crdt.entity import OWN_TIME, Entity
from edda_sync.crdt.rows import Edge, edges_of, row_of, version_of
from edda_sync.words import values
from edda_sync.words.model import COLUMNS
from tests.crdt.histories import ACTORS

ID = bytes(range(16))
A, B, C = ACTORS[:3]  # in ascending order
MOMENT_MS = 1_800_000_000_000
TAG, DOCUMENT = values.tag_id("work"), values.id_text(bytes(16))


def at(offset_ms: int) -> str:
    return values.time_of(MOMENT_MS + offset_ms)


def entity(kind: str, *writes: tuple[str, Any, int, bytes]) -> Entity:
    """An entity from concurrent writes: cell, value, milliseconds after the moment, actor."""
    made = Entity(ID, kind)
    for name, value, offset_ms, actor in writes:
        made.put(name, (actor, 1, MOMENT_MS + offset_ms, value), {actor: 1})
        made.touch(actor, 1)
    return made


def columns(made: Entity, text: str | None = None, parent_id: str | None = None) -> dict[str, Any]:
    return dict(zip(COLUMNS[made.kind], row_of(made, text, parent_id), strict=True))


# --- what each kind shows ---------------------------------------------------------------------------------------------


def test_a_task_with_nothing_but_a_title_has_defaults_everywhere_else() -> None:
    assert columns(entity("task", ("title", "t", 0, A))) == {
        "id": values.id_text(ID), "title": "t", "description": None, "status": "open", "priority": 2,
        "created_at": at(0), "updated_at": at(0), "completed_at": None, "due_date": None, "parent_id": None,
        "metadata": None, "agent_context": None,
    }  # fmt: skip


def test_a_task_shows_what_was_written() -> None:
    made = entity(
        "task", ("title", "t", 0, A), ("status", "blocked", 0, A), ("priority", 0, 0, A), ("due_date", at(5), 0, A),
        ("metadata.b", "[1]", 0, A), ("metadata.a", '"x"', 0, A), ("agent_context.n", "null", 0, A),
    )  # fmt: skip
    shown = columns(made, "words", "the parent")
    assert (shown["status"], shown["priority"], shown["due_date"]) == ("blocked", 0, at(5))
    assert (shown["description"], shown["parent_id"]) == ("words", "the parent")
    assert (shown["metadata"], shown["agent_context"]) == ('{"a":"x","b":[1]}', '{"n":null}')


def test_a_document_shows_what_was_written() -> None:
    made = entity("document", ("title", "t", 0, A), ("content_type", "text/plain", 0, A))
    version = version_of(made.touched)
    assert columns(made, "words") == {
        "id": values.id_text(ID), "title": "t", "content_type": "text/plain", "content": "words", "doc_type": "note",
        "created_at": at(0), "updated_at": at(0), "version": version, "metadata": None, "agent_context": None,
    }  # fmt: skip


def test_a_tag_shows_its_name_and_looks() -> None:
    made = entity("tag", ("name", "work", 7, A), ("color", "red", 9, A), ("created_at", OWN_TIME, 7, A))
    assert columns(made) == {
        "id": values.id_text(ID), "name": "work", "color": "red", "description": None, "created_at": at(7),
    }  # fmt: skip


@pytest.mark.parametrize("kind", ["task", "document", "tag"])
def test_a_purged_item_still_has_every_required_value(kind: str) -> None:
    made = Entity(ID, kind)
    made.touch(A, 1)
    nullable = {"description", "content", "completed_at", "due_date", "parent_id", "metadata", "agent_context", "color"}
    assert all(value is not None for name, value in columns(made).items() if name not in nullable)


# --- derived columns --------------------------------------------------------------------------------------------------


def test_times_of_change_are_those_of_the_least_and_the_latest_visible_write() -> None:
    made = entity("task", ("title", "t", 50, A), ("status", "open", 10, A), ("priority", 1, 99, B))
    shown = columns(made)
    assert (shown["created_at"], shown["updated_at"]) == (at(10), at(99))


def test_a_time_of_creation_that_was_written_is_shown_as_it_was_written() -> None:
    imported = "1999-12-31T23:59:59.000Z"
    assert columns(entity("task", ("created_at", imported, 0, A)))["created_at"] == imported
    assert columns(entity("task", ("created_at", OWN_TIME, 9, A), ("title", "t", 0, A)))["created_at"] == at(9)


def test_a_task_that_is_done_was_completed_when_that_was_written_or_when_the_import_says() -> None:
    assert columns(entity("task", ("status", "done", 33, A), ("title", "t", 99, A)))["completed_at"] == at(33)
    shown = columns(entity("task", ("status", ["done", at(5)], 33, A)))
    assert (shown["status"], shown["completed_at"]) == ("done", at(5))


def test_counterexample_21_done_and_blocked_at_once_with_blocked_shown_was_never_completed() -> None:
    shown = columns(entity("task", ("status", "done", 10, A), ("status", "blocked", 20, B)))
    assert (shown["status"], shown["completed_at"]) == ("blocked", None)


def test_the_version_of_a_document_follows_what_touched_it_and_nothing_else() -> None:
    one, other = entity("document", ("title", "a", 0, A)), entity("document", ("title", "b", 9, A))
    assert version_of(one.touched) == version_of(other.touched)
    other.touch(B, 1)
    assert version_of(one.touched) != version_of(other.touched)
    one.touch(B, 1)
    assert version_of(one.touched) == version_of(other.touched)
    other.delete({A: 1})
    assert version_of(one.touched) == version_of(other.touched)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)


@given(st.dictionaries(st.text(min_size=1, max_size=10), json_values, min_size=1, max_size=5))
def test_a_mapping_is_shown_as_canonical_json_with_all_its_keys(mapping: dict[str, Any]) -> None:
    writes = [(f"metadata.{key}", values.json_value("metadata", value), 0, A) for key, value in mapping.items()]
    shown = columns(entity("task", *writes))["metadata"]
    assert shown == values.json_value("metadata", mapping)
    assert json.loads(shown) == mapping


def test_a_cleared_key_is_left_out_and_so_is_a_mapping_without_keys() -> None:
    both = entity("task", ("metadata.a", "1", 0, A), ("metadata.b", None, 0, A))
    assert columns(both)["metadata"] == '{"a":1}'
    assert columns(entity("task", ("metadata.b", None, 0, A)))["metadata"] is None


# --- edges ------------------------------------------------------------------------------------------------------------


def test_a_tag_that_any_sibling_has_is_shown_with_the_time_of_the_visible_one() -> None:
    made = entity("task", (f"tag.{TAG}", True, 5, A), (f"tag.{TAG}", None, 9, B))
    assert edges_of(made) == [Edge(f"tag.{TAG}", values.id_bytes("tag", TAG), True, at(5))]
    assert edges_of(entity("task", (f"tag.{TAG}", None, 9, B))) == []


def test_a_link_shows_the_relationship_with_the_greatest_stamp() -> None:
    name = f"link.{DOCUMENT}"
    made = entity("task", (name, "reference", 5, A), (name, "result", 7, B), (name, None, 9, C))
    assert edges_of(made) == [Edge(name, bytes(16), "result", at(7))]


def test_the_parent_is_the_visible_one_and_a_cleared_one_is_none() -> None:
    assert edges_of(entity("task", ("parent_id", ID, 5, A), ("parent_id", bytes(16), 4, B))) == [
        Edge("parent_id", ID, None, "")
    ]
    assert edges_of(entity("task", ("parent_id", ID, 5, A), ("parent_id", None, 6, B))) == []
