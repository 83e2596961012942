from __future__ import annotations

import pytest

from tests.simulations.lying import REFUSALS, counted, told

SEEDS = 3


@pytest.mark.parametrize("name", ["withhold", "claim", "misprove", "contradict"])
def test_a_mood_changes_what_a_liar_says_and_harms_nobody_else(name: str) -> None:
    times = 0
    heard: set[str] = set()
    for seed in range(SEEDS):
        sim, verdict, ear = told(name, seed)
        assert verdict.violation is None, f"{verdict.violation}\n{verdict.trace}"
        times += counted(sim)[name]
        heard |= ear.troubles()
    assert times >= SEEDS
    assert heard >= {error.__name__ for error in REFUSALS.get(name, set())}
