"""
Codes: what one person reads to another, ``NN-DDDD-DDDD``.

The first two digits are announced in the clear, so that a joiner finds the right inviter among several. The other eight are
secret.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from dataclasses import dataclass, field

from edda_sync.words.errors import InvalidValueError

NAMEPLATE_DIGITS = 2
SECRET_DIGITS = 8


@dataclass(frozen=True, slots=True)
class Code:
    """What a person reads out: the nameplate names the inviter, and the secret proves that the joiner was told it."""

    nameplate: str
    secret: str = field(repr=False)

    def __str__(self) -> str:
        return f"{self.nameplate}-{self.secret[:4]}-{self.secret[4:]}"

    def password(self) -> bytes:
        """Return the password for SPAKE2."""
        return (self.nameplate + self.secret).encode("ascii")


def make_code(random_bytes: Callable[[int], bytes]) -> str:
    """
    Return a new code, ``NN-DDDD-DDDD``. Show it, and pass it to ``ends.invite``.

    Args:
        random_bytes: A secure source: returns the given number of random bytes.
    """
    digits = NAMEPLATE_DIGITS + SECRET_DIGITS
    number = int.from_bytes(random_bytes(16), "big") % 10**digits  # 128 bits for 34: the bias is below 2^-94
    return str(parse_code(f"{number:0{digits}d}"))


def parse_code(text: str) -> Code:
    """
    Read a code as people type it: with or without spaces and dashes of any kind, and in the digits of any script.

    Raises:
        InvalidValueError: The text does not have ten digits.
    """
    kept = [character for character in text if unicodedata.category(character) not in ("Pd", "Zs", "Cc", "Cf")]
    digits = "".join(str(unicodedata.decimal(character, "?")) for character in kept)
    if len(digits) != NAMEPLATE_DIGITS + SECRET_DIGITS or "?" in digits:
        raise InvalidValueError("code", "must be ten digits, like 12-3456-7890")
    return Code(digits[:NAMEPLATE_DIGITS], digits[NAMEPLATE_DIGITS:])
