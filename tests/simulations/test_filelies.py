"""Lies about attached files do no harm, and are told."""

from __future__ import annotations

import pytest

from edda_sync.simulations.filelies import LIES
from edda_sync.simulations.simulator import Simulation
from tests.simulations.filing import filed_run
from tests.simulations.lying import counted

WRONG = {"wrong parts", "wrong sizes"}


@pytest.mark.parametrize("name", [lie.name for lie in LIES])
def test_a_lie_about_files_does_no_harm(name: str) -> None:
    lie = next(each for each in LIES if each.name == name)

    def plan(sim: Simulation) -> None:
        for number in range(6):
            sim.at(8 + 5 * number, lambda number=number: lie(sim, sim.tape.source(f"lie {number}")))  # type: ignore[misc]

    sim, ear = filed_run(plan, seed=3)
    assert counted(sim)[name] >= 1
    if name in WRONG:
        assert ear.count["blamed"] + ear.count["trouble"] >= 1
