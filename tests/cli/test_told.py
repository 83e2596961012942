from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import click

from edda_sync.cli.main import root
from edda_sync.words import exits
from tests.cli.processes import EDDA
from tests.cli.test_looking import commands


def option_names(command: str) -> set[str]:
    found: click.Command = root
    for name in command.split():
        assert isinstance(found, click.Group)
        below = found.get_command(click.Context(found), name)
        assert below is not None
        found = below
    return {opt for each in found.params for opt in each.opts}


def test_every_command_has_json() -> None:
    assert [each for each in commands(root) if "--json" not in option_names(each)] == []


def test_the_lines_of_a_command_are_one_object(edda: Any) -> None:
    task_id = edda.id_of("task", "add", "a")
    assert edda.json("tag", "add", "home")["name"] == "home"
    assert edda.json("task", "done", task_id) == {"done": True, "said": []}
    assert json.loads(edda("export", "--json").stdout.splitlines()[0])["kind"] in ("tag", "task")
    assert edda.json("completion", "bash")["said"][0] != ""


def test_an_error_is_one_line_of_json_and_there_is_no_answer(edda: Any, tmp_path: Path) -> None:
    for args, code, kind in (
        (("task", "show", "nope"), exits.NOT_FOUND, "NotFoundError"),
        (("task", "done", "nope"), exits.NOT_FOUND, "NotFoundError"),
        (("task", "shwo"), exits.USAGE, "UsageError"),
        (("task", "add"), exits.USAGE, "UsageError"),
        (("task", "add", "a", "--priority", "9"), exits.USAGE, "InvalidValueError"),
        (("import", "todotxt", str(tmp_path / "none")), exits.NOT_FOUND, "FileNotFoundError"),
    ):
        failed = edda(*args, "--json", code=code)
        assert failed.stdout == ""
        (line,) = failed.stderr.splitlines()
        told = json.loads(line)["error"]
        assert (told["type"], told["exit_code"]) == (kind, code)
        assert told["message"]
        assert not edda(*args, code=code).stderr.startswith("{"), "a person is told in words"


def test_what_stands_behind_two_dashes_asks_for_nothing(edda: Any) -> None:
    edda("task", "add", "--", "--json")
    assert not edda("task", "shwo", "--", "--json", code=2).stderr.startswith("{")


def test_a_command_that_goes_on_says_each_line_at_once(tmp_path: Path) -> None:
    with subprocess.Popen(
        [*EDDA, "--home", str(tmp_path / "home"), "invite", "--json"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        process.terminate()
        assert isinstance(json.loads(line)["said"], str), "while it waits for the other device"
