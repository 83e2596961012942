"""Drafts: what a transaction wants. Operations are made of them inside the commit, by :mod:`~edda_sync.ledger.compose`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from edda_sync.crdt.operation import Kind
from edda_sync.words.model import Replacement

_encode_cells = msgspec.msgpack.Encoder().encode
_decode_cells = msgspec.msgpack.Decoder(dict[str, Any]).decode


class Put(msgspec.Struct, frozen=True):
    """
    Write cells. A text is its start when the field is empty, and is refused otherwise: see :class:`Rewrite`.

    ``new`` says that the id was made just now, so that nobody looks for what has it.
    """

    kind: Kind
    id: bytes
    encoded: bytes
    new: bool = False

    @staticmethod
    def of(kind: Kind, entity_id: bytes, cells: Mapping[str, Any], *, new: bool = False) -> Put:
        """Return the draft; its cells are encoded at once, since a bulk transaction holds 100,000 of them."""
        return Put(kind, entity_id, _encode_cells(cells), new)

    @property
    def cells(self) -> dict[str, Any]:
        """The cells, the caller's own."""
        return _decode_cells(self.encoded)


class Rewrite(msgspec.Struct, frozen=True):
    """Make a text that read ``base`` read ``new``: merged, as edits, into what it reads now."""

    kind: Kind
    id: bytes
    base: str | None
    new: str | None


class EditText(msgspec.Struct, frozen=True):
    """
    Edit a text.

    ``base`` gives the text that the positions count in; None means the text as the commit finds it.
    """

    kind: Kind
    id: bytes
    edits: tuple[Replacement, ...]
    base: Callable[[], str] | None = None


class Delete(msgspec.Struct, frozen=True):
    """Hide an entity."""

    kind: Kind
    id: bytes


class Touch(msgspec.Struct, frozen=True):
    """Bring an entity back, or keep it."""

    kind: Kind
    id: bytes


class Expect(msgspec.Struct, frozen=True):
    """Refuse the whole transaction unless an entity is visible; or, with ``present`` False, if there ever was one."""

    kind: Kind
    id: bytes
    present: bool = True


class Verbatim(msgspec.Struct, frozen=True):
    """Write an operation of a former change again as it stood there: only a newer version can tell what it says."""

    encoded: bytes


Draft = Put | Rewrite | EditText | Delete | Touch | Expect
