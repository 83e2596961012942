"""Only the owner can read what edda makes in a store's folder, or for it elsewhere: real commands, real umasks."""

from __future__ import annotations

import os
import re
import shutil
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.cli.processes import PATIENCE_S, Machine

CREATES = re.compile(r'(?:open|openat|creat|mkdir|mkdirat)\((?:AT_FDCWD, )?"(?P<path>[^"]+)", (?P<rest>[^)]*)\) = \d')


@pytest.fixture
def laptop(tmp_path: Path) -> Iterator[Machine]:
    made = Machine(tmp_path, "laptop")
    yield made
    made.kill()


@contextmanager
def umask(mask: int) -> Iterator[None]:
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


def open_to_others(*folders: Path) -> dict[str, str]:
    """The files that others have any rights on, with these rights; links count as what they point to."""
    found = [each for folder in folders for each in (folder, *folder.rglob("*"))]
    return {str(path): oct(path.stat().st_mode & 0o777) for path in found if path.stat().st_mode & 0o077}


@pytest.mark.parametrize("mask", [0o000, 0o022])
def test_others_can_read_nothing_that_edda_makes_in_an_existing_folder(laptop: Machine, mask: int) -> None:
    laptop.home.mkdir()
    laptop.home.chmod(0o755)
    with umask(mask):
        laptop.run("task", "add", "Secret")
        laptop.run("doc", "add", "-", "--title", "Plan")
        laptop.run("export", str(laptop.home / "all.jsonl"))
        laptop.run("export", "--format", "markdown", str(laptop.home / "documents"))
        running, _ = laptop.up()
        while_running = {path.name: path.stat().st_mode for path in laptop.home.rglob("*")}
        assert {"edda.db-wal", "edda.db-shm", "edda.sock", "edda.lock"} <= while_running.keys()
        assert stat.S_ISSOCK(while_running["edda.sock"])
        seen = open_to_others(laptop.home, laptop.state)
        assert running.end() == 0
    assert seen == {str(laptop.home): "0o755"}  # the person's own, and left as it is


def test_a_new_folder_and_all_new_folders_above_it_are_closed_to_others(tmp_path: Path) -> None:
    machine = Machine(tmp_path / "not" / "there" / "yet", "laptop")
    with umask(0):
        machine.run("init")
    assert open_to_others(tmp_path / "not") == {}


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace shows what a process asks of the kernel")
def test_no_file_is_open_to_others_even_for_a_moment(laptop: Machine, tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    command = [sys.executable, "-m", "edda_sync.cli", "task", "add", "Secret"]
    calls = "trace=open,openat,creat,mkdir,mkdirat"
    with umask(0):
        traced = subprocess.run(
            ["strace", "-f", "-s", "4096", "-e", calls, "-o", trace, *command],
            env=laptop.environment, capture_output=True, text=True, timeout=PATIENCE_S, check=False,
        )  # fmt: skip
    if "ptrace" in traced.stderr:
        pytest.skip("strace is not permitted here")
    assert traced.returncode == 0, traced.stderr
    made = {}
    for call in CREATES.finditer(trace.read_text()):
        ours = Path(call["path"]).is_relative_to(laptop.home) or Path(call["path"]).is_relative_to(laptop.state)
        mode = re.search(r"\b0[0-7]+$", call["rest"])
        if ours and mode is not None:
            made[Path(call["path"]).name] = int(mode[0], 8)
    assert {"edda.db", "edda.db-wal", "edda.db-shm", "laptop"} <= made.keys()
    assert {name: oct(mode) for name, mode in made.items() if mode & 0o077} == {}


@pytest.mark.parametrize("command", [("task", "list"), ("doctor",), ("init",)])
def test_every_command_that_opens_a_store_mends_its_permissions(laptop: Machine, command: tuple[str, ...]) -> None:
    laptop.run("task", "add", "Secret")
    running, _ = laptop.up()
    laptop.run("task", "add", "In the journal")
    assert running.end(signal.SIGKILL) == -signal.SIGKILL  # so that the journal stays
    paths = [path for folder in (laptop.home, laptop.state) for path in folder.rglob("*") if path.is_file()]
    for path in paths:
        path.chmod(0o644)
    laptop.run(*command)
    mended = {path.name for path in paths if path.exists() and not path.stat().st_mode & 0o077}
    left = {path.name for path in paths if path.exists() and path.stat().st_mode & 0o077}
    assert "edda.db" in mended
    assert left <= {"identity.json", "identity.key", "edda.lock"}, "the commands that use these mend them"
    running, _ = laptop.up()
    assert open_to_others(laptop.home, laptop.state) == {}
    assert running.end() == 0


def test_a_link_that_points_at_nothing_is_refused_and_makes_no_file_elsewhere(laptop: Machine, tmp_path: Path) -> None:
    laptop.home.mkdir()
    for name in ("edda.db", "run", "run/edda.lock"):
        link, elsewhere = laptop.home / name, tmp_path / "elsewhere"
        link.parent.mkdir(exist_ok=True)
        link.symlink_to(elsewhere)
        command = ("task", "add", "Secret") if name == "edda.db" else ("up", "--no-discovery")
        printed = laptop.run(*command, code=1)
        assert f"{link} is a symbolic link" in printed
        assert not elsewhere.exists()
        link.unlink()


def test_a_link_to_a_folder_or_to_a_database_is_followed(laptop: Machine, tmp_path: Path) -> None:
    laptop.run("task", "add", "One")
    real = tmp_path / "real"
    real.mkdir(mode=0o700)
    (laptop.home / "edda.db").rename(real / "other name.db")
    (laptop.home / "edda.db").symlink_to(real / "other name.db")
    (tmp_path / "link").symlink_to(laptop.home)
    laptop.run("--home", str(tmp_path / "link"), "task", "add", "Two")
    assert [task["title"] for task in laptop.json("task", "list", "--all")] == ["One", "Two"]
    assert os.listdir(real) == ["other name.db"]
