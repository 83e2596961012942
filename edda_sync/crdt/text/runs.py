"""
Runs: units of one name that were written one after another, stand side by side, and are all visible or all deleted.

Runs are as long as they can be, but none crosses a multiple of ``TEXT_RUN_UNITS`` in its clocks. So they depend only on
the sequence of units, and an edit copies little. They are kept in chunks, so that a search passes only few objects.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

import msgspec

from edda_sync.crdt.text.units import code_points

Unit = tuple[int, int]
"""The index of a name, and a clock."""

EDGE: Final[Unit] = (-1, 0)
"""An end of the text, in place of a neighbour."""


class Run(msgspec.Struct, array_like=True, gc=False, eq=False):
    """Some units side by side, in the form in which a text's state contains them."""

    name: int
    clock: int  # of its first unit
    size: int  # units
    text: str | None  # None if they are deleted
    left: int  # name of the unit that stood before it when it was written, and its clock
    left_clock: int
    right: int  # the same for the unit that stood after it
    right_clock: int

    def goes_on(self, before: Run) -> bool:
        """Tell whether this run and the one before it can be joined."""
        clock = self.clock
        return (
            before.clock + before.size == clock
            and before.name == self.name
            and self.left_clock == clock - 1
            and self.left == self.name
            and self.right_clock == before.right_clock
            and self.right == before.right
            and (self.text is None) == (before.text is None)
        )

    def cut(self, clock: int) -> Run:
        """End the run before a clock, and return the rest of it."""
        size, text = clock - self.clock, self.text
        rest = Run(self.name, clock, self.size - size, None, self.name, clock - 1, self.right, self.right_clock)
        if text is not None:
            points = size if len(text) == self.size else code_points(text, size)
            self.text, rest.text = text[:points], text[points:]
        self.size = size
        return rest

    def pieces(self, end_of: Callable[[int], int]) -> Iterator[Run]:
        """Yield the run in pieces. Each piece ends where a run with the same first clock must end."""
        last, text, raw = self.clock + self.size, self.text, b""
        if text is not None and len(text) != self.size:
            raw = text.encode("utf-16-le")
        left, clock = (self.left, self.left_clock), self.clock
        while clock < last:
            end = min(end_of(clock), last)
            part, first, behind = None, clock - self.clock, end - self.clock
            if text is not None:
                part = raw[2 * first : 2 * behind].decode("utf-16-le") if raw else text[first:behind]
            yield Run(self.name, clock, end - clock, part, *left, self.right, self.right_clock)
            left, clock = (self.name, end - 1), end

    def absorb(self, rest: Run) -> None:
        """Append a run that continues this one."""
        self.size += rest.size
        if self.text is not None and rest.text is not None:
            self.text += rest.text


_encode = msgspec.msgpack.Encoder().encode
_FEW: Final = 16  # from this number on, msgpack writes the length of an array in two more bytes


class Chunk:
    """Some runs and the next chunk. The text that the runs show, and their encoding, are remembered."""

    __slots__ = ("_text", "next", "packed", "points", "rank", "runs")

    def __init__(self, runs: list[Run], following: Chunk | None, rank: float) -> None:
        self.runs = runs
        self.next = following
        self.rank = rank  # greater than the rank of every chunk before it
        self._text: str | None = "".join([run.text for run in runs if run.text is not None])  # None if it has changed
        self.points = len(self._text)  # code points in it
        self.packed: bytes | None = None  # the result of :meth:`pack`, until the runs change

    def string(self) -> str:
        """Return the text that the runs show."""
        if self._text is None:
            self._text = "".join([run.text for run in self.runs if run.text is not None])
        return self._text

    def pack(self) -> bytes:
        """Return the runs as msgpack, one after another."""
        if self.packed is None:
            self.packed = _encode(self.runs)[1 if len(self.runs) < _FEW else 3 :]
        return self.packed

    def changed(self, points: int) -> None:
        """Note that the runs show ``points`` more code points, or fewer if it is negative."""
        self._text = self.packed = None
        self.points += points

    def recut(self) -> None:
        """Note that the runs have changed, but show the same text."""
        self.packed = None

    def seek(self, point: int) -> tuple[int, int]:
        """Return the index of the run that shows one of the chunk's code points, and the code point's number in that run."""
        runs = self.runs
        if 2 * point > self.points:  # search from the nearer end
            point -= self.points
            for at in range(len(runs) - 1, -1, -1):
                text = runs[at].text
                if text is not None:
                    point += len(text)
                    if point >= 0:
                        return at, point
        for at, run in enumerate(runs):
            if run.text is not None:
                if point < len(run.text):
                    return at, point
                point -= len(run.text)
        raise AssertionError("a chunk shows as many code points as its runs")

    def following(self, at: int) -> Run | None:
        """Return the run after one of this chunk's runs."""
        if at + 1 < len(self.runs):
            return self.runs[at + 1]
        return self.next.runs[0] if self.next is not None else None
