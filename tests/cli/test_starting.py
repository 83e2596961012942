"""A command forked from a process that has loaded everything behaves like a command for which Python is started."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
from pathlib import Path
from tempfile import TemporaryFile

import pytest

from tests.cli import starting
from tests.cli.meeting import Machines
from tests.cli.processes import PATIENCE_S, Running, Start


def anew(
    arguments: list[str], environment: dict[str, str], *, stdin: int, stdout: int, stderr: int
) -> subprocess.Popen[bytes]:
    command = [*starting.COMMAND, *arguments]
    return starting.anew(command, environment, stdin=stdin, stdout=stdout, stderr=stderr)


WAYS = pytest.mark.parametrize("start", [starting.start, anew], ids=["forked", "started anew"])


def ended(start: Start, environment: dict[str, str], *arguments: str, typed: bytes = b"") -> tuple[int, bytes, bytes]:
    """Run a command to its end; return its code, and what it printed."""
    with TemporaryFile() as given, TemporaryFile() as out, TemporaryFile() as err:
        given.write(typed)
        given.seek(0)
        files = {"stdin": given.fileno(), "stdout": out.fileno(), "stderr": err.fileno()}
        code = start([*arguments], environment, **files).wait(PATIENCE_S)
        out.seek(0)
        err.seek(0)
        return code, out.read(), err.read()


@pytest.mark.parametrize("extra", [{}, {"PYTHONIOENCODING": "ascii"}, {"PYTHONUNBUFFERED": ""}], ids=str)
@pytest.mark.parametrize(
    "arguments",
    [("--version",), ("task", "list"), ("task", "add", ""), ("nonsense",), ("doc", "add", "-"), ()],
    ids=str,
)
def test_a_forked_command_ends_alike_and_says_the_same(
    machine: Machines, arguments: tuple[str, ...], extra: dict[str, str]
) -> None:
    laptop = machine("laptop")
    laptop.run("task", "add", "Größe")
    environment = {**laptop.environment, **extra}
    here, there = (ended(start, environment, *arguments, typed=b"\xff") for start in (starting.start, anew))
    assert here == there
    assert here[1] or here[2]


@WAYS
def test_a_forked_command_uses_the_folder_and_the_umask_of_its_caller(
    machine: Machines, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, start: Start
) -> None:
    laptop = machine("laptop")
    monkeypatch.chdir(tmp_path)
    before = os.umask(0o027)
    try:
        assert ended(start, {**laptop.environment, "EDDA_HOME": "here"}, "init")[0] == 0
        assert ended(start, {**laptop.environment, "EDDA_HOME": "here"}, "export", "all.jsonl")[0] == 0
    finally:
        os.umask(before)
    assert (tmp_path / "here" / "edda.db").is_file()
    assert not stat.S_IMODE((tmp_path / "all.jsonl").stat().st_mode) & 0o027


@WAYS
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 0), (signal.SIGTERM, 0), (signal.SIGKILL, -9)])
def test_a_forked_command_has_a_process_id_by_which_it_is_ended(
    machine: Machines, start: Start, number: int, code: int
) -> None:
    running = Running(["up", "--no-discovery"], machine("laptop").environment, start=start)
    running.wait_for("Ctrl-C")
    os.kill(running.process.pid, 0)
    assert running.end(number) == code
    assert running.process.poll() == code
    with pytest.raises(ProcessLookupError):
        os.kill(running.process.pid, 0)
