"""Standard streams that are closed, full, or lack a letter: the command still says that its work was done."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.cli.processes import EDDA, Machine, ran, run
from tests.e2e.machine import OPENS_SLOWLY

WAYS = {"closed": ">&-", "full": ">/dev/full"}
WHY = {"closed": "it is closed", "full": "No space left on device"}
TITLE = "日本 😀 ü"


def shell(home: Path, redirected: str, *args: str, **environment: str) -> tuple[int, str]:
    """Run the command with other streams, as a shell gives them to it; return its code and the output of both."""
    if redirected == WAYS["full"] and not environment:
        with open("/dev/full", "wb") as full:
            done = run(home, *args, stdout=full.fileno())
        assert b"Traceback" not in done.stderr
        return done.returncode, done.stderr.decode()
    script = f'exec "$@" {redirected}'
    ended = subprocess.run(
        ["sh", "-c", script, "sh", *EDDA, "--home", str(home), *args],
        capture_output=True, check=False, env={**os.environ, **environment}, timeout=60,
    )  # fmt: skip
    printed = (ended.stdout + ended.stderr).decode("latin-1" if "PYTHONIOENCODING" in environment else "utf-8")
    assert "Traceback" not in printed
    return ended.returncode, printed


def titles(edda: Any) -> set[str]:
    return {each["title"] for each in edda.json("task", "list", "--all")}


@pytest.mark.parametrize("way", WAYS)
def test_a_write_whose_answer_cannot_be_shown_is_said_to_be_done(edda: Any, way: str) -> None:
    code, said = shell(edda.home, WAYS[way], "task", "add", "Buy milk")
    assert code == 5
    assert said == (
        f"Standard output takes nothing ({WHY[way]}): what the command was to do is done, but its answer is not shown, or "
        "not all of it.\n"
    )
    assert titles(edda) == {"Buy milk"}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    "args", [["task", "list"], ["doc", "list", "--json"], ["export"], ["status"], ["--help"], ["--version"], ["task"]]
)
def test_every_command_says_in_one_line_that_its_answer_cannot_be_shown(edda: Any, way: str, args: list[str]) -> None:
    edda("task", "add", "Buy milk")
    edda("doc", "add", "-", "--title", "T", stdin="text")
    code, said = shell(edda.home, WAYS[way], *args)
    assert code == (2 if args == ["task"] else 5)
    assert said.count("\n") == 1
    assert WHY[way] in said


@pytest.mark.parametrize("way", WAYS)
def test_a_command_that_failed_is_not_said_to_be_done(edda: Any, way: str) -> None:
    code, said = shell(edda.home, WAYS[way], "task", "show", "nosuchid")
    assert code == 3
    assert "is done" not in said


@pytest.mark.parametrize("redirected", ["2>&-", "2>/dev/full", "2>&- >&- <&-", "<&-"])
def test_a_command_does_its_work_whatever_state_the_other_streams_are_in(edda: Any, redirected: str) -> None:
    task = edda.id_of("task", "add", "Buy milk")
    code, said = shell(edda.home, redirected, "task", "rm", task)
    assert code == 0  # it has nothing to say on standard output
    assert ("Moved 1 task" in said) == (redirected == "<&-")
    assert titles(edda) == set()
    assert shell(edda.home, redirected, "task", "add", "Buy bread")[0] == (5 if ">&- <" in redirected else 0)
    assert titles(edda) == {"Buy bread"}


def test_an_input_that_is_closed_is_not_taken_for_an_empty_one(edda: Any) -> None:
    code, said = shell(edda.home, "<&-", "doc", "add", "-", "--title", "T")
    assert code == 2
    assert "Standard input is closed" in said
    assert edda.json("doc", "list") == []


def test_a_file_of_the_store_never_gets_the_number_of_a_closed_stream(edda: Any) -> None:
    for _ in range(2):
        assert shell(edda.home, "<&- >&- 2>&-", "task", "list")[0] in (0, 5)
    assert "sound" in edda("doctor").stdout


@pytest.mark.parametrize("encoding", ["latin-1", "ascii", "latin-1:surrogateescape", "cp1252:replace"])
def test_letters_that_an_encoding_lacks_are_escaped(edda: Any, encoding: str) -> None:
    edda("task", "add", TITLE)
    code, printed = shell(edda.home, "", "task", "list", "--json", PYTHONIOENCODING=encoding)
    assert code == 0
    assert json.loads(printed)[0]["title"] == TITLE
    code, printed = shell(edda.home, "", "task", "list", PYTHONIOENCODING=encoding)
    assert code == 0
    assert "open" in printed


def test_help_into_a_closed_pipe_is_quiet() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    ended = ran(["--help"], os.environ, stdout=writing)
    os.close(writing)
    assert ended.returncode in (1, 141)  # click has a number of its own for it
    assert ended.stderr == b""


def test_an_invitation_whose_code_cannot_be_shown_is_taken_back(edda: Any, tmp_path: Path) -> None:
    state = str(tmp_path / "state")
    code, said = shell(edda.home, ">/dev/full", "invite", EDDA_KEYRING="off", EDDA_STATE=state)
    assert code == 2
    assert "The code cannot be shown (No space left on device); the invitation was taken back." in said


def test_up_goes_on_when_its_log_is_full(tmp_path: Path) -> None:
    machine = Machine(tmp_path, "laptop")
    machine.run("task", "add", "Buy milk")
    command = ["sh", "-c", 'exec "$@" >/dev/full', "sh", *EDDA, "up", "--no-discovery"]
    with subprocess.Popen(command, env=machine.environment, stderr=subprocess.PIPE, text=True) as running:
        assert running.stderr is not None
        try:
            while (said := running.stderr.readline()) == OPENS_SLOWLY:
                pass
            assert said == "What happens cannot be printed any more (No space left on device); the device goes on.\n"
            assert machine.json("status")["running"] is True
            running.terminate()
            assert running.stderr.read() == ""
            assert running.wait(30) == 0
        finally:
            running.kill()  # should anything of this fail: it goes on for ever
