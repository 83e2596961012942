from __future__ import annotations

import pytest

from edda_sync.simulations import upgrades
from edda_sync.simulations.runs import run
from edda_sync.simulations.tape import Event, Profile, Tape
from tests.simulations.acting import Notes


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
