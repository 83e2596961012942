"""
Judging: which edits of a text are accepted. The verdict depends on the edit and its past.

1. *The past* of an edit is what the changes in its author's past inserted, and what its own change inserted before it.
2. A change that started the text is in the past.
3. Every unit that the edit names or deletes is in the past, or earlier in the edit.
4. An author continues where its units end. A rewrite is not in its own past.
5. In the past, with the earlier blocks of the edit, a block's right neighbour stands directly after its left one.
6. No block is placed, and no deletion begins or ends, inside a character of two units.
7. One actor writes at most ``TEXT_CLOCK_MAX`` units into one text, with those of its rewrites.
8. An edit that breaks one of these rules is refused as a whole and changes nothing. Later edits are judged without it.
9. The units of a *void* edit are kept, hidden, and it deletes nothing. All other edits are judged as before. If several
   changes inserted the same units (those of a start or a rewrite), the units are shown unless all of these changes are
   void.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, Protocol

from edda_sync.crdt.frontier import Dot
from edda_sync.crdt.text.attribution import Author, Rewrite, meets
from edda_sync.crdt.text.clients import NAME_BYTES
from edda_sync.crdt.text.edits import OWN, Id, TextEdit
from edda_sync.crdt.text.order import Order
from edda_sync.crdt.text.runs import EDGE, Unit
from edda_sync.crdt.text.trails import Trails
from edda_sync.crdt.text.units import Pairs, pairs_of, units
from edda_sync.words import limits
from edda_sync.words.errors import RefusedTextError

NEW: Final = -2  # index of an edit's own name if that is not known yet
UNKNOWN: Final = -3  # index of any other name that is not known


class Text(Protocol):
    """What judging needs of a text; see ``sequence.TextSequence``."""

    genesis: bytes
    started: int
    names: list[bytes]
    index: dict[bytes, int]
    authors: dict[int, Author]
    rewrites: dict[int, Rewrite]
    order: Order
    trails: Trails


class Past(dict[int, int]):
    """How many units of each name are in an edit's past, or are here. Each number is looked up when it is needed."""

    __slots__ = ("_dot", "_past", "_text")

    def __init__(self, text: Text, dot: Dot, past: Mapping[bytes, int] | None) -> None:
        self._text, self._dot, self._past = text, dot, past

    def __missing__(self, index: int) -> int:
        text, past = self._text, self._past
        if index == text.index[text.genesis]:
            known = text.started
        elif index in text.rewrites:
            rewrite = text.rewrites[index]
            known = rewrite.size if past is None or meets(rewrite.dots, self._dot, past) else 0
        elif index in text.authors:
            actor, insertions = text.names[index], text.authors[index].insertions
            if past is None:
                seq = insertions.seq
            else:
                seq = self._dot[1] if actor == self._dot[0] else past.get(actor[-NAME_BYTES:], 0)
            known = insertions.known(seq)
        else:
            known = 0
        self[index] = known
        return known


def judge(
    text: Text,
    edit: TextEdit,
    names: list[int],
    known: Mapping[int, int],
    written: int,
    *,
    was_accepted: bool = False,
) -> tuple[int, Pairs]:
    """
    Return the clock after an edit's blocks, and the pairs in them; or refuse the edit.

    The neighbours of an edit that was accepted before are not checked: other units may stand between them by now.
    """
    own = names[OWN]
    first = clock = known[own] if own != NEW else 0
    if first and edit.clock is None and edit.blocks:
        raise RefusedTextError("its author knows this very rewrite")
    if edit.clock is not None and edit.clock != first:
        raise RefusedTextError(f"it starts at clock {edit.clock}, not at {first}")
    pairs = Pairs()
    after: dict[Unit, Unit] = {}  # what stands after a unit with the earlier blocks inserted, if that has changed
    for left_id, right_id, string in edit.blocks:
        left, right = unit_of(names, left_id), unit_of(names, right_id)
        for name, at in (left, right):
            if name != EDGE[0] and at >= (clock if name == own else known[name]):
                raise RefusedTextError("a block stands beside something unknown")
        if left in after:
            following = after[left]
        elif left[0] == own and left[1] >= first:
            following = own, left[1] + 1
        elif was_accepted or (text.trails and text.trails.is_next(own, left, right)):
            following = right
        else:
            following = text.order.after_known(left, known)
        if following != right:
            raise RefusedTextError("a block's right neighbour does not stand directly after its left one")
        if pairs.has(right[1]) if right[0] == own and right[1] >= first else text.order.is_inside(*right):
            raise RefusedTextError("a block stands inside a character")
        if not string.isascii():
            pairs.extend(pairs_of(string, clock))
        after[left] = own, clock
        clock += units(string)
        after[own, clock - 1] = right
    if written + clock - first > limits.TEXT_CLOCK_MAX:
        raise RefusedTextError("its author has written too much into the text")
    for index, at, length in edit.deletions:
        name = names[index]
        if at + length > (clock if name == own else known[name]):
            raise RefusedTextError("it deletes something unknown")
        for edge in (at, at + length):
            if pairs.has(edge) if name == own and edge >= first else text.order.is_inside(name, edge):
                raise RefusedTextError("it deletes half a character")
    return clock, pairs


def unit_of(names: Sequence[int], unit: Id | None) -> Unit:
    """Return a unit that an edit names, with the index that its name has in the text."""
    return EDGE if unit is None else (names[unit[0]], unit[1])
