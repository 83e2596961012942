"""The outcome of a transaction that its caller runs: what it returned, or raised."""

from __future__ import annotations

import threading
import weakref

import pytest

from edda_sync.store.sqlite.outcome import Awaited, Outcome


def test_what_a_transaction_returned_is_its_result() -> None:
    outcome = Outcome()
    assert not outcome.done()
    outcome.set_result(7)
    assert (outcome.done(), outcome.result(), outcome.exception()) == (True, 7, None)


def test_what_a_transaction_raised_is_raised_to_its_caller() -> None:
    outcome, error = Outcome(), ZeroDivisionError("of the transaction")
    outcome.set_exception(error)
    assert (outcome.done(), outcome.exception()) == (True, error)
    with pytest.raises(ZeroDivisionError) as caught:
        outcome.result()
    assert caught.value is error


class Large:
    """Something in a frame that an error's trace keeps."""


def test_what_a_transaction_held_goes_with_the_error_and_waits_for_no_collection() -> None:
    def fail() -> weakref.ref[Large]:
        outcome, large = Outcome(), Large()
        outcome.set_exception(ZeroDivisionError())
        try:
            outcome.result()
        except ZeroDivisionError:
            return weakref.ref(large)
        raise AssertionError("it raises")

    assert fail()() is None


# --- of another thread ------------------------------------------------------------------------------------------------


def test_what_is_awaited_is_waited_for() -> None:
    outcome, heard = Awaited(), list[object]()
    thread = threading.Thread(target=lambda: heard.append(outcome.result()))
    thread.start()
    assert outcome.begin()
    outcome.set_result(7)
    thread.join()
    assert (heard, outcome.result(), outcome.exception()) == ([7], 7, None)


def test_what_has_not_ended_in_time_says_so() -> None:
    outcome, error = Awaited(), ZeroDivisionError()
    with pytest.raises(TimeoutError):
        outcome.result(0.0)
    outcome.set_exception(error)
    assert outcome.exception(0.0) is error


def test_what_was_cancelled_does_not_begin_and_what_began_is_not_cancelled() -> None:
    cancelled, begun = Awaited(), Awaited()
    assert (cancelled.cancel(), cancelled.begin()) == (True, False)
    assert (begun.begin(), begun.cancel()) == (True, False)
