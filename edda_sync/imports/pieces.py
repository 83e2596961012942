"""
Pieces: what of a text is remembered, so that it can be the base of a merge later.

A short text is remembered as it is. A longer one is cut after its lines and sentences, and a short hash of each piece is
remembered: a tenth of the text. Each piece
that is still in one of the two later texts is known again by its hash; a piece that is in neither was changed or deleted on
both sides, and it is enough to know that it was there.

Source: the hashes of content-defined pieces of `rsync` and of `borg`, here cut where people cut.
"""

from __future__ import annotations

import re
from base64 import b64encode
from hashlib import blake2b
from typing import Final

DIGITS: Final = 6  # of a piece, in base 64: among 10,000 pieces two are confused once in a thousand texts
WHOLE_MAX: Final = 1_000  # code points of a text that is remembered as it is
PIECES_MAX: Final = 20_000  # of one text, so that what is remembered fits into one value

_PIECE: Final = re.compile(r"[^\n]*?(?:[.!?\u3002\uff01\uff1f]+[ \t]+|\n|\u3002|$(?!\n))", re.DOTALL)
_WHOLE: Final = "="  # before a text that is remembered as it is; no hash begins so
_LOST: Final = "\ufdd0"  # no character: no text of a person has it


def cut(text: str) -> list[str]:
    """Return a text in pieces: its lines, and the sentences in them. Joined they are the text."""
    return [each for each in _PIECE.findall(text) if each]


def told(text: str) -> str:
    """Return what is remembered of a text; empty if it has too many pieces, or is."""
    if len(text) <= WHOLE_MAX:
        return _WHOLE + text if text else ""
    pieces = cut(text)
    return "" if len(pieces) > PIECES_MAX else "".join(map(_hash, pieces))


def base(remembered: str, *texts: str) -> str | None:
    """
    Return the text that is remembered, as far as later texts tell it.

    Args:
        remembered: What :func:`told` returned.
        texts: What has become of it. A piece that is in none of them is replaced by a mark that is in none of them.

    Returns:
        The text; None if nothing is remembered, or a text has such marks.
    """
    if remembered.startswith(_WHOLE):
        return remembered.removeprefix(_WHOLE)
    if not remembered or any(_LOST in each for each in texts):
        return None
    known = {_hash(piece): piece for text in texts for piece in cut(text)}
    return "".join(known.get(each, f"{_LOST}{each}\n") for each in hashes(remembered))


def hashes(remembered: str) -> list[str]:
    """Return the hash of each piece of a remembered text."""
    if remembered.startswith(_WHOLE):
        return [_hash(each) for each in cut(remembered.removeprefix(_WHOLE))]
    return [remembered[at : at + DIGITS] for at in range(0, len(remembered), DIGITS)]


def shared(one: str, other: str) -> float:
    """Return which part of the pieces of two remembered texts they have in common, 0 to 1."""
    first, second = set(hashes(one)), set(hashes(other))
    return len(first & second) / max(len(first), len(second), 1)


def _hash(piece: str) -> str:
    return b64encode(blake2b(piece.encode(), digest_size=6, person=b"edda-piece").digest()).decode()[:DIGITS]
