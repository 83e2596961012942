from __future__ import annotations

from typing import Any

import pytest

from edda_sync.simulations.faults import isolate, one_way
from edda_sync.simulations.recording import CUTS, Message, Recording
from edda_sync.simulations.simulator import Simulation
from edda_sync.simulations.tape import Draws, Profile, Tape


def test_an_invalid_frame_is_recorded_as_garbage() -> None:
    recording = Recording()
    recording.frame(1.0, 2.0, "liar", "phone", b"\x07nonsense")
    assert recording.messages == [Message(1.0, 2.0, "liar", "phone", "garbage", 0, 9)]
    assert recording.devices == ["liar", "phone"]


@pytest.mark.parametrize("fault", [isolate, one_way])
def test_a_fault_of_the_catalogue_is_recorded_with_its_duration(fault: Any) -> None:
    def script(sim: Simulation) -> float:
        sim.at(10, lambda: fault(sim, Draws("1")))
        return 20

    profile = Profile(3, "memory", frozenset(), real_keys=False, lawless=0)
    recording = Recording()
    verdict = Simulation(Tape(1), (), (), recorder=recording, script=script, profile=profile).run()
    assert verdict.violation is None
    (spell,) = (spell for spell in recording.spells() if spell.what in CUTS)
    noted = next(moment for moment in recording.moments if moment.what == spell.what)
    assert (spell.start, spell.end) == (10, min(20, 10 + noted.facts["seconds"]))
