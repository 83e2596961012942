"""Early changes move in the log while they are being given: the peer gets them all the same."""

from __future__ import annotations

from pathlib import Path

import pytest

import edda_sync as edda
from edda_sync.testing import Talk, devices
from edda_sync.words import limits
from tests.sync.newcomers import newcomers


@pytest.mark.parametrize("backend", ["memory", "sqlite"])
@pytest.mark.parametrize("words", [10, 3_000])  # those of one are beside their headers, of the other in parts
def test_early_writes_that_are_being_given_when_they_move_arrive(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, backend: str, words: int
) -> None:
    monkeypatch.setattr(limits, "BATCH_BYTES_MAX", 400)
    monkeypatch.setattr(limits, "PART_BYTES_MAX", 500)
    monkeypatch.setattr(limits, "WINDOW_BYTES_MAX", 300)
    with devices(2, backend=backend) as (laptop, phone), newcomers(tmp_path, backend) as newcomer:
        for number in range(5):
            laptop.create_task(edda.Task(title=f"before {number}"))
        tablet = newcomer(laptop)
        mine = [tablet.create_task(edda.Task(title=f"early {number}", description="x" * words)) for number in range(6)]
        for other in (laptop, phone):
            talk = Talk(tablet, other)
            talk.run()
            assert len(talk.proved) == 2
            assert all(other.get_task(each) is not None for each in mine)
            assert tablet.digest() == other.digest()
