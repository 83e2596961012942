from __future__ import annotations

import json
import os
import re
import sqlite3
import subprocess
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from edda_sync.cli.main import COMMANDS, root
from tests.cli.processes import EDDA, on_a_terminal, run


def test_help_names_every_command_there_is(edda: Any) -> None:
    listed = edda("--help").stdout
    context = root.make_context("edda", ["task"])
    for name in root.list_commands(context):
        assert re.search(rf"^  {name} ", listed, re.MULTILINE)
        command = root.get_command(context, name)
        assert command is not None
        assert command.name == name
        assert "Usage: edda" in edda(name, "--help").stdout
    assert {
        "init",
        "task",
        "doc",
        "tag",
        "link",
        "import",
        "export",
        "conflicts",
        "doctor",
        "completion",
    } <= COMMANDS.keys()


def test_a_group_without_a_command_shows_its_help(edda: Any) -> None:
    assert "Commands:" in edda("task", code=2).stdout


def test_the_version_is_printed(edda: Any) -> None:
    assert re.fullmatch(r"edda \d+\.\d+\.\d+.*\n", edda("--version").stdout)


def test_a_text_that_begins_with_a_dash_goes_after_two_dashes(edda: Any) -> None:
    edda("task", "add", "--", "- [ ] x")
    assert [each["title"] for each in edda.json("task", "list")] == ["- [ ] x"]


def test_agent_and_reason_are_kept_in_the_history(edda: Any) -> None:
    from edda_sync.changes.change import decode_header
    from edda_sync.engine.engine import open as open_store

    edda("--agent", "claude", "--reason", "weekly review", "task", "add", "a")
    with open_store(edda.home) as store, store.store.read() as reader:
        header = decode_header(reader.log.read(reader.log.position()).raw)
    assert (header.agent, header.reason) == ("claude", "weekly review")


def test_a_file_that_is_no_store_is_left_alone(another_edda: Callable[[str], Any]) -> None:
    edda = another_edda("home")
    edda.home.mkdir()
    (edda.home / "edda.db").write_bytes(b"precious" * 100)
    assert "is not an edda store" in edda("task", "list", code=1).stderr
    assert (edda.home / "edda.db").read_bytes() == b"precious" * 100


def test_a_home_that_is_a_file_is_left_alone(tmp_path: Path, another_edda: Callable[[str], Any]) -> None:
    (tmp_path / "home").write_text("precious")
    assert another_edda("home")("task", "add", "a", code=1).stderr.count("\n") == 1
    assert (tmp_path / "home").read_text() == "precious"


def test_the_store_of_a_newer_version_is_left_alone(edda: Any) -> None:
    with closing(sqlite3.connect(edda.home / "edda.db")) as connection:
        connection.execute("PRAGMA user_version = 99")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    before = (edda.home / "edda.db").read_bytes()
    refused = edda("task", "add", "a", code=1).stderr
    assert "newer" in refused
    assert refused.count("\n") == 1
    assert (edda.home / "edda.db").read_bytes() == before


def test_a_read_only_folder_can_be_read_and_a_write_is_refused_in_one_sentence(
    tmp_path: Path, obedient: list[str]
) -> None:
    home = tmp_path / "home"
    assert run(home, "task", "add", "a").returncode == 0
    for path in (*home.iterdir(), home):
        path.chmod(0o555 if path.is_dir() else 0o444)
    listed = subprocess.run([*obedient, *EDDA, "--home", str(home), "task", "list"], capture_output=True, check=False)
    assert (listed.returncode, listed.stdout.split()[-1:], listed.stderr) == (0, [b"a"], b"")
    for folder, args in ((home, ["task", "add", "b"]), (home / "deeper", ["task", "add", "b"])):
        command = [*obedient, *EDDA, "--home", str(folder), *args]
        refused = subprocess.run(command, capture_output=True, check=False)
        assert refused.returncode == 1, refused.stderr
        assert b"read-only" in refused.stderr
        assert refused.stderr.count(b"\n") == 1
    home.chmod(0o755)


def test_a_store_without_permission_to_read_is_reported_as_such(tmp_path: Path, obedient: list[str]) -> None:
    home = tmp_path / "home"
    assert run(home, "task", "add", "a").returncode == 0
    (home / "edda.db").chmod(0)
    for args in (["task", "list"], ["task", "add", "b"]):
        refused = subprocess.run([*obedient, *EDDA, "--home", str(home), *args], capture_output=True, check=False)
        why = f"{home / 'edda.db'} cannot be read; nothing was touched: check its permissions, and whose it is.\n"
        assert (refused.returncode, refused.stderr.decode()) == (1, why)


DEEP = "[" * 100_000


