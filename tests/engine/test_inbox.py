"""The inbox: conflicts that arise, change and are settled are told as they come, and only what changed is read again."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterator
from pathlib import Path

import pytest

import edda_sync as edda
from edda_sync.engine.conflicts import kept_values
from edda_sync.engine.engine import StorageEngine
from edda_sync.engine.inbox import Inbox
from edda_sync.engine.live import LiveQueries
from edda_sync.engine.watched import ConflictChange, ConflictWatch
from edda_sync.store.seams import StoreReader
from edda_sync.testing import devices, sync
from edda_sync.words.config import StorageConfig
from edda_sync.words.errors import UsageError
from edda_sync.words.listed import DELETED, RENAMED, Conflict


class Watched:
    """Two devices, and a watch of the first one's conflicts, whose changes make up what it lists."""

    def __init__(self, laptop: StorageEngine, phone: StorageEngine) -> None:
        self.laptop, self.phone = laptop, phone
        self.live = LiveQueries(laptop.store, laptop.ledger.feed, laptop.snapshot, beside=False)
        self.watch = self.live.watch_conflicts()
        self.held: dict[tuple[str, str, str], Conflict] = {}

    def look(self) -> ConflictChange:
        """Return what is new; put together, all changes are what the store lists."""
        self.live.attend()
        change = self.watch.take() or ConflictChange([], [], [])
        for each in change.removed:
            del self.held[each.kind, each.id, each.field]
        for each in (*change.added, *change.changed):
            self.held[each.kind, each.id, each.field] = each
        assert sorted(self.held.values(), key=str) == sorted(self.laptop.conflicts(), key=str)
        return change

    def both(self) -> ConflictChange:
        sync(self.laptop, self.phone)
        return self.look()


@pytest.fixture
def two() -> Iterator[Watched]:
    with devices(2, backend="memory") as (laptop, phone):
        yield Watched(laptop, phone)


def fields(conflicts: list[Conflict]) -> list[str]:
    return sorted(each.field for each in conflicts)


def test_conflicts_arise_change_and_are_settled_under_the_eyes_of_whoever_watches(two: Watched) -> None:
    assert two.look() == ConflictChange([], [], [])
    task = two.laptop.create_task(edda.Task(title="Tent"))
    two.both()
    for store, title in ((two.laptop, "A"), (two.phone, "B")):
        store.update_task(edda.Task(id=task, title=title, metadata={"size": title}))
    assert fields(two.both().added) == ["metadata.size", "title"]
    two.phone.update_task(edda.Task(id=task, title="C"))
    change = two.both()
    assert (fields(change.removed), fields(change.changed)) == (["title"], ["metadata.size"])  # which names the task
    (size,) = two.laptop.conflicts()
    two.laptop.settle(size)
    assert fields(two.look().removed) == ["metadata.size"]


def test_a_deletion_that_loses_and_a_conflict_in_the_trash_are_told(two: Watched) -> None:
    task = two.laptop.create_task(edda.Task(title="Tent"))
    two.both()
    two.phone.delete_task(task)
    two.laptop.update_task(edda.Task(id=task, title="Big tent"))
    assert fields(two.both().added) == [DELETED]
    two.laptop.delete_task(task)
    assert fields(two.look().removed) == [DELETED]


def test_a_rename_that_became_two_tags_is_told_until_no_item_carries_both(two: Watched) -> None:
    task = two.laptop.create_task(edda.Task(title="Tent", tags={"work"}))
    two.both()
    for store, name in ((two.laptop, "job"), (two.phone, "office")):
        store.transact(lambda tx, name=name: tx.rename_tag("work", name))  # type: ignore[misc]
    assert fields(two.both().added) == [RENAMED]
    two.laptop.transact(lambda tx: tx.remove_tag(task, "job"))
    assert fields(two.look().removed) == [RENAMED]


