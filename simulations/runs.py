"""Runs of the whole catalogue: one seed, from tape to verdict."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Final

from simulations.catalogue import ACTIONS, CHECKERS
from simulations.simulator import Recorder, Simulation, Verdict
from simulations.tape import Tape

MEMORY: Final = Path("/dev/shm")  # noqa: S108 - where files cost no disk: what power takes from one is simulated


def run(tape: Tape, recorder: Recorder | None = None) -> Verdict:
    """Run a tape with every action and checker there is."""
    simulation = Simulation(tape, ACTIONS, CHECKERS, recorder=recorder)
    if simulation.profile.backend == "memory":
        return simulation.run()
    with tempfile.TemporaryDirectory(prefix="edda-run-", dir=MEMORY if MEMORY.is_dir() else None) as folder:
        simulation.folder = Path(folder)
        return simulation.run()
