"""Helpers for tests of attached files in a simulation: a run in which people attach files all the time."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from edda_sync.simulations import filed
from edda_sync.simulations.catalogue import CHECKERS
from edda_sync.simulations.filework import attach
from edda_sync.simulations.simulator import Simulation
from edda_sync.simulations.tape import FILES, Profile, Tape
from tests.simulations.acting import Notes

PROFILE = Profile(devices=3, backend="memory", groups=frozenset(), real_keys=False, lawless=0)
SPAN_S = 60


def filed_run(plan: Callable[[Simulation], None], seed: int, *, tight: bool = False) -> tuple[Simulation, Notes]:
    """Play a run in which files are attached every few seconds, and something else happens too; check that all holds."""
    notes = Notes()

    def script(sim: Simulation) -> float:
        for number in range(12):
            device = sim.devices[number % len(sim.devices)]
            sim.at(3 + 4 * number, partial(_attach, sim, device.name, number))
        plan(sim)
        return SPAN_S

    tape = Tape(seed, beside=(FILES,))
    sim = Simulation(tape, (), CHECKERS, recorder=notes, script=script, profile=PROFILE, plans=(lambda _: None,))
    with filed.limited(filed.TIGHT if tight else filed.BUSY):
        verdict = sim.run()
    assert verdict.violation is None, f"{verdict.violation}\n{verdict.trace}"
    assert sim.filed.contents
    return sim, notes


def _attach(sim: Simulation, name: str, number: int) -> None:
    device = next(each for each in sim.devices if each.name == name)
    if device.is_awake and not sim.is_healing:
        attach(sim, sim.tape.source(f"attach {number}"), device)
