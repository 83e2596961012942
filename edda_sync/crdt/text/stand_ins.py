"""
Stand-ins: units that an undo brought, and that stand for units which a deletion took away.

What had been taken back before counts as if it had never been, and so do the undos that did so: then the *originals* are
visible, and not their stand-ins. If a change that is taken back now had brought the originals, the stand-ins go with it.
Which unit stands for which is told by their characters, in their order; others may have written between them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from edda_sync.crdt.text.hunks import find_hunks
from edda_sync.crdt.text.units import units
from edda_sync.words import limits


class Piece(NamedTuple):
    """
    What some units show, None where they are deleted.

    Attributes:
        name, clock: The first of the units.
        now: What they show now.
        then: What they show if the changes that are to be taken back are void.
        before, after: The same two, if everything is void that had been taken back before, and the undos that did so.
    """

    name: bytes
    clock: int
    now: str | None
    then: str | None
    before: str | None
    after: str | None

    @property
    def is_original(self) -> bool:
        """Whether these units are deleted, and count as visible without what had been taken back before."""
        return self.now is self.then is None and (self.before is not None or self.after is not None)

    @property
    def is_stand_in(self) -> bool:
        """Whether these units are visible only because of an undo."""
        return self.then is not None and self.before is None and self.after is None

    @property
    def text(self) -> str:
        """What they show where they are not deleted; empty if they are deleted everywhere."""
        return self.now or self.then or self.before or self.after or ""


class Turned(NamedTuple):
    """
    What some units show now, and what they are to show: None where they are deleted.

    Attributes:
        name, clock: The first of the units.
        now, wanted: What they show, and are to show.
    """

    name: bytes
    clock: int
    now: str | None
    wanted: str | None


def turned(pieces: Sequence[Piece]) -> Iterator[Turned]:
    """Yield what the units of a text show and are to show, in their order."""
    originals, stand_ins = [each for each in pieces if each.is_original], [each for each in pieces if each.is_stand_in]
    stood_for, stands_for = _matched(
        "".join([each.text for each in originals]), "".join([each.text for each in stand_ins])
    )
    is_gone = [each.after is None for each in originals for _ in each.text]
    at = stands_at = 0
    for each in pieces:
        if each.is_original:  # one without a stand-in comes back if a change that is taken back now had deleted it
            comes = each.before is None
            yield from _one_by_one(each, [comes and at + number not in stood_for for number in range(len(each.text))])
            at += len(each.text)
        elif each.is_stand_in:
            partners = [stands_for.get(stands_at + number) for number in range(len(each.text))]
            yield from _one_by_one(each, [partner is None or not is_gone[partner] for partner in partners])
            stands_at += len(each.text)
        else:
            yield Turned(each.name, each.clock, each.now, each.then)


def _one_by_one(piece: Piece, wanted: Sequence[bool]) -> Iterator[Turned]:
    """Yield the characters of a piece, each of which is to be shown or not."""
    clock = piece.clock
    for character, shows in zip(piece.text, wanted, strict=True):
        yield Turned(piece.name, clock, None if piece.now is None else character, character if shows else None)
        clock += units(character)


def _matched(originals: str, stand_ins: str) -> tuple[Mapping[int, int], Mapping[int, int]]:
    """Return which characters stand for which, both ways."""
    found, at, shift = dict[int, int](), 0, 0
    for start, end, inserted in [*find_hunks(originals, stand_ins, limits.DIFF_STEPS_MAX), (len(originals), 0, "")]:
        found.update((each, each + shift) for each in range(at, start))
        at, shift = end, shift + len(inserted) - (end - start)
    return found, {stand_in: original for original, stand_in in found.items()}
