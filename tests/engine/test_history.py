"""The history of an item: who, on which device, when, what and why, the same on every device."""

from __future__ import annotations

import io

import pytest

import edda_sync as edda
from edda_sync.crdt import operation as ops
from edda_sync.engine import history, undoing
from edda_sync.engine.engine import StorageEngine
from edda_sync.testing import devices, sync
from tests.costs import GROWS, STAYS, Act, Case, cases, measured


def test_a_change_says_who_made_it_what_it_did_and_why() -> None:
    with devices(2, backend="memory") as (laptop, phone):
        task = laptop.create_task(edda.Task(title="Milk", description="two litres", tags={"home"}))
        sync(laptop, phone)
        with phone.begin_transaction(agent="bot", reason="a list of its own") as tx:
            tx.update_task(edda.Task(id=task, description="two big litres", status="done"))
            tx.remove_tag(task, "home")
        phone.delete_task(task)
        sync(laptop, phone)
        found = laptop.history(task)
        assert found == phone.history(task)
        assert found.is_whole
        assert [(each.name, each.agent, each.reason) for each in found.changes] == [
            ("phone", None, None), ("phone", "bot", "a list of its own"), ("laptop", None, None),
        ]  # fmt: skip
        assert {each.device for each in found.changes} == {laptop.identity.device, phone.identity.device}
        trash, edited, made = [each.what for each in found.changes]
        assert trash == ("moved to the trash",)
        assert set(edited) == {"description +4 -0", "status done", "took off #home"}
        assert made[0] == "made"
        assert {"title Milk", "description +10", "tagged #home"} <= set(made)
        assert [each.dot for each in laptop.history(task, limit=1).changes] == [found.changes[0].dot]


def test_the_latest_changes_of_everything_name_what_they_are_about_and_leave_members_out() -> None:
    with devices(2, backend="memory") as (laptop, phone):
        task = laptop.create_task(edda.Task(title="Milk"))
        note = laptop.create_document(edda.Document(title="Notes"))
        laptop.delete_document(note)
        assert [each.what for each in laptop.history().changes] == [
            ("deleted document Notes",), ("made document Notes",), ("made task Milk",),
        ]  # fmt: skip
        assert len(laptop.history(limit=2).changes) == 2
        assert phone.history().changes == ()
        assert laptop.history(task).changes[0].fields


def test_the_history_of_a_tag_has_its_renaming() -> None:
    with devices(1, backend="memory") as (laptop,):
        laptop.create_task(edda.Task(title="Milk", tags={"home"}))
        (tag,) = laptop.tags()
        with laptop.begin_transaction() as tx:
            tx.rename_tag("home", "house")
        assert [each.what[0] for each in laptop.history(tag.id).changes] == ["deleted", "made"]


@pytest.mark.parametrize("value", [None, True, 7, "words", b"\x01", b"0123456789abcdef", [], ["done", 5], {}], ids=repr)
@pytest.mark.parametrize(
    "cell", ["title", "description", "parent_id", "status", "tag.no id", "link.no id", "file.x", "new"]
)
def test_what_somebody_wrote_that_is_refused_is_told_too(cell: str, value: object) -> None:
    """Another program may put anything into a cell; all the history of that item has to be shown nevertheless."""
    with devices(1, backend="memory") as (laptop,), laptop.store.read() as reader:
        phrases = history._Phrases(reader)
        assert [*phrases.of(ops.Put("task", bytes(16), {cell: value}))]


def test_a_link_says_what_the_document_is_to_the_task() -> None:
    with devices(1, backend="memory") as (laptop,):
        task, note = laptop.create_task(edda.Task(title="Milk")), laptop.create_document(edda.Document(title="Notes"))
        for kind in ("spec", None):
            with laptop.begin_transaction() as tx:
                tx.link(task, note, kind) if kind else tx.unlink(task, note)
        assert [each.what for each in laptop.history(task).changes[:2]] == [
            ("unlinked Notes",), ("linked Notes as spec",),
        ]  # fmt: skip


def test_what_was_attached_and_taken_off_is_called_by_its_name() -> None:
    with devices(1) as (laptop,):
        note = laptop.create_document(edda.Document(title="Notes"))
        for name in ("map.png", "plan.txt"):
            with laptop.begin_transaction() as tx:
                tx.attach(note, io.BytesIO(b"content"), name=name)
        with laptop.begin_transaction() as tx:
            tx.detach(note, "map.png")
        assert [each.what for each in laptop.history(note).changes[:3]] == [
            ("took off map.png",), ("attached plan.txt",), ("attached map.png",),
        ]  # fmt: skip


def test_a_value_is_told_whole_since_no_version_of_a_tag_can_be_shown() -> None:
    with devices(1, backend="memory") as (laptop,):
        long = "what is done at home, " * 20
        for text in (long, "at home"):
            with laptop.begin_transaction() as tx:
                tag = tx.create_tag("home", description=text)
        assert f"description {long}" in laptop.history(tag).changes[1].what


def written(size: int, engine: StorageEngine) -> None:
    for _ in range(size):
        engine.create_task(edda.Task(title="T"))


def all_of_it(size: int, engine: StorageEngine) -> Act:
    written(size, engine)
    return engine.history


def the_latest(size: int, engine: StorageEngine) -> Act:
    written(size, engine)
    return lambda: engine.history(limit=10)


def the_last_to_undo(size: int, engine: StorageEngine) -> Act:
    written(size, engine)

    def act() -> None:
        with engine.store.read() as reader:
            undoing.last_of(reader, undoing.own_lives(reader), None)

    return act


def test_the_whole_history_costs_as_much_as_there_is_of_it() -> None:
    once, twice = (measured(Case("all", all_of_it), size) for size in (100, 200))
    assert twice.beyond(GROWS, once) == {}


@cases(Case("the latest changes", the_latest), Case("what an undo takes back", the_last_to_undo))
def test_the_end_of_the_history_costs_the_same_in_a_longer_one(case: Case) -> None:
    once, twice = measured(case, case.size), measured(case, 2 * case.size)
    assert twice.beyond(STAYS, once) == {}
