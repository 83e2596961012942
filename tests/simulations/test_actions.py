"""Everything that can happen in a run: each action does what its name says, on both stores, and all ends well."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import pytest

from edda_sync.simulations import faults, workload
from edda_sync.simulations.device import SimulatedDevice
from edda_sync.simulations.runs import run
from edda_sync.simulations.tape import Event, Profile, Tape

TIMES = 4
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
"""What a listener hears when something goes wrong."""


class Notes:
    """Counts what was noted."""

    def __init__(self) -> None:
        self.count: Counter[str] = Counter()

    def note(self, now: float, what: str, device: str, facts: Mapping[str, Any]) -> None:
        self.count[what] += 1

    def frame(self, sent: float, arrived: float, sender: str, receiver: str, frame: bytes) -> None:
        pass

    def changed(self, now: float, device: SimulatedDevice) -> None:
        pass


def tape_of(action: str, backend: str) -> Tape:
    """People work, and something happens several times."""
    profile = Profile(devices=3, backend=backend, groups=frozenset(), real_keys=False, lawless=0)
    names = ["add task", "add task", "add document", "write set"]
    for _ in range(TIMES):
        names += [action, "edit task", "type", "write set", "tag task"]
    return Tape(1, fixed=(profile, [Event(number, 5.0 * number, name) for number, name in enumerate(names)]))


@pytest.mark.parametrize("backend", ["memory", "sqlite"])
@pytest.mark.parametrize("fault", [action.name for action in faults.ACTIONS])
def test_each_fault_happens_and_loses_nothing(fault: str, backend: str) -> None:
    notes = Notes()
    verdict = run(tape_of(fault, backend), notes)
    assert verdict.violation is None, f"{verdict.violation}\n{verdict.trace}"
    assert notes.count[NOTED[fault]] > (3 if fault == "copy" else 0)


@pytest.mark.parametrize("work", [action.name for action in workload.ACTIONS])
def test_each_kind_of_work_writes_and_reaches_everyone(work: str) -> None:
    whole = tape_of("edit task", "memory")
    before = whole.events(())
    profile = whole.profile(())
    after = [Event(len(before) + n, 5.0 * (len(before) + n), work) for n in range(2 * TIMES)]
    without, with_it = run(whole), run(Tape(1, fixed=(profile, before + after)))
    for verdict in (without, with_it):
        assert verdict.violation is None, f"{verdict.violation}\n{verdict.trace}"
    assert with_it.changes > without.changes


def test_every_fault_has_a_note_that_is_looked_for() -> None:
    assert set(NOTED) == {action.name for action in faults.ACTIONS}


def test_a_sleeping_device_takes_everything_at_once_when_it_wakes() -> None:
    profile = Profile(devices=2, backend="memory", groups=frozenset(), real_keys=False, lawless=0)
    names = ["add task", "sleep", "add task", "add task", "edit task"]
    notes = Notes()
    verdict = run(Tape(2, fixed=(profile, [Event(n, 3.0 + n, name) for n, name in enumerate(names)])), notes)
    assert verdict.violation is None
    assert notes.count["wake"] == notes.count["sleep"] == 1
