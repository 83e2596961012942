"""States that are moved are the same as before, and whatever ends a move, the store is as it was."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from edda_sync.engine import doctor, migrating
from edda_sync.engine.engine import StorageEngine
from edda_sync.engine.engine import open as open_store
from edda_sync.store.rocks import database, moving
from edda_sync.store.seams import StoreReader
from edda_sync.words.config import ROCKSDB_FOLDER, StorageBackend, StorageConfig
from edda_sync.words.errors import CorruptError, StorageError, UsageError
from edda_sync.words.model import Document, Task
from tests.mounting import mount

KINDS = (StorageBackend.SQLITE, StorageBackend.ROCKSDB)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "store"


def fill(home: Path, kind: StorageBackend) -> dict[str, Any]:
    with open_store(home, StorageConfig(backend=kind)) as store:
        tasks = [store.create_task(Task(title=f"task {number}", tags={"t"})) for number in range(30)]
        document = store.create_document(Document(title="D", content="one two three"))
        for number in range(5):
            with store.begin_transaction() as tx:
                tx.edit_text(document, "content", [(0, 0, f"{number} ")])
        store.delete_task(tasks[4])
    return said(home)


def said(home: Path) -> dict[str, Any]:
    with open_store(home) as store:
        digest = store.digest()  # first: it writes what waits for the texts
        with store.store.read() as reader:
            return _said(store, reader, digest)


def _said(store: StorageEngine, reader: StoreReader, digest: object) -> dict[str, Any]:
    return {
        "digest": digest,
        "frontier": store.frontier(),
        "states": list(reader.states.scan()),
        "texts": [(name, reader.states.text(*name)) for name in reader.states.texts()],
        "conflicted": list(reader.index.conflicted()),
        "hidden": list(reader.index.hidden("task")),
        "serial": reader.states.last_serial(),
    }


def sound(home: Path) -> bool:
    with open_store(home) as store:
        return all(each.sound for each in doctor.check(store))


def folders(home: Path) -> list[Path]:
    return list((home / ROCKSDB_FOLDER).glob("*"))


@pytest.fixture(params=KINDS)
def moved(request: pytest.FixtureRequest, home: Path) -> tuple[StorageBackend, dict[str, Any]]:
    """A filled store; returns where its states are to go, and what it says."""
    before = fill(home, request.param)
    return next(kind for kind in KINDS if kind != request.param), before


def test_a_store_that_is_moved_and_moved_back_says_the_same(
    home: Path, moved: tuple[StorageBackend, dict[str, Any]]
) -> None:
    to, before = moved
    for kind in (to, *[kind for kind in KINDS if kind != to], to):
        assert migrating.migrate(home, StorageConfig(), kind) == len(before["states"])
        assert said(home) == before
        assert sound(home)
        assert len(folders(home)) == (kind == StorageBackend.ROCKSDB)
        with pytest.raises(UsageError, match="already; nothing was changed"):
            migrating.migrate(home, StorageConfig(), kind)
    with open_store(home) as store:
        store.create_task(Task(title="one more"))
    assert sound(home)


def test_large_stores_are_moved_part_by_part(
    home: Path, moved: tuple[StorageBackend, dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(moving, "_CHUNK", 10)
    migrating.migrate(home, StorageConfig(), moved[0])
    assert said(home) == moved[1]


def test_a_copy_that_differs_changes_nothing(
    home: Path, moved: tuple[StorageBackend, dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(moving, "_differ", lambda *_of: iter((False, True)))
        with pytest.raises(CorruptError):
            migrating.migrate(home, StorageConfig(), moved[0])
    assert len(folders(home)) == (moved[0] == StorageBackend.SQLITE), "what was copied takes no room any more"
    assert said(home) == moved[1]
    migrating.migrate(home, StorageConfig(), moved[0])
    assert said(home) == moved[1]


def test_every_difference_of_a_copy_is_seen(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(home, StorageBackend.SQLITE)
    real = database.settle

    def wrong(path: Path, before: bytes | None, token: bytes, upto: int, puts: Any, *rest: Any) -> None:
        real(path, before, token, upto, [(key, value + b"x") for key, value in puts], *rest)

    with monkeypatch.context() as patched:
        patched.setattr(database, "settle", wrong)
        with pytest.raises(CorruptError, match="What was copied into"):
            migrating.migrate(home, StorageConfig(), StorageBackend.ROCKSDB)
    assert sound(home)


@pytest.mark.parametrize("room_bytes", [0, 20_000, 60_000])
def test_a_full_disk_changes_nothing_and_what_was_copied_takes_no_room(
    home: Path, tmp_path: Path, room_bytes: int, request: pytest.FixtureRequest
) -> None:
    before, disk = fill(home, StorageBackend.SQLITE), tmp_path / "disk"
    disk.mkdir()
    mount("-t", "tmpfs", "-o", f"size={room_bytes + 4096}", "tmpfs", str(disk))
    request.addfinalizer(lambda: subprocess.run(["umount", "--lazy", str(disk)], check=True))
    with pytest.raises(StorageError, match="is full"):
        migrating.migrate(home, StorageConfig(rocksdb_path=disk / "states"), StorageBackend.ROCKSDB)
    assert list((disk / "states").glob("*")) == []
    assert said(home) == before
    assert sound(home)


KILLED = """
import os, signal, sys
from pathlib import Path
from edda_sync.engine import migrating
from edda_sync.store.rocks import database, moving
from edda_sync.store.seams import StoreReader
from edda_sync.words.config import StorageBackend, StorageConfig

place, moment, home, to = sys.argv[1:]
holder = {"settle": database, "remove": database, "_differ": moving, "_copy": moving}[place]
real = getattr(holder, place)

def killed(*of):
    found = None if moment == "before" else real(*of)
    if place == "_differ" and moment == "after":
        list(found)
    os.kill(os.getpid(), signal.SIGKILL)

setattr(holder, place, killed)
migrating.migrate(Path(home), StorageConfig(), StorageBackend(to))
"""


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("place", ["settle", "_copy", "_differ", "remove"])
def test_a_move_that_is_killed_leaves_a_whole_store_and_can_be_run_again(
    home: Path, moved: tuple[StorageBackend, dict[str, Any]], place: str, moment: str
) -> None:
    to, before = moved
    done = subprocess.run(
        [sys.executable, "-c", KILLED, place, moment, str(home), to], capture_output=True, timeout=300, check=False
    )
    assert done.returncode in (-9, 0), done.stderr
    assert said(home) == before
    try:
        migrating.migrate(home, StorageConfig(), to)
    except UsageError as error:
        assert "already" in str(error)  # noqa: PT017 - it was moved before it was killed
    assert said(home) == before
    assert len(folders(home)) == (to == StorageBackend.ROCKSDB)
    assert sound(home)
