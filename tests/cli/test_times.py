from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from edda_sync.cli import times
from tests.cli.processes import on_a_terminal


@pytest.fixture
def tokyo(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def test_a_program_gets_utc_and_a_person_local_time(tokyo: None, monkeypatch: pytest.MonkeyPatch) -> None:
    moment, day = "2026-12-01T15:00:30.000Z", "2026-12-01T00:00:00.000Z"
    assert (times.short(moment), times.full(moment)) == ("2026-12-01T15:00Z", "2026-12-01 15:00:30Z")
    monkeypatch.setattr(times, "on_terminal", lambda: True)
    assert (times.short(moment), times.full(moment)) == ("2026-12-02 00:00", "2026-12-02 00:00:30")
    assert times.short(day) == "2026-12-01", "a day is that day anywhere"
    assert times.short(None) == "-"
    assert times.short("0001-01-01T00:00:01.000Z").startswith("0001-01-01"), "the ends of the calendar"
    assert times.short("9999-12-31T23:59:00.000Z").startswith("9999-12-31")


def test_what_is_typed_and_shown_is_local_and_what_is_stored_is_utc(tokyo: None, edda: Any) -> None:
    made = edda("task", "add", "call", "--due", "2026-12-01 09:00")
    assert made.stderr == "Due Tuesday 2026-12-01 09:00.\n"
    (task,) = edda.json("task", "list")
    assert task["due_date"] == "2026-12-01T00:00:00.001Z", (
        "nine in Tokyo is the first moment of that day in UTC, and no day"
    )
    _, printed = on_a_terminal(edda.home, "task", "list", "--all")
    assert "2026-12-01 09:00" in printed
    _, shown = on_a_terminal(edda.home, "task", "show", "call")
    assert "due_date: 2026-12-01 09:00" in shown
    assert "00:00:00.001" not in shown


@pytest.mark.parametrize("command", [["status"], ["doc", "list"], ["task", "show", "a"]])
def test_no_command_shows_a_person_utc(tokyo: None, edda: Any, command: list[str]) -> None:
    edda("task", "add", "a")
    edda("doc", "add", "-", "--title", "D", stdin="x")
    code, printed = on_a_terminal(edda.home, *command)
    assert code == 0
    assert "Z" not in [word[-1:] for word in printed.split() if word[:1].isdigit()]
