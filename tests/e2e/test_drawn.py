"""Networks are drawn from seeds: the same again, all kinds of them, and nothing that a network could not mend."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from itertools import pairwise

import pytest

from tests.e2e.drawn import CLOCKS_S, GOOD, HAZARDS, SHAPES, WHATS, Plan, draw, named

PLANS = [draw(seed) for seed in range(600)]


def test_a_seed_draws_the_same_plan_again_and_another_seed_another_one() -> None:
    assert [draw(plan.seed) for plan in PLANS] == PLANS
    assert len({replace(plan, seed=0) for plan in PLANS}) == len(PLANS)


def test_each_shape_and_event_and_hazard_is_drawn_and_most_cables_and_clocks_are_good() -> None:
    assert Counter(plan.shape for plan in PLANS) == dict.fromkeys(SHAPES, 100)
    seen = {(plan.shape, event.what) for plan in PLANS for event in plan.events}
    expected = {(shape, what) for shape in SHAPES for what in WHATS}
    assert expected - seen == {(each, "router") for each in SHAPES if each not in ("nat", "routed")}
    assert 60 < sum(plan.is_narrow for plan in PLANS) < 140, "half of those with a router"
    assert 100 < sum(any(plan.clocks_s) for plan in PLANS) < 220
    assert {abs(clock_s) for plan in PLANS for clock_s in plan.clocks_s} == {0, *CLOCKS_S}
    bad = [faults for plan in PLANS for faults in plan.cables if faults != GOOD]
    assert 200 < len(bad) < 500
    assert {event.cable for plan in PLANS for event in plan.events if plan.shape == "two switches"} == {0, 1}


@pytest.mark.parametrize("whole", [True, False])
def test_what_happens_to_one_device_does_not_overlap_and_what_happens_to_others_may(whole: bool) -> None:
    plans = [draw(plan.seed, whole=whole) for plan in PLANS]
    assert all(_apart(plan) for plan in plans)
    assert any(one.end_s > other.at_s > one.at_s for plan in plans for one in plan.events for other in plan.events), (
        "never two things at a time"
    )
    assert all(event.writer != event.who for plan in plans for event in plan.events)
    longest_s = max(plan.end_s for plan in plans)
    assert longest_s < (45 if whole else 8), "a run is to be short"


def _apart(plan: Plan) -> bool:
    by_device = {each: [event for event in plan.events if event.concerns == each] for each in (None, 0, 1, 2)}
    return all(one.end_s < other.at_s for events in by_device.values() for one, other in pairwise(events))


def test_whose_address_was_told_to_others_keeps_it() -> None:
    assert [named(shape) for shape in ("nat", "routed", "container", "switch")] == [{1, 2}, {1, 2}, {2}, set()]
    moved = {(plan.shape, event.who) for plan in PLANS for event in plan.events if event.what == "readdress"}
    assert {(shape, who) for shape in SHAPES for who in range(3)} - moved == {
        (shape, who) for shape in SHAPES for who in named(shape)
    }


def test_without_a_hazard_a_plan_is_otherwise_the_same() -> None:
    for plan in PLANS:
        tame = draw(plan.seed, hazards=())
        assert tame == replace(plan, is_narrow=False, clocks_s=(0, 0, 0))
        assert draw(plan.seed, hazards=HAZARDS) == plan


def test_a_plan_tells_what_is_drawn() -> None:
    told = str(next(plan for plan in PLANS if any(plan.clocks_s) and plan.is_narrow and plan.shape == "nat"))
    assert told.startswith("nat, narrow, clocks; clocks ")
    assert " s" in told
