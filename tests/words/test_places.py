from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from edda_sync.words.errors import InvalidValueError
from edda_sync.words.places import HALF_ROUND_M, PLACE_PATH, RADIUS_M, boxes, distance, is_near, measured, near

LAT, LON = st.floats(-90, 90), st.floats(-180, 180)
WITHIN = st.floats(0, HALF_ROUND_M) | st.floats(0, 1_000)


def row(lat: Any, lon: Any) -> dict[str, Any]:
    return {"metadata": {"location": {"lat": lat, "lon": lon}}}


def test_distances_are_those_of_an_atlas() -> None:
    berlin, paris, sydney = (52.52, 13.405), (48.8566, 2.3522), (-33.8688, 151.2093)
    assert measured(*berlin, *paris) == pytest.approx(877_464, rel=1e-4)
    assert measured(*berlin, *sydney) == pytest.approx(16_089_000, rel=1e-3)
    assert measured(0, 179.5, 0, -179.5) == pytest.approx(math.radians(1) * RADIUS_M)
    assert measured(90, 17, 90, -120) == pytest.approx(0, abs=1e-6), "a pole has one place and all longitudes"
    assert measured(90, 0, -90, 0) == pytest.approx(HALF_ROUND_M)
    assert measured(10, 180, 10, -180) == pytest.approx(0, abs=1e-6), "the date line has two names"


@given(LAT, LON, WITHIN, LAT, LON)
@example(0, 180, 200_000, 0, -179)
@example(0, -180, 0, 0, 180)
@example(0, 180, 0, 0, -180)
@example(89.9, 0, 50_000, 89.9, 180)
@example(-90, 0, 0, -90, 99)
@example(60, 179.99999, 10, 60, -179.99999)
def test_the_boxes_hold_every_place_that_is_near(lat: float, lon: float, within: float, at: float, on: float) -> None:
    asked = near((lat, lon), within, PLACE_PATH)
    found = boxes(asked)
    assert 1 <= len(found) <= 2
    for box in found:
        assert -90 <= box.south <= box.north <= 90
        assert -180 <= box.west <= box.east <= 180
    if is_near(asked, row(at, on)):
        assert any(box.south <= at <= box.north and box.west <= on <= box.east for box in found)


def test_a_small_circle_has_a_small_box() -> None:
    (box,) = boxes(near((52.52, 13.405), 5_000, PLACE_PATH))
    assert (box.north - box.south, box.east - box.west) == pytest.approx((0.0899, 0.1478), rel=1e-2)


@pytest.mark.parametrize(
    "place", [(91, 0), (0, 181), (math.nan, 0), (0, math.inf), ("1", "2"), "52,13", (1,), (1, 2, 3), (True, 0), None, 5]
)
def test_coordinates_that_are_on_no_map_are_refused(place: Any) -> None:
    with pytest.raises(InvalidValueError) as caught:
        near(place, 5, PLACE_PATH)
    assert caught.value.field == "near"


@pytest.mark.parametrize("within", [-1, math.nan, "5km", True])
def test_a_distance_that_is_none_is_refused(within: Any) -> None:
    with pytest.raises(InvalidValueError) as caught:
        near((0, 0), within, PLACE_PATH)
    assert caught.value.field == "within"


@pytest.mark.parametrize(
    "held",
    [
        {}, {"metadata": None}, {"metadata": {}}, {"metadata": {"location": "here"}}, {"metadata": {"location": [1, 2]}},
        row(None, 1), row("1", 1), row(True, 1), row(91, 0), row(0, -181), row(10**400, 0), {"metadata": "no JSON"},
    ],
)  # fmt: skip
def test_what_says_no_place_is_nowhere(held: dict[str, Any]) -> None:
    assert distance(near((0, 0), None, PLACE_PATH), {"metadata": None, **held}) is None
