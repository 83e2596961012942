"""
Setting a text back: the edits that make one text of another that has the same units, of which others are visible.

A change that is taken back is void in one of the two texts: what it inserted keeps its places there, hidden, and what it
deleted is visible. So the edits delete exactly the units that it brought, and bring back exactly those that it deleted.
(A deleted unit stays deleted for ever; what is brought back are new units with the same characters.)
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import NamedTuple

from edda_sync.crdt.text.runs import Run
from edda_sync.crdt.text.sequence import TextSequence
from edda_sync.words.model import Replacement


class SetBack(NamedTuple):
    """
    How to set a text back.

    Attributes:
        edits: The edits, one after another.
        hidden, shown: How many UTF-16 units they delete, and how many they bring back.
    """

    edits: list[Replacement]
    hidden: int
    shown: int


def set_back(now: TextSequence, then: TextSequence) -> SetBack | None:
    """
    Return the edits that make ``now`` read like ``then``; None if the two do not have the same units in the same order.

    Args:
        now: A text.
        then: The same text, folded from the same changes, some of which are void.
    """
    edits: list[_Edit] = []
    hidden = shown = at = 0
    for before, after, size in _side_by_side(now, then):
        if size < 0:
            return None
        if before is not None and after is not None:
            at += len(before)
        elif before is not None:
            hidden += size
            _add(edits, at, before, "")
        elif after is not None:
            shown += size
            _add(edits, at, "", after)
            at += len(after)
    return SetBack([made for each in edits if (made := _shortened(*each)) is not None], hidden, shown)


_Edit = tuple[int, str, str]
"""Where, what is deleted there, and what is inserted."""


def _shortened(at: int, deleted: str, inserted: str) -> Replacement | None:
    """Return an edit without the characters that it would only replace by the same ones; None if nothing is left."""
    if deleted == inserted:
        return None
    first = _common(deleted, inserted)
    deleted, inserted = deleted[first:], inserted[first:]
    last = _common(deleted[::-1], inserted[::-1])
    return at + first, len(deleted) - last, inserted[: len(inserted) - last]


def _common(one: str, other: str) -> int:
    """Return how many characters two strings begin with alike."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((at for at, (mine, theirs) in pairs if mine != theirs), min(len(one), len(other)))


def _add(edits: list[_Edit], at: int, deleted: str, inserted: str) -> None:
    """Add an edit; as a part of the last one, if it continues that."""
    if edits:
        begun, gone, put = edits[-1]
        if begun + len(put) == at:
            edits[-1] = begun, gone + deleted, put + inserted
            return
    edits.append((at, deleted, inserted))


def _side_by_side(now: TextSequence, then: TextSequence) -> Iterator[tuple[str | None, str | None, int]]:
    """Yield what both show of the same units, and how many units that is; a negative number where they are not the same."""
    ours, theirs = _Pieces(now), _Pieces(then)
    while ours.rest or theirs.rest:
        size = min(ours.rest, theirs.rest)
        if not size or ours.unit != theirs.unit:
            yield None, None, -1
            return
        yield ours.take(size), theirs.take(size), size


class _Pieces:
    """The runs of a text, taken a piece at a time."""

    def __init__(self, text: TextSequence) -> None:
        self._names = text.names
        self._runs = chain(text.order)
        self._raw: bytes | None = None
        self._next()

    def _next(self) -> None:
        run: Run | None = next(self._runs, None)
        self.rest = 0 if run is None else run.size
        self._name, self._clock = (b"", 0) if run is None else (self._names[run.name], run.clock)
        self._raw = None if run is None or run.text is None else run.text.encode("utf-16-le", "surrogatepass")

    @property
    def unit(self) -> tuple[bytes, int]:
        """The name and the clock of the next unit."""
        return self._name, self._clock

    def take(self, size: int) -> str | None:
        """Return what the next units show; None if they are deleted."""
        text = None if self._raw is None else self._raw[: 2 * size].decode("utf-16-le", "surrogatepass")
        if size == self.rest:
            self._next()
            return text
        self._clock, self.rest = self._clock + size, self.rest - size
        self._raw = None if self._raw is None else self._raw[2 * size :]
        return text
