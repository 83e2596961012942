from __future__ import annotations

import pytest

from tests.simulations.lying import counted, told

SEEDS = 2


@pytest.mark.parametrize("name", ["stall", "show", "misname"])
def test_a_false_relay_harms_nobody_for_long(name: str) -> None:
    times = 0
    for seed in range(SEEDS):
        sim, verdict, _ = told(name, seed, devices=4)
        assert verdict.violation is None, f"{verdict.violation}\n{verdict.trace}"
        times += counted(sim)[name]
    assert times >= SEEDS
