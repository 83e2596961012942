"""The effects of a fork on a store: with real processes and real locks."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from edda_sync.store.seams import StoreWriter
from edda_sync.store.sqlite.store import SqliteStore
from edda_sync.words.config import DATABASE_FILE
from tests.forked import Child, in_child
from tests.store.samples import REFUSED

WAIT_S = 60
FORKS = 8


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / DATABASE_FILE


@pytest.fixture
def store(path: Path) -> Iterator[SqliteStore]:
    store = SqliteStore(path)
    store.transact(put("before"))
    yield store
    store.close()


def put(name: str, size: int = 0) -> Callable[[StoreWriter], str]:
    def work(tx: StoreWriter) -> str:
        tx.meta.set(name, bytes(size))
        return name

    return work


def holds(path: Path, *names: str) -> list[bool]:
    with closing(SqliteStore(path)) as store, store.read() as reader:
        return [reader.meta.get(name) is not None for name in names]


def run(script: str, *arguments: str | Path) -> str:
    """Run Python in a process of its own, to its end."""
    done = subprocess.run(
        [sys.executable, "-c", script, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=WAIT_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


COMMAND = """
import pathlib, sys
from edda_sync.store.sqlite.store import SqliteStore
store = SqliteStore(pathlib.Path(sys.argv[1]))
for name in sys.argv[2:]:
    store.transact(lambda tx: tx.meta.set(name, b""))
store.close()
"""


# --- a child that opens the store again -------------------------------------------------------------------------------


def test_a_childs_writes_stay_while_its_parent_closes_the_store_and_a_command_comes_and_goes(
    path: Path,
) -> None:
    store = SqliteStore(path)
    store.transact(put("before"))

    def steps() -> Iterator[object]:
        mine = SqliteStore(path)
        yield mine.transact(put("first"))
        yield mine.transact(put("second"))
        mine.close()
        yield "closed"

    with Child(steps) as child:
        assert child.step() == "first"
        store.close()
        run(COMMAND, path, "command 1")
        assert child.step() == "second"
        run(COMMAND, path, "command 2")
        assert child.step() == "closed"
    assert all(holds(path, "before", "first", "second", "command 1", "command 2"))


def test_writes_of_a_parent_and_of_commands_stay_while_a_child_closes_the_store(store: SqliteStore, path: Path) -> None:
    def steps() -> Iterator[object]:
        mine = SqliteStore(path)
        for number in range(50):
            mine.transact(put(f"child {number}"))
        yield "written"
        mine.close()
        yield "closed"

    with Child(steps) as child:
        assert child.step() == "written"
        run(COMMAND, path, *(f"command {number}" for number in range(40)))
        store.transact(put("parent 1"))
        assert child.step() == "closed"
        store.transact(put("parent 2"))
        run(COMMAND, path, "last")
        store.transact(put("parent 3"))
    expected = [f"child {number}" for number in range(50)] + [f"command {number}" for number in range(40)]
    assert all(holds(path, *expected, "parent 1", "parent 2", "parent 3", "last"))


def test_a_child_inherits_nothing_from_an_unused_store(store: SqliteStore, path: Path) -> None:
    store.version()
    with store.read():
        pass

    def inherited() -> list[str]:
        links = [Path("/proc/self/fd", number) for number in os.listdir("/proc/self/fd")]
        opened = [str(link.readlink()) for link in links if link.is_symlink()]
        return [name for name in opened if name.startswith(str(path))]  # another test's store may be open for ever

    assert in_child(inherited) == "[]"


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")  # it has threads
def test_a_pool_of_forked_workers_writes_beside_its_parent(store: SqliteStore, path: Path) -> None:
    context = multiprocessing.get_context("fork")
    workers = [context.Process(target=_work, args=(path, number)) for number in range(3)]
    for worker in workers:
        worker.start()
    for number in range(20):
        store.transact(put(f"parent {number}"))
    for worker in workers:
        worker.join(WAIT_S)
    assert [worker.exitcode for worker in workers] == [0, 0, 0]
    assert all(holds(path, *(f"{number} {turn}" for number in range(3) for turn in range(20))))


def _work(path: Path, number: int) -> None:
    with closing(SqliteStore(path)) as store:
        for turn in range(20):
            store.transact(put(f"{number} {turn}"))


def test_forks_beside_threads_that_read_and_write_lose_nothing(store: SqliteStore, path: Path) -> None:
    stop = threading.Event()
    written: list[list[str]] = [[], []]

    def write(names: list[str], number: int) -> None:
        while not stop.is_set():
            names.append(store.transact(put(f"{number} {len(names)}")))
            with store.read() as reader:
                assert reader.meta.get(names[-1]) is not None

    threads = [threading.Thread(target=write, args=(names, number)) for number, names in enumerate(written)]
    for thread in threads:
        thread.start()

    def write_there(name: str) -> str:
        with closing(SqliteStore(path)) as mine:
            return mine.transact(put(name))

    children = [in_child(lambda number=number: write_there(f"child {number}")) for number in range(FORKS)]  # type: ignore[misc]
    stop.set()
    for thread in threads:
        thread.join(WAIT_S)
    assert children == [f"child {number}" for number in range(FORKS)]
    assert all(written)
    assert all(holds(path, *children, *written[0], *written[1]))


def test_the_version_changes_with_a_commit_from_before_and_after_a_fork(store: SqliteStore, path: Path) -> None:
    versions = [store.version()]
    for name in ("one", "two"):
        in_child(lambda: None)
        run(COMMAND, path, name)
        versions.append(store.version())
    assert len(set(versions)) == 3


# --- a store in use while its process is forked -----------------------------------------------------------------------


def test_an_open_reader_belongs_to_the_parent_alone(store: SqliteStore) -> None:
    with store.read() as reader:
        assert in_child(lambda: reader.meta.get("before")) == REFUSED
        store.transact(put("after"))
        assert reader.meta.get("before") is not None
        assert reader.meta.get("after") is None
    with store.read() as reader:
        assert reader.meta.get("after") is not None


def test_a_file_in_use_cannot_be_opened_in_the_child_and_says_why(store: SqliteStore, path: Path) -> None:
    with store.read():
        said = in_child(lambda: SqliteStore(path))
        again = in_child(lambda: in_child(lambda: SqliteStore(path)))
    assert said.startswith(f"UsageError: {path} was being read or written when this process was forked")
    assert again == said
    assert "<" in in_child(lambda: SqliteStore(path)), "nobody uses it any more"


PARENT = """
import os, pathlib, sys
from edda_sync.store.sqlite.store import SqliteStore
store = SqliteStore(pathlib.Path(sys.argv[1]))
store.transact(lambda tx: tx.meta.set("before", b""))

def work(tx):
    for number in range(30):  # more than the connection keeps in memory: it is in the journal before it is committed
        tx.meta.set(f"large {number}", bytes([number]) * 1_000_000)
    pid = os.fork()
    if pid == 0:
        sys.exit(0)  # through all that is open here, and through the end of the interpreter
    assert os.waitpid(pid, 0)[1] == 0
    tx.meta.set("last", b"")

store.transact(work)
store.transact(lambda tx: tx.meta.set("after", b""))
store.close()
"""


def test_a_child_that_ends_in_a_transaction_leaves_the_whole_transaction_to_its_parent(path: Path) -> None:
    run(PARENT, path)
    assert all(holds(path, "before", "last", "after", *(f"large {number}" for number in range(30))))
    with closing(SqliteStore(path)) as store, closing(store.connect()) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
