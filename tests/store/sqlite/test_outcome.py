"""The outcome of a transaction that its caller runs: what it returned, or raised."""

from __future__ import annotations

import threading
import weakref

import pytest

from edda_sync.store.sqlite.outcome import Awaited, Outcome


def test_the_result_of_a_transaction_is_what_its_work_returned() -> None:
    outcome = Outcome()
    assert not outcome.done()
    outcome.set_result(7)
    assert (outcome.done(), outcome.result(), outcome.exception()) == (True, 7, None)


def test_an_error_of_a_transaction_is_raised_to_its_caller() -> None:
    outcome, error = Outcome(), ZeroDivisionError("of the transaction")
    outcome.set_exception(error)
    assert (outcome.done(), outcome.exception()) == (True, error)
    with pytest.raises(ZeroDivisionError) as caught:
        outcome.result()
    assert caught.value is error


class Large:
    """Something in a frame that an error's trace keeps."""


def test_objects_of_a_failed_transaction_are_freed_with_the_error_and_not_by_the_garbage_collector() -> None:
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


def test_a_result_is_waited_for() -> None:
    outcome, heard = Awaited(), list[object]()
    thread = threading.Thread(target=lambda: heard.append(outcome.result()))
    thread.start()
    assert outcome.begin()
    outcome.set_result(7)
    thread.join()
    assert (heard, outcome.result(), outcome.exception()) == ([7], 7, None)


def test_a_transaction_that_does_not_end_in_time_says_so() -> None:
    outcome, error = Awaited(), ZeroDivisionError()
    with pytest.raises(TimeoutError):
        outcome.result(0.0)
    outcome.set_exception(error)
    assert outcome.exception(0.0) is error


def test_a_cancelled_transaction_does_not_begin_and_a_running_one_is_not_cancelled() -> None:
    cancelled, begun = Awaited(), Awaited()
    assert (cancelled.cancel(), cancelled.begin()) == (True, False)
    assert (begun.begin(), begun.cancel()) == (True, False)
