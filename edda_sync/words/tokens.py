"""Words of a text, as the full-text index of SQLite splits it."""

from __future__ import annotations

import unicodedata
from typing import Final


def tokens(text: str) -> list[str]:
    """
    Return a text's words as the full-text index splits them: letters and digits, without case and without the diacritics of
    Latin letters.

    Source: the tokenizer ``unicode61 remove_diacritics 2`` of SQLite's FTS5. It uses the tables of Unicode 6.1, and may
    treat newer characters differently.
    """
    return text.translate(_FOLDED).split()


class _Folded(dict[int, str]):
    """The folded form of each character, by code point. It is computed when the character first occurs."""

    def __missing__(self, code_point: int) -> str:
        folded = self[code_point] = _fold(chr(code_point))
        return folded


_FOLDED: Final = _Folded()
_MARKS: Final = frozenset(
    "\u0300\u0301\u0302\u0303\u0304\u0306\u0307\u0308\u0309\u030a\u030b\u030c\u030f\u0311\u031b\u0323\u0324\u0325\u0326"
    "\u0327\u0328\u032d\u032e\u0330\u0331"
)  # the marks of Latin letters; any other mark separates words


def _fold(character: str) -> str:
    if character in _MARKS:
        return ""
    category = unicodedata.category(character)
    if category[0] not in "LN" and category != "Co":
        return " "
    one = next((c for c in (character.casefold(), character.lower()) if len(c) == 1), character)
    base = unicodedata.normalize("NFD", one)[0]
    return base.lower() if base.isascii() else one
