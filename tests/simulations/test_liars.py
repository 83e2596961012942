"""Each lie is really told, and honest devices keep their promise: they stay sound, and become equal without the liar."""

from __future__ import annotations

from collections import Counter

import pytest

from edda_sync.simulations import strange
from edda_sync.simulations.simulator import Simulation
from tests.simulations.lying import TOLD_AT_S, counted, ends, told


@pytest.mark.parametrize("backend", ["memory", "sqlite"])
def test_all_devices_keep_what_a_liar_really_made_and_it_blocks_nothing(backend: str) -> None:
    made: Counter[str] = Counter()
    for seed in range(4 if backend == "memory" else 1):
        sim, verdict, _ = told("nonsense", seed, backend=backend)
        assert verdict.violation is None, f"{verdict.violation}\n{verdict.trace}"
        made += counted(sim)
    assert {*strange.NONSENSE} <= {*made} or backend == "sqlite"


def test_operations_of_a_newer_version_are_kept_passed_on_and_counted_and_what_follows_arrives() -> None:
    def look(sim: Simulation) -> None:
        first, *others = sim.honest()
        assert first.running.waiting() >= len(TOLD_AT_S)
        written = len(sim.honest()) * (1 + len(TOLD_AT_S))
        assert len(first.running.table("tasks")) == written + len(TOLD_AT_S)  # and what is known of the newer ones
        for other in others:
            assert other.running.frontier() == first.running.frontier()
            assert other.running.digest() == first.running.digest()
            assert other.running.waiting() == first.running.waiting()

    ends("newer version", 0, look)


@pytest.fixture(params=["memory", "sqlite"])
def backend(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


def test_damage_on_a_disk_is_found_and_mended(backend: str) -> None:
    rotted = rebuilt = 0
    for seed in range(3):
        _, verdict, ear = told("rot", seed, backend=backend)
        assert verdict.violation is None, f"{verdict.violation}\n{verdict.trace}"
        names = {device for what, device, _ in ear.noted if what == "rot"}
        rotted += len(names)
        rebuilt += len(names & {device for what, device, _ in ear.noted if what == "rebuild"})
    assert rotted
    assert rebuilt


def test_a_liar_is_silent_in_the_second_act() -> None:
    _, verdict, ear = told("chatter", 1)
    assert verdict.violation is None
    after = ear.noted[[what for what, _, _ in ear.noted].index("heal") :]
    assert ("crash", "liar") in [(what, device) for what, device, _ in after]
    assert not [what for what, device, _ in after if device == "liar" and what in ("boot", "link", "equal")]
