"""
Room to grow: what a format says beyond its fixed fields, as numbered byte strings.

Every format ends with such a list. A version keeps numbers that it does not know, and passes them on. A value with an
*even* number may be ignored, and must not influence any computation. A value with an *odd* number must be understood: a
change that has an unknown odd number is held as unknown. In births and records only even numbers are used; whatever
must be understood there raises the level of its change.

Source of the convention: BOLT 1, "It's ok to be odd", with even and odd exchanged; PNG's critical and ancillary chunks.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Mapping
from typing import Annotated, Final

import msgspec

from edda_sync.words.errors import RemoteProtocolError

Ext = tuple[tuple[Annotated[int, msgspec.Meta(gt=0, lt=1 << 32)], bytes], ...]
"""``(number, bytes)`` in ascending order of the numbers, each number once."""

NONE: Final[Ext] = ()


def of(entries: Mapping[int, bytes | None]) -> Ext:
    """Return the canonical form of some entries, without those that are None."""
    return tuple(sorted((number, value) for number, value in entries.items() if value is not None))


def get(ext: Ext, number: int) -> bytes | None:
    """Return the value of a number; None if it has none."""
    for known, value in ext:
        if known == number:
            return value
    return None


def is_canonical(ext: Ext) -> bool:
    """Tell whether the numbers ascend, each occurring once."""
    return all(one[0] < other[0] for one, other in itertools.pairwise(ext))


def check(ext: Ext, known: Collection[int] = ()) -> None:
    """
    Check the extensions of something that cannot be held as unknown: a message, a welcome, a segment.

    Raises:
        RemoteProtocolError: Only a newer version understands them, or they are not canonical.
    """
    if not ext:
        return
    if not is_canonical(ext):
        raise RemoteProtocolError("a list of extensions that is out of order")
    if not is_understood(ext, known):
        raise RemoteProtocolError("what only a newer version understands: install the newest one on both devices")


def is_understood(ext: Ext, known: Collection[int]) -> bool:
    """Tell whether a version that knows some numbers understands a list: none of its other numbers is odd."""
    return all(number % 2 == 0 or number in known for number, _ in ext)
