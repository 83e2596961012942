"""A store in a folder that cannot be written, such as a backup: it can be read like any other, and is never written."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

import edda_sync
from edda_sync.words.config import StorageConfig
from edda_sync.words.model import Document, Task
from tests.cli.processes import EDDA

MOUNT = 'mount --bind "$1" "$1" && mount -o remount,ro,bind "$1" && shift && exec "$@"'
APART = ["unshare", "--mount", "--map-root-user", "sh", "-c", MOUNT, "sh"]
PATIENCE_S = 60.0

if subprocess.run([*APART, "/tmp", "true"], capture_output=True, check=False).returncode:
    pytest.skip("no folder can be made read-only for one process here", allow_module_level=True)


def read_only(home: Path, *args: str, code: int = 0) -> subprocess.CompletedProcess[str]:
    """Run a command in a process of its own, to which the store's folder is read-only."""
    ended = subprocess.run(
        [*APART, str(home), *EDDA, "--home", str(home), *args],
        capture_output=True, text=True, check=False, timeout=PATIENCE_S,
    )  # fmt: skip
    assert ended.returncode == code, ended.stderr
    return ended


@pytest.fixture
def home(tmp_path: Path) -> Path:
    with edda_sync.open(tmp_path / "home", StorageConfig(name="laptop")) as store:
        task = store.create_task(Task(title="Buy milk", tags={"home"}, description="words"))
        store.edit_text(task, "description", [(5, 0, " more")])
        store.create_document(Document(title="Note", content="Text"))
    return tmp_path / "home"


def test_commands_that_only_look_work_and_write_nothing(home: Path) -> None:
    before = {path.name: path.read_bytes() for path in home.iterdir() if path.is_file()}
    assert "Buy milk" in read_only(home, "task", "list", "--text", "more").stdout
    assert json.loads(read_only(home, "export").stdout.splitlines()[0])["name"] == "home"
    assert json.loads(read_only(home, "status", "--json").stdout)["tasks"] == 1
    for command in ("doctor", "conflicts", "devices"):
        read_only(home, command)
    (document,) = json.loads(read_only(home, "doc", "list", "--json").stdout)
    assert read_only(home, "doc", "show", document["id"]).stdout == "Text"
    assert {path.name: path.read_bytes() for path in home.iterdir() if path.is_file()} == before


def test_a_backup_of_it_is_verified_and_a_damaged_one_is_told(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDDA_KEYRING", "off")
    place = tmp_path / "place"
    place.mkdir()
    for command in (("target", "add", "drive", str(place)), ("now",)):
        subprocess.run([*EDDA, "--home", str(home), "backup", *command], check=True, capture_output=True)
    assert "holds" in read_only(home, "backup", "verify").stdout
    (run,) = (path for path in place.rglob("*") if path.is_file() and "objects" in path.parts)
    run.chmod(0o600)
    run.write_bytes(run.read_bytes()[:-1])
    damaged = read_only(home, "backup", "verify", code=1)
    assert "does not hold" in damaged.stdout
    assert damaged.stderr == ""


@pytest.mark.parametrize("command", [("task", "add", "x"), ("doctor", "--rebuild"), ("tag", "add", "x")], ids=" ".join)
def test_commands_that_write_say_why_they_cannot(home: Path, command: tuple[str, ...]) -> None:
    said = read_only(home, *command, code=1).stderr
    why = "cannot be written (read-only); nothing was changed: check its permissions or its disk.\n"
    assert said == f"{home / 'edda.db'} {why}"


def test_writes_of_another_process_in_the_meantime_are_read_too(home: Path) -> None:
    with edda_sync.open(home) as store:
        store.create_task(Task(title="New"))
        assert "New" in read_only(home, "task", "list").stdout


def test_a_journal_that_cannot_be_read_without_writing_is_named_with_the_way_out(home: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    copy.mkdir()
    with edda_sync.open(home) as store:
        store.create_task(Task(title="New"))
        for name in ("edda.db", "edda.db-wal"):
            (copy / name).write_bytes((home / name).read_bytes())
    said = read_only(copy, "task", "list", code=1).stderr
    assert "its journal, with what was written last, is read only where something can be written beside it" in said
    assert "copy the folder" in said


def test_a_journal_of_another_file_is_not_read(home: Path, tmp_path: Path) -> None:
    with edda_sync.open(tmp_path / "other") as store:
        store.create_task(Task(title="Another's"))
        (home / "edda.db-wal").write_bytes((tmp_path / "other" / "edda.db-wal").read_bytes())
    assert "Buy milk" in read_only(home, "task", "list").stdout
