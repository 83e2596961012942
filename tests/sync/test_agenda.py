from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edda_sync.sync.agenda import Agenda
from edda_sync.sync.orders import Duty

ONE, OTHER = Duty.LOOKING, Duty.SAVING


@pytest.fixture
def agenda() -> Agenda:
    return Agenda()


def test_a_duty_begins_when_it_is_due_and_not_before(agenda: Agenda) -> None:
    agenda.want(ONE, 5.0)
    assert agenda.begin(4.9) == []
    assert agenda.next_deadline() == 5.0
    assert agenda.begin(5.0) == [ONE]
    assert agenda.next_deadline() is None


def test_of_two_times_the_earlier_counts_unless_one_is_put_in_its_place(agenda: Agenda) -> None:
    agenda.want(ONE, 5.0)
    agenda.want(ONE, 9.0)
    assert agenda.next_deadline() == 5.0
    agenda.put(ONE, 7.0)
    assert agenda.next_deadline() == 7.0
    agenda.put(ONE, None)
    assert agenda.next_deadline() is None


def test_what_makes_a_duty_due_while_it_is_under_way_is_not_in_vain(agenda: Agenda) -> None:
    agenda.want(ONE, 0.0)
    assert agenda.begin(0.0) == [ONE]
    agenda.want(ONE, 0.0)
    assert agenda.begin(1.0) == [], "it is under way once"
    assert agenda.next_deadline() is None
    agenda.end(ONE)
    assert agenda.begin(1.0) == [ONE]


def test_a_duty_that_rests_begins_after_that_however_often_it_is_wanted(agenda: Agenda) -> None:
    agenda.want(ONE, 0.0)
    agenda.begin(0.0)
    agenda.end(ONE, rest_until=10.0)
    agenda.want(ONE, 1.0)
    agenda.want(OTHER, 2.0)
    assert agenda.begin(2.0) == [OTHER]
    assert agenda.next_deadline() == 10.0
    assert agenda.begin(10.0) == [ONE]


def test_a_duty_that_is_roused_rests_no_more(agenda: Agenda) -> None:
    agenda.want(ONE, 0.0)
    agenda.begin(0.0)
    agenda.end(ONE, rest_until=10.0)
    agenda.want(ONE, 1.0)
    agenda.rouse(ONE)
    assert agenda.begin(1.0) == [ONE]


def test_a_duty_is_open_from_when_it_is_wanted_until_it_has_ended(agenda: Agenda) -> None:
    assert not agenda.is_open(ONE)
    agenda.want(ONE, 0.0)
    assert agenda.is_open(ONE)
    agenda.begin(0.0)
    assert agenda.is_open(ONE)
    agenda.end(ONE)
    assert not agenda.is_open(ONE)


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["want", "begin", "end", "rest", "rouse"]), st.sampled_from([ONE, OTHER]), st.floats(0, 9)
    )
)


@given(STEPS)
def test_whatever_happens_a_duty_that_is_wanted_begins_in_the_end_and_once_at_a_time(
    steps: list[tuple[str, Duty, float]],
) -> None:
    agenda, wanted, under_way = Agenda(), set[Duty](), set[Duty]()
    for step, duty, at in steps:
        if step == "want":
            agenda.want(duty, at)
            wanted.add(duty)
        elif step == "begin":
            begun = set(agenda.begin(at))
            assert not begun & under_way
            assert begun <= wanted
            under_way |= begun
            wanted -= begun
        elif step == "rouse":
            agenda.rouse(duty)
        elif duty in under_way:
            agenda.end(duty, at if step == "rest" else None)
            under_way.discard(duty)
        deadline = agenda.next_deadline()
        assert (deadline is None) == (not wanted - under_way)
    for duty in under_way:
        agenda.end(duty)
    assert set(agenda.begin(9.0)) == wanted
