"""Which file a journal belongs to: files put back beside a journal, with real processes that were killed."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from edda_sync.store.seams import StoreWriter
from edda_sync.store.sqlite import connections, journal
from edda_sync.store.sqlite.store import SqliteStore
from edda_sync.words.config import DATABASE_FILE
from tests.encrypted import encrypt

WAIT_S = 60

KILLED = """
import os, pathlib, signal, sys
from edda_sync.store.sqlite.store import SqliteStore
store = SqliteStore(pathlib.Path(sys.argv[1]))
for name in sys.argv[2:]:
    if name == "checkpoint":
        store.connect().execute("PRAGMA wal_checkpoint(RESTART)").fetchall()
    else:
        count = 20 if name != "four" else 1
        store.transact(lambda tx: [tx.meta.set(f"{name}{19 - each}", os.urandom(9_000)) for each in range(count)])
os.kill(os.getpid(), signal.SIGKILL)
"""


def write_and_be_killed(path: Path, *names: str) -> None:
    done = subprocess.run([sys.executable, "-c", KILLED, str(path), *names], timeout=WAIT_S, check=False)
    assert done.returncode == -signal.SIGKILL


def fill(name: str) -> Callable[[StoreWriter], None]:
    def work(tx: StoreWriter) -> None:
        for each in range(20):
            tx.meta.set(f"{name}{each}", os.urandom(9_000))

    return work


def held(path: Path) -> list[str]:
    """Return the content of a store, after a check that it is whole."""
    with closing(SqliteStore(path)) as store:
        with closing(store.connect()) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        with store.read() as reader:
            return [name for name in ("one", "two", "three", "four") if reader.meta.get(f"{name}19") is not None]


@pytest.fixture(params=["plain", "encrypted"])
def path(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    path = tmp_path / "home" / DATABASE_FILE
    path.parent.mkdir()
    if request.param == "encrypted":
        encrypt(path)
    with closing(SqliteStore(path)) as store:
        store.transact(fill("one"))
    return path


@pytest.fixture
def older(path: Path, tmp_path: Path) -> Path:
    """A copy of the file from before all other writes."""
    return Path(shutil.copy(path, tmp_path / "older.db"))


plain = pytest.mark.parametrize("path", ["plain"], indirect=True)  # another program, or our SQLite, opens the file


def put_in_its_place(backup: Path, path: Path) -> None:
    os.replace(shutil.copy(backup, path.with_name("new")), path)


def copy_key(path: Path, copied: Path) -> None:
    if (key := Path(f"{path}-key")).exists():
        shutil.copy(key, f"{copied}-key")


def overwrite(backup: Path, path: Path) -> None:
    path.write_bytes(backup.read_bytes())


@pytest.mark.parametrize("restore", [put_in_its_place, overwrite])
def test_the_journal_of_another_file_is_put_aside_and_not_written_into_the_one_that_was_put_back(
    path: Path, older: Path, restore: Callable[[Path, Path], None]
) -> None:
    with closing(SqliteStore(path)) as store:
        store.transact(fill("two"))
    write_and_be_killed(path, "three")
    before = Path(f"{path}-wal").read_bytes()
    restore(older, path)
    with closing(SqliteStore(path)) as store:
        assert store.set_aside == path.with_name(f"{path.name}-wal-aside-1")
        assert store.set_aside.read_bytes() == before
    assert held(path) == ["one"]
    assert journal.set_aside(path) == [f"{path.name}-wal-aside-1"]


def test_a_copy_that_was_made_while_the_journal_began_anew_does_not_mix_both(path: Path, tmp_path: Path) -> None:
    write_and_be_killed(path, "two", "checkpoint")
    copied = Path(shutil.copy(path, tmp_path / "first.db"))
    copy_key(path, copied)
    write_and_be_killed(path, "three", "checkpoint", "four")
    shutil.copy(f"{path}-wal", f"{copied}-wal")  # as a file synchroniser does, which takes one file after the other
    with closing(SqliteStore(copied)) as store:
        assert store.set_aside is not None
    assert held(copied) == ["one", "two"]
    assert held(path) == ["one", "two", "three", "four"]


def test_the_journal_of_an_older_copy_is_not_written_into_a_file_that_has_gone_on(path: Path, tmp_path: Path) -> None:
    write_and_be_killed(path, "two")
    older = Path(shutil.copy(f"{path}-wal", tmp_path / "older-wal"))
    with closing(SqliteStore(path)) as store:
        store.transact(fill("three"))
    shutil.copy(older, f"{path}-wal")
    with closing(SqliteStore(path)) as store:
        assert store.set_aside is not None
    assert held(path) == ["one", "two", "three"]


def test_the_rest_of_a_former_journal_in_the_same_file_proves_nothing(path: Path, tmp_path: Path) -> None:
    write_and_be_killed(path, "two", "three", "checkpoint")  # its last link stays at the end, behind what comes next
    older = Path(shutil.copy(path, tmp_path / "older.db"))
    write_and_be_killed(path, "four", "checkpoint", "four")
    put_in_its_place(older, path)
    with closing(SqliteStore(path)) as store:
        assert store.set_aside is not None
    assert held(path) == ["one", "two", "three"]


@pytest.mark.parametrize(
    "written",
    [("two",), ("two", "three"), ("two", "checkpoint"), ("two", "checkpoint", "three"),
     ("two", "checkpoint", "three", "checkpoint", "four")],
)  # fmt: skip
def test_a_file_keeps_its_own_journal_however_much_of_it_is_already_in_the_file(
    path: Path, tmp_path: Path, written: tuple[str, ...]
) -> None:
    write_and_be_killed(path, *written)
    copied = shutil.copytree(path.parent, tmp_path / "copied") / path.name
    for each in (path, copied):
        assert held(each) == ["one", *(name for name in written if name != "checkpoint")]
        assert journal.set_aside(each) == []


@plain
def test_a_file_with_an_interrupted_checkpoint_keeps_its_journal(path: Path, tmp_path: Path) -> None:
    """An older state of the same file, within one journal: everything missing is in the journal."""
    write_and_be_killed(path, "two")
    older = Path(shutil.copy(path, tmp_path / "older.db"))
    shutil.copy(f"{path}-wal", tmp_path / "journal")
    with closing(sqlite3.connect(path)) as foreign:
        foreign.execute("PRAGMA wal_checkpoint(PASSIVE)")
        half = path.read_bytes()[: path.stat().st_size // 2]
    for file in (half + older.read_bytes()[len(half) :], older.read_bytes()):
        path.write_bytes(file)
        shutil.copy(tmp_path / "journal", f"{path}-wal")
        assert held(path) == ["one", "two"]


def test_a_journal_in_use_is_left_alone(path: Path, older: Path) -> None:
    with closing(SqliteStore(path)) as store:
        store.transact(put("two"))
        script = (
            "import pathlib, sys; from edda_sync.store.sqlite import journal; journal._belongs = lambda *_: False\n"
        )
        script += "print(journal.set_aside_anothers(pathlib.Path(sys.argv[1])))"
        said = subprocess.run([sys.executable, "-c", script, str(path)], capture_output=True, text=True, check=True)
        assert said.stdout == "None\n"
        store.transact(put("three"))


@plain
def test_writes_of_another_program_stay_in_the_journal(path: Path) -> None:
    script = "import os, sqlite3, sys; c = sqlite3.connect(sys.argv[1], isolation_level=None);"
    script += "c.execute('CREATE TABLE mine (a)'); os._exit(0)"
    subprocess.run([sys.executable, "-c", script, str(path)], check=True)
    assert Path(f"{path}-wal").stat().st_size
    with closing(SqliteStore(path)) as store, closing(store.connect()) as connection:
        assert connection.execute("SELECT count(*) FROM mine").fetchone() == (0,)


@plain
def test_only_a_transaction_that_changes_something_writes_a_link(path: Path) -> None:
    with closing(SqliteStore(path)) as store, closing(connections.connect(path)) as connection:

        def link() -> bytes:
            return bytes(connection.execute("SELECT link FROM _summary").fetchone()[0])

        before = link()
        store.transact(lambda tx: tx.meta.get("one0"))
        assert link() == before
        store.transact(put("two"))
        assert link()[8:16] == before[16:]


def put(name: str) -> Callable[[StoreWriter], None]:
    return lambda tx: tx.meta.set(name, b"")
