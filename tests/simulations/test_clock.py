from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edda_sync.simulations import clock as module
from edda_sync.simulations.clock import Clock
from edda_sync.simulations.violation import Violation


@given(st.lists(st.integers(0, 5), max_size=20))
def test_the_first_due_event_happens_first_and_at_equal_times_the_one_planned_first(dues: list[int]) -> None:
    clock, happened = Clock(), list[tuple[float, int]]()
    for number, due in enumerate(dues):
        clock.at(due, lambda number=number: happened.append((clock.now, number)))  # type: ignore[misc]
    clock.run_until(10)
    assert happened == sorted((float(due), number) for number, due in enumerate(dues))
    assert (clock.now, clock.planned) == (10, len(dues))


def test_later_events_wait_and_the_time_still_goes_on() -> None:
    clock, happened = Clock(), list[str]()
    clock.later(2, lambda: happened.append("late"))
    assert not clock.step(1)
    assert (clock.now, happened) == (1, [])
    clock.run_until(2)
    assert happened == ["late"]


def test_an_event_planned_for_the_past_happens_now() -> None:
    clock, happened = Clock(), list[float]()
    clock.at(5, lambda: clock.at(1, lambda: happened.append(clock.now)))
    clock.run_until(9)
    assert happened == [5]


def test_a_run_ends_as_soon_as_its_condition_holds() -> None:
    clock, happened = Clock(), list[int]()
    for number in range(5):
        clock.at(number, lambda number=number: happened.append(number))  # type: ignore[misc]
    clock.run_until(9, lambda: len(happened) == 2)
    assert (happened, clock.now) == ([0, 1], 1)


def test_a_run_without_an_end_is_a_violation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "EVENTS_MAX", 100)
    clock = Clock()

    def again() -> None:
        clock.later(0.01, again)

    again()
    with pytest.raises(Violation, match="no end"):
        clock.run_until(10)
    assert clock.planned == 101
