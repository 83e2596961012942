"""
Edits of a text in the form in which they are sent: insertions and deletions of named units.

Each UTF-16 unit of a text is named by (name, clock). A name has 16 bytes. It is that of an actor, of the text's
genesis, or of a whole rewrite; it is longer only if chains forked (:mod:`~edda_sync.fold.item_names`). The clocks of an
edit continue where the units of its author end. A *rewrite* is named by the hash of its own bytes instead, so that the
same rewrite on two devices is one rewrite.

An edit has exactly one form, msgpack of arrays. Any other form is refused:

    edit      := [names, clock | nil, blocks, deletions]
    names     := the names that the edit uses, without two that need no table, ascending; the first has index 2.
                 Index 1 is the genesis, and index 0 the edit's own name: its author, or the rewrite itself
    clock     := of the first inserted unit, the others count up; nil for a rewrite, and if nothing is inserted
    block     := [left | nil, right | nil, string]   the units between which it was written, nil at an end of the text
    left      := [index, clock]                      right likewise
    deletion  := [index, clock, length]              ascending, not adjoining

Rules that depend on the text are checked by :mod:`~edda_sync.crdt.text.judging`.
"""

from __future__ import annotations

from hashlib import blake2b
from itertools import pairwise
from typing import Annotated, Final

import msgspec

from edda_sync.crdt.text.clients import NAME_BYTES
from edda_sync.crdt.text.units import units
from edda_sync.words import limits
from edda_sync.words.errors import LimitError, RefusedTextError

OWN: Final = 0
GENESIS: Final = 1
TABLE: Final = 2  # index of the first name in an edit's table

_Index = Annotated[int, msgspec.Meta(ge=0)]
_Clock = Annotated[int, msgspec.Meta(ge=0, lt=limits.TEXT_CLOCK_MAX)]
_Length = Annotated[int, msgspec.Meta(ge=1, le=limits.TEXT_CLOCK_MAX)]
_Name = Annotated[bytes, msgspec.Meta(min_length=NAME_BYTES)]  # its length grows with the branches of its chain

Id = tuple[_Index, _Clock]
"""A unit in an edit: the index of its name, and its clock."""

Block = tuple[Id | None, Id | None, Annotated[str, msgspec.Meta(min_length=1)]]
"""The left and right neighbour when it was written, and what was written."""

Deletion = tuple[_Index, _Clock, _Length]
"""Index of a name, first clock, number of units."""


class TextEdit(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True, gc=False):
    """What one change did to one text. ``TextDocument.edit`` makes it, and ``TextDocument.apply`` applies it."""

    names: tuple[_Name, ...]
    clock: _Clock | None
    blocks: tuple[Block, ...]
    deletions: tuple[Deletion, ...]

    @property
    def is_rewrite(self) -> bool:
        """Whether its units have its own name, and not that of its author."""
        return self.clock is None and bool(self.blocks)

    @property
    def pieces(self) -> int:
        """How many cells it counts as: one for each block and deletion, since a text keeps each of these; at least one."""
        return len(self.blocks) + len(self.deletions) or 1


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(TextEdit).decode


def encode(edit: TextEdit) -> bytes:
    """
    Return the canonical form of an edit; write it into an operation.

    Raises:
        LimitError: It is too large to send.
    """
    data = _encode(edit)
    if len(data) > limits.TEXT_UPDATE_BYTES_MAX:
        raise LimitError("the edit of a text", len(data), limits.TEXT_UPDATE_BYTES_MAX)
    return data


def decode(data: bytes) -> TextEdit:
    """
    Decode an edit; pass it to ``TextDocument.apply``.

    Raises:
        RefusedTextError: It is too large, or not in canonical form, with the reason.
    """
    if len(data) > limits.TEXT_UPDATE_BYTES_MAX:
        raise RefusedTextError(f"{len(data):,} bytes where {limits.TEXT_UPDATE_BYTES_MAX:,} are allowed")
    try:
        edit = _decode(data)
    except ValueError as error:
        raise RefusedTextError(f"it is no edit: {error}") from None
    if _encode(edit) != data:
        raise RefusedTextError("it is not written in its shortest form")
    _check(edit)
    return edit


def rewrite_name(genesis: bytes, edit: TextEdit) -> bytes:
    """
    Return the name of a rewrite, 16 bytes: the hash of its text's genesis and of its canonical form.

    The genesis identifies the text, as a hash of entity, field and start. In the form, index 0 stands for the rewrite
    itself.
    """
    return blake2b(genesis + _encode(edit), digest_size=NAME_BYTES, person=b"edda-rewrite").digest()


def _check(edit: TextEdit) -> None:
    """Refuse an edit with the right types that is not in canonical form."""
    names, blocks, deletions = edit.names, edit.blocks, edit.deletions
    if edit.clock is not None and not blocks:
        raise RefusedTextError("it has a clock and inserts nothing")
    if names:
        if any(len(name) % NAME_BYTES for name in names):
            raise RefusedTextError("a name of a length that no name has")
        if any(a >= b for a, b in pairwise(names)):
            raise RefusedTextError("its names are not in order")
        used = {side[0] for left, right, _ in blocks for side in (left, right) if side is not None}
        used.update(deletion[0] for deletion in deletions)
        if not used.issuperset(range(TABLE, TABLE + len(names))):
            raise RefusedTextError("it has a name that it does not use")
    most = TABLE + len(names)
    clock = edit.clock or 0
    before: tuple[Id, Id | None] | None = None  # the last unit of the previous block, and its right neighbour
    for left, right, text in blocks:
        if (left is not None and left[0] >= most) or (right is not None and right[0] >= most):
            raise RefusedTextError("it has an index without a name")
        if (left, right) == before:
            raise RefusedTextError("a block goes on where the one before it ended")
        clock += len(text) if text.isascii() else units(text)
        before = (OWN, clock - 1), right
    if clock > limits.TEXT_CLOCK_MAX:
        raise RefusedTextError("a clock is too large")
    end, name = 0, -1
    for index, first, length in deletions:
        if index >= most:
            raise RefusedTextError("it has an index without a name")
        if index < name or (index == name and first <= end):
            raise RefusedTextError("its deletions are not in order, or not apart")
        name, end = index, first + length
