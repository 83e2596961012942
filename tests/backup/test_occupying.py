"""Occupying: one process at a time uses a proof store's folder, and what a killed one left is removed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from edda_sync.backup.occupying import FOR_A_TIME, occupied
from edda_sync.words.errors import UsageError

HOLD = """
import sys
from pathlib import Path
from edda_sync.backup.occupying import occupied
folder = Path(sys.argv[1])
with occupied(folder):
    folder.mkdir()
    (folder / "content").write_bytes(b"all that the store holds")
    print("held", flush=True)
    sys.stdin.read()
"""


def names(folder: Path) -> set[str]:
    return {each.name for each in folder.iterdir()}


def test_a_folder_for_a_time_goes_with_its_use_and_another_one_stays(tmp_path: Path) -> None:
    for name in (f"{FOR_A_TIME}1", "kept"):
        with occupied(tmp_path / name):
            (tmp_path / name).mkdir()
    assert names(tmp_path) == {"kept", "kept.lock"}


def test_what_a_killed_process_left_is_removed_by_the_next_and_what_a_running_one_uses_stays(tmp_path: Path) -> None:
    waits: list[float] = []
    command = [sys.executable, "-c", HOLD, str(tmp_path / f"{FOR_A_TIME}1")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        assert running.stdout.readline() == "held\n"
        with occupied(tmp_path / "kept"):
            assert (tmp_path / f"{FOR_A_TIME}1" / "content").exists()
            with (
                pytest.raises(UsageError, match="Another process makes a backup"),
                occupied(tmp_path / "kept", waits.append),
            ):
                raise AssertionError("it is in use")
        assert len(waits) > 10
        running.kill()
        running.wait()
    (tmp_path / f"{FOR_A_TIME}2.lock").touch()  # of a process that was killed before it made the folder
    with occupied(tmp_path / "kept"):
        assert names(tmp_path) == {"kept.lock"}


def test_whoever_waits_goes_on_once_the_other_has_ended(tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLD, str(tmp_path / "kept")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        assert running.stdout.readline() == "held\n"

        def end(_: float) -> None:
            running.kill()
            running.wait()

        with occupied(tmp_path / "kept", end):
            assert (tmp_path / "kept" / "content").exists()
