"""
UTF-16 units, in which the clocks of a text count, and the places of characters that take two units.

Python counts code points. Yjs counts UTF-16 units, of which characters above U+FFFF take two. No reference may ever point
between the two units of one character. These places are remembered even for deleted text.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from itertools import accumulate
from operator import sub
from typing import Final

Span = tuple[int, int]
"""Adjacent characters of two units: the second unit of the first one, and their number."""

_PAIRS: Final = re.compile("[\U00010000-\U0010ffff]+")


def units(text: str) -> int:
    """Return how many UTF-16 units a text takes."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le")) // 2


def code_points(text: str, count: int) -> int:
    """Return how many code points the first ``count`` units of a text are. They must not end inside a character."""
    if text.isascii():
        return count
    return len(text.encode("utf-16-le")[: 2 * count].decode("utf-16-le"))


def pairs_of(text: str, clock: int) -> list[Span]:
    """Return where a text with a given first clock has characters of two units: second unit, how many in a row."""
    if text.isascii():
        return []
    spans: list[Span] = []
    before = 0  # how many such characters came before
    for found in _PAIRS.finditer(text):
        count = found.end() - found.start()
        spans.append((clock + found.start() + before + 1, count))
        before += count
    return spans


def differences(column: list[int]) -> list[int]:
    """Return the first number of a column, and then the difference of each number from the one before it."""
    return [*column[:1], *map(sub, column[1:], column)]


class Pairs:
    """Where the units of one name have characters of two units. Entries are only ever added at the end."""

    __slots__ = ("counts", "starts")

    def __init__(self, spans: Iterable[Span] = ()) -> None:
        self.starts: list[int] = []
        self.counts: list[int] = []
        self.extend(spans)

    def __iter__(self) -> Iterator[Span]:
        return zip(self.starts, self.counts, strict=True)

    def extend(self, spans: Iterable[Span]) -> None:
        """Note adjacent characters whose second units are ``start``, ``start + 2`` and so on."""
        for start, count in spans:
            if self.starts and start == self.starts[-1] + 2 * self.counts[-1]:
                self.counts[-1] += count
            else:
                self.starts.append(start)
                self.counts.append(count)

    @classmethod
    def of(cls, starts: list[int], counts: list[int]) -> Pairs:
        """
        Return the pairs that two columns describe, the first of them as differences.

        Raises:
            ValueError: The columns are not valid.
        """
        if len(starts) != len(counts) or not starts or starts[0] < 1 or min(counts) < 1:
            raise ValueError("pairs that make no sense")
        if any(step <= 2 * count for step, count in zip(starts[1:], counts, strict=False)):
            raise ValueError("pairs that do not go up")
        made = cls()
        made.starts, made.counts = list(accumulate(starts)), counts
        return made

    def seconds(self, start: int, end: int) -> list[int]:
        """Return the second units between two clocks."""
        found: list[int] = []
        at = max(0, bisect_right(self.starts, start) - 1)
        while at < len(self.starts) and self.starts[at] < end:
            first, count = self.starts[at], self.counts[at]
            skipped = max(0, (start - first + 1) // 2)
            found += range(first + 2 * skipped, min(end, first + 2 * count), 2)
            at += 1
        return found

    @property
    def end(self) -> int:
        """The clock after the last of its second units."""
        return self.starts[-1] + 2 * self.counts[-1] - 1

    def has(self, clock: int) -> bool:
        """Tell whether a unit is the second one of its character."""
        at = bisect_right(self.starts, clock) - 1
        if at < 0:
            return False
        beyond = clock - self.starts[at]
        return beyond < 2 * self.counts[at] and not beyond & 1
