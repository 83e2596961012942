"""Which event may come in which state; test_session.py tests what a session does then."""

from __future__ import annotations

import pytest

from edda_sync.sync.states import TRANSITIONS, Event, State


def test_a_closed_session_takes_nothing_and_each_other_one_can_be_closed() -> None:
    assert not any(state is State.CLOSED for state, _ in TRANSITIONS)
    for state in set(State) - {State.CLOSED}:
        assert TRANSITIONS[state, Event.GOODBYE] is State.CLOSED


@pytest.mark.parametrize("event", sorted(set(Event) - {Event.GOODBYE, Event.HELLO}, key=str), ids=str)
def test_nothing_but_a_hello_or_a_goodbye_comes_first(event: Event) -> None:
    assert (State.OPENING, event) not in TRANSITIONS


@pytest.mark.parametrize("event", sorted(set(Event) - {Event.PAGE}, key=str), ids=str)
def test_an_open_session_takes_all_but_a_page_of_a_hello_that_is_whole(event: Event) -> None:
    assert (State.OPEN, event) in TRANSITIONS
    assert (State.OPEN, Event.PAGE) not in TRANSITIONS


def test_every_state_is_reached() -> None:
    reached = {State.OPENING, State.READING, *TRANSITIONS.values()}  # a hello of several pages leads to READING
    assert reached == set(State)
