"""Plays: runs that are drawn around a story."""

from __future__ import annotations

import pytest

from edda_sync.simulations.catalogue import ACTIONS
from edda_sync.simulations.plays import PLAYS
from edda_sync.simulations.runs import run
from edda_sync.simulations.scenarios import SCENARIOS
from edda_sync.simulations.shrink import command_of
from edda_sync.simulations.tape import ONLY_IN_PLAYS, Tape


def test_each_play_has_a_story_and_only_actions_and_concerns_that_exist() -> None:
    names, groups = {action.name for action in ACTIONS}, {action.group for action in ACTIONS}
    for name, play in PLAYS.items():
        assert name == play.name
        assert name in SCENARIOS
        assert {*play.acts, *(aside for aside, _ in play.asides)} <= names
        assert play.groups <= groups - {ONLY_IN_PLAYS}


@pytest.mark.parametrize("name", sorted(PLAYS))
def test_a_seed_is_played_with_all_acts_in_order_and_holds(name: str) -> None:
    tape = Tape(11, play=PLAYS[name], backend="memory")
    verdict = run(tape)
    assert verdict.violation is None, f"{verdict.violation}\n{verdict.trace}"
    acts = iter(event.action for event in verdict.taken)
    assert all(act in acts for act in PLAYS[name].acts)
    assert command_of(tape) == f"edda simulate --seed 11 --scenario {name} --backend memory"


def test_the_usual_runs_have_none_of_these_actions_and_stay_as_they_are() -> None:
    only = {action.name for action in ACTIONS if action.group == ONLY_IN_PLAYS}
    for seed in range(30):
        verdict_groups = Tape(seed).profile(
            sorted({action.group for action in ACTIONS if action.group} - {ONLY_IN_PLAYS})
        )
        weights = [(a.name, a.weight) for a in ACTIONS if not a.group or a.group in verdict_groups.groups]
        usual = Tape(seed).events(weights)
        assert only.isdisjoint(event.action for event in usual)
        played = {each.number: each.action for each in Tape(seed, play=PLAYS["cloned-vm"]).events(weights)}
        assert [played[event.number] for event in usual] == [event.action for event in usual]
