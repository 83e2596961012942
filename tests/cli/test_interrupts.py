from __future__ import annotations

from typing import Any

import pytest

import edda_sync
from edda_sync.cli import common


@pytest.mark.parametrize(
    ("work", "said"),
    [
        ("store.query_tasks(edda_sync.TaskQuery())", "Interrupted; nothing was changed."),
        ("store.create_task(edda_sync.Task(title='b'))", "Interrupted; what was done until then is kept."),
    ],
)
def test_an_interrupt_says_that_something_is_kept_only_if_something_was_written(
    edda: Any, monkeypatch: pytest.MonkeyPatch, work: str, said: str
) -> None:
    def interrupted(*_: Any, **__: Any) -> None:
        with common.opened() as store:
            eval(work, {"store": store, "edda_sync": edda_sync})
            raise KeyboardInterrupt

    edda("task", "add", "a")
    monkeypatch.setattr("edda_sync.cli.tags.list_.callback", interrupted)
    assert edda("tag", "list", code=130).stderr == f"{said}\n"