@pytest.mark.parametrize(
    ("args", "code", "says"),
    [
        (["task", "show", "ffffff"], 3, "no task 'ffffff'"),
        (["task", "show", "nonsense"], 3, "no task 'nonsense'"),
        (["task", "show", "../../etc"], 3, "no task"),
        (["task", "show", "\x1b[31m"], 3, "\\x1b[31m"),
        (["task", "show", "%%%%%%"], 3, "no task"),
        (["task", "done", "01234567-89ab-7def-8123-456789abcdef"], 3, "no task"),
        (["doc", "show", "ffffff"], 3, "no document"),
        (["doc", "restore", "ffffff"], 3, "no document"),
        (["tag", "rm", "nope"], 3, "no tag"),
        (["task", "add", ""], 2, "title"),
        (["task", "add", "   "], 2, "empty"),
        (["task", "add", "x" * 501], 2, "501"),
        (["task", "add", "a\0b"], 2, "control character"),
        (["task", "add", "half \udcff"], 2, "is not UTF-8 text"),
        (["task", "add", "a", "--description", "half \udcff"], 2, "is not UTF-8 text"),
        (["task", "add", "a", "--tag", "half \ud800"], 2, "lone surrogate"),
        (["task", "add", "a", "--metadata", '{"k": "\udcff"}'], 2, "is not UTF-8 text"),
        (["task", "add", "a", "--tag", ""], 2, "empty"),
        (["task", "add", "a", "--status", "nearly"], 2, "status"),
        (["task", "add", "a", "--priority", "5"], 2, "priority"),
        (["task", "add", "a", "--priority", "-1"], 2, "priority"),
        (["task", "add", "a", "--priority", "high"], 2, "priority"),
        (["task", "add", "a", "--due", "soon"], 2, "2026-03-01"),
        (["task", "add", "a", "--due", "2026-02-30"], 2, "2026-03-01"),
        (["task", "add", "a", "--due", "0001-01-01T00:00:00+23:00"], 2, "2026-03-01"),
        (["task", "add", "a", "--parent", "ffffff"], 3, "no task"),
        (["task", "add", "a", "--metadata", "{"], 2, "is not JSON"),
        (["task", "add", "a", "--metadata", "[1]"], 2, "JSON object"),
        (["task", "add", "a", "--metadata", '{"k": NaN}'], 2, "NaN"),
        (["task", "add", "a", "--metadata", DEEP], 2, "nested"),
        (["task", "add", "a", "--metadata", '{"k": ' + "[" * 70 + "]" * 70 + "}"], 2, "64 levels"),
        (["task", "add", "a", "--metadata", '{"' + "k" * 300 + '": 1}'], 2, "256"),
        (["task", "add", "a", "--metadata", '{"": 1}'], 2, "256"),
        (["task", "add", "a", "--description-file", "/nowhere/at/all"], 3, "/nowhere/at/all"),
        (["task", "list", "--due-before", "soon"], 2, "--due"),
        (["task", "list", "--priority", "9"], 2, "priority"),
        (["task", "list", "--limit", "-1"], 2, "limit"),
        (["task", "list", "--order", "relevance"], 2, "relevance"),
        (["task", "list", "--text", " "], 2, "text"),
        (["task", "list", "--parent", "ffffff"], 3, "no task"),
        (["task", "edit", "KNOWN", "--title", ""], 2, "title"),
        (["task", "edit", "KNOWN", "--due", "x"], 2, "--due"),
        (["doc", "add", "/nowhere/at/all"], 3, "/nowhere/at/all"),
        (["doc", "list", "--limit", "-1"], 2, "limit"),
        (["link", "KNOWN", "ffffff"], 3, "no document"),
        (["export", "--format", "markdown"], 2, "folder"),
        (["export", "/nowhere/at/all/x"], 2, "no folder /nowhere/at/all;"),
        (["export", ""], 2, "empty"),
        (["import", "markdown", ""], 2, "empty"),
        (["doc", "add", ""], 2, "empty"),
        (["import", "beads", "/nowhere/at/all"], 3, "/nowhere/at/all"),
        (["import", "markdown", "/nowhere/at/all"], 3, "/nowhere/at/all"),
        (["tag", "add", "a\tb"], 2, "control character"),
        (["tag", "add", "x" * 201], 2, "200"),
        (["--agent", "", "task", "add", "a"], 2, "agent"),
        (
            ["task", "show", "abc"],
            3,
            "`edda task list` shows titles and ids, of which the last 6 or more characters will do.",
        ),
        (
            ["doc", "show", "abc"],
            3,
            "`edda doc list` shows titles and ids, of which the last 6 or more characters will do.",
        ),
        (["task", "list", "--home", "x"], 2, "--home stands before the command, as in `edda --home DIR task list`."),
        (["task", "add", "a", "--agent=x"], 2, "as in `edda --agent NAME task add`."),
        (["task", "add", "- [ ] x"], 2, "what begins with - goes behind --: `edda task add -- TITLE...`."),
        (["task", "add", "-5 degrees"], 2, "`edda task add -- TITLE...`."),
        (["doc", "search", "-- x"], 2, "`edda doc search -- WORD...`."),
        (["task", "lisst"], 2, "Did you mean `edda task list`? `edda task --help` says more."),
        (["tusk"], 2, "tusk"),
        (["task", "lost"], 2, "lost"),
        (["task", "list", "--nope"], 2, "--nope"),
    ],
)
def test_bad_input_is_refused_in_one_sentence_and_changes_nothing(
    edda: Any, args: list[str], code: int, says: str
) -> None:
    known = edda.id_of("task", "add", "known")
    before = edda.everything()
    refused = edda(*(known if word == "KNOWN" else word for word in args), code=code)
    assert says in refused.stderr
    assert refused.stderr.count("\n") == 1
    assert len(refused.stderr) < 400
    assert refused.stdout == ""
    assert edda.everything() == before


