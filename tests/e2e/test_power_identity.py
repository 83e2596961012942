"""Power fails while a device's key is saved: once it was reported as saved it is there, whole, whatever the disk forgets."""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from edda_sync.transport.identity import Identity, load
from edda_sync.words.errors import StorageError
from tests.e2e.power import Disk, Event, Loss, compile_recorder, record, scratch
from tests.e2e.power_judge import lay_out
from tests.e2e.power_work import MARKS

DEVICE = Identity.from_private(bytes(range(32)))
DRAWS = 20
SAVE = f"""
import os, sys
from pathlib import Path
from edda_sync.transport.identity import Identity, save
home = Path(sys.argv[1])
marks = os.open(home / "{MARKS}", os.O_WRONLY | os.O_CREAT, 0o600)
assert save(home, Identity.from_private(bytes(range(32)))) == "a file"
os.write(marks, b"kept")
"""


@pytest.fixture(scope="module")
def trace() -> Iterator[list[Event]]:
    """The file operations of a process that saves an identity."""
    if shutil.which("cc") is None or not os.path.isdir("/proc/self/fd"):
        pytest.skip("the recorder needs Linux and a C compiler, cc")
    folder = scratch()
    home = folder / "home"
    home.mkdir()
    yield record(compile_recorder(folder), home, folder / "trace", ("-c", SAVE, home))
    shutil.rmtree(folder)


def moments(trace: list[Event]) -> Iterator[tuple[bool, Disk]]:
    """Yield, for each moment at which power may fail, whether the key was reported as saved, and the disk."""
    disk, kept = Disk(), False
    for event in trace:
        if event.kind == "!":
            kept = True
        else:
            yield kept, disk
            disk.apply(event)
    yield kept, disk


def found(disk: Disk, loss: Loss, draw: int, home: Path) -> Identity | None:
    lay_out(disk.image(loss, random.Random(draw)), home)
    return load(home)


@pytest.mark.parametrize("loss", Loss)
def test_a_saved_key_is_there_after_a_power_loss_and_one_being_saved_is_there_whole_or_not_at_all(
    trace: list[Event], loss: Loss, tmp_path: Path
) -> None:
    seen = set()
    for kept, disk in moments(trace):
        for draw in range(DRAWS):
            identity = found(disk, loss, draw, tmp_path / "found")
            assert identity == DEVICE or not kept
            assert identity in (None, DEVICE)
            seen.add((kept, identity is not None))
    assert {(False, False), (True, True)} <= seen


@pytest.mark.parametrize("forgotten", ["its content", "its name"])
def test_a_disk_that_forgets_synced_writes_is_found_out(trace: list[Event], forgotten: str, tmp_path: Path) -> None:
    def is_lost(draw: int) -> bool:
        try:
            return found(disk, Loss.DROP, draw, tmp_path / "found") != DEVICE
        except StorageError:
            return True

    worse = [event for event in trace if event.kind != "S" or bool(event.name) == (forgotten == "its name")]
    *_, (kept, disk) = moments(worse)
    assert kept
    assert any(is_lost(draw) for draw in range(DRAWS))
