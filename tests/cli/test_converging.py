"""A backup waits for the other devices, by real processes: it syncs with them itself if nothing else does."""

from __future__ import annotations

import time

import pytest

from tests.cli.meeting import titles
from tests.cli.processes import PATIENCE_S, Machine


@pytest.fixture(autouse=True)
def in_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDDA_KEYRING", "off")


def test_a_backup_that_waits_syncs_first_and_is_converged(pair: tuple[Machine, Machine]) -> None:
    laptop, phone = pair
    running, place = laptop.up()
    other, _ = phone.up("--at", place)
    running.wait_for("phone: proved equal")
    assert running.end() == 0
    phone.run("task", "add", "Written while the laptop was off")
    (made,) = laptop.json("backup", "now", "--wait-converged", "30")
    assert (made["converged"], made["tasks"]) == (True, 2)
    assert titles(laptop) == {"Buy milk", "Written while the laptop was off"}
    assert other.end() == 0


def test_beside_a_running_device_a_backup_says_what_that_knows_by_then(pair: tuple[Machine, Machine]) -> None:
    """The store itself is told of it only now and then."""
    laptop, phone = pair
    running, place = laptop.up()
    other, _ = phone.up("--at", place)
    running.wait_for("phone: proved equal")
    phone.run("task", "add", "Just now")
    end = time.monotonic() + PATIENCE_S
    while len(titles(laptop)) < 2:  # what the phone writes is here a moment later
        assert time.monotonic() < end
    (made,) = laptop.json("backup", "now", "--wait-converged", "30")
    assert (made["converged"], made["tasks"]) == (True, 2)
    for each in (running, other):
        assert each.end() == 0


def test_where_a_converged_backup_is_required_another_one_is_made_and_not_enough(pair: tuple[Machine, Machine]) -> None:
    laptop, _ = pair
    laptop.run("config", "set", "backup.require_converged", "true")
    said = laptop.run("backup", "now", "--wait-converged", "0.5", code=4)
    assert "phone was never proved equal" in said
    assert "backup.require_converged asks for more: `edda backup now --wait-converged SECONDS`" in said
    assert [each["converged"] for each in laptop.json("backup", "list")["backups"]] == [False]
