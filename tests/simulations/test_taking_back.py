"""What is taken back in simulations: it happens, it is compared with what was there before, and its bugs are noticed."""

from __future__ import annotations

import pytest

from edda_sync.simulations import taking_back
from edda_sync.simulations.checkers.reach import Reachable
from edda_sync.simulations.planted import bug_named
from edda_sync.simulations.protocols import Verdict
from edda_sync.simulations.runs import run
from edda_sync.simulations.tape import Event, Profile, Tape

WORK = (
    "add task",
    "edit task",
    "add document",
    "describe task",
    "type",
    "write set",
    "remove task",
    "settle",
    "move task",
)
NAMES = [action.name for action in taking_back.ACTIONS]


def played(seed: int, *, tight: bool = False) -> Verdict:
    """Three people work for two minutes, and take most of it back."""
    profile = Profile(devices=3, backend="memory", groups=frozenset(), real_keys=False, lawless=0, tight=tight)
    names = ["add task", "add task", "add document", "describe task", "type", "import"]
    for number, work in enumerate(WORK * 2):
        names += [work, NAMES[number % len(NAMES)]]
    events = [Event(number, 1.5 * number, name) for number, name in enumerate(names)]
    return run(Tape(seed, fixed=(profile, events)))


@pytest.mark.parametrize("seed", range(2))
def test_whatever_is_taken_back_and_settled_nothing_is_out_of_reach(seed: int) -> None:
    verdict = played(seed, tight=bool(seed))
    assert verdict.violation is None, f"{verdict.violation}\n{verdict.trace}"


NOTICED = (
    "an undo goes back to what was before",
    "undo takes back the same change again",
    "a revert begins after its time",
    "dismiss shows another value",
    "a history without typing",
)


@pytest.mark.parametrize("name", NOTICED)
def test_a_bug_of_what_brings_values_back_is_noticed(name: str) -> None:
    with bug_named(name).on():
        violation = played(0).violation
    assert violation is not None
    assert violation.number == Reachable.number
