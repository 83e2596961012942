"""Drafts: what a transaction wants to do. At commit, :mod:`~edda_sync.ledger.compose` makes operations of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from edda_sync.crdt.operation import Kind
from edda_sync.words.model import After, Replacement

_encode_cells = msgspec.msgpack.Encoder().encode
_decode_cells = msgspec.msgpack.Decoder(dict[str, Any]).decode


class Put(msgspec.Struct, frozen=True):
    """
    Write cells. A text among them is the start of an empty field. If the field is not empty, use :class:`Rewrite`.

    ``new`` tells that the id is new, so that no existing entity is looked up.
    """

    kind: Kind
    id: bytes
    encoded: bytes
    new: bool = False

    @staticmethod
    def of(kind: Kind, entity_id: bytes, cells: Mapping[str, Any], *, new: bool = False) -> Put:
        """Return the draft. Its cells are encoded at once, since a bulk transaction holds thousands of drafts."""
        return Put(kind, entity_id, _encode_cells(cells), new)

    @property
    def cells(self) -> dict[str, Any]:
        """A copy of the cells that the caller may change."""
        return _decode_cells(self.encoded)


class Rewrite(msgspec.Struct, frozen=True):
    """Change a text from ``base`` to ``new``. The difference is merged as edits into the present text."""

    kind: Kind
    id: bytes
    base: str | None
    new: str | None


class EditText(msgspec.Struct, frozen=True):
    """
    Edit a text.

    ``base`` returns the text in which the positions count; None means the text that the commit finds. ``whole`` tells that
    another device that makes the same edit of the same text means the same one, so that it counts once. ``after`` tells
    where the edits insert, if their positions do not.
    """

    kind: Kind
    id: bytes
    edits: tuple[Replacement, ...]
    base: Callable[[], str] | None = None
    whole: bool = False
    after: After = ()


class Delete(msgspec.Struct, frozen=True):
    """Hide an entity."""

    kind: Kind
    id: bytes


class Touch(msgspec.Struct, frozen=True):
    """Bring an entity back, or keep it."""

    kind: Kind
    id: bytes


class Expect(msgspec.Struct, frozen=True):
    """Refuse the whole transaction unless an entity is visible; with ``present`` False, if it ever existed."""

    kind: Kind
    id: bytes
    present: bool = True


class Verbatim(msgspec.Struct, frozen=True):
    """Write an operation of a former change again, byte for byte, because only a newer version understands it."""

    encoded: bytes


Draft = Put | Rewrite | EditText | Delete | Touch | Expect
