"""Sizes and durations are read as people type them, and what is written is read as the same."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edda_sync.words.units import duration_text, parse_duration, parse_size, size_text


@pytest.mark.parametrize(
    ("typed", "size"),
    [
        ("0", 0), ("12", 12), ("12 bytes", 12), ("1 byte", 1), ("64 MB", 64_000_000), ("64MB", 64_000_000),
        ("64 mib", 64 * 2**20), ("1.5 GiB", 3 * 2**29), ("  2 kB ", 2_000), ("1 k", 1_000), ("0.5 kB", 500),
    ],
)  # fmt: skip
def test_a_size_is_read_in_any_unit(typed: str, size: int) -> None:
    assert parse_size(typed) == size


@pytest.mark.parametrize(
    ("typed", "seconds"),
    [
        ("30", 30), ("30 s", 30), ("1.5 s", 1.5), ("2 min", 120), ("1 hour", 3_600), ("7 days", 604_800), ("2w", 1_209_600),
        ("250 ms", 0.25), ("1 Minute", 60),
    ],
)  # fmt: skip
def test_a_duration_is_read_in_any_unit(typed: str, seconds: float) -> None:
    assert parse_duration(typed) == timedelta(seconds=seconds)


NEITHER = [
    "",
    " ",
    "MB",
    "-1",
    "+1",
    "1,5 GB",
    "1.000.000",
    "1_000",
    "1e3",
    "٣",
    "1 MB 2",
    "0.0000001",
    "9" * 31,
    "1 parsec",
]


@pytest.mark.parametrize("typed", [*NEITHER, "1 s", "0.3 bytes"])
def test_what_is_no_size_is_refused(typed: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - its text is the caller's
        parse_size(typed)


@pytest.mark.parametrize("typed", [*NEITHER, "1 m", "1 month", "1 MB", "9" * 29])
def test_what_is_no_duration_is_refused(typed: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - as above
        parse_duration(typed)


@given(st.integers(0, 2**70))
def test_a_size_is_read_back_as_it_was_written(size: int) -> None:
    assert parse_size(size_text(size)) == size


@given(st.timedeltas(timedelta(), timedelta(days=40_000)))
def test_a_duration_is_read_back_as_it_was_written(duration: timedelta) -> None:
    assert parse_duration(duration_text(duration)) == duration


def test_the_largest_fitting_unit_is_written_and_one_has_no_plural() -> None:
    assert [size_text(each) for each in (0, 1, 1_500, 2**20, 10**6, 64 * 10**6)] == [
        "0 bytes", "1 byte", "1500 bytes", "1 MiB", "1 MB", "64 MB",
    ]  # fmt: skip
    assert [duration_text(timedelta(seconds=each)) for each in (0, 1, 60, 90, 86_400, 604_800)] == [
        "0 s", "1 s", "1 minute", "90 s", "1 day", "1 week",
    ]  # fmt: skip
