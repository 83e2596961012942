"""Devices with two levels of the software work side by side, and end equal; writes at a limit stop nobody."""

from __future__ import annotations

from edda_sync.crdt import schema
from edda_sync.engine.engine import StorageEngine
from edda_sync.simulations import levels
from edda_sync.simulations.book import Fate
from edda_sync.simulations.catalogue import CHECKERS
from edda_sync.simulations.liars import PUT, body_of
from edda_sync.simulations.simulator import Simulation
from edda_sync.simulations.strange import append
from edda_sync.simulations.tape import Tape
from tests.simulations.lying import CALM


def test_operations_that_one_level_folds_wait_at_the_other_until_it_is_upgraded() -> None:
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
