"""
Sizes and durations as people type them: ``64 MB``, ``1.5 GiB``, ``30 s``, ``7 days``.

A size is a number of bytes, and a duration is kept in whole microseconds, so what is written here is read as the same.
MB is a million bytes, and MiB is 1,048,576. A number has no separators, since a comma means a thousand to some people, and
a fraction to others.

Source: IEC 80000-13 for the prefixes; a month and a year have no fixed length, so they are not accepted.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Final

SIZES: Final[Mapping[str, int]] = {
    "bytes": 1, "kB": 10**3, "KiB": 2**10, "MB": 10**6, "MiB": 2**20, "GB": 10**9, "GiB": 2**30, "TB": 10**12,
    "TiB": 2**40, "PB": 10**15, "PiB": 2**50, "EB": 10**18, "EiB": 2**60,
}  # fmt: skip
"""The units of sizes, each in bytes."""

DURATIONS: Final[Mapping[str, int]] = {
    "us": 1, "ms": 10**3, "s": 10**6, "minutes": 60 * 10**6, "hours": 3_600 * 10**6, "days": 86_400 * 10**6,
    "weeks": 7 * 86_400 * 10**6,
}  # fmt: skip
"""The units of durations, each in microseconds."""

_SHOWN: Final = ("bytes", "KB", "MB", "GB", "TB")
_OTHER_SIZES: Final = {"byte": "bytes", "b": "bytes", "k": "kb", "m": "mb", "g": "gb", "t": "tb"}
_OTHER_DURATIONS: Final = {
    "sec": "s", "secs": "s", "second": "s", "seconds": "s", "min": "minutes", "mins": "minutes", "minute": "minutes",
    "h": "hours", "hour": "hours", "d": "days", "day": "days", "w": "weeks", "week": "weeks",
    "millisecond": "ms", "milliseconds": "ms", "microsecond": "us", "microseconds": "us",
}  # fmt: skip
_DIGITS_MAX: Final = 30  # far more than any size or duration has


def parse_size(text: str) -> int:
    """
    Return a size in bytes: a number with a unit of :data:`SIZES`, in any case; without a unit it is in bytes.

    Raises:
        ValueError: It is no size, or no whole number of bytes.
    """
    return _parse(text, SIZES, _OTHER_SIZES, "bytes")


def parse_duration(text: str) -> timedelta:
    """
    Return a duration: a number with a unit of :data:`DURATIONS`, in any case; without a unit it is in seconds.

    Raises:
        ValueError: It is no duration, or no whole number of microseconds, or longer than Python can hold.
    """
    try:
        return timedelta(microseconds=_parse(text, DURATIONS, _OTHER_DURATIONS, "s"))
    except OverflowError:
        raise ValueError from None


def size_text(size: int) -> str:
    """Return a size in the largest unit in which it is a whole number. :func:`parse_size` reads it."""
    return _text(size, SIZES, "bytes")


def duration_text(duration: timedelta) -> str:
    """Return a duration in the largest unit in which it is a whole number. :func:`parse_duration` reads it."""
    return _text(duration // timedelta(microseconds=1), DURATIONS, "s")


def _parse(text: str, units: Mapping[str, int], others: Mapping[str, str], usual: str) -> int:
    matched = re.fullmatch(r"\s*([0-9]+(?:\.[0-9]+)?)\s*([A-Za-z]*)\s*", text)
    if matched is None or len(matched[1]) > _DIGITS_MAX:
        raise ValueError
    word = (matched[2] or usual).lower()
    factor = {name.lower(): each for name, each in units.items()}.get(others.get(word, word))
    if factor is None:
        raise ValueError
    whole, _, part = matched[1].partition(".")
    scale: int = 10 ** len(part)
    amount, rest = divmod(int(whole + part) * factor, scale)
    if rest:
        raise ValueError
    return amount


def _text(amount: int, units: Mapping[str, int], zero: str) -> str:
    for name, factor in sorted(units.items(), key=lambda each: -each[1]):
        if amount and amount % factor == 0:
            number = amount // factor
            return f"{number} {name[:-1] if number == 1 and name.endswith('s') and len(name) > 2 else name}"
    return f"0 {zero}"


def size_in_words(size: int) -> str:
    """Return a size in bytes for a person, rounded: 3 bytes, 12.5 KB, 2.15 GB."""
    shown, unit = float(size), 0
    while shown >= 999.5 and unit < len(_SHOWN) - 1:
        shown, unit = shown / 1_000, unit + 1
    return f"{size:,} {_SHOWN[0]}" if not unit else f"{shown:.3g} {_SHOWN[unit]}"
