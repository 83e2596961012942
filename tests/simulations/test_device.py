from __future__ import annotations

from typing import NoReturn

import pytest

from edda_sync.engine.engine import StorageEngine
from edda_sync.simulations.runs import run
from edda_sync.simulations.simulator import Simulation
from edda_sync.simulations.tape import Event, Profile, Tape
from edda_sync.words.errors import CorruptError
from tests.simulations.acting import Notes


def test_a_sleeping_device_takes_everything_at_once_when_it_wakes() -> None:
    profile = Profile(devices=2, backend="memory", groups=frozenset(), real_keys=False, lawless=0)
    names = ["add task", "sleep", "add task", "add task", "edit task"]
    notes = Notes()
    verdict = run(Tape(2, fixed=(profile, [Event(n, 3.0 + n, name) for n, name in enumerate(names)])), notes)
    assert verdict.violation is None
    assert notes.count["wake"] == notes.count["sleep"] == 1


@pytest.mark.parametrize("rotten", [False, True])
def test_a_store_may_only_be_called_damaged_where_its_disk_rotted(rotten: bool) -> None:
    def read(_: StorageEngine) -> NoReturn:
        raise CorruptError("The log")

    def script(sim: Simulation) -> float:
        sim.devices[0].disk.rotten = rotten
        sim.at(3, lambda: sim.devices[0].act(read))
        sim.at(4, lambda: setattr(sim.devices[0].disk, "rotten", False))
        return 5

    profile = Profile(devices=2, backend="memory", groups=frozenset(), real_keys=False, lawless=0)
    violation = Simulation(Tape(2), (), (), script=script, profile=profile).run().violation
    assert (violation is None) == rotten, str(violation)
