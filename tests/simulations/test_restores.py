"""Backups and restores in simulated runs: each action does what it says, and all invariants hold."""

from __future__ import annotations

import pytest

from edda_sync.simulations.planted import bug_named
from edda_sync.simulations.scenarios import SCENARIOS
from tests.simulations.playing import count, held, play

BEFORE = ["add task", "write set", "add document", "make a code", "back up", "back up", "back up"]


@pytest.mark.parametrize(
    ("action", "what"),
    [("lose a store", "restored"), ("recover", "recovered"), ("place loses", "place loses"), ("verify", "does")],
)
def test_an_action_is_carried_out_and_all_holds(action: str, what: str) -> None:
    verdict, recording, _ = play([*BEFORE, action, "edit task", "back up"])
    held(verdict)
    assert count(recording, what) >= 1


def test_a_store_that_no_backup_brings_back_joins_again() -> None:
    verdict, recording, sim = play([*BEFORE, *["place loses"] * 40, "lose a store", "add task"])
    held(verdict)
    assert sim.backups.place.harmed
    assert count(recording, "joins again") >= 1


@pytest.mark.parametrize("action", ["bring back", "make true"])
def test_a_living_store_takes_a_backup_back(action: str) -> None:
    verdict, recording, _ = play([*BEFORE, "remove task", "edit task", "add task", action, action, action])
    held(verdict)
    doing = {"bring back": "bring back what is missing", "make true": "make a backup the truth"}[action]
    assert count(recording, "does", doing) == 3


@pytest.mark.parametrize("fault", ["place away", "place full", "place cut off", "place shared"])
def test_a_place_with_a_fault_costs_no_more_than_that_backup(fault: str) -> None:
    verdict, _, sim = play(["add task", "back up", fault, "back up", "add task", "back up", "back up"], seed=3)
    held(verdict)
    assert len(sim.backups.made) >= 3, "the last ones are made when all is healed"


def test_a_backup_that_claims_more_than_it_holds_is_noticed_in_the_story() -> None:
    with bug_named("a manifest names the first run").on():
        violation = SCENARIOS["restored-laptop"].simulation().run().violation
    assert violation is not None
    assert violation.number == 13
