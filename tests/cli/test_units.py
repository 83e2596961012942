from __future__ import annotations

import os
import plistlib
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from edda_sync.cli import units
from edda_sync.words.errors import UsageError

ODD = 'we ird 100% $HOME "q" \\ ü'


def made(home: Path, **environment: str) -> units.Service:
    return units.service(home, Path("/home/ada/.local/share/edda"), environment)


def test_the_usual_store_has_the_plain_name_and_every_other_one_its_own() -> None:
    usual = Path("/home/ada/.local/share/edda")
    names = [made(home).name for home in (usual, Path("/a"), Path("/b"))]
    assert names[0] == "edda"
    assert len(set(names)) == 3
    assert made(Path("/a")).name == names[1]


def test_the_command_has_an_absolute_path(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    first, *words = made(Path("/notes")).command
    assert os.path.isabs(first)
    assert os.access(first, os.X_OK)
    assert words[-3:] == ["--home", "/notes", "up"]
    script = tmp_path / "edda"
    script.touch(mode=0o700)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["./edda", "service"])
    assert made(Path("/notes")).command[0] == str(script)


def test_what_decides_where_and_how_a_store_is_kept_goes_along_with_absolute_paths(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    environment = {
        "EDDA_STATE": "state", "EDDA_BACKEND": "rocksdb", "EDDA_KEY_FILE": "/keys/k", "EDDA_HOME": "/elsewhere",
        "EDDA_REASON": "x", "EDDA_AGENT": "", "PATH": "/bin", "XDG_STATE_HOME": "/s",
    }  # fmt: skip
    assert made(Path("/notes"), **environment).environment == {
        "EDDA_BACKEND": "rocksdb",
        "EDDA_KEY_FILE": "/keys/k",
        "EDDA_STATE": str(tmp_path / "state"),
        "XDG_STATE_HOME": "/s",
    }


@pytest.mark.parametrize("home", ["/a\nExecStartPre=/bin/rm", os.fsdecode(b"/a\xff")])
def test_a_path_that_a_unit_cannot_hold_is_refused(home: str) -> None:
    with pytest.raises(UsageError, match="characters that a service cannot be given"):
        made(Path(home))


def verified(unit: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "XDG_RUNTIME_DIR": str(unit.parent)}
    command = ["systemd-analyze", "--user", "verify", str(unit)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze reads units as systemd does")
def test_systemd_reads_the_unit_as_it_is_meant(tmp_path: Path) -> None:
    service = made(Path(f"/home/ada/{ODD}"), EDDA_STATE=f"/state/{ODD}")
    unit, words = tmp_path / "edda.service", service.command[1:]
    for name in ("edda 100% ü $", ODD):
        script = tmp_path / name
        script.touch(mode=0o700)
        unit.write_text(units.unit(service._replace(command=[str(script), *words])))
        done = verified(unit)
        assert (done.returncode, done.stderr) == (0, "")
    unit.write_text(units.unit(service._replace(command=[str(tmp_path / "gone"), *words])))
    assert verified(tmp_path / "edda.service").returncode != 0


def test_each_word_of_the_unit_is_one_word_for_systemd() -> None:
    unit = units.unit(made(Path("/a b/50%/$HOME")))
    (line,) = [each for each in unit.splitlines() if each.startswith("ExecStart=")]
    assert line.endswith('"--home" "/a b/50%%/$$HOME" "up"')
    for setting in ("Type=notify", "Restart=on-failure", "WatchdogSec=300", "WantedBy=default.target"):
        assert setting in unit.splitlines()


def test_a_property_list_says_the_same_to_launchd() -> None:
    service = made(Path(f"/{ODD}"), EDDA_STATE="/state")
    read = plistlib.loads(units.property_list(service, Path("/log")))
    assert read["ProgramArguments"] == service.command
    assert read["EnvironmentVariables"] == {"EDDA_STATE": "/state"}
    assert read["Label"] == f"org.edda-sync.{service.name}"
    assert (read["RunAtLoad"], read["KeepAlive"]) == (True, {"SuccessfulExit": False})


def test_only_what_we_made_is_ours() -> None:
    service = made(Path("/a"))
    assert units.is_ours(units.unit(service).encode())
    assert units.is_ours(units.property_list(service, Path("/log")))
    assert not units.is_ours(b"[Unit]\nDescription=edda, by hand\n")
    assert not units.is_ours(b"")
    assert not units.is_ours(plistlib.dumps({"Label": "org.edda-sync.edda"}))


def test_a_command_is_shown_as_it_is_typed() -> None:
    assert units.shown(["edda", "--home", "/a b", "up"]) == "edda --home '/a b' up"
