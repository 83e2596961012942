"""The stories of backups and copies end differently with a fault in the product."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from edda_sync.simulations.catalogue import CHECKERS
from edda_sync.simulations.comebacks import backs_up
from edda_sync.simulations.planted import bug_named
from edda_sync.simulations.protocols import Verdict
from edda_sync.simulations.restores import lose, take_backup
from edda_sync.simulations.scenarios import SCENARIOS
from edda_sync.simulations.simulator import Simulation
from edda_sync.simulations.story import adds
from edda_sync.simulations.tape import Profile, Tape

YEAR_S = 366 * 86_400.0


@pytest.mark.parametrize(
    ("story", "bug", "number"),
    [
        ("restored-laptop", "the keys are not kept", 13),
        ("rolled-back-disk", "a restore brings no lost changes", 13),
        ("cloned-vm", "a copy goes without a word of farewell", 18),
    ],
)
def test_a_story_notices_what_would_lose_its_point(story: str, bug: str, number: int) -> None:
    with bug_named(bug).on():
        violation = SCENARIOS[story].simulation().run().violation
    assert violation is not None
    assert violation.number == number


def test_a_clock_that_was_ahead_once_does_not_bring_an_old_backup_back() -> None:
    def script(sim: Simulation) -> float:
        laptop = sim.devices[0]
        laptop.skew_s = YEAR_S
        backs_up(sim, 10, laptop)
        sim.at(20, lambda: setattr(laptop, "skew_s", 0.0))
        adds(sim, 30, laptop, "Only in the second one")
        backs_up(sim, 40, laptop)
        sim.at(50, lambda: lose(sim, laptop, proof=True))
        sim.at(60, lambda: sim.boot(laptop))
        return 70

    _holds_without(script, "the newest backup is what clocks say")


def test_a_device_whose_clock_is_ahead_deletes_nothing_of_a_backup_that_another_one_is_making() -> None:
    def script(sim: Simulation) -> float:
        laptop, phone = sim.devices
        phone.skew_s = YEAR_S
        adds(sim, 10, laptop, "Plan")
        backs_up(sim, 40, phone)
        adds(sim, 50, laptop, "Another plan")
        # what the laptop has written is read back then, and no manifest names it yet
        sim.at(60, lambda: setattr(sim.backups.place, "meanwhile", (4, lambda: take_backup(sim, phone))))
        backs_up(sim, 60, laptop)
        return 70

    _holds_without(script, "the place's clock is this device's")


def _holds_without(script: Callable[[Simulation], float], bug: str) -> None:
    """Play a script with a bug and without it: only with the bug a backup is lost."""

    def played() -> Verdict:
        profile = Profile(devices=2, backend="memory", groups=frozenset(), real_keys=True, lawless=0)
        return Simulation(Tape(1, backend="memory"), (), CHECKERS, script=script, profile=profile).run()

    assert played().violation is None
    with bug_named(bug).on():
        violation = played().violation
    assert violation is not None
    assert violation.number == 13
