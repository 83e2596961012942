"""Conflicts: what was written twice at once is kept, listed alike on every device, and cleared by a later write."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import pytest

import edda_sync as edda
from edda_sync.engine.engine import StorageEngine
from edda_sync.testing import devices, pair, sync


def test_concurrent_values_are_listed_alike_on_both_devices_until_someone_writes_anew() -> None:
    with devices(2) as (laptop, phone):
        task = laptop.create_task(edda.Task(title="Buy milk", priority=1))
        sync(laptop, phone)
        laptop.update_task(edda.Task(id=task, title="Buy oat milk", priority=0))
        phone.update_task(edda.Task(id=task, title="Buy soy milk", priority=0))
        sync(laptop, phone)
        (conflict,) = laptop.conflicts()
        assert phone.conflicts() == [conflict]
        assert conflict.field == "title"
        read = laptop.get_task(task)
        assert read is not None
        assert conflict.shown.value == read.title
        assert {conflict.shown.value, conflict.kept[0].value} == {"Buy oat milk", "Buy soy milk"}
        dots = {(each.actor, each.seq) for each in (conflict.shown, *conflict.kept)}
        assert dots == {(actor.hex(), seq) for actor, seq in laptop.frontier().items()}
        phone.update_task(edda.Task(id=task, title="Buy milk of any kind"))
        sync(laptop, phone)
        assert laptop.conflicts() == phone.conflicts() == []


def test_values_are_listed_in_the_form_of_the_interface() -> None:
    with devices(2) as (laptop, phone):
        parents = [laptop.create_task(edda.Task(title=f"Parent {number}")) for number in range(2)]
        task = laptop.create_task(edda.Task(title="Child", metadata={"size": 1}))
        sync(laptop, phone)
        laptop.update_task(edda.Task(id=task, parent_id=parents[0], status="blocked", metadata={"size": [1, 2]}))
        phone.update_task(edda.Task(id=task, parent_id=parents[1], status="done", metadata={"size": {"a": None}}))
        sync(laptop, phone)
        listed = {each.field: {each.shown.value, *[kept.value for kept in each.kept]} for each in laptop.conflicts()
                  if each.field != "metadata.size"}  # fmt: skip
        assert listed == {"parent_id": set(parents), "status": {"blocked", "done"}}
        (size,) = [each for each in phone.conflicts() if each.field == "metadata.size"]
        assert sorted(map(repr, [size.shown.value, size.kept[0].value])) == ["[1, 2]", "{'a': None}"]


def test_of_two_first_texts_one_is_shown_and_one_is_kept_with_its_edits() -> None:
    with devices(2) as (laptop, phone):
        task = laptop.create_task(edda.Task(title="Note"))
        sync(laptop, phone)
        laptop.update_task(edda.Task(id=task, description="hello world"))
        phone.update_task(edda.Task(id=task, description="HELLO"))
        laptop.edit_text(task, "description", [(5, 0, ",")])
        phone.edit_text(task, "description", [(5, 0, "!")])
        sync(laptop, phone)
        (conflict,) = laptop.conflicts()
        assert phone.conflicts() == [conflict]
        assert {conflict.shown.value, conflict.kept[0].value} == {"hello, world", "HELLO!"}
        read = phone.get_task(task)
        assert read is not None
        assert read.description == conflict.shown.value


def test_equal_values_and_entities_in_the_trash_are_no_conflicts() -> None:
    with devices(2) as (laptop, phone):
        same = laptop.create_task(edda.Task(title="Same"))
        gone = laptop.create_task(edda.Task(title="Gone"))
        sync(laptop, phone)
        for device in (laptop, phone):
            device.update_task(edda.Task(id=same, title="Equal"))
        laptop.update_task(edda.Task(id=gone, title="One"))
        phone.update_task(edda.Task(id=gone, title="Two"))
        sync(laptop, phone)
        assert [each.id for each in laptop.conflicts()] == [gone]
        laptop.delete_task(gone)
        sync(laptop, phone)
        assert laptop.conflicts() == phone.conflicts() == []


def test_a_value_names_the_agent_that_wrote_it() -> None:
    with devices(2) as (laptop, phone):
        task = laptop.create_task(edda.Task(title="Milk"))
        sync(laptop, phone)
        with laptop.begin_transaction(agent="bot") as tx:
            tx.update_task(edda.Task(id=task, title="Oat milk"))
        phone.update_task(edda.Task(id=task, title="Soy milk"))
        sync(laptop, phone)
        (conflict,) = phone.conflicts()
        agents = {each.value: each.agent for each in (conflict.shown, *conflict.kept)}
        assert agents == {"Oat milk": "bot", "Soy milk": None}


def dosed(laptop: StorageEngine, phone: StorageEngine) -> str:
    """Return a document in which both replaced one value at once."""
    document = laptop.create_document(edda.Document(title="Dose", content="The dose is 10 mg.\nOnce a day."))
    sync(laptop, phone)
    for store, value in ((laptop, "15"), (phone, "20")):
        store.update_document(edda.Document(id=document, content=f"The dose is {value} mg.\nOnce a day."))
    sync(laptop, phone)
    return document


@pytest.mark.parametrize("backend", ["memory", "sqlite"])
def test_a_place_that_two_replaced_is_listed_alike_until_somebody_who_saw_both_writes_it(backend: str) -> None:
    with devices(2, backend=backend) as (laptop, phone):
        document = dosed(laptop, phone)
        (conflict,) = laptop.conflicts()
        assert phone.conflicts() == [conflict]
        assert (conflict.kind, conflict.field, conflict.position) == ("document", "content", 12)
        assert sorted(each.value for each in conflict.kept) == ["15", "20"]
        assert {each.actor for each in conflict.kept} == {actor.hex() for actor in laptop.frontier()}
        phone.update_document(edda.Document(id=document, content="The dose is 17 mg.\nOnce a day."))
        sync(laptop, phone)
        assert laptop.conflicts() == phone.conflicts() == []


def test_a_place_is_listed_after_a_restart_and_a_rebuild_and_by_a_newcomer() -> None:
    with devices(3) as (laptop, phone, tablet):
        dosed(laptop, phone)
        listed = laptop.conflicts()
        sync(phone, tablet)
        laptop.rebuild()
        with edda.open(laptop.home, edda.StorageConfig(state_path=laptop.home.parent / "state")) as again:
            assert again.conflicts() == laptop.conflicts() == tablet.conflicts() == listed != []


def test_text_that_is_written_before_a_place_moves_it_and_in_the_trash_it_is_not_listed() -> None:
    with devices(2, backend="memory") as (laptop, phone):
        document = dosed(laptop, phone)
        (before,) = laptop.conflicts()
        phone.edit_text(document, "content", [(0, 0, "Attention! ")])
        sync(laptop, phone)
        (conflict,) = laptop.conflicts()
        assert (conflict.position, conflict.kept) == (23, before.kept)
        laptop.delete_document(document)
        assert laptop.conflicts() == []
        laptop.restore_document(document)
        assert laptop.conflicts() == [conflict]


def test_the_stores_in_rocksdb_in_sqlite_and_in_memory_list_the_same_places(tmp_path: Path) -> None:
    with ExitStack() as stack:
        stores: list[StorageEngine] = []
        for backend in ("rocksdb", "sqlite", "memory"):
            stores.append(stack.enter_context(StorageEngine(tmp_path / backend)))
            stores[-1].open_store(edda.StorageConfig(backend=backend, state_path=tmp_path / "state", name=backend))
            if len(stores) == 1:
                stores[0].found()
            else:
                pair(stores[0], stores[-1])

        def meet() -> None:
            for other in stores[1:] * 2:
                sync(stores[0], other)

        meet()
        document = stores[0].create_document(edda.Document(title="Dose", content="The dose is 10 mg."))
        meet()
        for store, value in zip(stores, ("15", "20", "25"), strict=True):
            store.update_document(edda.Document(id=document, content=f"The dose is {value} mg."))
        meet()
        (conflict,) = stores[0].conflicts()
        assert sorted(each.value for each in conflict.kept) == ["15", "20", "25"]
        assert [store.conflicts() for store in stores] == [[conflict]] * 3


def test_of_two_times_at_which_a_task_was_done_each_is_told() -> None:
    with devices(2, backend="memory") as (laptop, phone):
        task = laptop.create_task(edda.Task(title="T"))
        sync(laptop, phone)
        times = ["2026-01-01T00:00:00.000Z", "2026-02-02T00:00:00.000Z"]
        for store, time in zip((laptop, phone), times, strict=True):
            store.update_task(edda.Task(id=task, status="done", completed_at=time))
        sync(laptop, phone)
        (found,) = laptop.conflicts()
        assert sorted(str(each.value) for each in (found.shown, *found.kept)) == [f"done {time}" for time in times]
