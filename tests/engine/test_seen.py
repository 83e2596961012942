"""What a transaction saw is compared at its commit with what is there: cells and existence, and not texts, which merge."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import edda_sync as edda
from edda_sync.crdt.entity import Entity
from edda_sync.crdt.keys import key_of
from edda_sync.crdt.state import entity_of
from edda_sync.engine.engine import StorageEngine
from edda_sync.engine.seen import check_unchanged
from edda_sync.testing import devices
from edda_sync.words import values
from edda_sync.words.errors import ConflictError


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
