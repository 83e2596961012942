"""Hidden items: they are listed as they would be shown; ``tests/attacks/test_overfull.py`` makes overfull ones."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import edda_sync as edda
from edda_sync.crdt.keys import key_of
from edda_sync.engine import hidden
from edda_sync.engine.engine import StorageEngine
from edda_sync.store.seams import StoreWriter
from edda_sync.testing import devices
from edda_sync.words import values


@pytest.fixture(params=["memory", "sqlite"])
def store(request: pytest.FixtureRequest) -> Iterator[StorageEngine]:
    with devices(1, backend=request.param) as (engine,):
        yield engine


def test_the_trash_holds_what_was_deleted_as_it_was_and_nothing_else(store: StorageEngine) -> None:
    parent, gone = (store.create_task(edda.Task(title=title, description=title)) for title in ("kept", "gone"))
    store.update_task(edda.Task(id=gone, parent_id=parent))
    store.delete_task(gone)
    with store.store.read() as reader:
        (item,) = hidden.trash(reader, "task")
        assert hidden.trash(reader, "document") == []
    assert isinstance(item, edda.Task)
    assert (item.id, item.title, item.description, item.parent_id) == (gone, "gone", "gone", parent)


def test_items_of_the_trash_are_found_by_their_title_among_their_kind(
    store: StorageEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hidden, "_AT_ONCE", 2)
    gone = [store.create_task(edda.Task(title=title)) for title in ("gone", "other", "gone", "gone")]
    document = store.create_document(edda.Document(title="gone", content="words"))
    for task in gone:
        store.delete_task(task)
    store.delete_document(document)
    store.create_task(edda.Task(title="gone"))
    with store.store.read() as reader:
        assert hidden.titled(reader, "task", "gone") == sorted([gone[0], *gone[2:]])
        assert hidden.titled(reader, "document", "gone") == [document]
        assert hidden.titled(reader, "task", "words") == []


def test_an_unreadable_item_is_left_out_of_the_trash(store: StorageEngine) -> None:
    fine, damaged = (store.create_task(edda.Task(title=title)) for title in ("fine", "damaged"))
    for task in (fine, damaged):
        store.delete_task(task)

    def damage(tx: StoreWriter) -> None:
        key = key_of("task", values.id_bytes("id", damaged))
        tx.states.put([tx.states.get([key])[key]._replace(state=b"\xc1")], {key: False})

    store.store.transact(damage)
    assert [item.id for item in store.trash("task")] == [fine]
    with store.store.read() as reader:
        assert hidden.titled(reader, "task", "damaged") == []


def test_nothing_that_can_be_shown_is_overfull(store: StorageEngine) -> None:
    store.create_document(edda.Document(title="Note", content="words"))
    with store.store.read() as reader:
        assert hidden.overfull(reader) == []
