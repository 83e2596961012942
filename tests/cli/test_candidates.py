from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import pytest

from edda_sync.cli import candidates
from edda_sync.cli.main import root


def test_ids_begin_with_what_is_typed_or_their_titles_do(edda: Any) -> None:
    for title in ("Buy milk", "Call Anna"):
        edda("task", "add", title)
    context = click.Context(root)
    context.params["home"] = edda.home
    found = {each.help: str(each.value) for each in candidates.ids(context, "task", "")}
    assert found.keys() == {"Buy milk", "Call Anna"}
    (milk,) = candidates.ids(context, "task", "BUY")
    assert milk.value == found["Buy milk"]
    assert [each.value for each in candidates.ids(context, "task", found["Call Anna"][:5])] == [found["Call Anna"]]
    assert candidates.tags(context, "") == []


def test_conditions_of_a_list_are_completed_by_tags_and_statuses(edda: Any) -> None:
    edda("task", "add", "a", "--tag", "home,hall,work")
    context = click.Context(root)
    context.params["home"] = edda.home
    for begun, found in (("+h", ["+hall", "+home"]), ("-w", ["-work"]), ("#", ["#hall", "#home", "#work"]), ("--", [])):
        assert sorted(str(each.value) for each in candidates.conditions(context, begun)) == found
    assert [each.value for each in candidates.conditions(context, "status:d")] == ["status:done"]
    assert candidates.conditions(context, "milk") == []


def test_the_documents_that_were_changed_last_are_offered(
    edda: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(candidates, "SHOWN_MAX", 1)
    for name in ("old", "new"):
        (tmp_path / f"{name}.md").write_text(f"# {name}\n")
        edda("doc", "add", str(tmp_path / f"{name}.md"))
    context = click.Context(root)
    context.params["home"] = edda.home
    assert [each.help for each in candidates.ids(context, "document", "")] == ["new"]
