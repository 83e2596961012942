"""Copies of store folders, used beside their original or put back over it, lose nothing; `make copies` goes on."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.e2e import copies
from tests.e2e.copies import Round

SEEDS = (0, 1, 2, 4, 12)


@pytest.fixture(scope="module")
def round_(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Round]:
    made = Round(tmp_path_factory.mktemp("copies"))
    yield made
    made.end()


@pytest.mark.parametrize("seed", SEEDS)
def test_a_copy_takes_a_life_or_a_device_of_its_own_and_nothing_is_lost(round_: Round, seed: int) -> None:
    assert round_.copy(seed).faults == []


def test_the_judge_finds_out_what_is_lost_and_a_copy_that_is_not_split(
    round_: Round, monkeypatch: pytest.MonkeyPatch
) -> None:
    round_.kept.add("Never written")
    assert "acknowledged, and lost: ['Never written']" in round_.copy(1).faults[0]
    round_.kept.discard("Never written")
    monkeypatch.setattr(Round, "_lives", lambda *_: {"all": 1, "why": {}})
    assert "the copy wrote, and its lives are" in round_.copy(copies.HOW.index("beside")).faults[0]
