"""A device that its workspace no longer knows: what its user is told, and what helps; with real processes."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

import edda_sync
from edda_sync import testing
from edda_sync.engine.engine import StorageEngine
from edda_sync.words.config import StorageConfig
from tests.cli.processes import Machine

TOLD = "laptop does not know this device any more"


class Two:
    """
    A laptop and a phone that it let in; then the laptop's folder is put back to its state before that.

    Args:
        folder: Where both are.
        synced: Whether the phone was sent the laptop's log before that.
    """

    def __init__(self, folder: Path, *, synced: bool) -> None:
        self.laptop, self.phone = Machine(folder, "laptop"), Machine(folder, "phone")
        saved = folder / "saved"
        with StorageEngine(self.laptop.home) as laptop:
            laptop.initialize(StorageConfig(name="laptop", state_path=self.laptop.state))
            laptop.create_task(edda_sync.Task(title="Buy milk"))
        shutil.copytree(self.laptop.home, saved)
        with StorageEngine(self.laptop.home) as laptop, StorageEngine(self.phone.home) as phone:
            laptop.initialize(StorageConfig(name="laptop", state_path=self.laptop.state))
            phone.open_store(StorageConfig(name="phone", state_path=self.phone.state))
            testing.pair(laptop, phone)
            if synced:
                testing.sync(laptop, phone)
        shutil.rmtree(self.laptop.home)
        saved.rename(self.laptop.home)
        self.phone.run("task", "add", "Mine", "--description", "one two")

    def titles(self, machine: Machine) -> set[str]:
        return {task["title"] for task in machine.json("task", "list", "--all")}


@pytest.fixture(params=[False, True], ids=["before it was sent anything", "after it was sent all"])
def two(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Two]:
    made = Two(tmp_path, synced=request.param)
    yield made
    made.laptop.kill()
    made.phone.kill()


def test_a_person_is_told_and_mends_it_with_an_invitation_and_loses_nothing(two: Two) -> None:
    laptop, phone = two.laptop, two.phone
    running, address = laptop.up()
    called, _ = phone.up("--at", address)
    called.wait_for(TOLD)
    assert TOLD in phone.run("status"), "as the running device says it"
    assert called.end() == 0
    said = phone.run("status")
    assert f"shut out: {TOLD}" in said
    assert "All that is here is safe here" in said
    assert "type `edda invite` on laptop or another member, and `edda join CODE` here" in said
    assert TOLD in phone.run("doctor", code=1)
    assert TOLD in phone.run("sync", "--at", address, "--timeout", "5", code=4)
    assert TOLD in phone.json("sync", "--at", address, "--timeout", "5", code=4)["shut_out"]
    printed = phone.join(laptop)
    assert 'This device, "phone", is known again in the workspace of laptop.' in printed
    assert "Its store stays, with all that was written here." in printed
    assert "proved equal with laptop" in printed
    assert TOLD not in phone.run("status")
    assert TOLD not in phone.run("doctor")
    assert two.titles(laptop) == two.titles(phone) == {"Buy milk", "Mine"}
    assert laptop.json("status")["digest"] == phone.json("status")["digest"]
    assert list(phone.home.glob("left-*")) == []
    assert running.end() == 0


def test_its_store_is_put_aside_when_it_joins_another_workspace(two: Two, tmp_path: Path) -> None:
    phone, other = two.phone, Machine(tmp_path, "other")
    running, address = two.laptop.up()
    called, _ = phone.up("--at", address)
    called.wait_for(TOLD)
    assert (called.end(), running.end()) == (0, 0)
    other.run("init", "--name", "other")
    printed = phone.join(other)
    assert "joined the workspace of other" in printed
    (aside,) = phone.home.glob("left-*")
    with edda_sync.open(aside) as store:
        assert "Mine" in {task.title for task in store.query_tasks(edda_sync.TaskQuery())}
    assert two.titles(phone) == set()
    other.kill()
