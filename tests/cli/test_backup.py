"""``edda backup``: its groups. What each does is tested beside it."""

from __future__ import annotations

from tests.cli.conftest import Edda


def test_the_group_lists_what_there_is_and_words_of_others_lead_there(edda: Edda) -> None:
    assert "target" in edda("backup", "--help").stdout
    assert "Did you mean `edda backup target`?" in edda("backup", "targets", code=2).stderr
    assert "`edda backup target remove NAME`" in edda("backup", "target", "rm", "x", code=2).stderr
