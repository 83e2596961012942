from __future__ import annotations

from edda_sync.simulations.runs import run
from edda_sync.simulations.tape import Event, Profile, Tape
from tests.simulations.acting import Notes


def test_a_sleeping_device_takes_everything_at_once_when_it_wakes() -> None:
    profile = Profile(devices=2, backend="memory", groups=frozenset(), real_keys=False, lawless=0)
    names = ["add task", "sleep", "add task", "add task", "edit task"]
    notes = Notes()
    verdict = run(Tape(2, fixed=(profile, [Event(n, 3.0 + n, name) for n, name in enumerate(names)])), notes)
    assert verdict.violation is None
    assert notes.count["wake"] == notes.count["sleep"] == 1
