"""Changes that nobody asked for cause no work."""

from __future__ import annotations

import pytest

from edda_sync.sync.mending import Mending
from edda_sync.sync.messages import Found
from edda_sync.testing import devices
from tests.attacks.liar import Liar, Line


def test_changes_that_nobody_asked_for_cause_no_look_at_the_log(monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[Found] = []

    def take(_: Mending, found: Found) -> int:
        looked.append(found)
        return 0

    monkeypatch.setattr(Mending, "take", take)
    with devices(2, backend="memory") as (a, b):
        line = Line(Liar(b), a)
        for _ in range(10):
            line.send(Found(()))
        assert line.error is None
    assert looked == []
