"""Clones, splits and disks that are rolled back, in simulated runs."""

from __future__ import annotations

import pytest

from tests.simulations.playing import count, held, play


def test_a_clone_is_split_off_and_known_to_all_by_a_bundle() -> None:
    verdict, recording, sim = play(["add task", "clone", "edit task", "split", "add task", "add task", "edit task"], 2)
    held(verdict)
    assert count(recording, "does", "split") == 1
    assert count(recording, "does", "import a bundle") >= 1
    assert len({device.id for device in sim.devices}) == len(sim.devices) == 4


@pytest.mark.parametrize("seed", range(4, 6))
def test_power_may_fail_while_a_copy_becomes_a_device_of_its_own(seed: int) -> None:
    verdict, recording, sim = play(["add task", "clone", "split", "split", "split", "edit task"], seed)
    held(verdict)
    assert count(recording, "does", "split") >= 1
    assert len(sim.devices) == 4


def test_a_disk_that_is_rolled_back_has_its_next_backup_and_what_the_one_before_knew() -> None:
    verdict, recording, _ = play(["add task", "roll back", *["edit task"] * 6], 3)
    held(verdict)
    assert count(recording, "put back") == 1
    assert count(recording, "does", "back up") >= 2
    assert count(recording, "cannot") == 0
