from __future__ import annotations

from typing import Any

import pytest

from edda_sync.cli import limiting
from edda_sync.words.errors import InvalidValueError


@pytest.mark.parametrize(
    ("limit", "everything", "shown"),
    [(None, False, limiting.SHOWN_MAX), (None, True, None), (3, True, 3), (0, False, 0)],
)
def test_a_list_is_cut_for_a_person_who_said_nothing(limit: int | None, everything: bool, shown: int | None) -> None:
    assert limiting.chosen(limit, everything=everything) == shown


def test_a_limit_below_zero_is_refused() -> None:
    with pytest.raises(InvalidValueError, match="0 or more"):
        limiting.chosen(-1, everything=True)


def test_what_is_left_out_is_counted_with_what_shows_it(capsys: pytest.CaptureFixture[str]) -> None:
    rows = list(range(limiting.SHOWN_MAX + 1))
    assert limiting.cut(rows, None, "tasks", lambda: 1_913, everything=False) == rows[:-1]
    assert capsys.readouterr().err == "50 of 1,913 tasks are shown; --limit 1913 shows them all.\n"
    assert limiting.cut(rows, 2, "tasks", lambda: 1_913, everything=False) == [0, 1]
    assert limiting.cut(rows, None, "tasks", lambda: 1_913, everything=True) == rows
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("kind", ["task", "doc"])
def test_json_leaves_out_nothing_unless_that_is_asked_for(
    edda: Any, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setattr("edda_sync.cli.limiting.SHOWN_MAX", 2)
    for title in "abc":
        edda(kind, "add", *([title] if kind == "task" else ["-", "--title", title]), stdin="x")
    assert [len(edda.json(kind, "list", *more)) for more in ([], ["--limit", "1"], ["--after", "begin"])] == [3, 1, 2]
