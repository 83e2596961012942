"""A store whose file, folder or journal is taken away while it is open: it acknowledges nothing that would be lost."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from edda_sync.store.seams import StoreWriter
from edda_sync.store.sqlite.place import Place
from edda_sync.store.sqlite.store import SqliteStore
from edda_sync.words.config import DATABASE_FILE
from edda_sync.words.errors import (
    CutStoreError,
    LostIndexError,
    LostJournalError,
    LostStoreError,
    ReplacedStoreError,
    StorageError,
)

WAIT_S = 60


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "home" / "notes" / DATABASE_FILE
    path.parent.mkdir(parents=True)
    return path


@pytest.fixture
def store(path: Path) -> Iterator[SqliteStore]:
    with closing(SqliteStore(path)) as store:
        store.transact(put("before"))
        yield store


def put(name: str) -> Callable[[StoreWriter], str]:
    def work(tx: StoreWriter) -> str:
        tx.meta.set(name, b"")
        return name

    return work


def holds(path: Path, *names: str) -> list[bool]:
    with closing(SqliteStore(path)) as store, store.read() as reader:
        return [reader.meta.get(name) is not None for name in names]


def write_elsewhere(path: Path, name: str) -> None:
    """Write in a process of its own, to its end."""
    script = "import pathlib, sys; from edda_sync.store.sqlite.store import SqliteStore\n"
    script += (
        "s = SqliteStore(pathlib.Path(sys.argv[1])); s.transact(lambda tx: tx.meta.set(sys.argv[2], b'')); s.close()"
    )
    subprocess.run([sys.executable, "-c", script, str(path), name], timeout=WAIT_S, check=True)


def remove(path: Path) -> None:
    path.unlink()


def empty(path: Path) -> None:
    path.write_bytes(b"")


def replace(path: Path) -> None:
    os.replace(shutil.copy(path, path.with_name("copy")), path)


def move_folder(path: Path) -> None:
    path.parent.rename(path.parent.with_name("moved"))


def move_a_folder_above(path: Path) -> None:
    path.parent.parent.rename(path.parent.parent.with_name("moved"))


def remove_folder(path: Path) -> None:
    shutil.rmtree(path.parent)


def put_another_folder(path: Path) -> None:
    shutil.copytree(path.parent, path.parent.with_name("copied"))
    move_folder(path)
    path.parent.with_name("copied").rename(path.parent)


def put_a_file_in_the_folders_place(path: Path) -> None:
    move_folder(path)
    path.parent.touch()


@pytest.mark.parametrize("use", ["transact", "submit"])
@pytest.mark.parametrize(
    ("lose", "error"),
    [
        (remove, LostStoreError),
        (empty, LostStoreError),
        (replace, ReplacedStoreError),
        (move_folder, LostStoreError),
        (move_a_folder_above, LostStoreError),
        (remove_folder, LostStoreError),
        (put_another_folder, ReplacedStoreError),
        (put_a_file_in_the_folders_place, LostStoreError),
    ],
)
def test_no_transaction_is_acknowledged_in_a_file_that_is_not_where_it_was(
    store: SqliteStore, path: Path, lose: Callable[[Path], None], error: type[StorageError], use: str
) -> None:
    lose(path)
    with pytest.raises(error):
        store.transact(put("lost")) if use == "transact" else store.submit(put("lost")).result(WAIT_S)
    with pytest.raises(error):
        store.check_place()
    if error is ReplacedStoreError:
        write_elsewhere(path, "elsewhere")
        assert holds(path, "lost", "elsewhere") == [False, True]


def test_nothing_is_acknowledged_once_the_file_was_moved_and_a_link_to_it_left(store: SqliteStore, path: Path) -> None:
    store.transact(put("before"))
    path.symlink_to(path.rename(path.parent.with_name("moved.db")))  # others look for the journal beside moved.db
    with pytest.raises(ReplacedStoreError):
        store.transact(put("lost"))
    store.close()
    assert holds(path, "before", "lost") == [True, False]


def test_a_transaction_fails_if_its_file_is_taken_away_meanwhile(store: SqliteStore, path: Path) -> None:
    def work(tx: StoreWriter) -> None:
        tx.meta.set("lost", b"")
        move_folder(path)

    with pytest.raises(LostStoreError):
        store.transact(work)


def test_a_store_goes_on_when_its_folder_is_back(store: SqliteStore, path: Path) -> None:
    move_folder(path)
    with pytest.raises(LostStoreError):
        store.transact(put("lost"))
    path.parent.with_name("moved").rename(path.parent)
    assert store.transact(put("after")) == "after"
    assert holds(path, "before", "lost", "after") == [True, False, True]


def test_no_connection_of_a_store_is_made_to_another_file_in_its_place(store: SqliteStore, path: Path) -> None:
    replace(path)
    with store.read(), pytest.raises(ReplacedStoreError):  # the first one has a connection that was made before
        store.read().__enter__()


def move_journal(journal: Path) -> None:
    journal.rename(journal.with_name("journal"))


@pytest.mark.parametrize("lose", [remove, move_journal])
@pytest.mark.parametrize("others_write", [False, True])
def test_nothing_is_acknowledged_in_a_journal_that_was_taken_away(
    store: SqliteStore, path: Path, lose: Callable[[Path], None], *, others_write: bool
) -> None:
    lose(Path(f"{path}-wal"))
    if others_write:
        Path(f"{path}-wal").touch()  # as every process that opens the store makes one
    for _ in range(2):  # nor by a connection that is made anew after the fault
        with pytest.raises(LostJournalError, match="end every program"):
            store.transact(put("lost"))
    Path(f"{path}-wal").unlink(missing_ok=True)
    store.close()
    assert holds(path, "before", "lost") == [True, False], "what was acknowledged comes into the file in the end"


def cut(path: Path) -> None:
    os.truncate(path, 8192)


def copy_an_older_one_over(path: Path) -> None:
    shutil.copyfile(path.with_name("older"), path)


def fill(tx: StoreWriter) -> None:
    for number in range(2_000):
        tx.meta.set("filler" * 50 + str(number), b"")


def clear(tx: StoreWriter) -> None:
    for number in range(2_000):
        tx.meta.drop("filler" * 50 + str(number))


def go_on_in_a_shorter_file(path: Path, lose: Callable[[Path], None]) -> None:
    """Make the file of an open store shorter, and try to write in it."""
    with closing(SqliteStore(path)) as store:
        store.transact(put("before"))
    shutil.copyfile(path, path.with_name("older"))
    with closing(SqliteStore(path)) as store:
        store.transact(fill)
        store.transact(put("later"))
    store = SqliteStore(path)
    store.transact(put("latest"))
    lose(path)
    for _ in range(2):
        with pytest.raises(CutStoreError, match="end every program"):
            store.transact(put("lost"))
    with pytest.raises(CutStoreError):
        store.check_place()
    found = path.read_bytes()
    store.close()
    assert path.read_bytes() == found, "the journal's pages do not fit it"


@pytest.mark.parametrize("lose", [cut, copy_an_older_one_over])
def test_nothing_is_acknowledged_in_a_file_that_became_shorter_and_nothing_is_written_into_it(
    path: Path, lose: Callable[[Path], None]
) -> None:
    script = "import pathlib, sys; from tests.store.sqlite import test_place as here\n"
    script += f"here.go_on_in_a_shorter_file(pathlib.Path(sys.argv[1]), here.{lose.__name__})"
    root = Path(__file__).parents[3]
    subprocess.run([sys.executable, "-c", script, str(path)], timeout=WAIT_S, check=True, cwd=root)
    if lose is copy_an_older_one_over:
        assert holds(path, "before", "later", "latest", "lost") == [True, False, False, False]
        assert [each.stat().st_size > 0 for each in path.parent.glob("*-wal-aside-*")] == [True]


def test_a_store_that_shrinks_inside_and_grows_again_can_still_be_written(store: SqliteStore, path: Path) -> None:
    for _ in range(3):
        for work in (fill, clear):
            store.transact(work)
            store._committer._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    assert store.transact(put("after")) == "after"
    assert path.stat().st_size == store._place._bytes > 500_000


def remove_index(path: Path) -> None:
    Path(f"{path}-shm").unlink()


def move_index(path: Path) -> None:
    Path(f"{path}-shm").rename(path.with_name("index"))


def replace_index(path: Path) -> None:
    os.replace(shutil.copy(f"{path}-shm", path.with_name("copy")), f"{path}-shm")


def go_on_without_the_index(path: Path, lose: Callable[[Path], None], names: list[str]) -> None:
    """Lose the index of an open store, and try to write in it after each of what other processes write."""
    store = SqliteStore(path)
    store.transact(put("before"))
    lose(path)
    for name in names:
        write_elsewhere(path, name)
        with pytest.raises(LostIndexError, match="end every program"):
            store.transact(put("lost"))
    store.close()
    with pytest.raises(LostIndexError):
        SqliteStore(path)


@pytest.mark.parametrize("lose", [remove_index, move_index, replace_index])
@pytest.mark.parametrize("names", [[], ["elsewhere", "elsewhere again"]])
def test_nothing_acknowledged_is_lost_when_the_index_of_the_journal_was_taken_away(
    path: Path, lose: Callable[[Path], None], names: list[str]
) -> None:
    script = "import pathlib, sys; from tests.store.sqlite import test_place as here\n"
    script += f"here.go_on_without_the_index(pathlib.Path(sys.argv[1]), here.{lose.__name__}, {names})"
    root = Path(__file__).parents[3]
    subprocess.run([sys.executable, "-c", script, str(path)], timeout=WAIT_S, check=True, cwd=root)
    assert holds(path, "lost", "before", *names) == [False, True, *[True] * len(names)]


@pytest.mark.parametrize(("suffix", "error"), [("-wal", LostJournalError), ("-shm", LostIndexError)])
def test_a_watcher_of_a_store_learns_that_a_file_beside_it_was_taken_away(
    store: SqliteStore, path: Path, suffix: str, error: type[StorageError]
) -> None:
    beside = Path(f"{path}{suffix}")
    store.version()
    store.check_place()
    beside.rename(path.with_name("aside"))
    with pytest.raises(error):
        store.check_place()
    path.with_name("aside").rename(
        beside
    )  # or its connections, which this process shares with the next tests, stay open
    store.check_place()


def test_checking_all_places_takes_three_system_calls(
    store: SqliteStore, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []

    def counted(real: Callable[..., os.stat_result]) -> Callable[..., os.stat_result]:
        def count(*args: Any, **options: Any) -> os.stat_result:
            calls.append(args)
            return real(*args, **options)

        return count

    for name in ("stat", "lstat"):
        monkeypatch.setattr(os, name, counted(getattr(os, name)))
    connection = store._committer._connection
    assert Place.check_all(store._place, connection) == Path(f"{path}-wal").stat().st_size
    assert len(calls) == 4, "the fourth is this test's own"
