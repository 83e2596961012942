"""
A recovery code: 160 random bits, as fifteen words that a person writes down and types in again.

The words are those of BIP-39, in English: 2,048 words, no two of which begin with the same four letters, and the last one
contains a checksum of 5 bits. So of the words on a damp sheet four letters each are enough, and a word that was read wrongly
is found unless it makes a code by chance, one time in 32.

The code's keys follow from it by HKDF. It needs no slow function like a passphrase, which is there to be guessed: 160 random
bits cannot be guessed at any speed. They are no Bitcoin seed; a wallet that is given the words finds nothing.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import Final

from mnemonic import Mnemonic

from edda_sync.sealing.kdf import purpose_key
from edda_sync.transport.identity import Identity
from edda_sync.words.errors import InvalidValueError

CODE_BYTES: Final = 20
WORDS: Final = 15
ENOUGH: Final = 4  # letters of a word
FIELD: Final = "recovery code"

_LETTERS: Final = re.compile(r"[^\W\d_]+")
_SUGGESTED_MAX: Final = 3
_NAMED_MAX: Final = 3


@dataclass(frozen=True)
class RecoveryCode:
    """
    A recovery code. :meth:`new` makes one, and :meth:`read` reads what a person typed.

    Attributes:
        secret: Its 20 bytes. Never log them, and never write them to a disk.
    """

    secret: bytes = field(repr=False)

    @classmethod
    def new(cls, random: Callable[[int], bytes]) -> RecoveryCode:
        """Return a new code."""
        return cls(random(CODE_BYTES))

    @classmethod
    def read(cls, typed: str) -> RecoveryCode:
        """
        Return the code that a person typed.

        Whether letters are large does not matter, nor do numbers before words, signs, line breaks and accents. Of each word,
        its first four letters are enough.

        Raises:
            InvalidValueError: It is no code; the text says which word is none, and what may have been meant.
        """
        said = tokens(typed)
        if len(said) != WORDS:
            found = f"{len(said)} words" if len(said) != 1 else "1 word"
            raise InvalidValueError(FIELD, f"has {found}; it must be all {WORDS}, in the order of their numbers")
        words = [_word(token) for token in said]
        if unknown := [at for at, word in enumerate(words) if word is None]:
            raise InvalidValueError(FIELD, _unknown(said, words, unknown))
        try:
            return cls(bytes(_words().to_entropy([word for word in words if word is not None])))
        except ValueError:
            raise InvalidValueError(
                FIELD,
                "does not fit together, although each word is one that a code may have: a word is another one, or two "
                "changed places; compare each with what you wrote down",
            ) from None

    @property
    def words(self) -> tuple[str, ...]:
        """The words to be written down, in order."""
        return tuple(_words().to_mnemonic(self.secret).split())

    @cached_property
    def identity(self) -> Identity:
        """
        The identity that stands for the code in the workspace, with a key that signs, and one for which others can seal.

        Source: HKDF with SHA-256 (RFC 5869), under a label of its own.
        """
        return Identity.from_private(purpose_key(self.secret, "recovery code"))


def tokens(typed: str) -> list[str]:
    """Return what may be words in a text, in small letters without accents."""
    bare = unicodedata.normalize("NFKD", typed.casefold())
    return _LETTERS.findall("".join(each for each in bare if not unicodedata.combining(each)))


@cache
def _words() -> Mnemonic:
    return Mnemonic("english")


def _word(token: str) -> str | None:
    """Return the word that a token means; None if it is none."""
    words = _words().wordlist
    if token in words:
        return token
    if len(token) < ENOUGH:
        return None
    return next((word for word in words if word.startswith(token)), None)


def _unknown(said: Sequence[str], words: Sequence[str | None], unknown: Sequence[int]) -> str:
    """Say which words are none, and which ones may have been meant."""
    named = []
    for at in unknown[:_NAMED_MAX]:
        close = _close(said[at])
        if len(unknown) == 1:  # then the checksum tells nearly always which one it is
            close = [word for word in close if _fits(words, at, word)] or close
        meant = f" ({' or '.join(close[:_SUGGESTED_MAX])}?)" if close else ""
        named.append(f"word {at + 1}, {said[at][:20]!r}{meant}")
    more = f", and {len(unknown) - _NAMED_MAX} more" if len(unknown) > _NAMED_MAX else ""
    return f"has words that no code has: {', '.join(named)}{more}"


def _fits(words: Sequence[str | None], at: int, word: str) -> bool:
    """Tell whether the words make a code with a word at one place."""
    return _words().check(" ".join(map(str, (*words[:at], word, *words[at + 1 :]))))


def _close(token: str) -> list[str]:
    """Return words that a mistyped one may have been, the closest first."""
    ranked = sorted((_distance(token, word), word) for word in _words().wordlist)
    return [word for distance, word in ranked if distance <= max(2, len(token) // 3)]


def _distance(one: str, other: str) -> int:
    """
    Return how many letters must be put in, left out, replaced or exchanged with the next one to make one word of the other.

    Source: the restricted edit distance (optimal string alignment), Damerau 1964.
    """
    before: list[int] = []
    row = list(range(len(other) + 1))
    for i, letter in enumerate(one, 1):
        last, before, row = before, row, [i]
        for j, theirs in enumerate(other, 1):
            cost = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (letter != theirs))
            if i > 1 and j > 1 and letter == other[j - 2] and one[i - 2] == theirs:
                cost = min(cost, last[j - 2] + 1)
            row.append(cost)
    return row[-1]
