"""Folding the events of a live query gives what running it anew gives; a change meets only what it can matter to."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import edda_sync as edda
from edda_sync.engine.engine import StorageEngine
from edda_sync.engine.live import LiveQueries
from edda_sync.engine.watched import Watch
from edda_sync.testing import devices, sync
from edda_sync.words import limits, values
from edda_sync.words.errors import EddaError, UsageError
from edda_sync.words.model import Item
from edda_sync.words.order import in_order
from edda_sync.words.query import Query, plan

PATIENCE_S = 90.0
TITLES, TAGS = ("a", "Äpfel", "apple", "b"), ("work", "home")
TASKS = [values.id_text(bytes([number] * 16)) for number in range(1, 6)]
FILES = [values.id_text(bytes([number] * 16)) for number in range(11, 14)]


class Folded:
    """A watched query with its events folded."""

    def __init__(self, store: StorageEngine, query: Query) -> None:
        self.store, self.query = store, query
        self.watch: Watch = store.watch(query)
        self.items: dict[str, Item] = {}

    def take(self) -> None:
        change = self.watch.wait(PATIENCE_S)
        assert change is not None, f"{self.query} shows {list(self.items)}, not {[e.id for e in self.anew()]}"
        for item in (*change.added, *change.changed):
            assert (item.id in self.items) == (item in change.changed)
            self.items[item.id] = item
        for item in change.removed:
            del self.items[item.id]

    def anew(self) -> list[Item]:
        return self.store.reading.query(self.query)

    def listed(self) -> list[Item]:
        return in_order(plan(self.query).order, list(self.items.values()), lambda item, name: getattr(item, name))

    def until_right(self) -> None:
        expected = self.anew()
        while self.listed() != expected:
            self.take()
            expected = self.anew()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[StorageEngine]:
    with edda.open(tmp_path / "home") as engine:
        yield engine


def live_of(store: StorageEngine) -> LiveQueries:
    live = store._writes()._live
    assert live is not None
    return live


numbers, files = st.integers(0, len(TASKS) - 1), st.integers(0, len(FILES) - 1)
DEEDS = st.one_of(
    st.tuples(st.just("task"), numbers, st.sampled_from(TITLES)),
    st.tuples(st.just("status"), numbers, st.sampled_from(["open", "done"])),
    st.tuples(st.just("size"), numbers, st.sampled_from([1, "1", True])),
    st.tuples(st.just("words"), numbers, st.sampled_from(["red apple", "green", ""])),
    st.tuples(st.just("type"), numbers, st.sampled_from(["red ", "x"])),
    st.tuples(st.just("parent"), numbers, numbers),
    st.tuples(st.just("tag"), numbers, st.sampled_from(TAGS)),
    st.tuples(st.just("untag"), numbers, st.sampled_from(TAGS)),
    st.tuples(st.just("rename"), numbers, st.sampled_from(["WORK", "work", "garden"])),
    st.tuples(st.just("link"), numbers, files),
    st.tuples(st.just("unlink"), numbers, files),
    st.tuples(st.just("delete"), numbers, st.none()),
    st.tuples(st.just("restore"), numbers, st.none()),
    st.tuples(st.just("hide"), files, st.none()),
    st.tuples(st.just("show"), files, st.none()),
)
WHO = st.sampled_from(["own", "other", "peer", "fails"])
QUERIES: list[Query] = [
    edda.TaskQuery(),
    edda.TaskQuery(status="open", limit=2),
    edda.TaskQuery(order="title", limit=2, offset=1),
    edda.TaskQuery(order="title", descending=True, limit=0),
    edda.TaskQuery(tags="work"),
    edda.TaskQuery(any_tags=TAGS, no_tags="garden", order="updated_at", limit=1),
    edda.TaskQuery(under=TASKS[0], document=FILES[0]),
    edda.TaskQuery(under=TASKS[0], order="title", limit=2),
    edda.TaskQuery(document=FILES[0], status="open"),
    edda.TaskQuery(parent=""),
    edda.TaskQuery(where={"metadata.size": 1}),
    edda.TaskQuery(where=[("metadata.size", "!=", 1)], limit=3),
    edda.TaskQuery(text="red"),
    edda.TaskQuery(text="app*", order="title", limit=1),
    edda.DocumentQuery(task=TASKS[1]),
    edda.DocumentQuery(order="title", limit=2),
]


def do(tx: edda.Transaction, deed: tuple[str, int, Any]) -> None:
    what, number, value = deed
    if what in ("hide", "show"):
        (tx.delete_document if what == "hide" else tx.restore_document)(FILES[number])
        return
    task = TASKS[number]
    if what == "task":
        tx.update_task(edda.Task(id=task, title=value))
    elif what == "status":
        tx.update_task(edda.Task(id=task, status=value))
    elif what == "size":
        tx.update_task(edda.Task(id=task, metadata={"size": value}))
    elif what == "words":
        tx.update_task(edda.Task(id=task, description=value))
    elif what == "type":
        tx.edit_text(task, "description", [(0, 0, value)])
    elif what == "parent":
        tx.update_task(edda.Task(id=task, parent_id=None if value == number else TASKS[value]))
    elif what in ("tag", "untag"):
        (tx.add_tag if what == "tag" else tx.remove_tag)(task, value)
    elif what == "rename":
        tx.rename_tag("work", value)
    elif what == "link":
        tx.link(task, FILES[value])
    elif what == "unlink":
        tx.unlink(task, FILES[value])
    elif what == "delete":
        tx.delete_task(task)
    else:
        tx.restore_task(task)


def run(store: StorageEngine, deeds: list[tuple[str, int, Any]], *, fails: bool = False) -> None:
    with suppress(EddaError, ZeroDivisionError), store.begin_transaction() as tx:  # not every deed is possible
        for each in deeds:
            do(tx, each)
    if fails:
        with suppress(EddaError, ZeroDivisionError), store.begin_transaction() as tx:
            for each in deeds:
                do(tx, each)
            raise ZeroDivisionError


@settings(max_examples=25)
@given(st.lists(st.tuples(WHO, st.lists(DEEDS, min_size=1, max_size=3)), max_size=8), st.integers(0, 8))
def test_folding_the_events_gives_the_result_of_the_query_run_anew(
    deeds: list[tuple[str, list[tuple[str, int, Any]]]], taken_at: int
) -> None:
    with devices(2) as (laptop, phone), edda.open(laptop.home, laptop.config) as other:
        with laptop.begin_transaction() as tx:
            for title, task in zip(("a", "b", "c", "d", "e"), TASKS, strict=True):
                tx.create_task(edda.Task(id=task, title=title, tags={"work"} if title < "c" else set()))
            for title, file in zip(("x", "y", "z"), FILES, strict=True):
                tx.create_document(edda.Document(id=file, title=title))
        sync(laptop, phone)
        watched = [Folded(laptop, query) for query in QUERIES]
        for at, (who, some) in enumerate(deeds):
            if at == taken_at:
                for each in watched:
                    each.until_right()
            if who == "peer":
                run(phone, some)
                sync(laptop, phone)
            else:
                run(other if who == "other" else laptop, some, fails=who == "fails")
        for each in watched:
            each.until_right()


def test_a_change_that_cannot_matter_meets_no_query_and_none_is_run_again(store: StorageEngine) -> None:
    parent = store.create_task(edda.Task(title="parent"))
    others: list[edda.TaskQuery | edda.DocumentQuery] = [
        edda.TaskQuery(status="blocked", tags=f"tag{n}", limit=10) for n in range(20)
    ]
    others += [edda.TaskQuery(parent=parent, order="title"), edda.TaskQuery(where={"metadata.size": 3})]
    watches = [store.watch(query) for query in [*others, edda.DocumentQuery()]]
    for watch in watches:
        assert watch.wait(PATIENCE_S) is not None
    everything = Folded(store, edda.TaskQuery(status="open"))
    everything.until_right()
    live = live_of(store)
    met, reads = live.met, sum(answer.reads for answer in live._answers.values())
    for number in range(10):
        store.create_task(edda.Task(title=f"task {number}", metadata={"size": "3"}))
    everything.until_right()
    assert live.met - met == 10, "each met the one query that it is part of"
    assert sum(answer.reads for answer in live._answers.values()) == reads
    assert [watch.take() for watch in watches] == [None] * len(watches)


def test_what_another_process_committed_is_told_at_the_first_look(
    store: StorageEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "LIVE_LOOK_S", 10 * PATIENCE_S)  # no second look, unless it is woken
    folded = Folded(store, edda.TaskQuery())
    folded.take()
    with edda.open(store.home) as other:  # what this engine commits, the other one's feed does not tell
        other.create_task(edda.Task(title="from elsewhere"))
    live_of(store)._woken.set()
    folded.until_right()


def test_a_row_that_leaves_a_limited_list_makes_room_for_the_next(store: StorageEngine) -> None:
    ids = [store.create_task(edda.Task(title=title)) for title in "abcd"]
    folded = Folded(store, edda.TaskQuery(status="open", order="title", limit=2))
    folded.until_right()
    store.update_task(edda.Task(id=ids[0], status="done"))
    change = folded.watch.wait(PATIENCE_S)
    assert change is not None
    assert ([each.title for each in change.added], [each.title for each in change.removed]) == (["c"], ["a"])


def test_changes_gather_while_nobody_takes_them_and_what_is_as_before_is_not_told(store: StorageEngine) -> None:
    task = store.create_task(edda.Task(title="first"))
    watch, marker = store.watch(edda.TaskQuery()), store.watch(edda.DocumentQuery())
    assert watch.wait(PATIENCE_S) is not None
    assert marker.wait(PATIENCE_S) is not None
    for title in ("second", "third", "last"):
        store.update_task(edda.Task(id=task, title=title))
    gone = store.create_task(edda.Task(title="gone soon"))
    store.delete_task(gone)
    store.create_document(edda.Document(title="marker"))
    assert marker.wait(PATIENCE_S) is not None
    change = watch.take()
    assert change is not None
    assert ([each.title for each in change.changed], change.added, change.removed) == (["last"], [], [])
    assert watch.take() is None


async def test_a_query_is_watched_from_asyncio_and_from_a_thread(store: StorageEngine) -> None:
    async with asyncio.timeout(PATIENCE_S):
        with store.watch(edda.TaskQuery()) as watch:
            first = await anext(watch)
            assert first.added == []
            await asyncio.to_thread(store.create_task, edda.Task(title="a"))
            assert [item.title for item in (await anext(watch)).added] == ["a"]
            await asyncio.to_thread(store.create_task, edda.Task(title="b"))
            assert [item.title for item in (await asyncio.to_thread(next, watch)).added] == ["b"]


async def test_whoever_waits_hears_that_the_store_was_closed(tmp_path: Path) -> None:
    store = edda.open(tmp_path / "home")
    watch = store.watch(edda.TaskQuery())
    async with asyncio.timeout(PATIENCE_S):
        await anext(watch)
        waiting = asyncio.ensure_future(anext(watch))
        await asyncio.sleep(0)
        await asyncio.to_thread(store.close)
        with pytest.raises(UsageError, match="closed"):
            await waiting


def test_the_thread_ends_with_the_last_watch_and_begins_again(store: StorageEngine) -> None:
    first = store.watch(edda.TaskQuery())
    assert first.wait(PATIENCE_S) is not None
    live = live_of(store)
    thread = live._thread
    assert thread is not None
    first.close()
    thread.join(PATIENCE_S)
    assert not thread.is_alive()
    assert not store.ledger.feed.is_heard, "writing costs nothing again"
    with pytest.raises(UsageError, match="not watched"):
        first.wait(PATIENCE_S)
    again = Folded(store, edda.TaskQuery())
    store.create_task(edda.Task(title="a"))
    again.until_right()


def test_more_changes_than_are_told_one_by_one_make_each_query_run_again(
    store: StorageEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "CHANGED_MAX", 3)
    folded = Folded(store, edda.TaskQuery())
    folded.until_right()
    with store.begin_transaction() as tx:
        for number in range(10):
            tx.create_task(edda.Task(title=str(number)))
    folded.until_right()
    store.rebuild()
    store.create_task(edda.Task(title="after it"))
    folded.until_right()


def test_an_unacceptable_query_is_refused_at_once(store: StorageEngine) -> None:
    with pytest.raises(EddaError):
        store.watch(replace(edda.TaskQuery(), status="later"))


def test_who_asks_for_no_thread_looks_when_told_to() -> None:
    with devices(1) as (store,):
        store.create_task(edda.Task(title="a"))
        live = LiveQueries(store.store, store.ledger.feed, store.snapshot, beside=False)
        watch = live.watch(edda.TaskQuery())
        assert watch.take() is None
        for _ in range(2):
            assert live.attend()
        change = watch.take()
        assert change is not None
        assert [item.title for item in change.added] == ["a"]
        assert live.runs == 1
        live.close()
        assert not live.attend()
        assert not store.ledger.feed.is_heard
