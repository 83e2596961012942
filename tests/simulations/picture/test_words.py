from __future__ import annotations

import pytest

from edda_sync.simulations.picture import words
from edda_sync.simulations.picture.marks import about, span_of
from edda_sync.simulations.recording import Moment, Recording


def test_an_event_of_an_unknown_kind_is_described_in_its_own_words() -> None:
    moment = Moment(1, "equivocates", "phone", {"seq": 3})
    assert words.saying(Recording(), moment, {}) == "equivocates seq 3"


@pytest.mark.parametrize(
    ("seconds", "exact", "roughly"),
    [
        (0.02, "20 ms", "0 s"),
        (12.34, "12.3 s", "12.3 s"),
        (60, "1 min", "1 min"),
        (86_399, "23 h 59 min", "1 d"),
        (7 * 86_400 + 301, "7 d 5 min", "7 d"),
        (2 * 31_536_000, "2 y", "2 y"),
    ],
)
def test_times_are_written_as_people_say_them(seconds: float, exact: str, roughly: str) -> None:
    assert span_of(seconds) == exact
    assert about(seconds) == roughly
