from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edda_sync.sync.faults import Faults
from edda_sync.sync.orders import Duty
from edda_sync.words import limits
from edda_sync.words.errors import BusyError, CorruptError, DiskFullError, EddaError, NotReachableError

BUSY, FULL, DAMAGED = BusyError("edda.db"), DiskFullError("edda.db"), CorruptError("task 1")
FAULTS: list[EddaError] = [BUSY, FULL, DAMAGED, NotReachableError("192.168.1.20:4321")]


@pytest.mark.parametrize("error", FAULTS, ids=lambda error: type(error).__name__)
def test_whatever_fails_is_tried_again_at_once_first_and_then_ever_more_seldom(error: EddaError) -> None:
    faults = Faults()
    delays = [faults.failed("watching", error).delay_s for _ in range(100)]
    assert delays[0] == limits.DUTY_RETRY_S_MIN
    assert delays == sorted(delays)
    assert delays[1] == 2 * delays[0]
    assert delays[-1] == limits.DUTY_RETRY_S_MAX


def test_a_log_that_is_damaged_itself_is_hardly_ever_folded_again() -> None:
    faults = Faults()
    assert [faults.failed(Duty.MENDING, DAMAGED).delay_s for _ in range(100)][-1] == limits.MEND_RETRY_S_MAX
    assert [faults.failed(Duty.MENDING, BUSY).delay_s for _ in range(100)][-1] == limits.DUTY_RETRY_S_MAX


def test_a_fault_is_told_once_until_the_duty_has_worked_again() -> None:
    faults = Faults()
    assert faults.failed("watching", BUSY).is_news
    assert not faults.failed("watching", BUSY).is_news
    assert faults.failed("watching", FULL).is_news  # another fault
    faults.worked("watching")
    assert faults.failed("watching", BUSY).is_news
    assert faults.failed("watching", BUSY).delay_s == 2 * limits.DUTY_RETRY_S_MIN


def test_one_fault_that_several_faults_meet_is_one_piece_of_news() -> None:
    faults = Faults()
    assert faults.failed("watching", FULL).is_news
    assert not faults.failed("scrubbing", FULL).is_news
    faults.worked("watching")
    assert faults.latest == str(FULL)
    assert not faults.failed("watching", FULL).is_news
    faults.worked("watching")
    faults.worked("scrubbing")
    assert faults.latest == ""
    assert faults.failed("watching", FULL).is_news


def test_the_latest_fault_that_holds_is_shown() -> None:
    faults = Faults()
    assert faults.latest == ""
    faults.failed("watching", FULL)
    faults.failed("scrubbing", BUSY)
    assert faults.latest == str(BUSY)
    faults.failed("watching", FULL)
    assert faults.latest == str(FULL)
    faults.worked("watching")
    assert faults.latest == str(BUSY)
    faults.worked("a duty that never failed")
    assert faults.latest == str(BUSY)


def test_damage_is_to_be_mended_once_for_all_who_meet_it_and_not_because_mending_met_it() -> None:
    faults = Faults()
    assert faults.failed("watching", DAMAGED).damaged == "task 1"
    assert faults.failed("watching", DAMAGED).damaged == ""
    assert faults.failed("scrubbing", DAMAGED).damaged == ""
    assert faults.failed("scrubbing", CorruptError("task 2")).damaged == "task 2"
    assert faults.failed(Duty.MENDING, CorruptError("the log")).damaged == ""
    assert faults.failed("watching", FULL).damaged == ""


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from([*FAULTS, None]))))
def test_what_is_shown_is_a_fault_of_a_duty_that_failed_last_and_nothing_when_all_work(
    tries: list[tuple[str, EddaError | None]],
) -> None:
    faults, failing = Faults(), dict[str, EddaError]()
    for duty, error in tries:
        if error is None:
            faults.worked(duty)
            failing.pop(duty, None)
        else:
            told = faults.failed(duty, error)
            assert told.is_news == (str(error) not in {str(each) for each in failing.values()})
            assert limits.DUTY_RETRY_S_MIN <= told.delay_s <= limits.DUTY_RETRY_S_MAX
            failing[duty] = error
        assert faults.latest in ({str(each) for each in failing.values()} or {""})