def test_invalid_bytes_in_the_command_line_are_refused(edda: Any) -> None:
    refused = run(edda.home, "task", "add", b"caf\xe9")
    assert (refused.returncode, refused.stderr.count(b"\n")) == (2, 1)
    assert b"is not UTF-8 text (at position 3); type it again" in refused.stderr
    refused = run(edda.home, "doc", "add", b"caf\xe9")
    assert (refused.returncode, refused.stderr.count(b"\n")) == (3, 1)


ENDS_OF_A_QUESTION = [["task", "rm", "KNOWN"], ["task", "edit", "KNOWN", "--description", ""], ["join", "12-3456-7890"]]


@pytest.mark.parametrize("args", ENDS_OF_A_QUESTION, ids=lambda args: " ".join(args[:2]))
def test_a_question_without_an_answer_does_nothing_and_says_so_on_a_line_of_its_own(edda: Any, args: list[str]) -> None:
    known = edda.id_of("task", "add", "parent", "--description", "text")
    edda("task", "add", "child", "--parent", known)
    before = edda.everything()
    code, printed = on_a_terminal(edda.home, *(known if word == "KNOWN" else word for word in args), typed=b"\x04")
    assert code == 130
    assert printed.splitlines()[-1] == "Nothing was done."
    assert edda.everything() == before


def test_a_question_without_an_answer_is_an_error_for_a_program(edda: Any) -> None:
    known = edda.id_of("task", "add", "parent")
    edda("task", "add", "child", "--parent", known)
    code, printed = on_a_terminal(edda.home, "task", "rm", known, "--json", typed=b"\x04")
    assert code == 130
    error = {"type": "Interrupted", "message": "Nothing was done.", "exit_code": 130}
    assert printed.splitlines()[-1].endswith(json.dumps({"error": error}))


@pytest.mark.parametrize(
    ("variable", "place", "named"),
    [
        ("HOME", "/sys", "/sys/.local"),
        ("EDDA_STATE", "/sys/edda", "/sys/edda"),
        ("EDDA_STATE", "/sys/kernel", "/sys/kernel/"),
    ],
)
def test_a_folder_beside_the_store_that_cannot_be_written_is_named_with_the_way_out(
    tmp_path: Path, variable: str, place: str, named: str
) -> None:
    environment = {key: value for key, value in os.environ.items() if key not in ("EDDA_STATE", "XDG_STATE_HOME")}
    home = tmp_path / "home"
    refused = run(home, "task", "add", "Buy milk", env={**environment, variable: place})
    assert refused.returncode == 1
    said = refused.stderr.decode()
    assert said.startswith(named)
    assert "set EDDA_STATE to a folder that can be written" in said
    if place != "/sys/kernel":
        assert not home.exists(), "nothing was changed"
    done = run(home, "task", "add", "Buy milk", env={**environment, variable: place, "EDDA_STATE": str(tmp_path / "s")})
    assert done.returncode == 0


@pytest.mark.parametrize(
    "args",
    [
        ["attach", "Notes", "none"], ["doc", "add", "none"], ["doc", "edit", "Notes", "--file", "none"],
        ["import", "jsonl", "none"], ["import", "markdown", "none"], ["import", "todotxt", "none"],
        ["bundle", "show", "none"], ["bundle", "import", "none"], ["task", "add", "a", "--description-file", "none"],
    ],
)  # fmt: skip
def test_a_file_that_is_not_there_ends_a_command_with_3(
    edda: Any, args: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    edda("doc", "add", "-", "--title", "Notes", stdin=b"x")
    assert "none" in edda(*args, code=3).stderr
