"""Power fails while a device's key is kept: once it was said to be kept it is there, whole, whatever the disk forgets."""

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
    """What a process that keeps an identity does to its files."""
    if shutil.which("cc") is None or not os.path.isdir("/proc/self/fd"):
        pytest.skip("the recorder needs Linux and a C compiler, cc")
    folder = scratch()
    home = folder / "home"
    home.mkdir()
    yield record(compile_recorder(folder), home, folder / "trace", ("-c", SAVE, home))
    shutil.rmtree(folder)


def moments(trace: list[Event]) -> Iterator[tuple[bool, Disk]]:
    """Yield, for each moment at which power may fail, whether the key was said to be kept, and the disk."""
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
def test_a_key_that_was_kept_is_there_after_a_power_loss_and_one_that_was_not_yet_is_whole_or_not_there(
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
def test_a_disk_that_forgets_what_was_synced_is_found_out(trace: list[Event], forgotten: str, tmp_path: Path) -> None:
    def is_lost(draw: int) -> bool:
        try:
            return found(disk, Loss.DROP, draw, tmp_path / "found") != DEVICE
        except StorageError:
            return True

    worse = [event for event in trace if event.kind != "S" or bool(event.name) == (forgotten == "its name")]
    *_, (kept, disk) = moments(worse)
    assert kept
    assert any(is_lost(draw) for draw in range(DRAWS))
