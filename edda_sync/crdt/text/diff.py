"""
Differences between two strings as edits, and edits that are carried over to a string that has changed since.

An edit is ``(position, deleted, inserted)`` in code points, in the text after the edit before it. Inside this module,
edits are *hunks* (hunks.py), which all count in the same text.

What two people insert at one place ends up side by side, in either order. It must never form a word or number that
neither of them wrote. So an insertion includes what separates it from the word before it: ``1000`` becomes ``1500`` by
replacing `` 1000`` with `` 1500``. If somebody else made it ``2000`` meanwhile, the merged text is ``1500 2000``. At
the start of a line, the space after the insertion serves; if there is no space, a bracket, a quote or another sign. A
text that is a single word has none of these.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from itertools import pairwise
from typing import Final

from edda_sync.crdt.text import wordbreak
from edda_sync.crdt.text.hunks import Hunk, find_hunks
from edda_sync.words import limits
from edda_sync.words.errors import InvalidValueError
from edda_sync.words.model import Replacement

_CONTEXT: Final = 256  # code points that are enough to tell whether two texts run together


def diff(old: str, new: str, steps: int = limits.DIFF_STEPS_MAX) -> list[Replacement]:
    """
    Return edits that turn one text into another; pass them to ``TextDocument.edit`` or :func:`rebase`.

    Args:
        old: The text before.
        new: The text after.
        steps: How much work to spend on finding few and short edits; a step takes about half a microsecond.

    Returns:
        Edits of whole words, ascending. They are always correct; with few steps they are coarse.
    """
    return _edits_of(_parted(old, _slid(old, find_hunks(old, new, steps))))


def apply_edits(text: str, edits: Sequence[Replacement]) -> str:
    """
    Apply edits to a string.

    Args:
        text: The text to which the first edit applies.
        edits: The edits, one after another.

    Returns:
        The text after the last edit.

    Raises:
        InvalidValueError: An edit is outside the text.
    """
    parts: list[str] = []
    at = 0
    for start, end, inserted in compose(edits, len(text)):
        parts += text[at:start], inserted
        at = end
    return "".join((*parts, text[at:]))


def rebase(
    edits: Sequence[Replacement], base: str, current: str, steps: int = limits.DIFF_STEPS_MAX
) -> list[Replacement]:
    """
    Turn edits of one text into edits of what that text has become meanwhile (a three-way merge).

    Deletions only delete what is still there. Insertions are placed where their place is now, after what was inserted
    at the same place meanwhile. A change that both sides made is not made twice. If a word has changed meanwhile, an
    edit of it becomes an edit of the whole word, and no two separate words run together.

    Args:
        edits: Edits of ``base``.
        base: The text that their author saw.
        current: The present text.
        steps: As for :func:`diff`, for the difference between ``base`` and ``current``.

    Returns:
        Edits of ``current``.

    Raises:
        InvalidValueError: An edit is outside ``base``.
    """
    hunks = compose(edits, len(base))
    if base == current:
        return _edits_of(hunks)
    theirs = _slid(base, find_hunks(base, current, steps))
    starts, ends = [start for start, _, _ in theirs], [end for _, end, _ in theirs]
    ours: list[tuple[Hunk, bool]] = []
    for start, end, words, made_of in _by_words(base, apply_edits(base, edits), hunks):
        touching = theirs[bisect_left(ends, start) : bisect_right(starts, end)]
        if not touching:  # nobody else changed this part: keep the edit as it was made, letter by letter
            ours += [(hunk, False) for hunk in made_of]
        elif _made(base, start, end, touching) != words:
            found = [(start + x, start + y, inserted) for x, y, inserted in find_hunks(base[start:end], words, steps)]
            ours += [(hunk, True) for hunk in found if hunk not in touching]
    return _edits_of(_carried(ours, theirs, len(base), current))


def _made(base: str, start: int, end: int, hunks: Sequence[Hunk]) -> str | None:
    """Return what hunks make of a part of a text, or None if they reach outside it."""
    if hunks[0][0] < start or hunks[-1][1] > end:
        return None
    edits = _edits_of([(x - start, y - start, inserted) for x, y, inserted in hunks])
    return apply_edits(base[start:end], edits)


def _by_words(base: str, new: str, hunks: Sequence[Hunk]) -> list[tuple[int, int, str, list[Hunk]]]:
    """
    Widen hunks to places where both texts may be cut, and join hunks with no such place between them.

    Returns:
        For each result: start and end in the base, the new words there, and the hunks that it consists of.
    """
    found: list[tuple[int, int, str, list[Hunk]]] = []
    group: list[Hunk] = []
    start = new_start = at = shift = 0
    for hunk in (*hunks, None):
        stop = len(base) if hunk is None else hunk[0]
        cuts = _common_breaks(base, at, new, at + shift, stop - at)
        if group and (cuts or hunk is None):
            end = at + cuts[0] if cuts else stop
            found.append((start, end, new[new_start : end + shift], group))
            group = []
        if hunk is not None:
            if not group:
                start = at + cuts[-1] if cuts else at
                new_start = start + shift
            group.append(hunk)
            at = hunk[1]
            shift += len(hunk[2]) - (hunk[1] - hunk[0])
    return found


def _common_breaks(base: str, x: int, new: str, y: int, length: int) -> list[int]:
    """Return places where both texts may be cut within the equal part from x and y on: the first, the last, and others."""
    ours = {at - x for near in (x, x + length) for at in wordbreak.breaks(base, near)}
    theirs = {at - y for near in (y, y + length) for at in wordbreak.breaks(new, near)}
    return sorted(at for at in ours & theirs if 0 <= at <= length)


def _carried(ours: Sequence[tuple[Hunk, bool]], theirs: Sequence[Hunk], length: int, current: str) -> list[Hunk]:
    """Turn hunks of a text, each marked as by words or not, into hunks of the text that ``theirs`` made of it."""
    kept, shifts = _kept(theirs, length)
    carried: list[tuple[Hunk, bool]] = []
    tail, at = "", 0  # the end of the result so far, and the place in the current text up to which it goes
    for hunk, by_words in ours:
        for start, end, inserted in _carry(hunk, kept, shifts):
            tail += current[max(at, start - _CONTEXT) : start]
            words = _spaced(tail, inserted, current[end : end + _CONTEXT]) if by_words else inserted
            tail = (tail + words)[-_CONTEXT:]
            at = end
            carried.append(((start, end, words), by_words))
    parted: list[Hunk] = []
    free = 0
    for (hunk, by_words), free_end in zip(carried, [*(hunk[0] for hunk, _ in carried), len(current)][1:], strict=True):
        parted.append(_part(current, hunk, free, free_end) if by_words else hunk)
        free = parted[-1][1]
    return parted


def _carry(hunk: Hunk, kept: Sequence[tuple[int, int]], shifts: Sequence[int]) -> list[Hunk]:
    """Return what becomes of a hunk if only some ranges of its text are kept, each shifted."""
    start, end, inserted = hunk
    carried: list[Hunk] = []
    first = max(0, bisect_right(kept, (start, kept[-1][1])) - 1)  # the last kept range that starts by ``start``
    if start >= kept[first][1] and first + 1 < len(kept):
        first += 1  # the hunk starts in a deleted part: its place is after what stands there now
    if inserted:
        place = max(start, kept[first][0]) + shifts[first]
        carried.append((place, place, inserted))
    while first < len(kept) and kept[first][0] < end:
        left, right = max(start, kept[first][0]) + shifts[first], min(end, kept[first][1]) + shifts[first]
        if carried and carried[-1][1] == left:
            carried[-1] = (carried[-1][0], right, carried[-1][2])
        elif left < right:
            carried.append((left, right, ""))
        first += 1
    return carried


def _spaced(before: str, inserted: str, after: str) -> str:
    """Return what to insert, with spaces added where separate words would run together."""
    if _run_together(before, inserted + after):
        inserted = " " + inserted
    return inserted + " " if inserted and _run_together(before + inserted, after) else inserted


def _run_together(left: str, right: str) -> bool:
    return bool(left and right) and len(left) not in wordbreak.breaks(left + right, len(left))


def _slid(text: str, hunks: Sequence[Hunk]) -> list[Hunk]:
    """Return the same hunks; words that are only inserted or only deleted get the space before them, not the one after."""
    slid: list[Hunk] = []
    free = 0
    for start, end, inserted in hunks:
        chunk = inserted or text[start:end]
        before = _token_before(text, start, free)
        alike = wordbreak.is_space(before) and _token_before(chunk, len(chunk)) == before
        if alike and (start == end or not inserted) and not chunk[0].isspace():
            slid.append((start - 1, end - 1, before + inserted[:-1] if inserted else ""))
        else:
            slid.append((start, end, inserted))
        free = slid[-1][1]
    return slid


def _parted(text: str, hunks: Sequence[Hunk]) -> list[Hunk]:
    """Return the hunks widened so that none runs together with what others insert at the same place."""
    ends = [*(start for start, _, _ in hunks), len(text)][1:]
    parted: list[Hunk] = []
    free = 0
    for hunk, end in zip(hunks, ends, strict=True):
        parted.append(_part(text, hunk, free, end))
        free = parted[-1][1]
    return parted


def _part(text: str, hunk: Hunk, free: int, free_end: int) -> Hunk:
    """Widen a hunk to include what separates it from the word before or after it, without touching other hunks."""
    start, end, inserted = hunk
    if not inserted or inserted[0].isspace():
        return hunk
    before = _token_before(text, start, free)
    if wordbreak.is_space(before):
        return start - len(before), end, before + inserted
    if inserted[-1].isspace():  # a whole line ends with its own separator
        return hunk
    if before and not wordbreak.is_line_end(before):  # the end of a line is not moved, since others may add lines there
        is_apart = wordbreak.has_word(before) or not wordbreak.has_word(_token_after(inserted, 0, len(inserted)))
        return hunk if is_apart else (start - len(before), end, before + inserted)
    after = _parting_after(text, end, free_end)
    if not after:  # the last line of the text
        return start - len(before), end, before + inserted
    is_apart = wordbreak.has_word(after) or not wordbreak.has_word(_token_before(inserted, len(inserted)))
    return hunk if is_apart and not after[-1].isspace() else (start, end + len(after), inserted + after)


def _parting_after(text: str, at: int, last: int) -> str:
    """Return the signs after a place with the space or end of line that follows them; otherwise one sign or word."""
    places = [place for place in wordbreak.breaks(text, at + 1, at) if place <= last]
    for start, end in pairwise(places):
        if wordbreak.is_space(text[start:end]) or wordbreak.is_line_end(text[start:end]):
            return text[at:end]
        if not wordbreak.is_sign(text[start:end]):
            break
    return text[at : places[1]] if len(places) > 1 else ""


def _token_before(text: str, at: int, first: int = 0) -> str:
    found = wordbreak.breaks(text, at, first)
    begins = [place for place in found if place < at] if at in found else []
    return text[begins[-1] : at] if begins else ""


def _token_after(text: str, at: int, last: int) -> str:
    ends = wordbreak.breaks(text, at + 1, at)[1:2]
    return text[at : ends[0]] if ends and ends[0] <= last else ""


def _kept(hunks: Sequence[Hunk], length: int) -> tuple[list[tuple[int, int]], list[int]]:
    """Return the ranges that hunks leave unchanged, and how far each is shifted. The last range ends with the text."""
    ranges, shifts, at, shift = [], [], 0, 0
    for start, end, inserted in hunks:
        if at < start:
            ranges.append((at, start))
            shifts.append(shift)
        at = end
        shift += len(inserted) - (end - start)
    return [*ranges, (at, length)], [*shifts, shift]


def _edits_of(hunks: Sequence[Hunk]) -> list[Replacement]:
    edits, shift = [], 0
    for start, end, inserted in hunks:
        edits.append((start + shift, end - start, inserted))
        shift += len(inserted) - (end - start)
    return edits


def apart(edits: Sequence[Replacement]) -> list[Hunk]:
    """Return edits that ascend and do not overlap as hunks of the text before them, each by itself."""
    hunks, shift = list[Hunk](), 0
    for at, deleted, inserted in edits:
        hunks.append((at - shift, at - shift + deleted, inserted))
        shift += len(inserted) - deleted
    return hunks


def compose(edits: Sequence[Replacement], length: int) -> list[Hunk]:
    """
    Turn edits, in any order and also of the same places, into hunks of the text to which the first one applies.

    Args:
        edits: The edits, one after another.
        length: The length of that text in code points.

    Returns:
        What is replaced, ascending and not overlapping: start, end, and the replacement.

    Raises:
        InvalidValueError: An edit is outside the text.
    """
    pieces = _Pieces(length)
    for position, deleted, inserted in edits:
        if position < 0 or deleted < 0 or position + deleted > pieces.length:
            why = f"{deleted} code points at {position} are not all inside a text of {pieces.length}"
            raise InvalidValueError("edit", why, (position, deleted))
        if len(edits) == 1:  # the usual case: somebody types
            return [(position, position + deleted, inserted)] if deleted or inserted else []
        pieces.replace(position, deleted, inserted)
    return pieces.hunks(length)


class _Pieces:
    """A text being edited, as ranges of the original and inserted strings, on both sides of a cursor."""

    __slots__ = ("_after", "_before", "_cursor", "length")

    def __init__(self, length: int) -> None:
        self.length = length
        self._before: list[range | str] = []
        self._after: list[range | str] = [range(length)] if length else []  # the piece nearest to the cursor is last
        self._cursor = 0

    def replace(self, position: int, deleted: int, inserted: str) -> None:
        while self._cursor < position:
            self._before.append(self._take(self._after, position - self._cursor))
            self._cursor += len(self._before[-1])
        while self._cursor > position:
            piece = self._before.pop()
            self._cursor -= len(piece)
            self._after.append(piece)
            if self._cursor < position:  # too far: the piece contains the position
                self._before.append(self._take(self._after, position - self._cursor))
                self._cursor = position
        self.length += len(inserted) - deleted
        while deleted:
            deleted -= len(self._take(self._after, deleted))
        if inserted:
            self._before.append(inserted)
            self._cursor += len(inserted)

    def hunks(self, length: int) -> list[Hunk]:
        """Return the edits as hunks of the original text, which has some length."""
        found, at, inserted = [], 0, ""
        for piece in (*self._before, *reversed(self._after), range(length, length)):
            if isinstance(piece, str):
                inserted += piece
                continue
            if at < piece.start or inserted:
                found.append((at, piece.start, inserted))
            at, inserted = piece.stop, ""
        return found

    @staticmethod
    def _take(pieces: list[range | str], length: int) -> range | str:
        """Take the nearest piece, or its beginning if it is longer than wanted."""
        piece = pieces.pop()
        if len(piece) > length:
            pieces.append(piece[length:])
            piece = piece[:length]
        return piece
