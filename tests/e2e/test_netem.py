"""The tests of a bad LAN once more, with cables that the kernel's own ``tc netem`` spoils."""

from __future__ import annotations

import re
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e import kernel

ROOT = Path(__file__).parents[2]
TIMEOUT_S = 300.0  # a guard against waiting for ever
MODULES = ["bridge", "veth", "sch_netem"]


@pytest.fixture(autouse=True, scope="module")
def possible() -> None:
    if reason := kernel.fault():
        pytest.skip(reason)


@pytest.fixture
def place() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(dir=kernel.PLACE) as folder:
        yield Path(folder)


def test_a_command_runs_in_a_kernel_of_its_own_and_leaves_nothing_behind(place: Path) -> None:
    write = f"echo lost > {place}/written && cat {place}/written && uname -r && exit 7"
    ended = kernel.run("sh", "-c", write, modules=["sch_netem"], folder=place, timeout_s=TIMEOUT_S)
    assert ended.code == 7, ended.output
    assert re.search(r"^lost$", ended.output, re.MULTILINE)
    assert list(place.iterdir()) == []


def test_a_kernel_whose_command_does_not_end_is_ended_with_all_that_runs_in_it(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kernel, "PLACE", str(place))  # its processes are known by it
    ended = kernel.run("sleep", "3600", modules=["sch_netem"], folder=place, timeout_s=5.0)
    assert ended.code is None
    alive = (process.read_bytes() for process in Path("/proc").glob("[0-9]*/cmdline"))
    assert not any(place.name.encode() in each for each in alive)


def test_devices_survive_bad_cables_if_the_kernel_itself_spoils_them(whole: bool) -> None:
    # In this slow kernel each kind takes ten seconds. A pulled cable needs no spoiler, and netem is not our own wire.
    kinds, passed = ("not flaps and not wire", 4) if whole else ("doubled", 1)
    tests = [
        sys.executable,
        "-m",
        "pytest",
        "--color=no",
        "-s",
        "--spoiler=netem",
        "-k",
        kinds,
        "tests/e2e/test_bad_lan.py",
    ]
    ended = kernel.run(*tests, modules=MODULES, folder=ROOT, timeout_s=TIMEOUT_S)
    sys.stdout.write(ended.output)
    assert ended.code == 0
    assert f"{passed} passed, {7 - passed} deselected" in ended.output
