"""Damaged repositories: whatever is done to one object, it is told, and what is intact comes back; `make damage` goes on."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.backup import damage
from tests.backup.damage import Master
from tests.backup.damaging import DAMAGES

COUNT = len(DAMAGES) * len(damage.ENDS)  # so each kind of damage is followed by each end
A_TEST = 15
IMAGES = 12


@pytest.fixture(scope="module")
def master(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Master]:
    with damage.made(tmp_path_factory.mktemp("damage")) as made:
        yield made


@pytest.mark.parametrize("first", range(0, COUNT, A_TEST))
def test_each_damaged_repository_is_told_and_what_is_intact_comes_back(master: Master, first: int) -> None:
    verdicts = [damage.judge(master, seed) for seed in range(first, first + A_TEST)]
    assert [verdict for verdict in verdicts if verdict.faults] == []
    ends = Counter(verdict.told for verdict in verdicts)
    assert ends[True] > len(verdicts) // 2, "most damages matter"


def test_each_damaged_repository_with_images_is_told_as_well(tmp_path: Path) -> None:
    with damage.made(tmp_path, images=True) as master:
        assert all(each.image is not None for each in master.manifests.values())
        verdicts = [damage.judge(master, seed) for seed in range(IMAGES)]
        assert [verdict for verdict in verdicts if verdict.faults] == []


def test_each_kind_of_damage_with_each_end_is_among_the_first_seeds() -> None:
    drawn = {(damage.kind_of(seed), damage.ENDS[seed % len(damage.ENDS)]) for seed in range(COUNT)}
    assert drawn == {(kind, end) for kind in DAMAGES for end in damage.ENDS}


def test_the_judge_finds_out_a_backup_that_is_said_to_hold_and_does_not(master: Master) -> None:
    verdict = damage.Verdict(0, end="give")
    key = next(key for key in master.held if "/objects/" in key)
    master.place.held.pop(key)
    judge = damage.Judge(master, verdict)
    judge._harmed.clear()
    judge._whole = set(master.needs)
    judge.all(random.Random(0))
    master.as_it_was()
    assert "said to hold are" in verdict.faults[0]
