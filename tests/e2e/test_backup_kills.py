"""Backup commands that are killed: given again, they end as if nothing had happened; `make backups` goes on."""

from __future__ import annotations

import pytest

from tests.e2e.backup_kills import COMMANDS, Round
from tests.e2e.edda_process import FaultError

KILLS = 11


@pytest.fixture(scope="module")
def round_(tmp_path_factory: pytest.TempPathFactory) -> Round:
    return Round(tmp_path_factory.mktemp("kills"), {})


@pytest.mark.parametrize("seed", range(KILLS))
def test_a_killed_command_loses_nothing_and_works_when_it_is_given_again(round_: Round, seed: int) -> None:
    assert round_.kill(seed).faults == []


def test_each_command_is_killed_once() -> None:
    assert len(COMMANDS) == KILLS


def test_the_judge_finds_out_what_is_lost_and_what_is_left_behind(round_: Round) -> None:
    round_.titles.add("Never written")
    assert "acknowledged, and lost: ['Never written']" in round_.kill(2).faults[0]
    round_.titles.discard("Never written")
    left = round_.folder / "state" / "secret"
    left.write_bytes(b"".join((round_.laptop.home / "identity.key").read_bytes().split()[-1:]))
    with pytest.raises(FaultError, match="a secret lies in state/secret"):
        round_._look_for_leavings()
    left.unlink()
    left = round_.laptop.home / ".edda-left"
    left.touch()
    with pytest.raises(FaultError, match=r"left behind: .'laptop/.edda-left'"):
        round_._look_for_leavings()
    left.unlink()
