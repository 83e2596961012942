"""Connecting: what happens to a connection that was made while the file was replaced by another one."""

from __future__ import annotations

import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from edda_sync.store.sqlite import connecting, connections
from edda_sync.store.sqlite.connections import Connection
from edda_sync.store.sqlite.opening import configure
from edda_sync.store.sqlite.store import SqliteStore
from edda_sync.words.config import DATABASE_FILE
from edda_sync.words.errors import LostStoreError, StorageError

SWAPPED = """
import os, pathlib, shutil, sys
from sqlcipher3 import dbapi2
from edda_sync.store.sqlite import connecting, connections
from edda_sync.store.sqlite.store import SqliteStore
from edda_sync.words.errors import ReplacedStoreError

path, other = map(pathlib.Path, sys.argv[1:])
store = SqliteStore(path)
real = connecting.configure
def configure(connection, at):
    inside = os.open(path, os.O_RDWR)  # the file that this connection has opened
    os.replace(other, path)
    os.pwrite(inside, bytes(4096), 0)
    real(connection, at)
connecting.configure = configure
try:
    store.connect()
except ReplacedStoreError as error:
    print("refused")
"""


def test_a_connection_to_a_file_that_was_swapped_meanwhile_is_refused_and_never_closed(tmp_path: Path) -> None:
    """Closing it would copy the journal of the new file into the old one, and remove it."""
    path, other = tmp_path / DATABASE_FILE, tmp_path / "other.db"
    for each in (path, other):
        with closing(SqliteStore(each)) as store:
            store.transact(lambda tx, each=each: tx.meta.set("name", each.name.encode()))  # type: ignore[misc]
    said = subprocess.run(
        [sys.executable, "-c", SWAPPED, str(path), str(other)], capture_output=True, text=True, check=False
    )
    assert said.stdout == "refused\n", said.stderr
    with closing(SqliteStore(path)) as store, store.read() as reader:
        assert reader.meta.get("name") == b"other.db"


def test_a_file_that_is_taken_away_while_it_is_opened_is_lost_and_not_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / DATABASE_FILE
    with closing(SqliteStore(path)) as store:

        def remove(connection: Connection, at: Path) -> None:
            path.rename(tmp_path / "elsewhere")
            configure(connection, at)

        monkeypatch.setattr(connecting, "configure", remove)
        with pytest.raises(LostStoreError):
            store.connect()


def test_a_connection_that_cannot_be_configured_is_closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with closing(SqliteStore(tmp_path / DATABASE_FILE)) as store:
        known = len(connections.open_to(connections.file_of(store.path)))

        def fail(_connection: Connection, _path: Path) -> None:
            raise StorageError("it cannot.")

        monkeypatch.setattr("edda_sync.store.sqlite.connecting.configure", fail)
        with pytest.raises(StorageError, match="it cannot"):
            store.connect()
        assert len(connections.open_to(connections.file_of(store.path))) == known
