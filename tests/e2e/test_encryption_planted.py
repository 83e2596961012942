"""
No file of two encrypted devices holds a planted string in plain, whatever they do: in the store's folder, beside the socket,
in the folder of sidecars, and in the system's folder for temporary files.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

import edda_sync as edda
from edda_sync import testing
from edda_sync.engine.engine import StorageEngine
from edda_sync.sealing import datakeys
from edda_sync.words.config import StorageBackend, StorageConfig
from tests.cli.processes import EDDA
from tests.encrypted import config_of, holds

PLANTED = "nobody may read this"
ATTACHED = f"{PLANTED} ".encode() * 60_000
LOOKED_EVERY_S = 0.002


class Place:
    """Two devices of one workspace, and all folders that their processes may write to."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.homes = [folder / name for name in ("laptop", "phone")]
        self.state = folder / "state"
        (folder / "tmp").mkdir()
        self.environment = {
            **os.environ, "TMPDIR": str(folder / "tmp"), "EDDA_STATE": str(self.state), "EDDA_KEYRING": "off",
            "PYTHONUNBUFFERED": "1",
        }  # fmt: skip
        with StorageEngine(self.homes[0]) as first, StorageEngine(self.homes[1]) as second:
            first.initialize(self._config(self.homes[0]).changed(backend=StorageBackend.ROCKSDB))
            second.open_store(self._config(self.homes[1]))
            testing.pair(first, second)
            first.create_document(edda.Document(title=f"{PLANTED} at first", content=PLANTED * 1_000, tags={PLANTED}))
            first.store.settle()  # type: ignore[attr-defined]  # what is written later is settled once it is enough
            assert any(self.homes[0].glob("edda.rocks/states-*/*.sst"))
        datakeys.forget_unlocked()

    def _config(self, home: Path) -> StorageConfig:
        return StorageConfig(state_path=self.state, encryption_config=config_of(home / "edda.db"))

    def start(self, home: Path, *arguments: str) -> subprocess.Popen[str]:
        run = [*EDDA, "--home", str(home), *arguments]
        return subprocess.Popen(run, env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def run(self, home: Path, *arguments: str) -> str:
        process = self.start(home, *arguments)
        said, _ = process.communicate()
        assert process.returncode == 0, said
        return said

    def feed(self, home: Path, content: bytes, *arguments: str) -> None:
        run = [*EDDA, "--home", str(home), *arguments]
        subprocess.run(run, env=self.environment, input=content, check=True, capture_output=True)

    def plain(self) -> list[str]:
        """Return which files hold the planted string."""
        found: list[str] = []
        for path in [each for each in self.folder.rglob("*") if each.is_file()]:
            try:
                if PLANTED.encode() in path.read_bytes():
                    found.append(str(path))
            except FileNotFoundError:
                pass  # a temporary file, which was removed meanwhile
        return found


class Looking:
    """Looks at all files again and again, in a ``with`` block."""

    def __init__(self, place: Place) -> None:
        self._place, self._ended = place, threading.Event()
        self.found: set[str] = set()
        self.looks = 0
        self._thread = threading.Thread(target=self._look)

    def _look(self) -> None:
        while not self._ended.wait(LOOKED_EVERY_S):
            self.found.update(self._place.plain())
            self.looks += 1

    def __enter__(self) -> Looking:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    yield Place(tmp_path)
    datakeys.forget_unlocked()


def listening(process: subprocess.Popen[str]) -> str:
    """Return the address of a device, once it runs."""
    assert process.stdout is not None
    port = ""
    for line in process.stdout:
        port = port or "".join(re.findall(r"listening on port (\d+)", line))
        if "Ctrl-C" in line:
            return f"127.0.0.1:{port}"
    raise AssertionError("the device has ended")


def test_no_file_holds_it_while_devices_run_sync_are_killed_and_are_checked(place: Place) -> None:
    laptop, phone = place.homes
    with Looking(place) as looking:
        running = place.start(laptop, "up", "--no-discovery")
        address = listening(running)
        place.run(laptop, "task", "add", f"{PLANTED} in a title", "--description", PLANTED, "--tag", PLANTED)
        made = place.run(laptop, "doc", "list", "--json")
        document = json.loads(made)[0]["id"]
        place.feed(laptop, ATTACHED, "attach", document, "-", "--name", PLANTED)
        assert place.run(laptop, "doc", "save", document, "--to", "-") == ATTACHED.decode()
        assert "equal" in place.run(phone, "sync", "--at", address)
        assert PLANTED in place.run(phone, "doc", "list")
        assert PLANTED in place.run(phone, "doc", "search", "nobody")
        running.send_signal(signal.SIGKILL)
        running.communicate()
        assert (laptop / "edda.db-wal").stat().st_size
        for home in (laptop, phone):
            assert "encryption: every page" in place.run(home, "doctor"), "which folds the log into a file of its own"
            place.run(home, "doctor", "--rebuild")
            place.run(home, "key", "rotate", "--store", "--data")  # which settles what is pending
            place.run(home, "status")
        assert place.run(laptop, "doc", "save", document, "--to", "-") == ATTACHED.decode()
        assert PLANTED in place.run(laptop, "task", "list")
    assert looking.looks > 5
    assert looking.found == set()
    assert place.plain() == []
    assert [name for home in place.homes for name in holds(home, b"SQLite format 3")] == []


def test_the_look_for_planted_strings_finds_one(place: Place) -> None:
    (place.folder / "tmp" / "file").write_text(f"some {PLANTED} in it")
    with Looking(place) as looking:
        while not looking.looks:
            pass
    assert looking.found == {str(place.folder / "tmp" / "file")}


def test_no_file_holds_it_after_a_plain_store_was_encrypted(tmp_path: Path) -> None:
    place = Place(tmp_path)
    home = tmp_path / "plain"
    place.run(home, "task", "add", PLANTED)
    assert place.plain() == [str(home / "edda.db")]
    (tmp_path / "attached").write_bytes(ATTACHED)
    place.run(home, "doc", "add", str(tmp_path / "attached"), "--attach")
    (tmp_path / "attached").unlink()
    assert len(place.plain()) == 2, "a chunk, which is compressed and begins with it, and the database"
    place.run(home, "store", "encrypt", "--key-file", str(tmp_path / "plain.key"))
    assert place.plain() == []
    assert PLANTED in place.run(home, "task", "list")
