"""The lock of a store's device: who holds it is told, and whether anybody does, without taking it from anybody."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from edda_sync.device.control import only_runner
from edda_sync.device.locked import LOCK_FILE, is_running, lock
from edda_sync.words.errors import InTheWayError, UsageError

FOREIGN = f"process {os.getpid()} on another, edda"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    made = tmp_path / "home"
    made.mkdir(0o700)
    (made / "other").touch()  # so that it stays
    return made


def note(home: Path, text: str) -> None:
    (home / "run").mkdir(0o700, exist_ok=True)
    (home / "run" / LOCK_FILE).write_text(text)


def test_a_device_runs_as_long_as_its_lock_is_held_and_asking_takes_nothing(home: Path) -> None:
    assert not is_running(home)
    assert not (home / "run").exists()
    with only_runner(home):
        assert is_running(home)
        assert is_running(home)
        with pytest.raises(UsageError, match=rf"syncing .* already \(process {os.getpid()} on "):
            lock(home / "run" / LOCK_FILE, home)
    assert not is_running(home)
    with only_runner(home):
        pass


def test_what_somebody_noted_who_is_gone_counts_for_nothing(home: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        ended.wait()
    for text in (
        "",
        "no process",
        f"process {ended.pid} on here, edda",
        f"process {'9' * 150} on here",
        FOREIGN,
        "process 1 on x",
    ):
        note(home, text)
        assert not is_running(home)


def test_the_lock_of_a_process_that_is_being_told_by_a_number_only_is_seen(home: Path) -> None:
    with only_runner(home):
        note(home, FOREIGN)
        assert is_running(home)


def test_a_file_in_the_place_of_the_locks_folder_is_named(home: Path) -> None:
    (home / "run").touch()
    with pytest.raises(InTheWayError, match="run cannot be used"):
        lock(home / "run" / LOCK_FILE, home)


def test_what_lies_in_the_place_of_a_lock_is_not_waited_for(home: Path) -> None:
    (home / "run").mkdir(0o700)
    os.mkfifo(home / "run" / LOCK_FILE)
    assert not is_running(home)
    (home / "run" / LOCK_FILE).unlink()
    (home / "run" / LOCK_FILE).symlink_to(home / "other")
    assert not is_running(home)
