"""
Where a text may be cut: between words and signs, never inside a value, or inside a character as a person sees it.

A word is a run of letters and digits, with the signs that join them: ``don't``, ``well-known``, ``foo_bar``, ``10:30``,
``2026-01-05``, ``a/b.txt``, ``you@example.org``. A number includes its sign, currency, separators and percent sign
(``-3.5``, ``$1,000.00``, ``50%``). An address with a scheme extends to the next space, quote or bracket. Any other sign
is alone, with the marks and joiners that make it one character (an emoji family, a flag, a letter and its accents).

In scripts that are written without spaces (Chinese, Japanese, Thai, Lao, Khmer, Burmese...), no rule finds words. Each
character is a word there, with its marks. Korean, Arabic, Hebrew and the scripts of India have spaces, and words like
Latin.

The rule need not be the same everywhere, since only the author of a text cuts it. So it uses the interpreter's character
tables. Sources: UAX #29 of Unicode (text segmentation) for characters and for what joins words; we cut less often.
"""

from __future__ import annotations

import re
import unicodedata
from itertools import accumulate, pairwise
from typing import Final

_REACH: Final = 64  # code points to look at on both sides of a place for the breaks around it; then 8 times as many
_REACH_MAX: Final = 16_384  # beyond this, the ends of a word are not looked for

_ALONE: Final = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u1950-\u19ff\u1a20-\u1aaf\u1b00-\u1b7f\u3005-\u3007\u3041-\u312f"
    "\u31a0-\u31bf\u31f0-\u31ff\u3400-\u4dbf\u4e00-\ua4cf\ua980-\ua9ff\uaa60-\uaadf\uf900-\ufaff\uff66-\uff9d"
    "\U00011700-\U0001174f\U00017000-\U00018d8f\U0001b000-\U0001b2ff\U00020000-\U0003ffff]"
)  # scripts without spaces

# Each character has a kind, and the rules are about kinds: w letter or number, d digit, i a character that is a word,
# m what belongs to the character before it, v a mark that stacks the next one under it, z the zero-width joiner, f half
# a flag, p a sign that is drawn with the number after it, s space, r n e ends of lines, - . : / ' , % $ these signs and
# similar ones, o any other sign that an address may contain, b any other.
_LIKE: Final = {
    "r": "\r",
    "n": "\n",
    "e": "\v\f\x1c\x1d\x1e\x85\u2028\u2029",
    "z": "\u200d",
    "v": "\u1039\u17d2\u1a60\u1b44\ua9c0\U0001172b",
    "m": "\u0e33\u0eb3\uff9e\uff9f\U0001f3fb\U0001f3fc\U0001f3fd\U0001f3fe\U0001f3ff",  # the last are skin colours
    "f": "".join(map(chr, range(0x1F1E6, 0x1F200))),
    "w": "_",
    "p": "\u0600\u0601\u0602\u0603\u0604\u0605\u06dd\u070f\u0890\u0891\u08e2\U000110bd\U000110cd",  # drawn with a number
    "-": "-+\u2212\xb1",
    ".": ".",
    ":": ":",
    "/": "/",
    "'": "'\u2019@&#~\\\xb7\u2010\u2011\u2013\u05f3\u05f4\u05be",
    ",": ",\u066b\u066c",
    "%": "%\u2030\u2031\u066a\xb0",
    "o": "=?;!*^",
}
_KNOWN: Final = {character: kind for kind, characters in _LIKE.items() for character in characters}


class _Kinds(dict[int, str]):
    """The kind of each character, by code point. It is computed when the character first occurs."""

    def __missing__(self, code_point: int) -> str:
        kind = self[code_point] = _kind(chr(code_point))
        return kind


def _kind(character: str) -> str:
    category = unicodedata.category(character)
    if character in _KNOWN:
        return _KNOWN[character]
    if character.isspace():
        return "s"
    if category[0] == "M" or category == "Cf":
        return "m"
    if category == "Nd":
        return "d"
    if category[0] in "LN" or category == "Cn":  # an unassigned character is not cut
        return "i" if _ALONE.match(character) else "w"
    return "$" if category == "Sc" else "b"


