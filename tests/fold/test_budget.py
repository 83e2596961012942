from __future__ import annotations

from typing import Any

import pytest

from edda_sync.crdt.operation import Put
from edda_sync.words import limits
from tests.crdt.authors import PHONE, TABLET, device
from tests.crdt.works import OTHER, TABLET_ID, TASK
from tests.fold.folded import TITLE, A, Folded


def metadata(count: int, *, first: int = 0, value: str = "1") -> dict[str, Any]:
    return {f"metadata.{number}": value for number in range(first, first + count)}


@pytest.mark.parametrize("in_one_operation", [False, True])
def test_writes_of_a_change_beyond_an_entitys_budget_of_cells_are_refused(
    folded: Folded, monkeypatch: pytest.MonkeyPatch, in_one_operation: bool
) -> None:
    monkeypatch.setattr(limits, "ENTITY_CHANGE_CELLS_MAX", 10)
    if in_one_operation:
        written, rest = [Put("task", TASK, metadata(11))], metadata(10)
    else:
        written, rest = [Put("task", TASK, metadata(6)), Put("task", TASK, metadata(5, first=6))], metadata(4, first=6)
    folded.receive(TITLE)
    folded.receive(*written, Put("task", TASK, rest), Put("task", OTHER, metadata(10)), past={A: 1})
    assert folded.refused == 1  # it has spent nothing, and other entities have a budget of their own
    entity = folded.entity("task", TASK)
    assert entity is not None
    assert len(entity.cells) == 1 + 10
    assert len(folded.entity("task", OTHER).cells) == 10  # type: ignore[union-attr]
    folded.receive(Put("task", TASK, metadata(10)), past={A: 2})  # as has each change
    assert folded.refused == 1


def test_writes_of_a_change_beyond_an_entitys_budget_of_bytes_are_refused_except_for_its_text(
    folded: Folded, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "ENTITY_CHANGE_BYTES_MAX", 1_000)
    long = '"' + "x" * 600 + '"'
    folded.receive(Put("task", TASK, {"title": "t", "description": "y" * 5_000, **metadata(1, value=long)}))
    assert folded.refused == 0
    folded.receive(*(Put("task", TASK, metadata(1, first=n, value=long)) for n in (1, 2)), past={A: 1})
    assert folded.refused == 1


def test_a_refused_record_spends_nothing_of_the_budget_of_its_change(
    folded: Folded, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "ENTITY_CHANGE_CELLS_MAX", 3)
    folded.receive(device(TABLET, PHONE), Put("device", TABLET_ID, {"name": "tablet"}))
    assert folded.refused == 1
    assert folded.entity("device", TABLET_ID).value("name") == "tablet"  # type: ignore[union-attr]
