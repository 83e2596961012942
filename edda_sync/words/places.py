"""
Places: where on Earth something is, how far two places are apart, and which boxes of coordinates hold what is near.

A place is an object with the numbers ``lat`` (-90 to 90) and ``lon`` (-180 to 180), in degrees, such as
``metadata.location``. Anything else there is no place. The Earth counts as a sphere, which is at most 0.6 % wrong.

Source: R. W. Sinnott, "Virtues of the Haversine", 1984; J. P. Snyder, "Map Projections", 1987, for the width of a circle.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from edda_sync.words import paths
from edda_sync.words.errors import InvalidValueError
from edda_sync.words.paths import Path

PLACE_PATH: Final = ("metadata", "location")
"""Where a task says its place, unless a query names another path."""
RADIUS_M: Final = 6_371_008.8  # the mean radius of the Earth (IUGG)
HALF_ROUND_M: Final = math.pi * RADIUS_M  # from a place to the opposite one, which is as far as anything is
FUNCTION: Final = "edda_distance"
"""The name of :func:`measured` in the SQL of our connections."""
_WIDER: Final = 1.000_001  # a box is a little wider than the circle: both are rounded
_LEAST: Final = 1e-12  # an angle of a few micrometres, which no distance tells from none


class Near(NamedTuple):
    """
    What is asked for of places.

    Attributes:
        lat, lon: The place from which distances are measured, in degrees.
        within: How far a place may be from there, in metres.
        path: Where the rows say their place.
    """

    lat: float
    lon: float
    within: float
    path: Path


class Box(NamedTuple):
    """A box of coordinates, in degrees. It does not cross the date line."""

    south: float
    north: float
    west: float
    east: float


def near(place: object, within: object, path: Path) -> Near:
    """
    Check what is asked for of places.

    Raises:
        InvalidValueError: The coordinates or the distance are not acceptable.
    """
    if isinstance(place, str) or not isinstance(place, (tuple, list)) or len(place) != 2:
        raise InvalidValueError("near", "must be a pair of latitude and longitude, such as (52.52, 13.40)", place)
    lat = _number("near", place[0], "the latitude", -90, 90)
    lon = _number("near", place[1], "the longitude", -180, 180)
    distance = HALF_ROUND_M if within is None else _number("within", within, "the distance in metres", 0, math.inf)
    return Near(lat, lon, min(distance, HALF_ROUND_M), path)


def _number(field: str, value: object, what: str, least: float, most: float) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not least <= value <= most:
        bounds = f"from {least} to {most}" if math.isfinite(most) else "of 0 or more"
        raise InvalidValueError(field, f"{what} must be a number {bounds}", value)
    return min(float(value), HALF_ROUND_M) if field == "within" else float(value)


def measured(lat: Any, lon: Any, from_lat: float, from_lon: float) -> float | None:
    """Return the distance of two places along the sphere, in metres; None if the first is no place."""
    if not _is_degrees(lat, 90) or not _is_degrees(lon, 180):
        return None
    phi, theta = math.radians(lat), math.radians(from_lat)
    high, wide = math.sin((phi - theta) / 2), math.sin(math.radians(lon - from_lon) / 2)
    share = high * high + math.cos(phi) * math.cos(theta) * wide * wide
    return 2 * RADIUS_M * math.asin(math.sqrt(min(share, 1.0)))


def _is_degrees(value: object, most: int) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and -most <= value <= most


def distance(asked: Near, row: Mapping[str, Any]) -> float | None:
    """Return how far a row's place is from the one that is asked for, in metres; None if the row has no place."""
    held = paths.value_at(row, asked.path)
    return measured(held.get("lat"), held.get("lon"), asked.lat, asked.lon) if isinstance(held, dict) else None


def is_near(asked: Near, row: Mapping[str, Any]) -> bool:
    """Tell whether a row's place is as near as is asked for."""
    found = distance(asked, row)
    return found is not None and found <= asked.within


def boxes(asked: Near) -> list[Box]:
    """Return boxes, one or two, that hold every place within the distance; some others as well."""
    angle = min(asked.within / RADIUS_M * _WIDER + _LEAST, math.pi)
    high = math.degrees(angle)
    south, north = max(asked.lat - high, -90.0), min(asked.lat + high, 90.0)
    if south == -90 or north == 90:  # a pole is in it, where all longitudes meet
        return [Box(south, north, -180.0, 180.0)]
    wide = math.degrees(math.asin(min(math.sin(angle) / math.cos(math.radians(asked.lat)), 1.0))) * _WIDER
    west, east = asked.lon - wide, asked.lon + wide
    if west < -180:
        return [Box(south, north, -180.0, east), Box(south, north, west + 360, 180.0)]
    if east > 180:
        return [Box(south, north, west, 180.0), Box(south, north, -180.0, east - 360)]
    ends = [Box(south, north, west, east)]
    if west == -180:  # the same meridian has two names
        ends.append(Box(south, north, 180.0, 180.0))
    elif east == 180:
        ends.append(Box(south, north, -180.0, -180.0))
    return ends