def test_a_device_renamed_twice_and_settled_is_told(two: Watched) -> None:
    two.look()
    device = two.laptop.identity.device
    for store, name in ((two.laptop, "one"), (two.phone, "other")):
        store.membership.rename(device, name)
    (added,) = two.both().added
    assert (added.kind, added.field) == ("device", "name")
    two.laptop.settle(added, 0)
    assert [each.field for each in two.look().removed] == ["name"]


def test_only_what_changed_is_read_again(two: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    tasks = [two.laptop.create_task(edda.Task(title=f"Task {number}")) for number in range(20)]
    two.both()
    for store, title in ((two.laptop, "A"), (two.phone, "B")):
        for task in tasks:
            store.update_task(edda.Task(id=task, title=title))
    two.both()
    read: list[int] = []

    def noting(reader: StoreReader, among: Collection[bytes] = ()) -> list[Conflict]:
        read.append(len(among))
        return kept_values(reader, among)

    monkeypatch.setattr("edda_sync.engine.inbox.kept_values", noting)
    two.laptop.update_task(edda.Task(id=tasks[0], priority=0))
    two.live.attend()
    two.laptop.create_task(edda.Task(title="Another"))
    two.live.attend()
    assert read == [1, 0]


def test_a_rebuild_and_another_process_are_noticed(tmp_path: Path) -> None:
    with devices(2) as (laptop, phone):
        task = laptop.create_task(edda.Task(title="Tent"))
        sync(laptop, phone)
        two = Watched(laptop, phone)
        two.look()
        with StorageEngine(laptop.home) as other:
            other.open_store(StorageConfig(state_path=laptop.config.state_path))
            other.update_task(edda.Task(id=task, title="A"))
            phone.update_task(edda.Task(id=task, title="B"))
            sync(other, phone)
            assert fields(two.look().added) == ["title"]
            (title,) = other.conflicts()
            other.settle(title)
            assert fields(two.look().removed) == ["title"]
        laptop.rebuild()
        assert two.look() == ConflictChange([], [], [])


def test_it_is_followed_by_threads_and_by_tasks_and_ends_with_the_store() -> None:
    with devices(2, backend="memory") as (laptop, phone):
        task = laptop.create_task(edda.Task(title="Tent"))
        sync(laptop, phone)

        async def followed() -> ConflictChange:
            with laptop.watch_conflicts() as watch:
                assert await anext(watch) == ConflictChange([], [], [])
                laptop.update_task(edda.Task(id=task, title="A"))
                phone.update_task(edda.Task(id=task, title="B"))
                await asyncio.to_thread(sync, laptop, phone)
                return await anext(watch)

        assert fields(asyncio.run(followed()).added) == ["title"]
        left = laptop.watch_conflicts()
        assert fields(next(left).added) == ["title"]
    with pytest.raises(UsageError, match="closed"):
        next(left)


def test_an_inbox_tells_its_watch_all_that_it_reads(two: Watched) -> None:
    watch = ConflictWatch(lambda _: None)
    with two.laptop.snapshot() as reader:
        Inbox(watch).read(reader)
    assert watch.take() == ConflictChange([], [], [])


def test_two_places_of_one_text_arise_and_are_settled_each_for_itself() -> None:
    with devices(2, backend="memory") as (laptop, phone):
        inbox = Inbox(watch := ConflictWatch(lambda _: None))
        document = laptop.create_document(edda.Document(title="D", content="one two three"))
        sync(laptop, phone)
        for store, content in ((laptop, "1 two 3"), (phone, "I two III")):
            store.update_document(edda.Document(id=document, content=content))
        sync(laptop, phone)

        def seen() -> ConflictChange:
            with laptop.store.read() as reader:
                inbox.read(reader)
            return watch.take() or ConflictChange([], [], [])

        first = seen()
        assert first.added == laptop.conflicts()
        assert [each.field for each in first.added] == ["content", "content"]
        laptop.settle(first.added[1])
        second = seen()
        assert (second.added, second.removed, laptop.conflicts()) == ([], first.added[1:], first.added[:1])
