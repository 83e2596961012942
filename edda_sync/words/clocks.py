"""Clocks that are apart: what a person is told about the clock of another device."""

from __future__ import annotations

from typing import Final

from edda_sync.words.limits import CLOCKS_APART_S

_UNITS: Final = ((365 * 86_400, "years"), (86_400, "days"), (3_600, "h"), (60, "min"))
_FEW: Final = 2  # a smaller unit is used for less than so many of one: 90 min, 36 h


def sentence(name: str, ahead_s: float | None) -> str:
    """
    Return what to tell a person about a device whose clock is apart from this one's; empty if it is not, or not known.

    Args:
        name: The name of the device.
        ahead_s: By how many seconds its clock is ahead.
    """
    if ahead_s is None or abs(ahead_s) <= CLOCKS_APART_S:
        return ""
    return (
        f"{name}'s clock is {apart(ahead_s)} this one's; sync goes on, but of two edits that are made at the "
        "same time, the one by the later clock is shown: set the clock that is wrong."
    )


def apart(ahead_s: float) -> str:
    """Return how far a clock is ahead of another one or behind it, in words: ``3 h behind``."""
    seconds = abs(ahead_s)
    size, unit = next((each for each in _UNITS if seconds >= _FEW * each[0]), _UNITS[-1])
    return f"{seconds / size:,.0f} {unit} {'ahead of' if ahead_s > 0 else 'behind'}"