_KINDS: Final = _Kinds()
_WORD: Final = (
    r"(?:(?:-?\$?|\$-)\.?(?=d))?"  # before a number
    r"[wd]++[mzv]*(?:[wd]++[mzv]*|[-.:/']{1,3}(?=[wd])|(?<=d),(?=d)|(?<=d)[%$](?=[wd]))*"
    r"(?:(?<=d)[%$][mzv]*)?"  # after a number
)
_SIGN: Final = "|".join(
    (
        r"[wd][wd.\-]{0,20}:/{2,3}[wdmzv.:/',%$o\-]*[wd/][mzv]*",  # an address, up to its last letter, digit or slash
        _WORD,
        r"i[mzv]*(?:(?<=v)i[mzv]*)*",
        r"f+[mzv]*",
        r"b[mzv]*(?:(?<=z)b[mzv]*)*",
        r"[^snre][mzv]*",
    )
)
_TOKEN: Final = re.compile(rf"s[mzv]*|rn|[rne]|(?:p[mzv]*)*(?:{_SIGN})")
_UNIT: Final = re.compile(rf"s?(?:p[mzv]*)*(?:{_SIGN})|s+(?=s[^snre])|s+|rn|[rne]")
_CERTAIN: Final = re.compile(
    r"(?:[sneib]|r(?!n))(?=[^mzv])"
)  # a token begins after it, whatever stands before and after
_LAST_CERTAIN: Final = re.compile(f".*{_CERTAIN.pattern}")


def cut(text: str, goes_on: bool = False) -> list[str]:
    """
    Cut a text into words and signs, each with the space before it, and ends of lines.

    Args:
        text: A text that begins at a break.
        goes_on: Whether more text follows. The end is then left out, from the last place where a token certainly begins.
    """
    kinds = text.translate(_KINDS)
    last = _LAST_CERTAIN.match(kinds) if goes_on else None
    ends = accumulate(
        map(len, _UNIT.findall(kinds, 0, last.end() if last else 0 if goes_on else len(kinds))), initial=0
    )
    return [text[start:end] for start, end in pairwise(ends)]


def breaks(text: str, near: int, first: int = 0, reach: int = _REACH) -> list[int]:
    """
    Return the places near a given place where a text may be cut, ascending. The ends of the text are such places.

    Args:
        text: Any text.
        near: The given place.
        first: A place at or before it that is known to be a break. None is looked for before it.
        reach: Code points to look at on both sides; more if they are all part of one word.

    Returns:
        All breaks from a certain one at or before ``near`` to the first one at or after ``near``, and perhaps more. If
        a word is longer than anybody writes, only those on one side, or none.
    """
    begin, end = max(first, near - reach), near + reach
    kinds = text[begin:end].translate(_KINDS)
    before = _LAST_CERTAIN.match(kinds, 0, near - begin) or (begin > first and _CERTAIN.search(kinds))
    last = _LAST_CERTAIN.match(kinds) if end < len(text) else None
    found = []
    if before or begin == first:
        start, stop = before.end() if before else 0, last.end() if last else 0 if end < len(text) else len(kinds)
        found = list(accumulate(map(len, _TOKEN.findall(kinds, start, stop)), initial=begin + start))
    is_short = not found or not found[0] <= near <= found[-1]
    if is_short and reach < _REACH_MAX and (begin > first or end < len(text)):
        return breaks(text, near, first, 8 * reach)
    return found


def certain(text: str, start: int, end: int) -> int:
    """Return the first place after ``start`` where a text may be cut, whatever is before it; ``end`` if none is near."""
    match = _CERTAIN.search(text[start : min(start + _REACH_MAX, end)].translate(_KINDS))
    return start + match.end() if match else end


def is_space(token: str) -> bool:
    """Return whether a token separates words within a line."""
    return token.translate(_KINDS) == "s"


def is_line_end(token: str) -> bool:
    """Return whether a token ends a line."""
    return token.translate(_KINDS) in ("r", "n", "rn", "e")


def has_word(token: str) -> bool:
    """Return whether a token contains a letter or digit that would run together with others."""
    kinds = token.translate(_KINDS)
    return "w" in kinds or "d" in kinds


def is_sign(token: str) -> bool:
    """Return whether a token is not white space, not a word, and not a character that may be a word."""
    return not has_word(token) and token.translate(_KINDS)[0] not in "snrei"
