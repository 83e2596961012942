"""Which values of an entity are kept and not shown; ``tests/engine/test_conflicts.py`` has the same between devices."""

from __future__ import annotations

import pytest

from edda_sync.crdt.entity import OWN_TIME, Entity
from edda_sync.fold.conflicts import conflicts_of
from edda_sync.fold.texts import Texts
from tests.crdt.histories import ACTORS

ID = bytes(range(16))
A, B, C = ACTORS[:3]


def written(name: str, *values: object, kind: str = "task") -> Entity:
    """An entity with a cell that devices wrote at once, each a little later than the one before."""
    entity = Entity(ID, kind)
    entity.cells[name] = [
        (actor, 1, 10 + at, value) for at, (actor, value) in enumerate(zip(ACTORS, values, strict=False))
    ]
    return entity


def kept(entity: Entity) -> dict[str, list[object]]:
    return {name: [write[3] for write in found] for name, found in conflicts_of(entity, Texts()).items()}


def test_values_that_are_not_shown_are_kept_the_latest_first() -> None:
    assert kept(written("title", "one", "two", "three")) == {"title": ["two", "one"]}
    assert kept(written("parent_id", None, ID)) == {"parent_id": [None]}
    assert kept(written("metadata.a", "1", None)) == {"metadata.a": ["1"]}
    assert kept(written("name", "laptop", "phone", kind="device")) == {"name": ["laptop"]}


def test_writes_of_one_device_or_equal_writes_are_no_conflict() -> None:
    assert kept(written("title", "one")) == kept(written("title", "one", "one")) == {}
    assert kept(Entity(ID, "task")) == {}


@pytest.mark.parametrize(
    ("name", "values"),
    [("tag.x", (True, None)), ("link.x", ("see", None)), ("link.x", ("see", None, "see")), ("link.x", (None, None)),
     ("created_at", (OWN_TIME, "2026-03-01T09:30:00.000Z")), ("record", (b"one", b"two"))],
)  # fmt: skip
def test_cells_whose_values_add_up_or_are_derived_have_no_conflicts(name: str, values: tuple[object, ...]) -> None:
    assert kept(written(name, *values)) == {}


def test_a_text_and_its_own_start_are_one_value_and_two_texts_are_two() -> None:
    entity = Entity(ID, "task")
    edited = Texts.genesis(entity, "start")
    assert kept(written("description", edited, "start")) == kept(written("description", "start", edited)) == {}
    assert kept(written("description", "other", edited)) == {"description": ["other"]}
    assert kept(written("description", edited, "other")) == {"description": [edited]}
    assert kept(written("description", "start", "other", edited)) == {"description": ["other"]}
    assert kept(written("description", None, edited)) == {"description": [None]}


def test_a_start_that_is_kept_is_listed_as_it_was_written() -> None:
    """Its genesis names a text that nobody may ever have edited."""
    assert kept(written("description", "one", "two")) == {"description": ["one"]}


def test_only_the_text_field_of_its_kind_holds_texts() -> None:
    assert kept(written("title", "start", Texts.genesis(Entity(ID, "task"), "start"))) != {}


def test_what_a_document_is_to_a_task_is_in_conflict_with_another_and_not_with_no_link() -> None:
    assert kept(written("link.x", "see", "uses", None)) == {"link.x": ["see"]}
    assert kept(written("link.x", "see", None, "uses")) == {"link.x": ["see"]}
