"""Runs with the whole catalogue: from a tape to a verdict."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Final

from edda_sync.simulations import filed
from edda_sync.simulations.catalogue import ACTIONS, CHECKERS, PLANS
from edda_sync.simulations.protocols import Recorder, Verdict
from edda_sync.simulations.simulator import Simulation
from edda_sync.simulations.tape import Tape
from edda_sync.words import limits

TIGHT: Final[dict[str, float]] = {
    "PART_BYTES_MAX": 600,
    "BATCH_BYTES_MAX": 1_000,
    "WINDOW_BYTES_MAX": 3_000,
    "SEGMENT_SAVES_US_MIN": -300,
    "SLICE_US_MAX": 500,
    "HEADS_MAX": 3,
    "CODED_CELLS_FIRST": 2,
    "CODED_CELLS_MAX": 8,
    "LISTED_ITEMS_MAX": 3,
    "BIRTHS_MAX": 100,
    "BIRTHS_WINDOW_S": 10.0,
    "PROOFS_MAX": 2,
    "PROOFS_WINDOW_S": 5.0,
    "SCANS_MAX": 12,
    "SCANS_WINDOW_S": 5.0,
    "DOCUMENTS_CACHED_MAX": 1,
    "TEXT_RUN_UNITS": 4,
    "DIFF_STEPS_MAX": 50,
    "UNIQUE_MAX": 2,
}
"""The limits of a tight run, by their names in ``edda_sync.words.limits``."""

MEMORY: Final = Path("/dev/shm")  # noqa: S108 - files in memory are enough, because power failures are simulated


def run(tape: Tape, recorder: Recorder | None = None) -> Verdict:
    """Run a tape with all actions and checkers."""
    simulation = Simulation(tape, ACTIONS, CHECKERS, recorder=recorder, plans=PLANS)
    is_tight = simulation.profile.tight
    smaller = (filed.TIGHT if is_tight else filed.BUSY) if simulation.filed.is_busy else {}
    with tightened() if is_tight else nullcontext(), filed.limited(smaller):
        return _run(simulation)


@contextmanager
def tightened() -> Iterator[None]:
    """Make limits so small that a run of a minute reaches them."""
    usual = {name: getattr(limits, name) for name in TIGHT}
    try:
        for name, value in TIGHT.items():
            setattr(limits, name, value)
        yield
    finally:
        for name, value in usual.items():
            setattr(limits, name, value)


def _run(simulation: Simulation) -> Verdict:
    if simulation.profile.backend == "memory":
        return simulation.run()
    with tempfile.TemporaryDirectory(prefix="edda-run-", dir=MEMORY if MEMORY.is_dir() else None) as folder:
        simulation.folder = Path(folder)
        return simulation.run()
