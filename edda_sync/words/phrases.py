"""What a person looks for in texts: words, and phrases of words that stand side by side."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, NamedTuple

from edda_sync.words import values
from edda_sync.words.errors import InvalidValueError
from edda_sync.words.folding import is_dense, tokens

_QUOTED_OR_WORD: Final = re.compile(r'(?<!\S)"([^"]*)"\*?(?!\S)|\S+')
_QUOTES: Final = str.maketrans("“”„", '"""')


class Phrase(NamedTuple):
    """
    Words that must occur in a text one after another.

    Attributes:
        words: The words, as ``folding.tokens`` returns those of a text. There is at least one.
        begins: Whether the last one may be only the beginning of a word.
    """

    words: tuple[str, ...]
    begins: bool


def phrase(text: str, *, begins: bool = False) -> Phrase | None:
    """
    Return the phrase that finds a text; None if the text has no word.

    Args:
        text: What a person looks for.
        begins: Whether its last word may be only the beginning of a word.
    """
    words = tuple(tokens(text))
    return Phrase(words, begins and not is_dense(words[-1])) if words else None


def phrases(field: str, text: object) -> tuple[Phrase, ...]:
    """
    Return what a person asks for: each word by itself, ``"quoted words"`` together, and ``rep*`` as a beginning.

    Args:
        field: What to call the text in an error.
        text: What was typed.

    Raises:
        InvalidValueError: It holds no word.
    """
    checked = values.text(field, text, bytes_max=10_000).translate(_QUOTES)
    asked = (
        phrase(match[1] or match[0], begins=match[0].rstrip('"').endswith("*"))
        for match in _QUOTED_OR_WORD.finditer(checked)
    )
    found = tuple(each for each in asked if each is not None)
    if not found:
        raise InvalidValueError(field, "holds nothing to look for: give it a letter, a digit or an emoji", text)
    return found


def occurrences(asked: Sequence[Phrase], texts: Sequence[str]) -> int:
    """Return how often phrases occur in some texts; 0 unless each of them does. None reaches from one text to another."""
    held = [tokens(text) for text in texts]
    counts = [sum(len(places(words, each)) for words in held) for each in asked]
    return sum(counts) if all(counts) else 0


def places(words: Sequence[str], asked: Phrase) -> list[int]:
    """Return where a phrase begins among words."""
    first, *_ = asked.words
    size = len(asked.words)
    found = []
    for at, word in enumerate(words):
        if (word == first or size == 1) and _stands(words[at : at + size], asked):
            found.append(at)
    return found


def _stands(words: Sequence[str], asked: Phrase) -> bool:
    *whole, last = asked.words
    if len(words) <= len(whole):
        return False
    end = words[-1]
    return list(words[:-1]) == whole and (end.startswith(last) if asked.begins else end == last)
