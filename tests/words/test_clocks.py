from __future__ import annotations

import pytest

from edda_sync.words.clocks import sentence
from edda_sync.words.limits import CLOCKS_APART_S


@pytest.mark.parametrize("ahead_s", [None, 0.0, 1.5, -CLOCKS_APART_S, CLOCKS_APART_S])
def test_nothing_is_said_of_clocks_that_agree_or_are_not_known(ahead_s: float | None) -> None:
    assert sentence("phone", ahead_s) == ""


@pytest.mark.parametrize(
    ("ahead_s", "said"),
    [
        (CLOCKS_APART_S + 1, "2 min ahead of"),
        (-5_400.0, "90 min behind"),
        (-10_800.0, "3 h behind"),
        (90_000.0, "25 h ahead of"),
        (-90 * 86_400.0, "90 days behind"),
        (57 * 365.0 * 86_400, "57 years ahead of"),
    ],
)
def test_clocks_that_are_apart_are_told_in_one_sentence(ahead_s: float, said: str) -> None:
    told = sentence("phone", ahead_s)
    assert told.startswith(f"phone's clock is {said} this one's; ")
    assert told.endswith("set the clock that is wrong.")
    assert told.count(".") == 1
