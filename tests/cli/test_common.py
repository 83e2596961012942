from __future__ import annotations

import ast
import contextlib
import io
import json
import os
import re
import sqlite3
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

import edda_sync.cli
from edda_sync.cli import common
from tests.cli import starting
from tests.cli.processes import Running, on_a_terminal, ran, run


def test_the_store_is_where_the_environment_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDDA_HOME", str(tmp_path / "elsewhere"))
    assert ran(["task", "add", "a"], os.environ).returncode == 0
    assert (tmp_path / "elsewhere" / "edda.db").exists()


def test_an_empty_home_does_not_mean_the_current_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    refused = run("", "task", "add", "a")
    assert (refused.returncode, refused.stderr.count(b"\n")) == (2, 1)
    assert b"--home" in refused.stderr
    assert b"empty" in refused.stderr
    assert not (tmp_path / "edda.db").exists()


def test_content_of_ten_megabytes_goes_in_and_comes_out(edda: Any, tmp_path: Path) -> None:
    raw = ("# Long\n" + "0123456789abcde\n" * (10 * 2**16)).encode()
    (tmp_path / "long.md").write_bytes(raw)
    document_id = edda.id_of("doc", "add", str(tmp_path / "long.md"))
    assert edda("doc", "show", document_id).stdout_bytes == raw


@pytest.mark.parametrize(("raw", "says"), [(b"x" * (16 * 2**20 + 1), "16,777,216"), (b"\xff\xfe", "not UTF-8")])
def test_content_that_no_text_can_hold_is_refused(edda: Any, tmp_path: Path, raw: bytes, says: str) -> None:
    (tmp_path / "raw").write_bytes(raw)
    for args in (
        ["doc", "add", str(tmp_path / "raw")],
        ["task", "add", "a", "--description-file", str(tmp_path / "raw")],
    ):
        assert says in edda(*args, code=2).stderr
    assert says in edda("doc", "add", "-", stdin=raw, code=2).stderr
    assert edda.json("doc", "list") == []


def test_a_person_sees_no_empty_column_and_a_program_sees_each_in_its_place(edda: Any) -> None:
    edda("tag", "add", "home")
    assert on_a_terminal(edda.home, "tag", "list") == (0, "\x1b[1mname\x1b[0m\r\nhome\r\n")
    assert edda("tag", "list").stdout.split() == ["home", "-"]
    edda("tag", "add", "work", "--color", "red")
    _, printed = on_a_terminal(edda.home, "tag", "list")
    assert re.search(r"name +color\S*\s+home +-\s+work +red", printed)
    edda("task", "add", "a", "--due", "2027-01-01")
    assert re.search(r"id +status +priority +due +title", on_a_terminal(edda.home, "task", "list")[1])


LISTS = (["task", "list"], ["task", "list", "--all"], ["doc", "list"], ["tag", "list"], ["devices"])
SENTENCES = (
    ["status"],
    ["conflicts"],
    ["doctor"],
    ["task", "list", "--limit", "1"],
    ["init"],
    ["doc", "search", "one"],
)


@pytest.mark.parametrize("args", [*LISTS, *SENTENCES], ids=" ".join)
def test_no_command_spells_out_its_own_style_on_a_terminal(edda: Any, args: list[str]) -> None:
    for title in ("One", "Two"):
        edda("task", "add", title, "--tag", "home")
        edda("doc", "add", "-", "--title", title, stdin=title)
    code, printed = on_a_terminal(edda.home, *args)
    assert code == 0
    assert "\\x1b" not in printed
    assert ("\x1b[1m" in printed) or args not in LISTS
    assert b"\x1b" not in run(edda.home, *args).stdout


def test_output_is_styled_in_one_place_which_makes_it_safe_first() -> None:
    folder = Path(edda_sync.cli.__path__[0])
    styling = {
        path.name
        for path in folder.glob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute) and node.attr in ("style", "secho")
    }
    assert styling == {"columns.py", "common.py"}


def test_a_terminal_is_not_obeyed_by_a_documents_text(edda: Any) -> None:
    text = "red \x1b[31m, clear \x9b2J, bell \a\ntabs\tstay"
    document_id = edda.id_of("doc", "add", "-", "--title", "T", stdin=text)
    code, printed = on_a_terminal(edda.home, "doc", "show", document_id)
    assert code == 0
    assert "\\x1b[31m" in printed
    assert "\\x9b2J" in printed
    assert "tabs" in printed
    assert "\x1b[31m" not in printed
    code, printed = on_a_terminal(edda.home, "doc", "show", document_id, "--json")
    assert json.loads(printed)["content"] == text
    assert "\x9b" not in printed
    assert edda("doc", "show", document_id).stdout == text


@pytest.mark.parametrize(
    "args",
    [
        ["doc", "add", "-"],
        ["doc", "edit", "DOCUMENT", "--file", "-"],
        ["task", "add", "a", "--description-file", "-"],
        ["task", "edit", "TASK", "--description-file", "-"],
    ],
    ids=" ".join,
)
def test_a_person_who_types_a_text_is_told_how_to_end_it_and_what_was_done_with_it(
    tmp_path: Path, edda: Any, args: list[str]
) -> None:
    named = {"TASK": edda.id_of("task", "add", "T")}
    named["DOCUMENT"] = edda.id_of("doc", "add", "-", "--title", "D", stdin="text")
    before = edda.everything()
    command = ["--home", str(edda.home), *(named.get(word, word) for word in args)]
    typing = Running(command, dict(os.environ), terminal=True, start=starting.start)
    typing.wait_for(r"^Type the text, then Ctrl-D; Ctrl-C gives it up\.$")
    assert typing.give_up() == 130
    assert typing.lines[-1] == "Nothing was done."
    assert edda.everything() == before
    code, printed = on_a_terminal(edda.home, "doc", "add", "-", typed=b"# Typed\n\x04")
    assert code == 0
    assert "Type the text" in printed
    assert "Typed" in [each["title"] for each in edda.json("doc", "list")]


def test_a_person_who_waits_at_a_terminal_for_another_writing_program_is_told_so(edda: Any) -> None:
    edda("task", "add", "before")
    with contextlib.closing(sqlite3.connect(edda.home / "edda.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        command = ["--home", str(edda.home), "task", "add", "after"]
        running = Running(command, dict(os.environ), terminal=True, start=starting.start)
        running.wait_for("Waiting for another program that is writing to this store")
        other.execute("ROLLBACK")
        assert running.wait() == 0
    assert {task["title"] for task in edda.json("task", "list")} == {"before", "after"}


@pytest.mark.parametrize("is_person", [True, False])
def test_what_takes_long_is_said_once_and_to_a_person_only(monkeypatch: pytest.MonkeyPatch, is_person: bool) -> None:
    class Terminal(io.StringIO):
        said = threading.Event()

        def isatty(self) -> bool:
            return is_person

        def write(self, text: str) -> int:
            written = super().write(text)
            if "\n" in self.getvalue():  # and not at a write of nothing
                self.said.set()
            return written

    screen = Terminal()
    monkeypatch.setattr(common, "PROGRESS_AFTER_S", 0)
    monkeypatch.setattr(sys, "stderr", screen)
    with common.said_if_long("Indexing."):
        assert not is_person or screen.said.wait(30)
    assert screen.getvalue() == ("Indexing.\n" if is_person else "")
