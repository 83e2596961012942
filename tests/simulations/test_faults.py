"""Every action of a run does what its name says, on both stores, and every run ends well."""

from __future__ import annotations

import pytest

from edda_sync.simulations import faults
from edda_sync.simulations.runs import run
from tests.simulations.acting import Notes, tape_of

NOTED = {
    "partition": "partition",
    "isolate": "isolated",
    "one way": "one way",
    "flap": "flap",
    "half-open": "half-open",
    "crash": "crash",
    "kill": "crash",
    "sleep": "sleep",
    "slow": "slow",
    "set clock": "clock",
    "fail disk": "refused",
    "fill disk": "disk full",
    "put back": "put back",
    "copy": "boot",
}
"""Records what a listener hears when something goes wrong."""


@pytest.mark.parametrize("backend", ["memory", "sqlite"])
@pytest.mark.parametrize("fault", [action.name for action in faults.ACTIONS])
def test_each_fault_happens_and_nothing_is_lost(fault: str, backend: str) -> None:
    notes = Notes()
    verdict = run(tape_of(fault, backend), notes)
    assert verdict.violation is None, f"{verdict.violation}\n{verdict.trace}"
    assert notes.count[NOTED[fault]] > (3 if fault == "copy" else 0)


def test_every_fault_has_a_note_that_is_looked_for() -> None:
    assert set(NOTED) == {action.name for action in faults.ACTIONS}
