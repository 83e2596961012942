from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from edda_sync.device.allowance import Allowance


def test_a_burst_may_be_as_large_as_the_allowance_and_is_refilled_evenly() -> None:
    allowance = Allowance(8, 60.0)
    assert [allowance.take(1_000.0) for _ in range(9)] == [True] * 8 + [False]
    assert not allowance.take(1_007.0)
    assert allowance.take(1_007.6)
    assert not allowance.take(1_007.7)


def test_what_was_not_taken_for_long_makes_no_larger_burst() -> None:
    allowance = Allowance(2, 60.0)
    assert [allowance.take(1e6) for _ in range(3)] == [True, True, False]


@given(st.lists(st.floats(0, 10), max_size=200))
def test_in_no_window_is_more_taken_than_twice_the_allowance(pauses: list[float]) -> None:
    allowance, now_s, taken = Allowance(8, 60.0), 0.0, []
    for pause in pauses:
        now_s += pause
        if allowance.take(now_s):
            taken.append(now_s)
    assert all(sum(begin <= each < begin + 60 for each in taken) <= 16 for begin in taken)
