"""Rates: a limited number within a window, for each key by itself; what was not done does not count."""

from __future__ import annotations

import pytest

from edda_sync.sync.rates import Rate, Rates
from edda_sync.words import limits

KEY, OTHER = b"k" * 32, b"o" * 32


def test_so_many_lives_of_a_device_are_allowed_within_a_window_and_again_after_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(limits, "BIRTHS_MAX", 3)
    births = Rates().births
    start = 1_000.0
    assert [births.allows(KEY, start + at) for at in (0, 1, 2, 3, 59)] == [True, True, True, False, False]
    assert [births.allows(OTHER, start + 3) for _ in range(4)] == [True, True, True, False], "each device by itself"
    end = start + limits.BIRTHS_WINDOW_S
    assert [births.allows(KEY, end + at) for at in (0, 1, 2, 3)] == [True, True, True, False]


def test_what_is_larger_than_the_room_left_goes_once_and_nothing_after_it() -> None:
    rate = Rate(10, 60.0)
    assert rate.allows(KEY, 0.0, 9)
    assert rate.allows(KEY, 1.0, 500), "some room was left: else what is larger than a window never came"
    assert not rate.allows(KEY, 59.0, 1)
    assert rate.allows(KEY, 60.0, 1)


def test_a_window_ends_so_long_after_its_first_use() -> None:
    rate = Rate(1, 60.0)
    assert rate.ends(KEY, 7.0) == 67.0, "it would begin now"
    rate.allows(KEY, 5.0)
    assert rate.ends(KEY, 7.0) == 65.0
    assert rate.ends(KEY, 65.0) == 125.0


def test_windows_that_are_over_are_forgotten_however_many_keys_there_were() -> None:
    rate = Rate(1, 60.0)
    for number in range(1_000):
        rate.count(number.to_bytes(32, "big"), 1, 0.0)
    rate.count(KEY, 1, 60.0)
    assert len(rate._since) == 1


def test_a_trial_counts_what_it_allowed_only_once_that_was_done() -> None:
    rate = Rate(2, 60.0)
    given_up = rate.trial(0.0)
    assert [given_up(KEY) for _ in range(3)] == [True, True, False]
    assert given_up.again_s == 60.0
    assert rate.left(KEY, 1.0) == 2, "the disk was full: it comes again"
    done = rate.trial(1.0)
    assert done(KEY)
    assert done.again_s is None
    done.done()
    assert rate.left(KEY, 2.0) == 1
