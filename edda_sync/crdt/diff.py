"""
Differences between two strings as edits, and edits carried over to a string that has moved on.

An edit is ``(position, deleted, inserted)`` in code points, in the text that the edit before it left. Inside this
module the same is a *hunk*, ``(start, end, inserted)``, in the text that all hunks are about, ascending and apart.

A difference is found as a person would: skip what is equal, look a little ahead for where the two sides meet again, by
lines and then, within what differs, by words. The search is that of Myers 1986, "An O(ND) difference algorithm and its
variations", stopped at the first run long enough to be no accident; past its reach stands the nearest line that both
sides have once, as in patience diff. Work is counted, not timed, so that every run gives the same answer: when it is
used up the rest is one replacement, which is coarser and never wrong.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import Final, NamedTuple

from edda_sync import limits
from edda_sync.errors import InvalidValueError

Edit = tuple[int, int, str]
_Hunk = tuple[int, int, str]
_Gap = tuple[int, int, int, int]  # start and end in the old text, start and end in the new one
_Match = tuple[int, int, int]  # index in the old tokens, index in the new ones, how many are equal from there
_Chain = tuple[_Match, "_Chain"] | None

# A run of letters is a word, but in scripts written without spaces each character is one.
_WORD: Final = re.compile(r"[^\W\u3040-\u30ff\u3400-\u9fff]+|\s+|.", re.DOTALL)
_NEAR: Final = 1_024  # code points to look ahead at first; then 8 times as many, and again
_FAR: Final = 8 * _NEAR  # from here on a single line that both sides have once is enough
_BACK: Final = 256  # code points to step back to the start of a line or word


class _Level(NamedTuple):
    """How texts are cut into tokens."""

    cut: Callable[[str], list[str]]
    enough: int  # equal tokens in a row that are no accident
    edits_max: int  # tokens inserted and deleted before the search for them gives up: its work is the square
    code_points_a_step: int  # that are cut in the time of one step


_LINES: Final = _Level(lambda text: text.splitlines(keepends=True), enough=3, edits_max=48, code_points_a_step=128)
_WORDS: Final = _Level(_WORD.findall, enough=12, edits_max=128, code_points_a_step=8)


class _Work:
    """A number of steps that may still be taken; a step takes about half a microsecond."""

    __slots__ = ("left",)

    def __init__(self, steps: int) -> None:
        self.left = steps

    def spend(self, steps: int) -> bool:
        """Take steps, and tell whether there were any left."""
        self.left -= steps
        return self.left > 0


def diff(old: str, new: str, steps: int = limits.DIFF_STEPS_MAX) -> list[Edit]:
    """
    Find edits that turn one text into another; give them to ``TextDocument.edit`` or :func:`rebase`.

    Args:
        old: The text before.
        new: The text after.
        steps: Work to spend on few and short edits; about half a microsecond each.

    Returns:
        Edits, ascending; always exact, if with few steps coarse.
    """
    return _edits_of(_find_hunks(old, new, steps))


def apply_edits(text: str, edits: Sequence[Edit]) -> str:
    """
    Make edits in a string.

    Args:
        text: The text that the first edit is about.
        edits: One after another.

    Returns:
        The text after the last one.

    Raises:
        InvalidValueError: An edit reaches outside the text.
    """
    parts: list[str] = []
    at = 0
    for start, end, inserted in _compose(edits, len(text)):
        parts += text[at:start], inserted
        at = end
    return "".join((*parts, text[at:]))


def rebase(edits: Sequence[Edit], base: str, current: str, steps: int = limits.DIFF_STEPS_MAX) -> list[Edit]:
    """
    Turn edits made against one text into edits of what became of it meanwhile (a three-way merge).

    Deletions take only what is still there. Insertions stand where their place is now, after what was inserted at the
    same place meanwhile. What was changed in the same way on both sides is not changed twice.

    Args:
        edits: Made against ``base``.
        base: The text that their author saw.
        current: The text as it is now.
        steps: As for :func:`diff`, between base and current.

    Returns:
        Edits of ``current``.

    Raises:
        InvalidValueError: An edit reaches outside ``base``.
    """
    ours = _compose(edits, len(base))
    if base == current:
        return _edits_of(ours)
    theirs = _find_hunks(base, current, steps)
    done = set(theirs)
    kept, shifts = _kept(theirs, len(base))
    rebased: list[_Hunk] = []
    for start, end, inserted in ours:
        if (start, end, inserted) in done:
            continue
        first = max(0, bisect_right(kept, (start, len(base))) - 1)  # the last kept range that starts at or before ours
        if start > kept[first][1]:
            first += 1  # ours starts in what is gone: its place is after what stands there now
        if inserted:
            place = max(start, kept[first][0]) + shifts[first]
            rebased.append((place, place, inserted))
        while first < len(kept) and kept[first][0] < end:
            left, right = max(start, kept[first][0]), min(end, kept[first][1])
            if left < right:
                rebased.append((left + shifts[first], right + shifts[first], ""))
            first += 1
    return _edits_of(rebased)


def _kept(hunks: Sequence[_Hunk], length: int) -> tuple[list[tuple[int, int]], list[int]]:
    """Return the ranges that hunks leave alone, and how far each is shifted; the last one ends with the text."""
    ranges, shifts, at, shift = [], [], 0, 0
    for start, end, inserted in hunks:
        if at < start:
            ranges.append((at, start))
            shifts.append(shift)
        at = end
        shift += len(inserted) - (end - start)
    return [*ranges, (at, length)], [*shifts, shift]


def _edits_of(hunks: Sequence[_Hunk]) -> list[Edit]:
    edits, shift = [], 0
    for start, end, inserted in hunks:
        edits.append((start + shift, end - start, inserted))
        shift += len(inserted) - (end - start)
    return edits


def _compose(edits: Sequence[Edit], length: int) -> list[_Hunk]:
    """Turn edits, in any order and over each other, into hunks of a text of some length."""
    pieces = _Pieces(length)
    for position, deleted, inserted in edits:
        if position < 0 or deleted < 0 or position + deleted > pieces.length:
            why = f"{deleted} code points at {position} are not all inside a text of {pieces.length}"
            raise InvalidValueError("edit", why, (position, deleted))
        pieces.replace(position, deleted, inserted)
    return pieces.hunks(length)


class _Pieces:
    """A text being edited, as ranges of what it was and strings inserted since, on both sides of a cursor."""

    __slots__ = ("_after", "_before", "_cursor", "length")

    def __init__(self, length: int) -> None:
        self.length = length
        self._before: list[range | str] = []
        self._after: list[range | str] = [range(length)] if length else []  # the nearest to the cursor comes last
        self._cursor = 0

    def replace(self, position: int, deleted: int, inserted: str) -> None:
        while self._cursor < position:
            self._before.append(self._take(self._after, position - self._cursor))
            self._cursor += len(self._before[-1])
        while self._cursor > position:
            piece = self._before.pop()
            self._cursor -= len(piece)
            self._after.append(piece)
            if self._cursor < position:  # too far: the piece spans the position
                self._before.append(self._take(self._after, position - self._cursor))
                self._cursor = position
        self.length += len(inserted) - deleted
        while deleted:
            deleted -= len(self._take(self._after, deleted))
        if inserted:
            self._before.append(inserted)
            self._cursor += len(inserted)

    def hunks(self, length: int) -> list[_Hunk]:
        """Say the same in terms of the text, of some length, that was there before."""
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
        """Take the nearest piece, or as much of it as is wanted."""
        piece = pieces.pop()
        if len(piece) > length:
            pieces.append(piece[length:])
            piece = piece[:length]
        return piece


def _find_hunks(old: str, new: str, steps: int) -> list[_Hunk]:
    end = _common_suffix(old, new, _common_prefix(old, 0, len(old), new, 0, len(new)))
    head = old[len(old) - end :][:_BACK]
    end -= head.find("\n") + 1 or len(head)  # up to a line's start: what was equal within a line may be so by accident
    by_lines, by_words = _Work(steps // 2), _Work(steps // 2)
    hunks: list[_Hunk] = []
    for gap in _gaps(old, new, (0, len(old) - end, 0, len(new) - end), _LINES, by_lines):
        for start, stop, new_start, new_stop in _gaps(old, new, gap, _WORDS, by_words):
            left = _common_prefix(old, start, stop, new, new_start, new_stop)
            right = _common_suffix(old[start:stop], new[new_start:new_stop], left)
            hunks.append((start + left, stop - right, new[new_start + left : new_stop - right]))
    return hunks


def _gaps(old: str, new: str, within: _Gap, level: _Level, work: _Work) -> list[_Gap]:
    """Walk along a range of both texts and return where they differ."""
    found: list[_Gap] = []
    x, x_end, y, y_end = within
    while True:
        same = _common_prefix(old, x, x_end, new, y, y_end)
        if x + same == x_end and y + same == y_end:
            return found
        tail = old[x + max(0, same - _BACK) : x + same]
        same -= len(level.cut(tail)[-1]) if tail else 0  # the difference may be inside a token that starts alike
        rest = (x + same, x_end, y + same, y_end)
        gaps = _look_ahead(old, new, rest, level, work) or [rest]
        found += gaps
        _, x, _, y = gaps[-1]


def _look_ahead(old: str, new: str, rest: _Gap, level: _Level, work: _Work) -> list[_Gap]:
    """Return the gaps from here to where the two texts meet again, or none if that is not found."""
    x, x_end, y, y_end = rest
    size = _NEAR
    while x < x_end and y < y_end and work.spend(16 + 2 * size // level.code_points_a_step):
        a, b = level.cut(old[x : min(x + size, x_end)]), level.cut(new[y : min(y + size, y_end)])
        is_rest = x + size >= x_end and y + size >= y_end
        matches: list[_Match] = []
        if size <= _FAR:
            edits_max = level.edits_max if is_rest or size == _FAR else level.edits_max // 4
            matches = _meet(a, b, level.enough, edits_max, is_rest, work)
        if not matches and size >= _FAR and level is _LINES and work.spend((len(a) + len(b)) // 4):
            matches = _nearest(a, b)
        if matches:
            a_at, b_at = [0, *accumulate(map(len, a))], [0, *accumulate(map(len, b))]
            return [(x + a_at[i], x + a_at[j], y + b_at[k], y + b_at[n]) for i, j, k, n in _between(matches)]
        if is_rest or (size >= _FAR and level is _WORDS):
            break
        size *= 8
    return []


def _between(matches: Sequence[_Match]) -> list[_Gap]:
    """Return the gaps before each match; the last match itself is left to the next walk."""
    gaps, i, j = [], 0, 0
    for a, b, length in matches:
        if i < a or j < b:
            gaps.append((i, a, j, b))
        i, j = a + length, b + length
    return gaps


def _meet(a: Sequence[str], b: Sequence[str], enough: int, edits_max: int, is_rest: bool, work: _Work) -> list[_Match]:
    """Search the shortest way to a long enough run of equal tokens, or to both ends if nothing follows them."""
    reach: dict[int, tuple[int, _Chain]] = {1: (0, None)}  # by diagonal x - y: how far, over which matches
    for edits in range(min(edits_max, len(a) + len(b)) + 1):
        if not work.spend(edits + 1):
            return []
        for diagonal in range(-edits, edits + 1, 2):
            right, down = reach.get(diagonal - 1), reach.get(diagonal + 1)
            if right and right[0] < len(a) and not (down and down[0] > right[0]):
                x, chain = right[0] + 1, right[1]
            elif down and down[0] - diagonal <= len(b):
                x, chain = down
            else:
                continue  # outside the square
            start = x
            while x < len(a) and x - diagonal < len(b) and a[x] == b[x - diagonal]:
                x += 1
            if x > start:
                chain = ((start, start - diagonal, x - start), chain)
            reach[diagonal] = (x, chain)
            if x - start >= enough:
                return _unwind(chain)
            if is_rest and x == len(a) and x - diagonal == len(b):
                return [*_unwind(chain), (len(a), len(b), 0)]
    return []


def _unwind(chain: _Chain) -> list[_Match]:
    matches = []
    while chain:
        match, chain = chain
        matches.append(match)
    return matches[::-1]


def _nearest(a: Sequence[str], b: Sequence[str]) -> list[_Match]:
    """Find the nearest token that each side has once, after the first, which may be equal without ending the gap."""
    counts_a, counts_b = Counter(a), Counter(b)
    places = {token: at for at, token in enumerate(b) if counts_b[token] == 1}
    best: _Match | None = None
    for i, token in enumerate(a):
        if best and i >= best[0] + best[1]:
            break
        j = places.get(token)
        if j is not None and i + j and counts_a[token] == 1 and (not best or i + j < best[0] + best[1]):
            best = (i, j, 1)
    return [best] if best else []


def _common_prefix(a: str, x: int, x_end: int, b: str, y: int, y_end: int) -> int:
    """Return how many characters are equal from two places on, comparing runs that double while they are equal."""
    same, size, longest = 0, 32, min(x_end - x, y_end - y)
    while same < longest and a[x + same : x + same + size] == b[y + same : y + same + size]:
        same += size
        size *= 2
    while size > 1 and same < longest:  # the difference is within the next `size`
        size //= 2
        if a[x + same : x + same + size] == b[y + same : y + same + size]:
            same += size
    return min(same, longest)


def _common_suffix(a: str, b: str, begin: int) -> int:
    """Return how many characters are equal at the ends, not counting the first ones."""
    same, size, longest = 0, 32, min(len(a), len(b)) - begin
    while same < longest and _ends_alike(a, b, same, size, longest):
        same += size
        size *= 2
    while size > 1 and same < longest:
        size //= 2
        if _ends_alike(a, b, same, size, longest):
            same += size
    return min(same, longest)


def _ends_alike(a: str, b: str, same: int, size: int, longest: int) -> bool:
    size = min(size, longest - same)
    return a[len(a) - same - size : len(a) - same] == b[len(b) - same - size : len(b) - same]
