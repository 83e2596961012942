"""
The search for the differences between two texts, as *hunks*: ``(start, end, inserted)``. All hunks count in the same
text, ascend, and do not overlap.

The search works as a person would: skip equal text, then look a little ahead for the place where the texts meet again,
first by lines and then, within what differs, by words. It is the algorithm of Myers 1986, "An O(ND) difference
algorithm and its variations", stopped at the first equal run that is too long to be an accident. Beyond its reach, the
nearest line that occurs once on both sides is used, as in patience diff. Work is counted, not timed, so that every run
gives the same answer. When the work is used up, the rest is one replacement, which is coarser but still correct.

A hunk begins and ends where both texts may be cut (wordbreak.py), so equal text never ends inside a word. If two people
replace one value, each replaces all of it, and the merged text contains both values. By characters, ``1000`` to
``1500`` and to ``2000`` gave ``2500``, which nobody had written.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import Final, NamedTuple

from edda_sync.crdt.text import wordbreak

Hunk = tuple[int, int, str]
"""Start and end in code points, and the replacement. Hunks ascend and do not overlap."""

_Gap = tuple[int, int, int, int]  # start and end in the old text, start and end in the new one
_Match = tuple[int, int, int]  # index in the old tokens, index in the new tokens, number of equal tokens from there
_Chain = tuple[_Match, "_Chain"] | None

_FAR: Final = 8_192  # code points to look ahead; beyond this, a single line that occurs once on both sides is enough
_BACK: Final = 256  # code points to step back to the start of a line; then 8 times as many, and so on


class _Level(NamedTuple):
    """How texts are cut into tokens."""

    cut: Callable[[str, bool], list[str]]  # if the text goes on, without the end, where a token may be incomplete
    start: Callable[[str, int, str, int, int], int]  # how much of the equal text from two places on is whole tokens
    enough: int  # number of equal tokens in a row that is no accident
    edits_max: int  # changed tokens after which the search gives up: its work is their square
    near: int  # code points to look ahead at first; then 8 times as many, and again
    look_steps: int  # cost of a look ahead, whatever it finds
    code_points_a_step: int  # code points that can be cut in the time of one step


class _Work:
    """A number of steps that may still be taken. A step takes about half a microsecond."""

    __slots__ = ("left",)

    def __init__(self, steps: int) -> None:
        self.left = steps

    def spend(self, steps: int) -> bool:
        """Take steps, and tell whether any were left."""
        self.left -= steps
        return self.left > 0


def find_hunks(old: str, new: str, steps: int) -> list[Hunk]:
    """
    Return what to replace in one text to get another. :func:`~edda_sync.crdt.text.diff.diff` makes edits of it.

    Args:
        old: The text before.
        new: The text after.
        steps: How much work to spend on finding few and short hunks; a step takes about half a microsecond.

    Returns:
        Hunks of the old text, ascending and not overlapping, each of whole words.
    """
    end = _common_end(old, new)
    by_lines, by_words = _Work(steps // 2), _Work(steps // 2)
    hunks: list[Hunk] = []
    for gap in _gaps(old, new, (0, len(old) - end, 0, len(new) - end), _LINES, by_lines):
        for start, stop, new_start, new_stop in _gaps(old, new, gap, _WORDS, by_words):
            left, right = _common_ends(old[start:stop], new[new_start:new_stop])
            hunks.append((start + left, stop - right, new[new_start + left : new_stop - right]))
    return hunks


def _common_ends(a: str, b: str) -> tuple[int, int]:
    """Return how many code points are equal at the start and at the end of two texts, in whole words."""
    left = _whole_words(a, 0, b, 0, _common_prefix(a, 0, len(a), b, 0, len(b)))
    same = _common_suffix(a, b, left)
    ours = {len(a) - at for at in wordbreak.breaks(a, len(a) - same, left)}
    theirs = {len(b) - at for at in wordbreak.breaks(b, len(b) - same, left)}
    return left, max((length for length in ours & theirs if length <= same), default=0)


def _common_end(old: str, new: str) -> int:
    """Return how much is equal at the ends, up to the start of a line: equal text within a line may be an accident."""
    end = _common_suffix(old, new, _common_prefix(old, 0, len(old), new, 0, len(new)))
    start = len(old) - end
    lines = old[start : start + _BACK].splitlines(keepends=True)
    if len(lines) > 1:
        return end - len(lines[0])
    return end - wordbreak.certain(old, start + _BACK, len(old)) + start if end > _BACK else 0


def _whole_lines(old: str, x: int, _new: str, _y: int, same: int) -> int:
    back = _BACK
    while back < same:
        lines = old[x + same - back : x + same].splitlines(keepends=True)
        if len(lines) > 1:
            return same - len(lines[-1])
        back *= 8
    lines = old[x : x + same].splitlines(keepends=True)
    return same - len(lines[-1]) if lines else 0  # the difference may be inside a line that starts alike


def _whole_words(old: str, x: int, new: str, y: int, same: int) -> int:
    ours = {at - x for at in wordbreak.breaks(old, x + same, x)}
    theirs = {at - y for at in wordbreak.breaks(new, y + same, y)}
    return max((length for length in ours & theirs if length <= same), default=0)


def _whole_units(old: str, x: int, new: str, y: int, same: int) -> int:
    """Return where a word begins. The space before it belongs to it, so that a space alone never counts as equal."""
    whole = _whole_words(old, x, new, y, same)
    return whole - 1 if whole and wordbreak.is_space(old[x + whole - 1]) else whole


def _cut_lines(text: str, goes_on: bool) -> list[str]:
    lines = text.splitlines(keepends=True)
    return lines[:-1] if goes_on else lines


_LINES: Final = _Level(
    _cut_lines, _whole_lines, enough=3, edits_max=48, near=1_024, look_steps=16, code_points_a_step=128
)
_WORDS: Final = _Level(
    wordbreak.cut, _whole_units, enough=12, edits_max=128, near=128, look_steps=128, code_points_a_step=8
)


def _gaps(old: str, new: str, within: _Gap, level: _Level, work: _Work) -> list[_Gap]:
    """Walk along a range of both texts, and return where they differ."""
    found: list[_Gap] = []
    x, x_end, y, y_end = within
    while True:
        same = _common_prefix(old, x, x_end, new, y, y_end)
        if x + same == x_end and y + same == y_end:
            return found
        whole = level.start(old, x, new, y, same)
        rest = (x + whole, x_end, y + whole, y_end)
        gaps = _look_ahead(old, new, rest, level, work) or [rest]
        found += gaps
        _, x, _, y = gaps[-1]


def _look_ahead(old: str, new: str, rest: _Gap, level: _Level, work: _Work) -> list[_Gap]:
    """Return the gaps from here to the place where the two texts meet again; none if it is not found."""
    x, x_end, y, y_end = rest
    size = level.near
    while x < x_end and y < y_end and work.spend(level.look_steps + 2 * size // level.code_points_a_step):
        a = level.cut(old[x : min(x + size, x_end)], x + size < x_end)
        b = level.cut(new[y : min(y + size, y_end)], y + size < y_end)
        is_rest = x + size >= x_end and y + size >= y_end
        matches: list[_Match] = []
        if a and b and size <= _FAR:
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
    """Return the gaps before each match. The last match itself is left to the next walk."""
    gaps, i, j = [], 0, 0
    for a, b, length in matches:
        if i < a or j < b:
            gaps.append((i, a, j, b))
        i, j = a + length, b + length
    return gaps


def _meet(a: Sequence[str], b: Sequence[str], enough: int, edits_max: int, is_rest: bool, work: _Work) -> list[_Match]:
    """Search for the shortest way to a long enough run of equal tokens, or to both ends if nothing follows them."""
    reach: dict[int, tuple[int, _Chain]] = {1: (0, None)}  # by diagonal x - y: how far, and over which matches
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
    """Find the nearest token that occurs once on each side, after the first token, which may be equal by accident."""
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
    """Return how many characters are equal from two places on. Runs that double in length are compared."""
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
    """Return how many characters are equal at the ends, without the first ``begin`` characters."""
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
