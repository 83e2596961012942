"""The stories of backups and copies end differently with a fault in the product."""

from __future__ import annotations

import pytest

from edda_sync.simulations.catalogue import CHECKERS
from edda_sync.simulations.comebacks import backs_up
from edda_sync.simulations.planted import bug_named
from edda_sync.simulations.protocols import Verdict
from edda_sync.simulations.restores import lose
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

    def played() -> Verdict:
        profile = Profile(devices=2, backend="memory", groups=frozenset(), real_keys=True, lawless=0)
        return Simulation(Tape(1, backend="memory"), (), CHECKERS, script=script, profile=profile).run()

    assert played().violation is None
    with bug_named("the newest backup is what clocks say").on():
        violation = played().violation
    assert violation is not None
    assert violation.number == 13
