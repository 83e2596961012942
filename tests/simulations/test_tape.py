"""The tape: every choice from one seed, and each event with choices of its own."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edda_sync.simulations.tape import BESIDE, Draws, Event, Profile, Tape

WEIGHTS = (("add", 3), ("cut", 1))
GROUPS = ("clocks", "crashes", "partitions")


@given(st.integers(0, 1 << 40), st.integers(1, 1000))
def test_a_choice_is_one_of_the_options_and_is_the_same_again(seed: int, count: int) -> None:
    first, second = (Draws(f"{seed}/x") for _ in range(2))
    drawn = [first.draw("what", count) for _ in range(5)]
    assert drawn == [second.draw("what", count) for _ in range(5)]
    assert all(0 <= each < count for each in drawn)


def test_a_plain_source_takes_the_first_choice_and_no_chance() -> None:
    draws = Draws("1/x", plain=True)
    assert draws.pick("one", ("first", "second")) == "first"
    assert not draws.chance("never", 99)
    assert draws.seconds("least", 2, 9) == 2
    assert draws.some("several", "abc") == ["c"]


@given(st.integers(0, 1000), st.integers(0, 100))
def test_a_chance_of_zero_never_happens_and_a_chance_of_one_always_does(seed: int, tries: int) -> None:
    draws = Draws(f"{seed}/x")
    assert not any(draws.chance("never", 0) for _ in range(tries))
    assert all(draws.chance("always", 100) for _ in range(tries))


@given(st.integers(0, 1000), st.lists(st.integers(), min_size=1, unique=True))
def test_a_choice_of_some_keeps_their_order_and_has_at_least_one(seed: int, among: list[int]) -> None:
    chosen = Draws(f"{seed}/x").some("several", among)
    assert chosen
    assert chosen == [each for each in among if each in chosen]


def test_a_listener_hears_of_every_choice_with_its_label() -> None:
    tape, heard = Tape(3), list[tuple[str, str, int, int]]()
    tape.note = lambda *choice: heard.append(choice)
    chosen = tape.source("event 4").draw("device", 9)
    assert heard == [("event 4", "device", 9, chosen)]


@given(st.integers(0, 1000))
def test_one_seed_draws_one_run(seed: int) -> None:
    assert Tape(seed).profile(GROUPS) == Tape(seed).profile(GROUPS)
    assert Tape(seed).events(WEIGHTS) == Tape(seed).events(WEIGHTS)


@given(st.integers(0, 1000))
def test_events_come_in_order_of_time_and_are_known_actions(seed: int) -> None:
    events = Tape(seed).events(WEIGHTS)
    assert [event.number for event in events] == list(range(len(events)))
    assert [event.at_s for event in events] == sorted(event.at_s for event in events)
    assert {event.action for event in events} <= {"add", "cut"}


@given(st.integers(0, 1000), st.sets(st.integers(0, 5)))
def test_taking_events_out_leaves_the_others_as_they_were(seed: int, keep: set[int]) -> None:
    whole, fewer = Tape(seed), Tape(seed).only(keep, calm=False)
    assert fewer.events(WEIGHTS) == [event for event in whole.events(WEIGHTS) if event.number in keep]
    assert fewer.profile(GROUPS) == whole.profile(GROUPS)
    for number in sorted(keep):
        assert fewer.source(f"event {number}").draw("x", 99) == whole.source(f"event {number}").draw("x", 99)


def test_a_calm_tape_is_plain_only_where_that_was_asked_for() -> None:
    tape = Tape(1, calm=True)
    assert [tape.source("network", calm=True).draw("jitter", 1000) for _ in range(5)] == [0] * 5
    assert any(tape.source("event 1").draw("x", 1000) for _ in range(5))


def test_some_runs_have_no_faults_and_some_have_all() -> None:
    chosen = {Tape(seed).profile(GROUPS).groups for seed in range(200)}
    assert frozenset() in chosen
    assert frozenset(GROUPS) in chosen
    assert len(chosen) == 2 ** len(GROUPS)


def test_both_stores_and_every_number_of_devices_are_drawn() -> None:
    profiles = [Tape(seed).profile(GROUPS) for seed in range(300)]
    assert {profile.backend for profile in profiles} == {"memory", "sqlite"}
    assert {profile.devices for profile in profiles} == {2, 3, 4, 5}
    assert {profile.real_keys for profile in profiles} == {True, False}


@pytest.mark.parametrize("backend", ["memory", "sqlite"])
def test_the_store_can_be_chosen_without_changing_anything_else(backend: str) -> None:
    for seed in range(20):
        drawn, chosen = Tape(seed).profile(GROUPS), Tape(seed, backend=backend).profile(GROUPS)
        assert chosen.backend == backend
        assert (drawn.devices, drawn.groups, drawn.lawless) == (chosen.devices, chosen.groups, chosen.lawless)


def test_a_fixed_tape_draws_neither_what_it_is_nor_what_happens() -> None:
    profile = Profile(devices=2, backend="memory", groups=frozenset(), real_keys=False, lawless=0)
    events = [Event(3, 1.0, "add"), Event(7, 2.0, "cut")]
    tape = Tape(1, fixed=(profile, events))
    assert tape.profile(GROUPS) == profile
    assert tape.events(WEIGHTS) == events
    assert tape.only([7], calm=False).events(WEIGHTS) == events[1:]
    fixed = [Tape(seed, fixed=(profile, events)) for seed in range(60)]
    assert not any(each.has(what) for each in fixed for what in BESIDE), "it has only its own events"


@pytest.mark.parametrize("what", BESIDE)
def test_what_a_run_has_beside_its_events_is_drawn_or_said_and_stays_when_events_are_taken_out(what: str) -> None:
    drawn = [Tape(seed).has(what) for seed in range(60)]
    assert 3 < sum(drawn) < 45
    assert [Tape(seed).only([], calm=True).has(what) for seed in range(60)] == drawn
    said = Tape(1, fixed=(Tape(1).profile(GROUPS), []), beside=(what,)).only([], calm=True)
    assert [each for each in BESIDE if said.has(each)] == [what]
