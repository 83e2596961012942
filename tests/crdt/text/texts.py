"""Helpers for tests of texts: a text of six letters, and edits of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import pytest

from edda_sync.crdt.text import edits as codec
from edda_sync.crdt.text import making
from edda_sync.crdt.text.document import TextDocument
from edda_sync.crdt.text.edits import TextEdit
from edda_sync.crdt.text.sequence import TextSequence
from edda_sync.words.errors import RefusedTextError

ANNA, BORIS, CARLA, DORA = b"A" * 16, b"B" * 16, b"C" * 16, b"D" * 16
GENESIS = b"G" * 16
HERE = {ANNA: 1}  # Anna's first change starts every text
Id = tuple[int, int] | None


def start(string: str = "abcdef") -> TextSequence:
    return TextSequence(GENESIS, string, [(ANNA, 1)])


def inserts(*blocks: tuple[Id, Id, str], clock: int | None = 0, names: Iterable[bytes] = ()) -> TextEdit:
    return checked(TextEdit(tuple(names), clock, blocks, ()))


def deletes(*deletions: tuple[int, int, int], names: Iterable[bytes] = ()) -> TextEdit:
    return checked(TextEdit(tuple(names), None, (), deletions))


def checked(edit: TextEdit) -> TextEdit:
    """Return an edit that the codec accepts."""
    return codec.decode(codec.encode(edit))


def refusal(text: TextSequence, edit: TextEdit, dot: tuple[bytes, int], past: Mapping[bytes, int]) -> str:
    """Offer an edit that must be refused, compare the text with what it was before, and return the reason."""
    before = TextDocument(text).state()
    with pytest.raises(RefusedTextError) as caught:
        text.accept(edit, dot, past)
    assert TextDocument(text).state() == before
    return caught.value.reason


def ticked(text: TextSequence, actor: bytes) -> TextEdit:
    """The tick in ``- [ ] milk``, as a rewrite."""
    at = text.order.string().index("[ ]") + 1
    return making.make(text, actor, [(at, at + 1, "x")], whole=True)
