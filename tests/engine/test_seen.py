"""What a transaction saw is compared at its commit with what is there: cells and existence, and not texts, which merge."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from typing import Any

import pytest

import edda_sync as edda
from edda_sync.crdt.entity import Entity
from edda_sync.crdt.keys import key_of
from edda_sync.crdt.state import entity_of
from edda_sync.engine.engine import StorageEngine
from edda_sync.engine.seen import check_unchanged
from edda_sync.testing import devices, sync
from edda_sync.words import values
from edda_sync.words.errors import ConflictError, StaleError
from edda_sync.words.model import Task


@pytest.fixture
def store() -> Iterator[StorageEngine]:
    with devices(1, backend="memory") as (engine,):
        yield engine


def key(task: str) -> bytes:
    return key_of("task", values.id_bytes("id", task))


def look(store: StorageEngine, task: str) -> dict[bytes, Entity | None]:
    with store.store.read() as reader:
        found = reader.states.get([key(task)])
    return {each: entity_of(each, found[each].state) if each in found else None for each in [key(task)]}


def changed(store: StorageEngine, seen: dict[bytes, Entity | None]) -> list[tuple[str, str]]:
    with store.store.read() as reader:
        try:
            check_unchanged(reader, seen)
        except ConflictError as error:
            return list(error.cells)
    return []


def test_a_cell_that_changed_is_named_and_a_text_is_not(store: StorageEngine) -> None:
    task = store.create_task(edda.Task(title="a", description="words"))
    seen = look(store, task)
    assert changed(store, seen) == []
    store.edit_text(task, "description", [(0, 0, "more ")])
    assert changed(store, seen) == []
    store.update_task(edda.Task(id=task, title="b", priority=0))
    assert changed(store, seen) == [(task, "priority"), (task, "title")]


def test_what_came_into_being_or_went_into_the_trash_is_named(store: StorageEngine) -> None:
    new = values.uuid7(1, bytes(10))
    nothing = look(store, new)
    store.create_task(edda.Task(id=new, title="a"))
    assert changed(store, nothing) == [(new, "existence")]
    seen = look(store, new)
    store.delete_task(new)
    assert changed(store, seen) == [(new, "existence")]


# --- objects that were read before ------------------------------------------------------------------------------------


def two_copies(store: StorageEngine, **fields: Any) -> tuple[Task, Task]:
    """A task, read twice."""
    task = store.create_task(Task(title="Tent", **fields))
    first, second = store.get_task(task), store.get_task(task)
    assert first is not None
    assert second is not None
    return first, second


CHANGES: dict[str, tuple[Any, Any]] = {
    "title": ("A", "B"),
    "status": ("done", "blocked"),
    "priority": (0, 1),
    "due_date": ("2026-03-01", datetime.date(2026, 3, 2)),
    "metadata": ({"n": 2}, {"n": 3}),
}


@pytest.mark.parametrize("field", CHANGES)
def test_an_object_does_not_replace_a_value_that_it_never_showed(store: StorageEngine, field: str) -> None:
    first, second = two_copies(store, metadata={"n": 1})
    for each, value in zip((first, second), CHANGES[field], strict=True):
        setattr(each, field, value)
    store.update_task(first)
    for write in (store.update_task, lambda task: store.transact(lambda tx: tx.update_task(task))):
        with pytest.raises(StaleError) as refused:
            write(second)
        assert [name.partition(".")[0] for _, name in refused.value.cells] == [field]
    kept = store.get_task(first.id)
    assert kept is not None
    store.update_task(first)  # it knows what it wrote, in whatever form
    setattr(first, field, CHANGES[field][1])
    store.update_task(first)


def test_what_another_wrote_to_other_fields_or_the_same_value_or_a_text_or_tags_does_not_matter(
    store: StorageEngine,
) -> None:
    first, second = two_copies(store, description="one two", metadata={"n": 1})
    first.title, first.description, first.tags, first.metadata["m"] = "A", "one two three", {"a"}, 1
    second.priority, second.title, second.description, second.tags = 0, "A", "zero one two", {"b"}
    store.update_task(first)
    store.update_task(second)
    now = store.get_task(first.id)
    assert now is not None
    assert (now.title, now.priority, now.description) == ("A", 0, "zero one two three")
    assert (now.tags, now.metadata) == ({"a", "b"}, {"n": 1, "m": 1})


def test_what_a_transaction_has_written_itself_is_not_stale(store: StorageEngine) -> None:
    first, _ = two_copies(store)
    with store.begin_transaction() as tx:
        tx.update_task(Task(id=first.id, title="A"))
        again = tx.get_task(first.id)
        assert again is not None
        again.title = "B"
        tx.update_task(again)
        again.title = "C"
        tx.update_task(again)
    now = store.get_task(first.id)
    assert now is not None
    assert now.title == "C"


def test_an_object_that_came_by_a_sync_is_compared_too_and_one_that_was_not_read_is_not() -> None:
    with devices(2, backend="memory") as (laptop, phone):
        held, _ = two_copies(laptop)
        sync(laptop, phone)
        phone.update_task(Task(id=held.id, title="A"))
        sync(laptop, phone)
        held.title = "B"
        with pytest.raises(StaleError, match="read it again"):
            laptop.update_task(held)
        laptop.update_task(Task(id=held.id, title="B"))
