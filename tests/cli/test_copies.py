"""A copy of a store that runs beside the original: the one that is shut out says so."""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from edda_sync import testing
from edda_sync.engine.engine import StorageEngine
from edda_sync.transport import identity
from edda_sync.transport.identity import Identity
from edda_sync.words.config import StorageConfig
from edda_sync.words.model import Task
from tests.cli.processes import PATIENCE_S, Machine

SAID = r"Another copy of this device's store is connected to laptop; use only one of the two\."


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Callable[[str], Machine]]:
    made: list[Machine] = []

    def make(name: str) -> Machine:
        made.append(Machine(tmp_path, name))
        return made[-1]

    yield make
    for each in made:
        each.kill()


def pair(laptop: Machine, phone: Machine, lower: Machine) -> None:
    """Make them members of one workspace; only the calls by the one with the lower id count."""
    keys = sorted((Identity.create(), Identity.create()), key=lambda each: each.device)
    for each, key in zip((laptop, phone), keys if lower is laptop else reversed(keys), strict=True):
        each.home.mkdir(mode=0o700)
        identity.save(each.home, key)
    with StorageEngine(laptop.home) as first, StorageEngine(phone.home) as second:
        first.open_store(StorageConfig(name="laptop", state_path=laptop.state), anew=True)
        first.found()
        second.open_store(StorageConfig(name="phone", state_path=phone.state), anew=True)
        testing.pair(first, second)
        first.create_task(Task(title="Buy milk"))
        testing.sync(first, second)


def check_said(*phones: Machine) -> None:
    """Wait until status says it too; it may take a while, since the copies end each other's links in turn."""
    for phone in phones:
        end = time.monotonic() + PATIENCE_S
        while (peer := phone.json("status")["peers"][0])["connected"] or not re.fullmatch(SAID, peer["error"]):
            assert time.monotonic() < end, peer


def test_a_store_that_is_shut_out_by_a_copy_of_it_says_so_in_up_and_status(machine: Callable[[str], Machine]) -> None:
    laptop, phone, copy = machine("laptop"), machine("phone"), machine("copy")
    pair(laptop, phone, laptop)
    shutil.copytree(phone.home, copy.home)
    copied, place = copy.up()
    running, address = laptop.up("--at", place)
    running.wait_for("phone: proved equal")
    original, _ = phone.up("--at", address)
    original.wait_for(SAID)
    check_said(phone)
    why = rf"laptop: not (reached|equal) \({SAID.removesuffix('.')[:-1]}\)"
    end = time.monotonic() + PATIENCE_S
    while not re.search(why, printed := phone.run("sync", "--timeout", "6", code=4)):  # at its end a link may be open
        assert time.monotonic() < end, printed
    for each in (copied, running, original):
        assert each.end() == 0


def test_two_copies_of_a_store_that_end_each_others_links_both_say_so(machine: Callable[[str], Machine]) -> None:
    laptop, phone, copy = machine("laptop"), machine("phone"), machine("copy")
    pair(laptop, phone, phone)
    shutil.copytree(phone.home, copy.home)
    running, address = laptop.up()
    copied, _ = copy.up("--at", address)
    running.wait_for("phone: proved equal")
    original, _ = phone.up("--at", address)
    original.wait_for(SAID)
    copied.wait_for(SAID)
    check_said(phone, copy)
    for each in (copied, running, original):
        assert each.end() == 0
    for each in (copied, original):  # links came and went, and it was said once
        assert len([line for line in each.lines if re.search(SAID, line)]) == 1
        assert len([line for line in each.lines if "connected to laptop (" in line]) <= 3


def test_a_store_and_a_copy_of_it_that_meet_say_so_on_both(machine: Callable[[str], Machine]) -> None:
    """There is no third device that could tell: one of the two is told where the other runs."""
    original, copy = machine("original"), machine("copy")
    original.run("init", "--name", "laptop")
    shutil.copytree(original.home, copy.home)
    first, place = original.up()
    second, _ = copy.up("--at", place)
    for running in (first, second):
        running.wait_for(
            r"A copy of this device's store runs at 127\.0\.0\.1, too, .* `edda split NAME` on one of the two"
        )
    assert "copies: A copy of this device's store runs at 127.0.0.1, too" in original.run("status")
    assert copy.json("status")["copy_at"] == "127.0.0.1"
    for running in (first, second):
        assert running.end() == 0
    assert len([line for line in first.lines if "A copy of this device's store" in line]) == 1


def test_a_device_that_is_told_its_own_address_knows_itself(machine: Callable[[str], Machine]) -> None:
    laptop = machine("laptop")
    laptop.run("init", "--name", "laptop")
    running, place = laptop.up()
    printed = laptop.run("sync", "--at", place, "--timeout", "1", code=4)
    assert "it is this device itself, or a copy of its store" in " ".join(printed.split())
    assert laptop.json("status")["copy_at"] is None
    assert running.end() == 0
