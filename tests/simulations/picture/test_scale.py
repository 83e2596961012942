from __future__ import annotations

from itertools import pairwise

import pytest

from edda_sync.simulations import picture
from edda_sync.simulations.picture.diagram import LEFT, RIGHT
from edda_sync.simulations.picture.scale import Scale
from edda_sync.simulations.recording import Recording
from tests.simulations.picture.drawn import SVG, parsed


def test_a_week_is_wider_than_a_second_but_only_a_few_times() -> None:
    scale = Scale([0, 1, 2, 2 + 7 * 86_400], 0, 100)
    second, week = scale(1) - scale(0), scale(2 + 7 * 86_400) - scale(2)
    assert second < week < 10 * second
    assert scale(1) - scale(0) == pytest.approx(scale(2) - scale(1))
    assert (scale(-5), scale(10**9)) == (0, 100)
    assert [(gap.start, gap.end) for gap in scale.gaps()] == [(2, 2 + 7 * 86_400)]


def test_ticks_stay_apart_and_in_order() -> None:
    scale = Scale([number**2 / 7 for number in range(200)], LEFT, RIGHT)
    ticks = scale.ticks(74)
    places = [scale(tick) for tick in ticks]
    assert ticks == sorted(ticks)
    assert all(after - before >= 74 for before, after in pairwise(places))
    assert len(ticks) > 5


def test_a_picture_without_events_is_drawn_too() -> None:
    assert parsed(picture.svg(Recording())).tag == f"{SVG}svg"
