"""Shrinking: a failure becomes the fewest events that still fail alike, and one command and one line repeat it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import pytest

from edda_sync.simulations.planted import bug_named
from edda_sync.simulations.protocols import Verdict
from edda_sync.simulations.runs import run
from edda_sync.simulations.seeds import line_of, tape_of
from edda_sync.simulations.shrink import Shrinker, command_of
from edda_sync.simulations.tape import Event, Profile, Tape
from edda_sync.simulations.violation import Violation

PROFILE = Profile(devices=2, backend="memory", groups=frozenset(), real_keys=False, lawless=0)
EVENTS = [Event(number, float(number), "add task") for number in range(40)]


def failing(*guilty: int, calm_heals: bool = False, number: int = 7) -> Callable[[Tape], Verdict]:
    """A run that fails when all guilty events happen."""

    def run_it(tape: Tape) -> Verdict:
        taken = tape.events(())
        fails = set(guilty) <= {event.number for event in taken} and not (tape.calm and calm_heals)
        violation = Violation(number, "phone", "it is so") if fails else None
        return Verdict(tape.seed, PROFILE, violation, taken=taken)

    return run_it


@pytest.mark.parametrize("guilty", [(), (0,), (39,), (3, 4), (0, 20, 39), tuple(range(10, 20)), tuple(range(0, 40, 3))])
def test_only_the_guilty_events_are_left(guilty: tuple[int, ...]) -> None:
    shrunk = Shrinker(failing(*guilty), Tape(1, fixed=(PROFILE, EVENTS))).shrink()
    assert shrunk.tape.keep == frozenset(guilty)
    assert shrunk.verdict.violation is not None
    assert (shrunk.before, len(shrunk.verdict.taken)) == (40, len(guilty))


def test_the_network_is_calm_unless_the_failure_needs_it() -> None:
    tape = Tape(1, fixed=(PROFILE, EVENTS))
    assert Shrinker(failing(3), tape).shrink().tape.calm
    assert not Shrinker(failing(3, calm_heals=True), tape).shrink().tape.calm


def test_a_failure_that_needs_no_network_is_shrunk_on_a_calm_one_from_the_start() -> None:
    calm: list[bool] = []

    def run_it(tape: Tape) -> Verdict:
        calm.append(tape.calm)
        return failing(3, 30)(tape)

    shrunk = Shrinker(run_it, Tape(1, fixed=(PROFILE, EVENTS))).shrink()
    assert calm == [False] + [True] * (shrunk.runs - 1)


def test_the_network_becomes_calm_when_that_fails_alike_only_with_fewer_events() -> None:
    def run_it(tape: Tape) -> Verdict:
        spoiled = tape.calm and len(tape.events(())) > 5
        return failing(*([99] if spoiled else [3, 30]))(tape)

    shrunk = Shrinker(run_it, Tape(1, fixed=(PROFILE, EVENTS))).shrink()
    assert shrunk.tape.calm
    assert shrunk.tape.keep == frozenset({3, 30})


@pytest.mark.parametrize("keep", [None, range(2, 40), range(2, 38)])
def test_events_that_were_still_to_come_are_kept_when_the_failure_needs_them(keep: range | None) -> None:
    def run_it(tape: Tape) -> Verdict:
        events = tape.events(())
        lasts = any(event.number > 30 for event in events)  # the first act goes on until then
        violation = Violation(18, "phone", "late") if lasts and any(event.number == 5 for event in events) else None
        return Verdict(1, PROFILE, violation, taken=[event for event in events if event.number <= 20])

    shrunk = Shrinker(run_it, Tape(1, keep=keep, fixed=(PROFILE, EVENTS))).shrink()
    assert shrunk.verdict.violation is not None
    assert [event.number for event in shrunk.verdict.taken] == [5]
    assert shrunk.tape.keep is not None
    assert len(shrunk.tape.keep) == 2
    assert shrunk.tape.keep <= set(keep or range(40))


def test_another_failure_is_not_taken_for_this_one() -> None:
    def run_it(tape: Tape) -> Verdict:
        count = len(tape.events(()))
        return Verdict(1, PROFILE, Violation(7 if count >= 10 else 8, "phone", ""), taken=tape.events(()))

    shrunk = Shrinker(run_it, Tape(1, fixed=(PROFILE, EVENTS))).shrink()
    assert len(shrunk.tape.keep or ()) == 10


def test_a_run_without_a_violation_cannot_be_shrunk() -> None:
    with pytest.raises(ValueError, match="does not fail"):
        Shrinker(failing(99), Tape(1, fixed=(PROFILE, EVENTS)))


def test_shrinking_gives_up_after_a_number_of_runs() -> None:
    shrunk = Shrinker(failing(*range(0, 40, 2)), Tape(1, fixed=(PROFILE, EVENTS)), runs_max=10).shrink()
    assert shrunk.runs == 10
    assert shrunk.verdict.violation is not None
    assert shrunk.verdict.taken == shrunk.tape.events(())


def test_a_real_failure_shrinks_to_few_events() -> None:
    with bug_named("the window never opens again").on():
        seed = next(seed for seed in range(53, 2_000) if run(Tape(seed, backend="memory")).violation is not None)
        shrunk = Shrinker(run, Tape(seed, backend="memory")).shrink()
        assert len(shrunk.verdict.taken) <= 20
        assert run(shrunk.tape).digest == shrunk.verdict.digest


def test_the_command_names_everything_that_the_run_needs() -> None:
    assert command_of(Tape(4)) == "edda simulate --seed 4"
    tape = Tape(4, keep=[9, 3], calm=True, backend="sqlite")
    assert command_of(tape) == "edda simulate --seed 4 --keep 3,9 --backend sqlite --calm"
    assert command_of(Tape(4, keep=[])) == "edda simulate --seed 4 --keep none"


@pytest.mark.parametrize("seed", range(13, 21))
def test_a_line_of_seeds_txt_gives_exactly_the_same_run(seed: int) -> None:
    tape = Tape(seed, calm=seed % 2 == 1, backend="memory")
    verdict = run(tape)
    again = run(tape_of(f"{line_of(tape, verdict)}  # what it found"))
    assert (again.digest, again.taken) == (verdict.digest, verdict.taken)


def test_a_line_names_events_that_the_run_did_not_reach_since_they_make_it_last() -> None:
    verdict = run(Tape(21, backend="memory"))
    early = dataclasses.replace(verdict, taken=verdict.taken[:1])
    assert line_of(Tape(21), early) == line_of(Tape(21), verdict)
    assert len(verdict.taken) > 1
