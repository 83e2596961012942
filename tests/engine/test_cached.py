"""Items that are read through a cache are those that the store holds, whoever wrote them."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import edda_sync as edda
from edda_sync.engine.engine import StorageEngine
from edda_sync.testing import devices, sync
from edda_sync.words.config import CacheConfig
from edda_sync.words.metrics import CacheMetrics
from tests.engine.test_live import DEEDS, FILES, TASKS, WHO, run

CACHE = CacheConfig(max_size=1_000_000)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[StorageEngine]:
    with edda.open(tmp_path / "home", edda.StorageConfig(cache_config=CACHE)) as engine:
        yield engine


def figures(store: StorageEngine) -> CacheMetrics:
    found = store.reading.metrics().cache
    assert found is not None
    return found


def test_an_item_is_read_from_the_store_once_until_a_commit_names_it(store: StorageEngine) -> None:
    task, other = (store.create_task(edda.Task(title=title, tags={"work"})) for title in "ab")
    first = store.get_task(task)
    assert first == store.get_task(task)
    assert store.get_task(other) is not None
    assert (figures(store).hits, figures(store).misses, figures(store).entries) == (1, 1, 2)
    store.update_task(edda.Task(id=task, title="new"))
    assert store.get_task(other) is not None
    assert figures(store).hits == 1, "the first read after a commit looks at the store"
    assert store.get_task(other) is not None
    assert figures(store).hits == 2
    found = store.get_task(task)
    assert found is not None
    assert found.title == "new"


def test_what_was_read_may_be_changed_and_updated_like_any_item(store: StorageEngine) -> None:
    task = store.create_task(edda.Task(title="a", metadata={"k": [1]}))
    for title in ("b", "c"):
        found = store.get_task(task)
        assert found is not None
        found.title = title
        found.metadata["k"].append(title)
        store.update_task(found)
    found = store.get_task(task)
    assert found is not None
    assert (found.title, found.metadata) == ("c", {"k": [1, "b", "c"]})


@settings(max_examples=25)
@given(
    st.lists(st.tuples(WHO, st.lists(DEEDS, min_size=1, max_size=3)), max_size=8), st.lists(st.booleans(), max_size=8)
)
def test_every_read_shows_what_a_store_without_a_cache_shows(
    deeds: list[tuple[str, list[tuple[str, int, Any]]]], reads: list[bool]
) -> None:
    with devices(2) as (laptop, phone):
        config = edda.StorageConfig(state_path=laptop.config.state_path, cache_config=CACHE)
        with edda.open(laptop.home, config) as cached:
            with laptop.begin_transaction() as tx:
                for title, task in zip(("a", "b", "c", "d", "e"), TASKS, strict=True):
                    tx.create_task(edda.Task(id=task, title=title, tags={"work"} if title < "c" else set()))
                for title, file in zip(("x", "y", "z"), FILES, strict=True):
                    tx.create_document(edda.Document(id=file, title=title))
            sync(laptop, phone)
            for (who, some), all_are_read in zip(deeds, [*reads, *[True] * 8], strict=False):
                for task in TASKS if all_are_read else TASKS[:2]:
                    cached.get_task(task)
                if who == "peer":
                    run(phone, some)
                    sync(cached, phone)
                else:
                    run(laptop if who == "other" else cached, some, fails=who == "fails")
                for task in TASKS:
                    assert cached.get_task(task) == laptop.get_task(task)
                for file in FILES:
                    assert cached.get_document(file) == laptop.get_document(file)


def test_no_reader_sees_an_older_state_than_one_that_was_acknowledged_while_three_write(tmp_path: Path) -> None:
    config = edda.StorageConfig(cache_config=CACHE)
    with edda.open(tmp_path / "home", config) as store, edda.open(tmp_path / "home") as other:
        tasks = [store.create_task(edda.Task(title="0")) for _ in range(3)]
        acknowledged = [0, 0, 0]
        over = threading.Event()

        def write(number: int, engine: StorageEngine) -> None:
            for title in range(1, 60):
                engine.update_task(edda.Task(id=tasks[number], title=str(title)))
                acknowledged[number] = title

        def read() -> None:
            while not over.is_set():
                for number, task in enumerate(tasks):
                    least = acknowledged[number]
                    found = store.get_task(task)
                    if found is None or int(found.title) < least:
                        wrong.append((number, least))

        wrong: list[tuple[int, int]] = []
        writers = [threading.Thread(target=write, args=(n, engine)) for n, engine in enumerate((store, other, store))]
        readers = [threading.Thread(target=read) for _ in range(2)]
        for thread in (*writers, *readers):
            thread.start()
        for thread in writers:
            thread.join()
        over.set()
        for thread in readers:
            thread.join()
        assert wrong == []


WRITER = """
import sys
import edda_sync as edda
home, task, count = sys.argv[1:]
with edda.open(home) as store:
    for title in range(1, int(count) + 1):
        store.update_task(edda.Task(id=task, title=str(title)))
        print(title, flush=True)
"""


def test_what_another_process_has_acknowledged_is_seen_by_the_next_read(store: StorageEngine) -> None:
    task, mine = store.create_task(edda.Task(title="0")), store.create_task(edda.Task(title="0"))
    over, stale, reads = threading.Event(), list[tuple[int, int]](), 0

    def write() -> None:
        number = 0
        while not over.is_set():
            number += 1
            store.update_task(edda.Task(id=mine, title=str(number)))

    def shown() -> int:
        found = store.get_task(task)
        assert found is not None
        return int(found.title)

    beside = threading.Thread(target=write)
    beside.start()
    try:
        command = [sys.executable, "-c", WRITER, str(store.home), task, "60"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            for line in process.stdout:
                for _ in range(3):
                    reads += 1
                    if (found := shown()) < int(line):
                        stale.append((int(line), found))
    finally:
        over.set()
        beside.join()
    assert reads == 180
    assert stale == []


def test_a_transaction_reads_its_snapshot_and_not_the_cache(store: StorageEngine) -> None:
    task = store.create_task(edda.Task(title="a"))
    with store.begin_transaction() as tx:
        assert tx.get_task(task) is not None
        store.update_task(edda.Task(id=task, title="b"))
        assert store.get_task(task) != tx.get_task(task)
        seen = tx.get_task(task)
        assert seen is not None
        assert seen.title == "a"
        tx.rollback()


def test_without_a_size_there_is_no_cache(tmp_path: Path) -> None:
    with edda.open(tmp_path / "home") as store:
        task = store.create_task(edda.Task(title="a"))
        assert store.get_task(task) is not None
        assert store.reading.metrics().cache is None


def test_a_store_that_is_opened_again_begins_with_an_empty_cache(tmp_path: Path) -> None:
    config = edda.StorageConfig(cache_config=CACHE)
    store = edda.open(tmp_path / "home", config)
    task = store.create_task(edda.Task(title="a"))
    store.get_task(task)
    store.close()
    with edda.open(tmp_path / "home") as other:
        other.update_task(edda.Task(id=task, title="b"))
    store.initialize(config)
    found = store.get_task(task)
    store.close()
    assert found is not None
    assert found.title == "b"
