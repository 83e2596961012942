"""What happens with attached files in the runs that are busy with them."""

from __future__ import annotations

from collections import Counter

import pytest

from edda_sync.simulations.filework import HAPPENINGS
from edda_sync.simulations.runs import run
from edda_sync.simulations.simulator import Simulation
from edda_sync.simulations.tape import FILES, Tape
from tests.simulations.acting import Notes
from tests.simulations.filing import filed_run


@pytest.mark.parametrize("tight", [False, True], ids=["usual", "tight"])
def test_everything_may_happen_in_one_run_and_all_holds(tight: bool) -> None:
    done = Counter[str]()

    def plan(sim: Simulation) -> None:
        for number in range(3 * len(HAPPENINGS)):
            action = HAPPENINGS[number % len(HAPPENINGS)]

            def happen(number: int = number, action=action) -> None:  # type: ignore[no-untyped-def]
                action(sim, sim.tape.source(f"work {number}"))
                done[action.name] += 1

            sim.at(6 + number * 1.5, happen)

    sim, notes = filed_run(plan, seed=5, tight=tight)
    assert set(done) == {action.name for action in HAPPENINGS}
    assert notes.count["crash"] >= 1
    assert notes.count["broken off"] >= 1
    assert notes.count["chunk spoiled"] == 3
    assert any(device.chunks.packed for device in sim.devices)


def test_half_of_the_runs_are_busy_and_the_others_are_as_they_were() -> None:
    chosen = [Simulation(Tape(seed), (), (), plans=(lambda _: None,)).filed.is_busy for seed in range(40)]
    assert 10 < sum(chosen) < 30
    assert not any(Simulation(Tape(seed), (), ()).filed.is_busy for seed in range(40))


def test_a_busy_run_says_so_and_is_repeated_by_its_seed() -> None:
    notes = Notes()
    first = run(Tape(4, backend="memory", beside=(FILES,)), notes)
    assert first.is_busy
    assert notes.count["files"] >= 3
    assert run(Tape(4, backend="memory", beside=(FILES,))).digest == first.digest
    assert not run(Tape(4, backend="memory", beside=())).is_busy
