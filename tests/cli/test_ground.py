"""The ground that a store stands on: each reason why a command cannot go on has its own sentence, and stops no other one."""

from __future__ import annotations

import contextlib
import os
import resource
import shutil
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

import edda_sync
from edda_sync.words import limits
from edda_sync.words.config import StorageConfig
from edda_sync.words.errors import LongPathError, ManyFilesError, NoFolderError, NoStoreError, ReadOnlyError
from edda_sync.words.model import Task
from tests.cli.conftest import Edda
from tests.cli.meeting import Machines
from tests.cli.processes import EDDA, PATIENCE_S

ID: Final = "01a22d9f-e1ea-7281-9919-e14abce1e142"
LOOKING: Final = [
    "task list", "task list --trash", "task list --text oat", f"task show {ID}", "doc list", f"doc show {ID}",
    "doc search x",
    f"doc files {ID}", "tag list", "export", "export --format markdown folder", "conflicts", "devices", "status", "doctor",
    "index list", "sync", f"task done {ID}", f"task edit {ID} --title x", f"doc fetch {ID}",
    "key rotate --store", "doctor --rebuild", "tag rm home",
    "index drop by-effort",
]  # fmt: skip
SET_HOST_NAME: Final = """
import os, socket, sys
socket.sethostname(b"h\\xe4us\\n")
os.execv(sys.executable, sys.argv[1:])
"""


@pytest.mark.parametrize("command", LOOKING)
def test_a_command_that_adds_nothing_makes_no_store(
    another_edda: Callable[[str], Edda], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    monkeypatch.chdir(tmp_path)
    edda = another_edda("typo/deep")
    said = edda(*command.split(), code=3)
    assert said.stderr.startswith(f"There is no store in {edda.home}; nothing was made: `edda init` makes one")
    assert said.stdout == ""
    assert not (tmp_path / "typo").exists()
    assert not (tmp_path / "bundle").exists()


def test_a_store_that_was_lost_is_told_as_that_by_whoever_looks(edda: Edda) -> None:
    (edda.home / "edda.db").unlink()
    assert "is missing or empty, although a store was here" in edda("task", "list", code=1).stderr


def test_a_store_whose_state_folder_cannot_be_made_is_read_and_not_written(edda: Edda, tmp_path: Path) -> None:
    edda("task", "add", "Buy milk")
    (tmp_path / "file").touch()
    config = StorageConfig(state_path=tmp_path / "file" / "lives")
    with edda_sync.open(edda.home, config) as store:
        (task,) = store.query_tasks(edda_sync.TaskQuery(text="milk"))
        with pytest.raises(NoFolderError, match="set EDDA_STATE to another one"):
            store.create_task(Task(title="Buy oats"))
        with pytest.raises(NoFolderError):
            store.delete_task(task.id)
    with edda_sync.open(edda.home) as store:
        assert [each.title for each in store.query_tasks(edda_sync.TaskQuery())] == ["Buy milk"]


def test_a_home_that_cannot_be_written_stops_no_command_that_looks(
    edda: Edda, tmp_path: Path, obedient: list[str]
) -> None:
    edda("task", "add", "Buy milk")
    (tmp_path / "locked").mkdir(mode=0o500)
    environment = {key: value for key, value in os.environ.items() if key not in ("EDDA_STATE", "XDG_STATE_HOME")}
    environment["HOME"] = str(tmp_path / "locked")

    def run(*args: str) -> subprocess.CompletedProcess[str]:
        command = [*obedient, *EDDA, "--home", str(edda.home), *args]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=PATIENCE_S)

    assert "Buy milk" in run("task", "list").stdout
    refused = run("task", "add", "Buy oats")
    assert refused.returncode == 1
    assert "set EDDA_STATE to a folder that can be written" in refused.stderr


def test_a_folder_that_may_not_be_looked_at_is_told_as_that_by_readers_and_writers(
    edda: Edda, obedient: list[str]
) -> None:
    edda.home.chmod(0)
    try:
        for args in (["task", "list"], ["task", "add", "x"], ["status"]):
            command = [*obedient, *EDDA, "--home", str(edda.home), *args]
            done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=PATIENCE_S)
            assert done.stderr.startswith(f"{edda.home / 'edda.db'} cannot be read; nothing was touched"), args
    finally:
        edda.home.chmod(0o700)


