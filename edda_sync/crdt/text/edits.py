"""
Edits of a text as they travel: insertions and deletions of named units.

Each UTF-16 unit of a text is named by (name, clock). A name has 16 bytes and is that of an actor, of the text's genesis or
of a whole rewrite; it has more only where chains forked (:mod:`~edda_sync.fold.item_names`). An edit goes on where its
author's units end; a *rewrite* is named by the hash of its own bytes instead, so that the same rewrite made on two devices
is one.

One edit has one form, msgpack of arrays, and everything else is refused:

    edit      := [names, clock | nil, blocks, deletions]
    names     := the names used beside the two that need no table, ascending: index 2 is the first of them,
                 index 1 the genesis, and index 0 the edit's own: its author, or the rewrite itself
    clock     := of the first unit inserted, the others count up; nil for a rewrite, and where nothing is inserted
    block     := [left | nil, right | nil, string]   the units between which it was written, nil at an end of the text
    left      := [index, clock]                      right likewise
    deletion  := [index, clock, length]              ascending, apart

What only a look into the text can tell is judged by :mod:`~edda_sync.crdt.text.judging`.
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
_Name = Annotated[bytes, msgspec.Meta(min_length=NAME_BYTES)]  # as long as its chain has branches; the edit has a limit

Id = tuple[_Index, _Clock]
"""A unit inside an edit: index of its name, clock."""

Block = tuple[Id | None, Id | None, Annotated[str, msgspec.Meta(min_length=1)]]
"""Left and right neighbour at the time of writing, and what was written."""

Deletion = tuple[_Index, _Clock, _Length]
"""Index of a name, first clock, number of units."""


class TextEdit(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True, gc=False):
    """What one change did to one text; ``TextDocument.edit`` makes it, and ``TextDocument.apply`` takes it."""

    names: tuple[_Name, ...]
    clock: _Clock | None
    blocks: tuple[Block, ...]
    deletions: tuple[Deletion, ...]

    @property
    def is_rewrite(self) -> bool:
        """Whether its units are named by itself, and not by its author."""
        return self.clock is None and bool(self.blocks)

    @property
    def pieces(self) -> int:
        """How many cells it counts as: one for each block and deletion, each of which a text keeps, and at least one."""
        return len(self.blocks) + len(self.deletions) or 1


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(TextEdit).decode


def encode(edit: TextEdit) -> bytes:
    """
    Return the one form of an edit; write it into an operation.

    Raises:
        LimitError: It is too large to travel.
    """
    data = _encode(edit)
    if len(data) > limits.TEXT_UPDATE_BYTES_MAX:
        raise LimitError("the edit of a text", len(data), limits.TEXT_UPDATE_BYTES_MAX)
    return data


def decode(data: bytes) -> TextEdit:
    """
    Read an edit; give it to ``TextDocument.apply``.

    Raises:
        RefusedTextError: It is too large, or not in the one form that an edit has, with the reason.
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
    Return the name of a rewrite, 16 bytes: the hash of its text and of its one form.

    The genesis stands for the text, as a hash of entity, field and start; the form speaks of the rewrite itself as index 0.
    """
    return blake2b(genesis + _encode(edit), digest_size=NAME_BYTES, person=b"edda-rewrite").digest()


def _check(edit: TextEdit) -> None:
    """Refuse what has the types of an edit and is not the one way to say what it says."""
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
    before: tuple[Id, Id | None] | None = None  # the last unit of the block before, and its right neighbour
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
