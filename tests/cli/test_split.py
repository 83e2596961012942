"""``edda split``: a copied folder becomes a device of its own, as `status` says."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Edda
from tests.cli.meeting import Machines, titles


def test_a_copied_folder_becomes_a_device_of_its_own_and_meets_its_original_by_a_bundle(
    edda: Edda, another_edda: Callable[[str], Edda], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDDA_KEYRING", "off")
    edda("task", "add", "Buy milk")
    copy = another_edda("copy")
    shutil.copytree(edda.home, copy.home)
    copy("task", "add", "In the copy")
    said = copy("split", "workstation")
    assert said.stdout.startswith("This store is the device workstation (")
    assert "The two meet by themselves where both run `edda up` in one network." in said.stderr
    refused = copy("split", "another", code=2).stderr
    assert "This store became a device of its own already, workstation, which would be left without a store." in refused
    assert copy.json("status")["device"] != edda.json("status")["device"]
    path = str(tmp_path / "x.edda")
    copy("bundle", "export", path)
    assert "from a device that is not known here yet (" in edda("bundle", "show", path).stdout
    assert edda("bundle", "import", path).stdout.endswith("New in this workspace: workstation.\n")
    back = edda("bundle", "export", str(tmp_path / "y.edda"), "--since", path).stdout
    assert back.startswith("workstation lacks nothing that is here; ")
    assert sorted(each["name"] for each in edda.json("devices")) == ["laptop", "workstation"]
    assert sorted(task["title"] for task in edda.json("task", "list")) == ["Buy milk", "In the copy"]


def test_a_copy_meets_its_original_directly(machine: Machines, monkeypatch: pytest.MonkeyPatch) -> None:
    """There is no third device: the copy proves to have been this device, and tells it of the new one."""
    monkeypatch.setenv("EDDA_KEYRING", "off")
    laptop, copy = machine("laptop"), machine("copy")
    laptop.run("init", "--name", "laptop")
    laptop.run("task", "add", "Buy milk")
    shutil.copytree(laptop.home, copy.home)
    copy.run("task", "add", "In the copy")
    copy.run("split", "workstation", "--yes")
    laptop.run("task", "add", "In the original")
    running, place = laptop.up()
    assert "laptop: proved equal" in copy.run("sync", "--at", place)
    running.wait_for("workstation joined the workspace")
    running.wait_for("workstation: proved equal")
    assert titles(laptop) == titles(copy) == {"Buy milk", "In the copy", "In the original"}
    assert running.end() == 0


def test_a_name_that_is_taken_is_refused(edda: Edda) -> None:
    assert "There is a device called laptop already" in edda("split", "laptop", code=2).stderr