@pytest.mark.parametrize("name", ["edda.db", "identity.json", "identity.key", "config.toml"])
def test_a_socket_in_the_place_of_a_file_is_called_no_file_and_the_disk_is_not_blamed(
    machine: Machines, name: str
) -> None:
    laptop = machine("laptop")
    laptop.run("init")
    (laptop.home / name).unlink(missing_ok=True)
    with contextlib.chdir(laptop.home), socket.socket(socket.AF_UNIX) as made:
        made.bind(name)
    ended = laptop.start("up", "--no-discovery")
    assert ended.wait() in (1, 2)
    said = "".join(ended.lines)
    assert "no ordinary file" in said or "not an edda store" in said
    assert (laptop.home / name).is_socket()


@pytest.mark.parametrize("name", ["edda.db", "identity.json", "identity.key", "config.toml", "run", "run/edda.lock"])
def test_a_pipe_in_the_place_of_a_file_is_not_waited_for_and_stays(machine: Machines, name: str) -> None:
    laptop = machine("laptop")
    laptop.run("init")
    (laptop.home / "run").mkdir(exist_ok=True)
    (laptop.home / "run" / "edda.lock").unlink(missing_ok=True)
    path = laptop.home / name
    if path.is_dir():
        path.rmdir()
    path.unlink(missing_ok=True)
    os.mkfifo(path)
    ended = laptop.start("up", "--no-discovery")
    assert ended.wait() in (1, 2)
    assert "Traceback" not in "".join(ended.lines)
    assert path.is_fifo()


@pytest.mark.parametrize(
    "args",
    [
        "init", "task list", "status", "backup now", "backup list", "backup restore", "bundle show b", "join 11-1111-1111",
        "store encrypt", "store migrate --to rocksdb", "sync", "config set name x",
    ],
)  # fmt: skip
def test_a_folder_that_cannot_even_be_looked_for_is_not_called_empty(edda: Edda, tmp_path: Path, args: str) -> None:
    said = edda("--home", str(tmp_path / ("d" * 300)), *args.split(), code=1).stderr
    assert "is too long (File name too long); nothing was made: choose a shorter one." in said


def test_a_path_that_sqlite_does_not_take_is_told_with_its_length_before_anything_is_made(tmp_path: Path) -> None:
    fits = tmp_path / "a"
    while len(os.fsencode(fits / "edda.db")) < limits.STORE_PATH_BYTES_MAX:
        left = limits.STORE_PATH_BYTES_MAX - len(os.fsencode(fits / "edda.db"))
        fits = fits / ("b" * min(left - 1, 200)) if left > 1 else fits.with_name(f"{fits.name}b")
    with edda_sync.open(fits) as store:
        store.create_task(Task(title="It fits"))
    with pytest.raises(LongPathError, match="505 bytes, and SQLite takes at most 504"):
        edda_sync.open(fits.with_name(f"{fits.name}c"))
    with pytest.raises(LongPathError, match="File name too long"):
        edda_sync.open(tmp_path / ("n" * 300))
    assert {each.name for each in tmp_path.iterdir()} == {"a", "state"}
    assert len(list(fits.parent.iterdir())) == 1


def test_too_many_open_files_are_told_as_that(edda: Edda) -> None:
    edda("task", "add", "Buy milk")
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    with edda_sync.open(edda.home) as store:
        reader = store.store.read()  # it holds the connection that is open, so that another one is needed
        with reader:
            resource.setrlimit(resource.RLIMIT_NOFILE, (0, before[1]))
            try:
                with pytest.raises(ManyFilesError, match="ulimit -n"):
                    store.query_tasks(edda_sync.TaskQuery())
            finally:
                resource.setrlimit(resource.RLIMIT_NOFILE, before)
        assert [each.title for each in store.query_tasks(edda_sync.TaskQuery())] == ["Buy milk"]


def test_a_host_name_of_any_bytes_is_no_obstacle(tmp_path: Path) -> None:
    apart = ["unshare", "--uts", "--map-root-user"]
    if shutil.which("unshare") is None or subprocess.run([*apart, "true"], check=False).returncode:
        pytest.skip("no process can have a host name of its own here")
    command = [*EDDA, "--home", str(tmp_path / "home"), "init"]
    python = [EDDA[0], "-c", SET_HOST_NAME]
    done = subprocess.run([*apart, *python, *command], capture_output=True, check=False, timeout=PATIENCE_S)
    assert done.stdout.decode().endswith('this device is called "h\ufffdus".\n'), done.stderr


def test_these_errors_say_whose_fault_it_is() -> None:
    assert NoStoreError("/a").exit_code == 3
    assert ReadOnlyError("/a").exit_code == LongPathError("/a", "long").exit_code == 1
