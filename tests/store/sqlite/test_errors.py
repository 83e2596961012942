"""SQLite's errors as ours: each kind of fault has its own error, and everything else passes unchanged."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlcipher3 import dbapi2 as sqlite

from edda_sync.store.sqlite.errors import is_fault, translated
from edda_sync.words import errors

Cause = Callable[[Path], object]


def connect(path: Path, **said: Any) -> Any:
    return sqlite.connect(str(path), isolation_level=None, timeout=0, **said)


def made(path: Path) -> Path:
    with connect(path) as connection:
        connection.execute("CREATE TABLE t (a INTEGER PRIMARY KEY)")
    return path


def full(path: Path) -> None:
    connection = connect(made(path))
    connection.execute("PRAGMA max_page_count = 2")
    connection.execute("INSERT INTO t SELECT 1")
    connection.execute("CREATE TABLE u AS SELECT zeroblob(100000)")


def read_only(path: Path) -> None:
    connection = connect(made(path))
    connection.execute("PRAGMA query_only = 1")
    connection.execute("INSERT INTO t VALUES (1)")


def not_there(path: Path) -> None:
    connect(path / "nowhere" / "edda.db").execute("SELECT 1 FROM t")


def busy(path: Path) -> None:
    one, other = connect(made(path)), connect(path)
    one.execute("BEGIN IMMEDIATE")
    other.execute("BEGIN IMMEDIATE")


def interrupted(path: Path) -> None:
    connection = connect(made(path))
    connection.set_progress_handler(lambda: 1, 1)
    connection.execute("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n")


def no_database(path: Path) -> None:
    path.write_bytes(b"something else" * 100)
    connect(path).execute("SELECT 1 FROM t")


def damaged(path: Path) -> None:
    made(path)
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * 4096)
    connect(path).execute("SELECT * FROM t").fetchall()


@pytest.mark.parametrize(
    ("cause", "kind"),
    [
        (full, errors.DiskFullError),
        (read_only, errors.ReadOnlyError),
        (not_there, errors.DiskFaultError),
        (busy, errors.BusyError),
        (interrupted, errors.OutdatedError),
        (no_database, errors.NotAStoreError),
        (damaged, errors.CorruptError),
    ],
)
def test_each_fault_of_sqlite_becomes_one_of_our_errors_and_names_the_file(
    tmp_path: Path, cause: Cause, kind: type[errors.EddaError]
) -> None:
    path = tmp_path / "edda.db"
    with pytest.raises(errors.EddaError) as caught, translated(path):
        cause(path)
    assert type(caught.value) is kind
    assert str(path) in str(caught.value)
    assert isinstance(caught.value.__cause__, sqlite.Error)
    assert is_fault(caught.value)


class Disk(sqlite.OperationalError):  # type: ignore[misc]  # SQLite has no types
    """A fault of the disk that no test can cause."""

    sqlite_errorname = "SQLITE_IOERR_WRITE"


@pytest.mark.parametrize(("free", "kind"), [(0, errors.DiskFullError), (1 << 20, errors.DiskFaultError)])
def test_a_fault_of_a_disk_that_has_no_room_left_is_a_full_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free: int, kind: type[errors.EddaError]
) -> None:
    true = os.statvfs(tmp_path)
    monkeypatch.setattr(os, "statvfs", lambda _: type("Disk", (), {"f_bavail": free, "f_frsize": 1, "true": true}))
    with pytest.raises(kind), translated(tmp_path / "edda.db"):
        raise Disk("disk I/O error")


def test_a_wrong_request_of_a_transaction_is_not_a_fault_of_the_store(tmp_path: Path) -> None:
    connection = connect(made(tmp_path / "edda.db"))
    connection.execute("INSERT INTO t VALUES (1)")
    with pytest.raises(errors.StorageError) as caught, translated(tmp_path / "edda.db"):
        connection.execute("INSERT INTO t VALUES (1)")
    assert "nothing was written" in str(caught.value)
    assert not is_fault(caught.value)
    assert not is_fault(ZeroDivisionError())


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT 1 FROM entity_tags",
        "SELECT b FROM t",
        "INSERT INTO t VALUES (1)",
        "INSERT INTO t VALUES ('no number')",
        "INSERT INTO guarded VALUES (1)",
        "INSERT INTO refers VALUES (3)",
    ],
)
def test_an_error_from_a_changed_table_names_the_command_that_says_more(tmp_path: Path, statement: str) -> None:
    connection = connect(made(tmp_path / "edda.db"))
    for each in (
        "PRAGMA foreign_keys = ON",
        "INSERT INTO t VALUES (1)",
        "CREATE TABLE guarded (a)",
        "CREATE TRIGGER guard BEFORE INSERT ON guarded BEGIN SELECT RAISE(ABORT, 'no'); END",
        "CREATE TABLE refers (a REFERENCES t(a))",
    ):
        connection.execute(each)
    with pytest.raises(errors.StorageError, match="`edda doctor` says what was changed"), translated(tmp_path):
        connection.execute(statement)


def test_other_errors_than_those_of_sqlite_pass_unchanged(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError) as caught, translated(tmp_path):
        raise ZeroDivisionError
    assert caught.value.__cause__ is None
