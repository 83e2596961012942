"""
The words of a text as a search finds them: what looks alike, or is typed alike, is the same word.

1. Compatible forms are one (NFKC): half-width and full-width letters, ligatures, Hangul and kana composed or not. So are
   upper and lower case (``ß`` is ``ss``), and the decimal digits of all scripts.
2. Marks that people leave out when they type are left out: the diacritics of Latin and Greek letters, the vowel signs of
   Arabic and Hebrew, stress marks and the two dots of the Cyrillic ``ё``, the nukta of Devanagari; and all that shows
   nothing, such as the zero-width non-joiner. A mark that is part of its letter stays, such as the vowel signs of Indic
   scripts, or the breve of the Cyrillic ``й``.
3. Arabic letters that are typed for each other are one: kaf and yeh of Farsi and Arabic, alef with and without hamza, teh
   marbuta and heh.
4. A *dense* script writes no spaces between words, so each of its characters is a word, and looking for ``検索`` finds one
   after the other, anywhere inside ``全文検索機能``. Where something separates two of its characters, a word says so
   (:data:`GAP`): ``検 索`` is not found. Hangul is treated in the same way, because particles follow a word without a space,
   and so are emoji.

The index holds a text as :func:`folded` returns it, and splits it at spaces only. So the index, the memory store and the
rows that are not indexed yet agree by construction. Nothing that is replicated depends on this. The tables are those of
the interpreter; :data:`VERSION` changes with them and with these rules, and the index is then made anew.

Sources: Unicode Standard Annex 15 (NFKC); L. Larkey, L. Ballesteros, M. Connell, "Improving Stemming for Arabic
Information Retrieval", SIGIR 2002, for the Arabic letters; J. Nie, J. Gao, J. Zhang, M. Zhou, "On the use of words and
n-grams for Chinese information retrieval", IRAL 2000, for looking for characters.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache, partial
from typing import Final

RULES: Final = 1  # raise it when the rules above change
VERSION: Final = (RULES, *map(int, unicodedata.unidata_version.split(".")))

_DROPPED: Final = (
    "[\u0300-\u036f\u0483-\u0489\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7\u0610-\u061a\u0640\u064b-\u065f\u0670"
    "\u06d6-\u06dc\u06df-\u06e4\u06e7\u06e8\u06ea-\u06ed\u0711\u0730-\u074a\u07eb-\u07f5\u0898-\u089f\u08ca-\u08e1"
    "\u08e3-\u08ff\u093c\u180b-\u180f\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe00-\ufe0f\ufe20-\ufe2f"
    "\U0001f3fb-\U0001f3ff\U000e0100-\U000e01ef]"
)
"""Marks that are left out, with the Arabic tatweel and the skin tones of emoji."""

_ALIKE: Final = str.maketrans({
    "ё": "е", "ѐ": "е", "ѝ": "и",
    "æ": "ae", "œ": "oe", "þ": "th", "ø": "o", "ł": "l", "đ": "d", "ð": "d", "ħ": "h", "ŧ": "t", "ı": "i",
    "\u0671": "\u0627", "\u0629": "\u0647", "\u06c1": "\u0647", "\u06d5": "\u0647", "\u0649": "\u064a",
    "\u06cc": "\u064a", "\u06a9": "\u0643",
})  # fmt: skip
"""Letters that are folded to others, though Unicode does not decompose them (Cyrillic ones are not decomposed here)."""

_MARKS_THAT_SEPARATE: Final = frozenset("\u02bb\u02bc™℠")  # typed as apostrophes, or written after a word
GAP: Final = "·"  # it separates words in every text, so no word of a text is this
_SYMBOLS: Final = "\u2300-\u23ff\u2600-\u27bf\u2b00-\u2bff\U0001f000-\U0001faff"
_DENSE: Final = (
    "\u0e00-\u0eff\u1000-\u109f\u1100-\u11ff\u1780-\u17ff\u1950-\u19df\u1a20-\u1aad\u1b00-\u1b7f\u2e80-\u2fdf"
    "\u3005-\u3007\u3021-\u303c\u3041-\u31ff\u3400-\u9fff\ua960-\ua97f\ua980-\ua9ff\uaa60-\uaadf\uac00-\ud7ff"
    "\uf900-\ufaff\U00016fe0-\U00018d8f\U0001aff0-\U0001b2ff\U00020000-\U0003ffff"
) + _SYMBOLS  # fmt: skip
_DENSE_RUNS: Final = f"[{_DENSE}][{_DENSE} ]*"
_WORD: Final = f"[{_DENSE}]|[^ {_DENSE}]+"
# a character with those that NFKC may compose with it, or that are left out behind it
_CLUSTER: Final = (
    ".[\u0300-\u036f\u0591-\u05c7\u0610-\u061a\u064b-\u065f\u093c\u09be\u09d7\u0b3e\u0b56\u0b57\u0bbe\u0bd7\u0c56\u0cc2\u0cd5"
    "\u0cd6\u0d3e\u0d57\u0dca\u0dcf\u0ddf\u102e\u1160-\u11ff\u1b35\u200c\u200d\u3099\u309a\ufe0f\uff9e\uff9f"
    "\U0001f3fb-\U0001f3ff]*"
)


_compiled = cache(partial(re.compile, flags=re.DOTALL))  # when first used: a command that folds nothing need not wait


def tokens(text: str) -> list[str]:
    """Return the words of a text, in order."""
    return folded(text).split()


def folded(text: str) -> str:
    """Return the words of a text, with spaces around them."""
    if text.isascii():
        return text.translate(_ASCII)
    return _compiled(_DENSE_RUNS).sub(_one_by_one, _separated(text))


def spans(text: str) -> list[tuple[str, int, int]]:
    """
    Return the words of a text, each with its start and end in the text, in characters.

    They are those of :func:`tokens`, except where marks stand in a strange order; what is shown then lacks a highlight.
    """
    made, origins = [], list[tuple[int, int]]()
    for match in _compiled(_CLUSTER).finditer(text):
        piece = _separated(match[0])
        made.append(piece)
        origins += [match.span()] * len(piece)
    found: list[tuple[str, int, int]] = []
    dense_end = -1
    for match in _compiled(_WORD).finditer("".join(made)):
        start, end = origins[match.start()][0], origins[match.end() - 1][1]
        dense = is_dense(match[0])
        if dense and 0 <= dense_end < match.start():
            found.append((GAP, start, start))
        found.append((match[0], start, end))
        dense_end = match.end() if dense else -1
    return found


def is_dense(word: str) -> bool:
    """Tell whether a word of a text is a character of a dense script."""
    return _compiled(_DENSE_RUNS).match(word) is not None


def _separated(text: str) -> str:
    """Return a text of folded letters, digits and emoji, with spaces in place of everything else."""
    return unicodedata.normalize("NFKC", text.translate(_BEFORE)).translate(_FOLDED)


def _one_by_one(match: re.Match[str]) -> str:
    return f" {f' {GAP} '.join(map(' '.join, match[0].split()))} "


class _Folded(dict[int, str]):
    """The folded form of each character, by code point. It is computed when the character first occurs."""

    def __missing__(self, code_point: int) -> str:
        folded = self[code_point] = _fold(chr(code_point))
        return folded


def _fold(character: str) -> str:
    category = unicodedata.category(character)
    if _compiled(_DROPPED).match(character) or category == "Cf":
        return ""
    if category == "Nd":
        return str(unicodedata.decimal(character))
    is_symbol = category == "So" and _compiled(f"[{_SYMBOLS}]").match(character)
    if not (category[0] in "LNM" or category in ("Co", "Cn") or is_symbol):
        return " "
    if not "\u0400" <= character <= "\u052f":
        bare = _compiled(_DROPPED).sub("", unicodedata.normalize("NFD", character))
        character = unicodedata.normalize("NFC", bare)
    return _compiled(_DROPPED).sub("", character.casefold()).translate(_ALIKE)


_FOLDED: Final = _Folded()
_BEFORE: Final = dict.fromkeys(
    map(ord, _MARKS_THAT_SEPARATE), " "
)  # compatible forms of these would join their neighbours
_ASCII: Final = {code: chr(code).lower() if chr(code).isalnum() else " " for code in range(128)}
