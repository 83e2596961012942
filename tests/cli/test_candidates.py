from __future__ import annotations

from typing import Any

import click

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
