"""Devices of two levels of the software go on side by side, and end equal; people who write at a limit stop nobody."""

from __future__ import annotations

import pytest

from edda_sync.crdt import schema
from edda_sync.engine.engine import StorageEngine
from edda_sync.simulations import levels, upgrades
from edda_sync.simulations.book import Fate
from edda_sync.simulations.brims import MORE, MOST
from edda_sync.simulations.catalogue import CHECKERS
from edda_sync.simulations.liars import PUT, body_of
from edda_sync.simulations.runs import run
from edda_sync.simulations.simulator import Simulation
from edda_sync.simulations.strange import append
from edda_sync.simulations.tape import Event, Profile, Tape
from tests.simulations.acting import Notes

CALM = Profile(devices=3, backend="memory", groups=frozenset(), real_keys=False, lawless=0)


def test_what_one_level_folds_waits_at_the_other_until_that_is_upgraded_too() -> None:
    waiting: list[tuple[bool, int]] = []

    def script(sim: Simulation) -> float:
        def look() -> None:
            waiting.extend((device.newer, device.running.waiting()) for device in sim.devices)

        sim.at(10, lambda: levels.upgrade(sim, sim.devices[0]))
        sim.at(20, lambda: sim.devices[0].act(lambda engine: write_newer(sim, engine)))
        sim.at(60, look)
        return 70

    sim = Simulation(Tape(3), (), CHECKERS, script=script, profile=CALM)
    verdict = sim.run()
    assert verdict.violation is None, f"{verdict.violation}\n{verdict.trace}"
    assert waiting == [(True, 0), (False, 1), (False, 1)]
    assert all(device.newer for device in sim.devices)
    assert levels.CELL not in schema._FIELDS["task"], "the product is what it was"


def write_newer(sim: Simulation, engine: StorageEngine) -> None:
    """Write a task with a cell that only the newer version knows."""
    word = sim.book.word()
    assert append(engine, body_of([[PUT, "task", bytes(16), {"title": word, levels.CELL: 3}]])) is not None
    sim.book.words[word] = Fate.ACKNOWLEDGED


@pytest.mark.parametrize("backend", ["memory", "sqlite"])
@pytest.mark.parametrize("seed", range(4))
def test_upgrades_among_crashes_and_copies_lose_nothing(backend: str, seed: int) -> None:
    profile = Profile(devices=3, backend=backend, groups=frozenset(), real_keys=False, lawless=0)
    names = ["add task", "newer version", "edit task", upgrades.ACTIONS[0].name, "newer version", "crash", "put back"]
    names += ["fail disk", "upgrade", "kill", "copy", "newer version", "tag task", "upgrade", "edit task"]
    notes = Notes()
    events = [Event(number, 5.0 * number, name) for number, name in enumerate(names)]
    verdict = run(Tape(seed, fixed=(profile, events)), notes)
    assert verdict.violation is None, f"{verdict.violation}\n{verdict.trace}"
    assert notes.count["upgrade"] > 1


def test_what_is_written_at_a_limit_is_taken_and_what_is_written_beyond_it_refused() -> None:
    names = ["add task", *["fill"] * 12]
    verdict = run(Tape(5, fixed=(CALM, [Event(number, 5.0 * number, name) for number, name in enumerate(names)])))
    assert verdict.violation is None, f"{verdict.violation}\n{verdict.trace}"
    founding = run(Tape(5, fixed=(CALM, [Event(0, 0.0, "add task")]))).changes
    assert founding < verdict.changes < founding + 12
    assert len(MOST) + len(MORE) > 7
