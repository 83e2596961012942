"""
What a large undo took back: the names of changes as bytes, for a header whose reason has no room for all of them.

    undone := msgpack [[actor, [gap, count, gap, count...]]...]      a gap is from the last change of the range before

It stands in an even number of the header's ``ext``, so older versions pass it on and need not read it. It decides nothing
but what a later undo takes for taken back.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import Annotated, Final

import msgspec

from edda_sync.crdt.frontier import Dot
from edda_sync.words import limits

Range = tuple[bytes, int, int]
"""``(actor, first, last)``: changes of one life, one after another."""

_Positive = Annotated[int, msgspec.Meta(gt=0)]
_Form = tuple[tuple[Annotated[bytes, msgspec.Meta(min_length=16, max_length=16)], tuple[_Positive, ...]], ...]
_decode: Final = msgspec.msgpack.Decoder(_Form).decode


def encode(dots: Iterable[Dot]) -> bytes | None:
    """Return the names of some changes as bytes; None if they are more than a header has room for."""
    written: list[tuple[bytes, list[int]]] = []
    end = -1
    for actor, seq in sorted({*dots}):
        if not written or written[-1][0] != actor:
            written.append((actor, []))
            end = 0
        steps = written[-1][1]
        if steps and seq == end + 1:
            steps[-1] += 1
        else:
            steps += (seq - end, 1)
        end = seq
    raw = msgspec.msgpack.encode(written)
    return raw if len(raw) <= limits.UNDONE_BYTES_MAX else None


def decode(raw: bytes) -> list[Range]:
    """Return the changes that bytes name, as ranges that do not meet; none if the bytes are no such names."""
    try:
        found = _decode(raw)
    except ValueError:
        return []
    if any(one[0] >= other[0] for one, other in pairwise(found)) or any(len(steps) % 2 for _, steps in found):
        return []
    return [each for actor, steps in found for each in _ranges(actor, steps)]


def _ranges(actor: bytes, steps: tuple[int, ...]) -> Iterator[Range]:
    end = 0
    for gap, count in zip(steps[::2], steps[1::2], strict=True):
        first, end = end + gap, end + gap + count - 1
        yield actor, first, end
