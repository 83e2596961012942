"""A plain file becomes an encrypted one and back, whole or not at all, while nobody else has it open."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from sqlcipher3 import dbapi2 as sqlite

from edda_sync.sealing import datakeys, keyfile
from edda_sync.store.sqlite import converting
from edda_sync.store.sqlite.converting import convert, plain_files
from edda_sync.store.sqlite.store import SqliteStore
from edda_sync.words.config import DATABASE_FILE
from edda_sync.words.errors import CorruptError, DiskFaultError, UsageError
from tests.encrypted import encrypt, holds

PLANTED = b"a string that nobody may read"

HOLDING = """
import pathlib, sys
from edda_sync.store.sqlite.store import SqliteStore
store = SqliteStore(pathlib.Path(sys.argv[1]))
print("open", flush=True)
sys.stdin.readline()
store.close()
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    folder = tmp_path / "home"
    folder.mkdir()
    path = folder / DATABASE_FILE
    with closing(SqliteStore(path)) as store:
        store.transact(lambda tx: tx.meta.set("key", PLANTED * 1_000))
    return path


def key_of(path: Path) -> str:
    return datakeys.unlock(encrypt(path)).current.pragma


def held(path: Path) -> bytes | None:
    with closing(SqliteStore(path)) as store, store.read() as reader:
        return reader.meta.get("key")


def rows(path: Path, key: str | None) -> list[object]:
    """Everything that SQLite says about a file."""
    with closing(sqlite.connect(path)) as connection:
        if key is not None:
            connection.executescript(f'PRAGMA key = "{key}"')
        names = sorted(connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'table'").fetchall())
        asked = ("user_version", "application_id", "encoding", "integrity_check")
        found: list[object] = [connection.execute(f"PRAGMA {each}").fetchall() for each in asked]
        return [*found, *((name, sql, connection.execute(f'SELECT * FROM "{name}"').fetchall()) for name, sql in names)]


def test_an_encrypted_file_holds_the_same_and_no_file_beside_it_can_be_read(path: Path) -> None:
    before, mode = rows(path, None), path.stat().st_mode
    key = key_of(path)
    convert(path, None, key)
    assert holds(path.parent, PLANTED) == holds(path.parent, b"SQLite format 3") == []
    assert sorted(each.name for each in path.parent.iterdir()) == ["edda.db", "edda.db-key"]
    assert rows(path, key) == before
    assert path.stat().st_mode == mode == stat.S_IFREG | 0o600
    assert held(path) == PLANTED * 1_000


def test_a_decrypted_file_holds_the_same(path: Path) -> None:
    before = rows(path, None)
    key = key_of(path)
    convert(path, None, key)
    convert(path, key, None)
    keyfile.put_aside(path)
    assert rows(path, None) == before
    assert held(path) == PLANTED * 1_000


def test_the_plain_file_is_overwritten_also_under_another_name(path: Path, tmp_path: Path) -> None:
    """A second name stands for whoever finds the blocks of the file on the disk."""
    blocks = tmp_path / "blocks"
    os.link(path, blocks)
    size = path.stat().st_size
    convert(path, None, key_of(path))
    assert blocks.read_bytes() == bytes(size)


def test_a_journal_that_was_left_is_taken_along(path: Path) -> None:
    code = (
        "import os, pathlib, sys; from edda_sync.store.sqlite.store import SqliteStore\n"
        "SqliteStore(pathlib.Path(sys.argv[1])).transact(lambda tx: tx.meta.set('key', b'later')); os._exit(0)"
    )
    subprocess.run([sys.executable, "-c", code, str(path)], check=True)
    assert Path(f"{path}-wal").stat().st_size
    convert(path, None, key_of(path))
    assert held(path) == b"later"


def test_a_store_that_another_process_has_open_is_refused_and_left_alone(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edda_sync.words.limits.MAKING_S", 0.01)
    before = path.read_bytes()
    run = [sys.executable, "-c", HOLDING, str(path)]
    with subprocess.Popen(run, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "open\n"
        with pytest.raises(UsageError, match="in use by another program; nothing was changed: end `edda up`"):
            convert(path, None, key_of(path))
        assert path.read_bytes() == before
        other.communicate("end\n")
    convert(path, None, datakeys.unlock(path).current.pragma)
    assert held(path) == PLANTED * 1_000


def test_a_store_that_is_open_in_this_process_is_refused(path: Path) -> None:
    with closing(SqliteStore(path)), pytest.raises(UsageError, match="open in this process"):
        convert(path, None, key_of(path))


def break_copy(connection: object) -> None:
    raise sqlite.OperationalError("it fails")


def break_same(real: Callable[[sqlite.Connection], None]) -> Callable[[sqlite.Connection], None]:
    def copy(connection: sqlite.Connection) -> None:
        real(connection)
        connection.execute("UPDATE target._meta SET value = x'00'")

    return copy


def test_a_copy_that_is_not_the_same_is_thrown_away(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = rows(path, None)
    monkeypatch.setattr(converting, "_copy", break_same(converting._copy))
    with pytest.raises(CorruptError, match="The copy of"):
        convert(path, None, key_of(path))
    assert sorted(each.name for each in path.parent.iterdir()) == ["edda.db", "edda.db-key"]
    assert rows(path, None) == before


def test_a_disk_that_fails_before_the_swap_leaves_the_store_as_it_was(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = rows(path, None)

    def fail(*_: object) -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", fail)
        with pytest.raises(DiskFaultError):
            convert(path, None, "x'" + "00" * 48 + "'")
    assert [each.name for each in path.parent.iterdir()] == ["edda.db"]
    assert rows(path, None) == before


def test_what_an_interrupted_run_left_is_removed_by_the_next(path: Path) -> None:
    Path(f"{path}.converting").write_bytes(b"half of it")
    convert(path, None, key_of(path))
    assert sorted(each.name for each in path.parent.iterdir()) == ["edda.db", "edda.db-key"]


def test_damage_is_found_before_anything_is_replaced(path: Path) -> None:
    raw = bytearray(path.read_bytes())
    raw[len(raw) - 4_096 * 2 :] = b"\xff" * 4_096 * 2
    path.write_bytes(raw)
    with pytest.raises(CorruptError):
        convert(path, None, key_of(path))
    assert path.read_bytes()[4_096:] == bytes(raw)[4_096:], "only the mode of its journal is another one"


def test_plain_files_beside_an_encrypted_store_are_named(path: Path) -> None:
    plain = path.read_bytes()
    convert(path, None, key_of(path))
    assert plain_files(path) == []
    Path(f"{path}.version-1").write_bytes(plain)
    Path(f"{path}-wal-aside-1").write_bytes(b"a journal")
    Path(f"{path}.version-2").write_bytes(path.read_bytes())
    assert plain_files(path) == ["edda.db-wal-aside-1", "edda.db.version-1"]
    for folder, begins in (("left-1", b"SQLite format 3\0"), ("left-2", b"anything else")):
        (path.parent / folder).mkdir()
        (path.parent / folder / path.name).write_bytes(begins)
    assert plain_files(path) == ["edda.db-wal-aside-1", "edda.db.version-1", f"left-1/{path.name}"]
    assert f"left-1/{path.name}" not in plain_files(path, [path.parent / "left-1"]), (
        "its content is still to be brought"
    )
