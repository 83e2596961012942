"""Lists in columns, on a terminal and for a program."""

from __future__ import annotations

import re
from typing import Any

from tests.cli.processes import on_a_terminal


def test_a_terminal_shows_a_table_in_which_nothing_can_fool_it(edda: Any) -> None:
    edda("task", "add", "evil \u202egnp.exe \u2066x")
    code, printed = on_a_terminal(edda.home, "task", "list")
    assert code == 0
    assert re.search(r"id +status +priority +title", printed)
    assert "\\u202e" in printed
    assert not re.search("[\u202a-\u202e\u2066-\u2069]", printed)
    assert "\u202e" in edda("task", "list").stdout, "a program gets what was written"


def test_columns_stay_aligned_whatever_is_in_them(edda: Any) -> None:
    for name in ("長い", "e\u0301", "plain"):
        edda("tag", "add", name, "--color", "red")
    code, printed = on_a_terminal(edda.home, "tag", "list")
    assert code == 0
    wide = {"長い": 4, "e\u0301": 1, "plain": 5}
    starts = {
        name: wide[name] + len(rest) - len(rest.lstrip())
        for name, rest in re.findall(r"^(\S+)( +red)", printed, re.MULTILINE)
    }
    assert starts == dict.fromkeys(wide, 7)


def test_a_person_sees_no_empty_column_and_a_program_sees_them_all(edda: Any) -> None:
    edda("tag", "add", "home")
    _, printed = on_a_terminal(edda.home, "tag", "list")
    assert "color" not in printed
    assert edda("tag", "list").stdout.split() == ["home", "-"]
    edda("tag", "add", "work", "--color", "red")
    _, printed = on_a_terminal(edda.home, "tag", "list")
    assert "color" in printed


def test_a_person_sees_the_line_with_the_words_that_were_looked_for_and_a_program_only_the_rows(edda: Any) -> None:
    edda("task", "add", "Plan search", "--description", "first line\nall about full-text search here")
    edda("doc", "add", "-", "--title", "Notes", stdin="nothing\n全文検索の機能\n")
    _, printed = on_a_terminal(edda.home, "task", "list", "--text", "search")
    mark, end = "\x1b[33m\x1b[1m", "\x1b[0m"
    assert f"Plan {mark}search{end}" in printed
    assert f"    all about full-text {mark}search{end} here" in printed
    _, printed = on_a_terminal(edda.home, "doc", "search", "検索")
    assert f"    全文{mark}検索{end}の機能" in printed
    piped = edda("doc", "search", "検索").stdout.splitlines()
    assert len(piped) == 1
    assert "\x1b" not in piped[0]
