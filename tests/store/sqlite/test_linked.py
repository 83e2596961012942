"""A file with several names: it never has two journals, nothing acknowledged is lost, and a snapshot stays one."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

import pytest
from sqlcipher3 import dbapi2 as sqlite

from edda_sync.store.sqlite import linked
from edda_sync.store.sqlite.store import SqliteStore
from edda_sync.words.config import DATABASE_FILE
from edda_sync.words.errors import DiskFullError, LinkedStoreError
from edda_sync.words.files import replace_file
from tests.store.sqlite.test_place import holds, put, write_elsewhere

WAIT_S = 60
HOLD: Final = """
import os, pathlib, sys
from edda_sync.store.sqlite.store import SqliteStore
store = SqliteStore(pathlib.Path(sys.argv[1]))
print("open", flush=True)
for name in sys.stdin:
    store.transact(lambda tx: tx.meta.set(name.strip(), b""))
    print(name, end="", flush=True)
if sys.argv[2] == "dies":
    os._exit(0)
store.close()
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "home" / DATABASE_FILE
    path.parent.mkdir()
    with closing(SqliteStore(path)) as store:
        store.transact(put("before"))
    return path


@pytest.fixture
def other(path: Path, tmp_path: Path) -> Path:
    """The same file in another folder, as ``cp -al`` makes it."""
    shutil.copytree(path.parent, tmp_path / "other", copy_function=os.link)
    return tmp_path / "other" / DATABASE_FILE


@contextmanager
def held(path: Path, *names: str, end: str = "closes") -> Iterator[None]:
    """Let another process have a store open, and write in it."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path), end], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == "open\n"
        for name in names:
            print(name, file=process.stdin, flush=True)
            assert process.stdout.readline().strip() == name
        yield
        process.communicate(timeout=WAIT_S)
        assert process.returncode == 0


def is_whole(path: Path) -> bool:
    with closing(sqlite.connect(str(path))) as connection:
        return bool(connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)])


def test_a_name_gets_a_file_of_its_own_when_it_is_opened_and_the_other_name_keeps_its_content(
    path: Path, other: Path
) -> None:
    shown = other.read_bytes()
    with closing(SqliteStore(path)) as store:
        store.transact(put("after"))
    assert other.read_bytes() == shown
    assert [path.stat().st_nlink, other.stat().st_nlink] == [1, 1]
    assert path.stat().st_mode & 0o777 == 0o600
    assert holds(path, "before", "after") == [True, True]
    assert holds(other, "before", "after") == [True, False]
    assert sorted(each.name for each in path.parent.iterdir()) == [DATABASE_FILE]


def test_what_a_dead_process_left_in_the_journal_stays_with_both_names(path: Path, tmp_path: Path) -> None:
    with held(path, "last", end="dies"):
        pass
    shutil.copytree(path.parent, tmp_path / "other", copy_function=os.link)
    other = tmp_path / "other" / DATABASE_FILE
    with closing(SqliteStore(path)) as store:
        store.transact(put("here"))
        with closing(SqliteStore(other)) as second:
            second.transact(put("there"))
            store.transact(put("here too"))
    assert holds(path, "before", "last", "here", "here too", "there") == [True, True, True, True, False]
    assert holds(other, "before", "last", "here", "here too", "there") == [True, True, False, False, True]
    assert is_whole(path)
    assert is_whole(other)


def test_names_that_are_used_in_turn_keep_what_was_acknowledged_under_each(path: Path, other: Path) -> None:
    for turn in range(3):
        with held(path, f"here {turn}", end="dies"):
            pass
        with held(other, f"there {turn}", end="dies"):
            pass
    assert holds(path, *[f"here {turn}" for turn in range(3)]) == [True] * 3
    assert holds(other, *[f"there {turn}" for turn in range(3)]) == [True] * 3


def test_a_file_that_is_open_under_another_name_is_not_opened_under_this_one(path: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.db"
    with held(path, "there"):
        os.link(path, other)
        for _ in range(2):
            with pytest.raises(LinkedStoreError, match="under that name"):
                SqliteStore(other)
        write_elsewhere(path, "more")  # one more under the name that is in use
    assert holds(path, "before", "there", "more") == [True, True, True]
    assert holds(other, "before", "there", "more") == [True, True, True], "and it is a copy now"
    assert is_whole(path)


def test_a_file_that_this_process_has_open_under_another_name_is_not_opened_under_this_one(path: Path) -> None:
    other = path.with_name("other.db")
    with closing(SqliteStore(path)) as store:
        os.link(path, other)
        with pytest.raises(LinkedStoreError):
            SqliteStore(other)
        with closing(SqliteStore(path)) as second:
            second.transact(put("second"))
        store.transact(put("first"))
    assert holds(path, "before", "first", "second") == [True] * 3


def test_a_snapshot_made_while_the_store_is_open_stops_nothing(path: Path, tmp_path: Path) -> None:
    with closing(SqliteStore(path)) as store:
        store.transact(put("earlier"))
        shutil.copytree(path.parent, tmp_path / "snapshot", copy_function=os.link)
        store.transact(put("later"))
        write_elsewhere(path, "elsewhere")
    assert holds(path, "earlier", "later", "elsewhere") == [True] * 3


def test_processes_that_open_it_at_once_copy_it_once(path: Path, other: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One has locked the file to copy it: the next one waits for that."""
    copied = []
    waiting, go_on = threading.Event(), threading.Event()

    def slowly(*of: object, **named: object) -> None:
        copied.append(of[0])
        waiting.set()
        assert go_on.wait(WAIT_S)
        replace_file(*of, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(linked, "replace_file", slowly)
    first = threading.Thread(target=lambda: SqliteStore(path).close())
    first.start()
    assert waiting.wait(WAIT_S)
    arguments = [sys.executable, "-c", HOLD, str(path), "closes"]
    with subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as second:
        go_on.set()
        assert second.communicate(b"second\n", WAIT_S)[0] == b"open\nsecond\n"
    first.join(WAIT_S)
    assert copied == [path]
    assert holds(path, "before", "second") == [True, True]
    assert holds(other, "before", "second") == [True, False]


def test_a_disk_without_room_for_the_copy_refuses_and_changes_nothing(
    path: Path, other: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(shutil, "copyfileobj", full)
    with pytest.raises(DiskFullError):
        SqliteStore(path)
    monkeypatch.undo()
    assert path.stat().st_ino == other.stat().st_ino
    assert holds(path, "before") == [True]


def test_a_journal_is_found_beside_the_file_to_which_a_symbolic_link_leads(path: Path, tmp_path: Path) -> None:
    """An older copy is put back under a newer journal, and opened by way of a link."""
    older = path.read_bytes()
    with closing(SqliteStore(path)) as store:
        store.transact(put("checkpointed"))
    with held(path, "newer", end="dies"):
        pass
    path.write_bytes(older)
    link = tmp_path / "link.db"
    link.symlink_to(path)
    with closing(SqliteStore(link)) as store:
        assert store.set_aside == Path(f"{path}-wal-aside-1")
    assert holds(path, "before", "checkpointed", "newer") == [True, False, False]
    assert is_whole(path)
