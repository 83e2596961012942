"""``edda service``. No systemd runs where tests run: a script in its place notes what it is asked, and answers as told."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from edda_sync.cli import units
from tests.cli.conftest import Edda

SYSTEMCTL = """#!{python} -S
import pathlib, sys
folder = pathlib.Path({folder!r})
words = sys.argv[2:]
with open(folder / "asked", "a") as asked:
    print(*words, file=asked)
failing = (folder / "failing").read_text().split()
if words[0] in failing:
    sys.exit("Failed to connect to bus: No medium found")
if words[-1].endswith(".service") and words[0] == "show":
    print((folder / "shown").read_text())
"""


@pytest.fixture
def systemctl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a script in place of systemctl: ``asked`` has what it was asked, ``failing`` what fails."""
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "systemctl").write_text(SYSTEMCTL.format(python=sys.executable, folder=str(folder)))
    (folder / "systemctl").chmod(0o700)
    for name in ("asked", "failing", "shown"):
        (folder / name).touch()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setattr(sys, "platform", "linux")
    return folder


def unit_of(tmp_path: Path) -> Path:
    (found,) = (tmp_path / "config" / "systemd" / "user").glob("edda-*.service")
    return found


def test_a_service_is_written_enabled_and_started_and_taken_away_again(
    edda: Edda, systemctl: Path, tmp_path: Path
) -> None:
    assert "Installed and started" in edda("service", "install").stdout
    unit = unit_of(tmp_path)
    assert f'"--home" "{edda.home}" "up"' in unit.read_text()
    name = unit.name
    assert (systemctl / "asked").read_text().splitlines() == [
        "show --property=Version", "daemon-reload", f"enable {name}", f"restart --no-block {name}",
    ]  # fmt: skip
    assert "Brought up to date" in edda("service", "install").stdout
    (systemctl / "asked").write_text("")
    assert "the store stays as it is" in edda("service", "uninstall").stdout
    assert not unit.exists()
    assert (systemctl / "asked").read_text().splitlines()[1:] == [f"disable --now {name}", "daemon-reload"]
    assert "is not there" in edda("service", "uninstall", code=3).stderr


def test_status_says_whether_it_is_installed_enabled_and_running(edda: Edda, systemctl: Path, tmp_path: Path) -> None:
    assert edda("service", "status", code=3).stdout.startswith("not installed: `edda service install`")
    edda("service", "install")
    (systemctl / "shown").write_text("UnitFileState=enabled\nActiveState=active\nStatusText=running on port 4321")
    said = edda("service", "status").stdout.splitlines()
    assert said == [f"installed, enabled, running: {unit_of(tmp_path)}", "running on port 4321"]
    found = json.loads(edda("service", "status", "--json").stdout)
    assert (found["installed"], found["enabled"], found["running"], found["current"]) == (True, True, True, True)
    (systemctl / "shown").write_text("UnitFileState=disabled\nActiveState=failed")
    unit_of(tmp_path).write_text(units.unit(units.Service("edda", ["/old/edda", "up"], {})))
    said = edda("service", "status").stdout.splitlines()
    assert said[0].startswith("installed, not enabled, not running, not up to date, which `edda service install` mends")
    (systemctl / "failing").write_text("show")
    assert "unknown whether enabled, unknown whether running" in edda("service", "status").stdout


@pytest.mark.parametrize("make", [Path.touch, Path.mkdir, lambda path: path.write_text("[Unit]\n# by hand\n")])
def test_a_file_that_is_not_from_edda_is_never_replaced_or_removed(
    edda: Edda, systemctl: Path, tmp_path: Path, make: Callable[[Path], object]
) -> None:
    edda("service", "install")
    unit = unit_of(tmp_path)
    unit.unlink()
    make(unit)
    before = unit.stat()
    for command in ("install", "uninstall"):
        assert "is not from edda, and stays as it is" in edda("service", command, code=2).stderr
    after = unit.stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    if unit.is_file():
        assert edda("service", "status", code=3).stdout.startswith("not installed")


def test_a_link_in_its_place_is_not_followed(edda: Edda, systemctl: Path, tmp_path: Path) -> None:
    edda("service", "install")
    unit = unit_of(tmp_path)
    unit.rename(tmp_path / "elsewhere")
    unit.symlink_to(tmp_path / "elsewhere")
    assert "is not from edda" in edda("service", "install", code=2).stderr
    assert unit.is_symlink()


def test_without_systemd_nothing_is_written_and_it_says_what_to_start(
    edda: Edda, systemctl: Path, tmp_path: Path
) -> None:
    (systemctl / "failing").write_text("show")
    refused = edda("service", "install", code=2).stderr
    assert "No systemd runs for your user here (Failed to connect to bus: No medium found)" in refused
    assert f"--home {edda.home} up`" in refused
    (systemctl / "systemctl").unlink()
    assert "No such file or directory" in edda("service", "install", code=2).stderr
    assert not (tmp_path / "config").exists()
    assert edda("service", "install", "--dry-run").stdout.startswith("# Made by `edda service install`")
    assert not (tmp_path / "config").exists()


def test_what_systemd_refuses_is_told_with_its_words(edda: Edda, systemctl: Path) -> None:
    (systemctl / "failing").write_text("enable")
    assert "failed: Failed to connect to bus: No medium found" in edda("service", "install", code=1).stderr


def test_no_service_is_made_for_a_store_that_is_not_there(
    another_edda: Callable[[str], Edda], systemctl: Path, tmp_path: Path
) -> None:
    assert "There is no store in" in another_edda("typo")("service", "install", code=3).stderr
    assert not (tmp_path / "config").exists()


def test_on_macos_it_is_an_agent_of_launchd(
    edda: Edda, systemctl: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setenv("HOME", str(tmp_path))
    (systemctl / "systemctl").rename(systemctl / "launchctl")
    assert "Installed and started" in edda("service", "install").stdout
    (agent,) = (tmp_path / "Library" / "LaunchAgents").iterdir()
    assert units.is_ours(agent.read_bytes())
    assert (systemctl / "asked").read_text().splitlines()[-1].endswith(str(agent))
    assert edda("service", "status").stdout.startswith("installed, enabled, not running")
    edda("service", "uninstall")
    assert not agent.exists()
