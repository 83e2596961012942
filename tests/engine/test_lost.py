"""Deletions that an edit has undone, and renames of a tag that became two tags, are listed and settled like conflicts."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest

import edda_sync as edda
from edda_sync.engine.engine import StorageEngine
from edda_sync.store.seams import StoreWriter
from edda_sync.testing import devices, sync
from edda_sync.words.errors import UsageError
from edda_sync.words.listed import DELETED, RENAMED, Conflict

Act = Callable[[StorageEngine, str], object]
REVIVALS: dict[str, Act] = {
    "a title": lambda store, item: store.update_task(edda.Task(id=item, title="Buy oat milk")),
    "a text": lambda store, item: store.edit_text(item, "description", [(0, 0, "two ")]),
    "a tag": lambda store, item: store.transact(lambda tx: tx.add_tag(item, "home")),
}


def lost_to(laptop: StorageEngine, phone: StorageEngine, revive: Act) -> str:
    """Return a task that the phone has deleted while the laptop edited it."""
    task = laptop.create_task(edda.Task(title="Buy milk", description="litres"))
    sync(laptop, phone)
    revive(laptop, task)
    phone.transact(lambda tx: tx.delete_task(task), agent="claude")
    sync(laptop, phone)
    return task


def sync_all(*stores: StorageEngine) -> None:
    for one, other in (*itertools.pairwise(stores), *itertools.pairwise(stores)):
        sync(one, other)


def tags_of(store: StorageEngine, task: str) -> set[str]:
    found = store.get_task(task)
    assert found is not None
    return set(found.tags)


@pytest.mark.parametrize("revive", REVIVALS.values(), ids=REVIVALS.keys())
def test_a_deletion_that_lost_to_an_edit_is_listed_alike_with_who_and_when(revive: Act) -> None:
    with devices(2, backend="memory") as (laptop, phone):
        task = lost_to(laptop, phone, revive)
        (listed,) = laptop.conflicts()
        assert phone.conflicts() == [listed]
        shown = laptop.get_task(task)
        assert shown is not None
        assert (listed.kind, listed.id, listed.field, listed.title) == ("task", task, DELETED, shown.title)
        assert (listed.shown.value, [each.value for each in listed.kept]) == (False, [True])
        (by_phone,) = listed.kept
        (done,) = [each for each in laptop.history(task).changes if each.agent == "claude"]
        assert (f"{by_phone.actor}-{by_phone.seq}", by_phone.written_at) == (done.dot, done.at)
        assert by_phone.agent == "claude"
        assert listed.shown.actor != by_phone.actor


@pytest.mark.parametrize("take", [None, 0])
def test_it_is_settled_for_all_devices_by_keeping_the_item_or_deleting_it_after_all(take: int | None) -> None:
    with devices(2, backend="memory") as (laptop, phone):
        task = lost_to(laptop, phone, REVIVALS["a title"])
        (listed,) = phone.conflicts()
        dot = phone.settle(listed, take)
        sync(laptop, phone)
        for store in (laptop, phone):
            assert store.conflicts() == []
            assert (store.get_task(task) is None) == (take == 0)
        with pytest.raises(UsageError, match="written again meanwhile"):
            laptop.settle(listed, take)
        if take == 0:  # it can be taken back like any change, and was then answered
            assert dot is not None
            laptop.undo(dot)
            sync(laptop, phone)
            assert phone.get_task(task) is not None


def test_an_edit_by_somebody_who_may_not_know_of_the_deletion_settles_nothing_and_a_restore_does() -> None:
    with devices(2, backend="memory") as (laptop, phone):
        task = lost_to(laptop, phone, REVIVALS["a title"])
        laptop.update_task(edda.Task(id=task, priority=0))
        assert [each.field for each in laptop.conflicts()] == [DELETED]
        laptop.restore_task(task)
        sync(laptop, phone)
        assert laptop.conflicts() == phone.conflicts() == []


def test_what_stays_in_the_trash_or_came_back_on_purpose_is_no_conflict() -> None:
    with devices(2, backend="memory") as (laptop, phone):
        gone, back = (laptop.create_task(edda.Task(title=title)) for title in ("Gone", "Back"))
        sync(laptop, phone)
        for store in (laptop, phone):
            store.delete_task(gone)
        phone.delete_task(back)
        phone.restore_task(back)
        sync(laptop, phone)
        assert laptop.conflicts() == phone.conflicts() == []


def test_a_deletion_that_loses_later_to_an_edit_on_the_way_is_listed_then() -> None:
    with devices(3, backend="memory") as (laptop, phone, tablet):
        document = laptop.create_document(edda.Document(title="Note", content="one"))
        sync_all(laptop, phone, tablet)
        tablet.edit_text(document, "content", [(3, 0, " two")])
        phone.delete_document(document)
        sync(laptop, phone)
        assert laptop.conflicts() == []
        sync_all(laptop, phone, tablet)
        assert [(each.kind, each.field) for each in laptop.conflicts()] == [("document", DELETED)]
        assert laptop.conflicts() == phone.conflicts() == tablet.conflicts()


def test_two_deletions_that_lost_are_both_named() -> None:
    with devices(3, backend="memory") as (laptop, phone, tablet):
        task = laptop.create_task(edda.Task(title="Buy milk"))
        sync_all(laptop, phone, tablet)
        laptop.delete_task(task)
        phone.delete_task(task)
        tablet.update_task(edda.Task(id=task, title="Buy oat milk"))
        sync_all(laptop, phone, tablet)
        (listed,) = tablet.conflicts()
        assert len({each.actor for each in (listed.shown, *listed.kept)}) == 3


def test_a_tag_that_was_deleted_while_somebody_used_it_is_listed() -> None:
    with devices(2, backend="memory") as (laptop, phone):
        task = laptop.create_task(edda.Task(title="Buy milk", tags={"home"}))
        other = laptop.create_task(edda.Task(title="Cook"))
        sync(laptop, phone)
        laptop.transact(lambda tx: tx.add_tag(other, "home"))
        phone.transact(lambda tx: tx.delete_tag("home"))
        sync(laptop, phone)
        (listed,) = laptop.conflicts()
        assert phone.conflicts() == [listed]
        assert (listed.kind, listed.title, listed.field) == ("tag", "home", DELETED)
        laptop.settle(listed, 0)
        assert tags_of(laptop, task) == tags_of(laptop, other) == set()


def renamed_twice(laptop: StorageEngine, phone: StorageEngine) -> tuple[str, str, Conflict]:
    """Return two tasks with a tag that both devices renamed at once, the second one only on the phone, and the conflict."""
    both, one = (laptop.create_task(edda.Task(title=title)) for title in ("Both", "One"))
    laptop.transact(lambda tx: tx.add_tag(both, "work"))
    sync(laptop, phone)
    phone.transact(lambda tx: tx.add_tag(one, "work"))
    laptop.transact(lambda tx: tx.rename_tag("work", "job"))
    phone.transact(lambda tx: tx.rename_tag("work", "office"))
    sync(laptop, phone)
    (listed,) = [each for each in laptop.conflicts() if each.field == RENAMED]
    return both, one, listed


def test_a_rename_that_became_two_tags_is_listed_alike_with_both_names() -> None:
    with devices(2, backend="memory") as (laptop, phone):
        task = laptop.create_task(edda.Task(title="Buy milk", tags={"work"}))
        sync(laptop, phone)
        laptop.transact(lambda tx: tx.rename_tag("work", "job"))
        phone.transact(lambda tx: tx.rename_tag("work", "office"))
        sync(laptop, phone)
        assert tags_of(laptop, task) == {"job", "office"}
        (listed,) = laptop.conflicts()
        assert phone.conflicts() == [listed]
        assert (listed.kind, listed.title, listed.field) == ("tag", "work", RENAMED)
        assert (listed.shown.value, {each.value for each in listed.kept}) == ("job, office", {"job", "office"})


@pytest.mark.parametrize("take", [None, 0, 1])
def test_it_is_settled_by_one_of_the_names_or_by_keeping_both(take: int | None) -> None:
    with devices(2, backend="memory") as (laptop, phone):
        both, one, listed = renamed_twice(laptop, phone)
        wanted = {"job", "office"} if take is None else {listed.kept[take].value}
        laptop.settle(listed, take)
        sync(laptop, phone)
        for store in (laptop, phone):
            assert [each.field for each in store.conflicts()] in ([], [DELETED])  # it was used while it was renamed
            assert tags_of(store, both) - {"work"} == wanted
            assert tags_of(store, one) - {"work"} == (wanted if take is not None else {"office"})
            names = {tag.name for tag in store.tags()} - {"work"}
            assert names == wanted


def test_what_carried_the_other_tag_before_keeps_it() -> None:
    with devices(2, backend="memory") as (laptop, phone):
        own = laptop.create_task(edda.Task(title="Own", tags={"job"}))
        task = laptop.create_task(edda.Task(title="Both", tags={"work"}))
        sync(laptop, phone)
        laptop.transact(lambda tx: tx.rename_tag("work", "job"))
        phone.transact(lambda tx: tx.rename_tag("work", "office"))
        sync(laptop, phone)
        (listed,) = phone.conflicts()
        phone.settle(listed, [each.value for each in listed.kept].index("office"))
        assert (tags_of(phone, own), tags_of(phone, task)) == ({"job"}, {"office"})


def test_one_name_given_twice_or_a_tag_that_was_deleted_twice_is_no_conflict() -> None:
    with devices(2, backend="memory") as (laptop, phone):
        laptop.create_task(edda.Task(title="Buy milk", tags={"work", "old"}))
        sync(laptop, phone)
        for store in (laptop, phone):
            store.transact(lambda tx: tx.rename_tag("work", "job"))
            store.transact(lambda tx: tx.delete_tag("old"))
        sync(laptop, phone)
        assert laptop.conflicts() == phone.conflicts() == []


def linked_twice(laptop: StorageEngine, phone: StorageEngine) -> str:
    """Link a document to a task on both devices at once, as different things; return the name of the field."""
    task, note = laptop.create_task(edda.Task(title="T")), laptop.create_document(edda.Document(title="N"))
    sync(laptop, phone)
    for store, kind in ((laptop, "spec"), (phone, "output")):
        with store.begin_transaction() as tx:
            tx.link(task, note, kind)
    sync(laptop, phone)
    return f"link.{note}"


def as_older_versions(tx: StoreWriter, keys: list[bytes]) -> None:
    """Forget what older versions did not note."""
    tx.index.set_deletions(dict.fromkeys(keys))
    tx.states.put([*tx.states.get(keys).values()], dict.fromkeys(keys, False))


def test_what_is_listed_survives_a_rebuild_and_a_fold_from_the_log() -> None:
    with devices(2, backend="memory") as (laptop, phone):
        lost_to(laptop, phone, REVIVALS["a text"])
        renamed_twice(laptop, phone)
        linked = linked_twice(laptop, phone)
        before = laptop.conflicts()
        assert {each.field for each in before} >= {DELETED, RENAMED, linked}
        laptop.rebuild()
        assert laptop.conflicts() == before
        with laptop.store.read() as reader:
            keys = [record.key for record in reader.states.scan()]
        laptop.refold(keys)
        assert laptop.conflicts() == before
        laptop.store.transact(lambda tx: as_older_versions(tx, keys))
        assert laptop.conflicts() == []
        laptop.writing.read_anew()  # after an update from a version that did not note them
        assert laptop.conflicts() == before
