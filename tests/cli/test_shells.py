"""Completion as a shell asks for it, and as a person sees it in the shells that are installed here."""

from __future__ import annotations

import os
import pty
import re
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edda_sync.cli import shells
from edda_sync.cli.main import root
from tests.cli.processes import PATIENCE_S

BREAKS = " \t\n\"'><=;|&(:"  # bash's own


@pytest.fixture
def store(edda: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    monkeypatch.setenv("EDDA_HOME", str(edda.home))
    monkeypatch.chdir(tmp_path)
    edda("task", "add", "Fix: the roof, now", "--tag", "home,two words,it's")
    return edda


def asked(line: str, shell: str, monkeypatch: pytest.MonkeyPatch, **more: str) -> list[str]:
    for name, value in {shells.LINE: line, "_EDDA_BREAKS": BREAKS, **more}.items():
        monkeypatch.setenv(name, value)
    completed = shells.SHELLS[shell](root, {}, "edda", "_EDDA_COMPLETE").complete()
    return [each for each in completed.splitlines() if each]


def task_id(edda: Any, title: str) -> str:
    return str(next(each["id"] for each in edda.json("task", "list", "--all") if each["title"] == title)[-6:])


@pytest.mark.parametrize(
    ("line", "values"),
    [
        ("", [""]), ("edda", ["edda"]), ("edda ", ["edda", ""]), ("a  b", ["a", "b"]), ('a "b c', ["a", "b c"]),
        ("a b\\ c", ["a", "b c"]), ('a "b\\c', ["a", "b\\c"]),
        ("a 'b\\' c", ["a", "b\\", "c"]), ('a "b\\"c" d', ["a", 'b"c', "d"]),
        ("a it\\'s", ["a", "it's"]), ("a ''", ["a", ""]),
    ],
)  # fmt: skip
def test_a_line_is_split_as_a_shell_splits_it(line: str, values: list[str]) -> None:
    assert [each.value for each in shells.words(line)] == values


@given(value=st.text(st.characters(exclude_categories=("C", "Z"), include_characters=" "), min_size=1))
def test_what_is_inserted_means_what_was_offered(value: str) -> None:
    assert shells.words(shells._inserted(value, "", ""))[-1].value == value
    assert shells.words('"' + shells._inserted(value, "", '"'))[-1].value == value


@pytest.mark.parametrize(
    ("line", "inserted"),
    [
        ("edda task list +tw", [r"plain	+two\ words"]),
        ('edda task list "+tw', ["plain	+two words"]),
        ("edda task list +it", [r"plain	+it\'s"]),
        ("edda task list --tag=ho", ["plain	home"]),
        ("edda task list --tag ho", ["plain	home"]),
        ("edda task list status:o", ["plain	open"]),
        ("edda task list status:open,b", ["plain	open,blocked"]),
        ("edda task list st", ["part	status:"]),
        ("edda task list sort:-du", ["plain	-due"]),
        ("X=y edda task list --sort ti", ["plain	title"]),
        ("edda doc add re", ["file	"]),
        ("edda --home x", ["file	"]),
        ("edda task add x --priority 4", ["plain	4"]),
        ("edda task add x --due tom", ["plain	tomorrow"]),
        ("edda task list due:we", ["plain	week", "plain	weekend", "plain	wednesday"]),
        ("edda revert --agent a --since y", ["plain	yesterday"]),
        ("edda simulate --scenario isl", ["plain	island"]),
        ("edda devices rename l", ["plain	laptop"]),
        ("edda sync --at ", []),
    ],
)
def test_bash_inserts_what_is_left_of_a_word_and_quotes_it(
    store: Any, monkeypatch: pytest.MonkeyPatch, line: str, inserted: list[str]
) -> None:
    assert asked(line, "bash", monkeypatch) == inserted


def test_bash_shows_titles_beside_ids_and_lets_stand_what_a_title_begins_with(
    store: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    store("task", "add", "Fix the tap " + "and more " * 20)
    one, two = (
        f"plain	{task_id(store, title)}"
        for title in ("Fix: the roof, now", "Fix the tap " + "and more " * 19 + "and more")
    )
    found = asked("edda task done ", "bash", monkeypatch, _EDDA_COLUMNS="40")
    assert sorted(found) == sorted([f"{one}  Fix: the roof, now", f"{two}  Fix the tap and more and more…"])
    assert asked("edda task done Fi", "bash", monkeypatch, _EDDA_COLUMNS="40")[-1] == "plain	 ", "so bash keeps Fi"
    assert sorted(asked("edda task done ", "bash", monkeypatch, _EDDA_HOW="37")) == sorted([one, two])
    assert asked("edda task done Fix:", "bash", monkeypatch) == [one]


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_shells_are_given_whole_words_and_titles(store: Any, monkeypatch: pytest.MonkeyPatch, shell: str) -> None:
    assert asked("edda task list --tag=tw", shell, monkeypatch) == ["plain	--tag=two words	"]
    assert asked("edda task list st", shell, monkeypatch) == ["part	status:	"]
    assert asked("edda task done ", shell, monkeypatch) == [
        f"plain	{task_id(store, 'Fix: the roof, now')}	Fix: the roof, now"
    ]
    assert asked("edda ta", shell, monkeypatch)[1] == "plain	tag	Tags: add, list, rename, rm."
    assert asked("edda backup rec", shell, monkeypatch)[0].endswith("when every device is gone.")


def test_a_command_is_offered_what_it_can_do_something_with(store: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for title in ("done", "gone"):
        store("task", "add", title)
    store("task", "done", "done")
    store("task", "rm", "gone")
    store("task", "start", "Fix: the roof, now")
    document = store.id_of("doc", "add", "-", "--title", "Notes", stdin=b"x")

    def titles(line: str) -> set[str]:
        return {each.split("\t")[2] for each in asked(line, "zsh", monkeypatch)}

    assert titles("edda task done ") == {"Fix: the roof, now"}
    assert titles("edda task start ") == set()
    assert titles("edda task restore ") == {"gone"}
    assert titles("edda task rm ") == {"Fix: the roof, now", "done"}
    assert titles("edda conflicts restore ") == set()
    assert titles("edda task list document:") == {"Notes"}
    assert "made document Notes" in titles("edda undo ")
    store("index", "create", "tickets", "metadata.ticket")
    assert asked("edda index drop ", "zsh", monkeypatch) == ["plain	tickets	"]
    assert asked("edda index create ", "zsh", monkeypatch) == []
    Path("scan.txt").write_text("x")
    store("attach", document, "scan.txt")
    for command in ("detach", "fetch", "save"):
        assert asked(f"edda doc {command} {document} ", "zsh", monkeypatch) == ["plain	scan.txt	"]


# --- in a real shell --------------------------------------------------------------------------------------------------

START = {
    "bash": ["bash", "--norc", "--noprofile", "-i"],
    "zsh": ["zsh", "-f", "-i"],
    "fish": ["fish", "--no-config", "-i"],
}
LOAD = {
    "bash": 'eval "$(edda completion bash)"',
    "zsh": 'eval "$(edda completion zsh)"',
    "fish": "edda completion fish | source",
}
TERMINAL = re.compile(rb"\x1b(?:\][^\x07\x1b]*(?:\x07|\x1b\\)|[\[(=>?][0-9;?]*[A-Za-z]?)|[\x00-\x08\x0e-\x1f]")


class Shell:
    """An interactive shell on a terminal of its own."""

    def __init__(self, file: int) -> None:
        self._file, self.shown = file, b""

    def type(self, text: str) -> None:
        self.shown = b""
        os.write(self._file, text.encode())

    def wait_for(self, text: str) -> None:
        """Wait until a text is shown."""
        end = time.monotonic() + PATIENCE_S
        while text.encode() not in TERMINAL.sub(b"", self.shown).replace(b"\r", b""):
            assert select.select([self._file], [], [], max(0.0, end - time.monotonic()))[0], (text, self.shown)
            came = os.read(self._file, 65_536)
            if b"\x1b[c" in came or b"\x1b[0c" in came:  # fish asks what terminal this is
                os.write(self._file, b"\x1b[?62;c")
            self.shown += came


@contextmanager
def started(shell: str, home: Path, tmp_path: Path) -> Iterator[Shell]:
    environment = {
        **os.environ, "HOME": str(tmp_path), "EDDA_HOME": str(home), "TERM": "xterm", "PS1": "$ ", "LC_ALL": "C.UTF-8",
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }  # fmt: skip
    ours, theirs = pty.openpty()
    command = ["setsid", "--ctty", *START[shell]]  # a terminal that is the shell's own
    process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment, cwd=tmp_path)
    os.close(theirs)
    try:
        yield Shell(ours)
    finally:
        process.kill()
        process.wait()
        os.close(ours)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_person_completes_in_a_real_shell(store: Any, tmp_path: Path, shell: str) -> None:
    if shutil.which(shell) is None or shutil.which("setsid") is None:
        pytest.skip(f"{shell} or setsid is not installed")
    with started(shell, store.home, tmp_path) as running:
        running.type(f"{LOAD[shell]}; echo loa''ded\n")
        running.wait_for("loaded\n")
        for begun, whole in (
            ("+tw", "+two\\ words"),
            ("--tag=tw", "--tag=two\\ words"),
            ("status:bl", "status:blocked"),
        ):
            running.type(f"edda task list {begun}\t")
            running.wait_for(whole[len(begun) :] + " ")
            running.type("\x15")
