from __future__ import annotations

import pytest

from tests.simulations.lying import REFUSALS, TOLD_AT_S, counted, told


@pytest.mark.parametrize("name", ["garbage", "replay", "forge", "depend", "half", "chatter"])
def test_a_lie_is_told_and_those_who_hear_it_become_equal_without_the_liar(name: str) -> None:
    heard: set[str] = set()
    for seed in range(2):
        sim, verdict, ear = told(name, seed)
        assert verdict.violation is None, f"{verdict.violation}\n{verdict.trace}"
        assert counted(sim)[name] >= len(TOLD_AT_S)
        heard |= ear.troubles()
    assert heard >= {error.__name__ for error in REFUSALS.get(name, set())}
    if name not in REFUSALS:
        assert not heard  # a device does not leave a peer that is merely ahead of its dependencies
