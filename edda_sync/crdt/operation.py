"""
Operations: what a change does, one strict type a code; and the body that holds them.

A body is a run of operations, each a length (u32, big endian) and that many bytes of msgpack, so that it can be cut
anywhere into parts and an operation of an unknown kind can be stepped over. Of every operation, in every version, the
first three fields are its code, and kind and id of the entity that it is about.

Reading one has three ends, each a function of its bytes alone:

* it fits its code's type: it is folded (:mod:`~edda_sync.fold.fold`);
* its code, its kind of entity or one of its cells is a newer version's: it is *unknown*, kept, passed on, and counted as
  waiting until an upgrade folds it;
* it does not fit: it is *refused*, as a whole and for good, on every device alike. So is an operation that is nested too
  deep, even one of a newer version: how deep a reader can follow depends on its stack.

A value never passes by comparison: ``5.0`` and ``True`` are no sequence numbers, and no codes either.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from struct import Struct
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, NamedTuple

import msgspec

from edda_sync.crdt.frontier import Actor, Seq
from edda_sync.words import limits
from edda_sync.words.model import KINDS

if TYPE_CHECKING:
    Kind = str  # one of model.KINDS; to the decoder it is no other text
else:
    Kind = Literal[KINDS]

EntityId = Annotated[bytes, msgspec.Meta(min_length=16, max_length=16)]

_LENGTH: Final = Struct(">I")
_encoder = msgspec.msgpack.Encoder(order="sorted")


class _Operation(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True, gc=False):
    """An operation is an array: its code, kind and id of an entity, then what it does."""

    kind: Kind
    id: EntityId


class Put(_Operation, frozen=True, tag=1, gc=False):
    """Write cells. A string in an empty text field is the text's start."""

    cells: dict[str, Any]


class Edit(_Operation, frozen=True, tag=2, gc=False):
    """Edit a text that began as ``genesis``."""

    field: str
    genesis: Annotated[bytes, msgspec.Meta(min_length=16, max_length=16)]
    edit: bytes


class Delete(_Operation, frozen=True, tag=3, gc=False):
    """Hide what the author had seen of an entity."""

    seen: tuple[tuple[Actor, Seq], ...]


class Touch(_Operation, frozen=True, tag=4, gc=False):
    """Keep an entity, or bring it back."""


Operation = Put | Edit | Delete | Touch


def size_of(value: Any) -> int:
    """Return about how many bytes a cell's value, or its name, takes: of text never fewer than it has on the wire."""
    if isinstance(value, str):
        return len(value) if value.isascii() else len(value.encode())
    return len(value) if isinstance(value, bytes) else 16 * len(value) if isinstance(value, list) else 8


class Unread(NamedTuple):
    """
    An operation that is not folded.

    Attributes:
        refused: True when no version will fold it; False when a newer one will.
        kind, id: The entity that it is about, where that can be read; else None.
    """

    refused: bool
    kind: Kind | None = None
    id: bytes | None = None


class _Prefix(msgspec.Struct, frozen=True, array_like=True):
    """What every version can read of an operation."""

    code: Annotated[int, msgspec.Meta(ge=0)]
    kind: str
    id: EntityId


_decode = msgspec.msgpack.Decoder(Operation).decode
_decode_prefix = msgspec.msgpack.Decoder(_Prefix).decode
_decode_any = msgspec.msgpack.Decoder().decode
_CODES: Final = (1, 2, 3, 4)
_NESTED: Final = frozenset((list, tuple, dict))


def encode(operation: Operation) -> bytes:
    """Return an operation as it stands in a body: its length, then its bytes."""
    return framed(_encoder.encode(operation))


def framed(encoded: bytes) -> bytes:
    """Return the bytes of an operation, as :func:`cut` yields them, as they stand in a body."""
    return _LENGTH.pack(len(encoded)) + encoded


def decode(encoded: bytes | memoryview) -> Operation | Unread:
    """Return an operation from its bytes, without their length."""
    try:
        known: Operation = _decode(encoded)
        nested = [value for value in known.cells.values() if type(value) in _NESTED] if isinstance(known, Put) else []
        return known if not nested or _is_shallow([nested]) else Unread(refused=True)
    except RecursionError:
        return Unread(refused=True)
    except ValueError:
        pass
    try:
        fields = _decode_any(encoded)
        prefix = msgspec.convert(fields, _Prefix)
    except (ValueError, RecursionError):
        return Unread(refused=True)
    if not _is_shallow(fields):
        return Unread(refused=True)
    if prefix.kind not in KINDS:
        return Unread(refused=False)
    return Unread(prefix.code in _CODES, prefix.kind, prefix.id)


def about(body: bytes, operations: int) -> Iterator[tuple[str, bytes]]:
    """
    Yield kind and id of the entities that a whole body's operations are about, as far as that can be read at a glance.

    For whoever reads ahead: what an operation does, and whether it is sound, :func:`decode` says.
    """
    for encoded in cut((body,), operations):
        try:
            prefix = _decode_prefix(encoded)
        except (ValueError, RecursionError):
            continue
        if prefix.kind in KINDS:
            yield prefix.kind, prefix.id


def is_about(body: bytes, operations: int, kind: str) -> bool:
    """Tell whether some operation of a whole body is about an entity of a kind, as far as that can be read."""
    if kind.encode() not in body:  # nearly always, where there are few of the kind
        return False
    return any(found == kind for found, _ in about(body, operations))


def _is_shallow(fields: list[Any]) -> bool:
    """Tell whether nothing in an operation's fields is nested deeper than it may be, without going down itself."""
    layer: list[Any] = [fields]
    for _ in range(limits.OPERATION_LEVELS_MAX):
        held = [inner for each in layer for inner in (each if type(each) is not dict else (*each, *each.values()))]
        layer = [each for each in held if type(each) in _NESTED]
        if not layer:
            return True
    return False


def cut(pieces: Iterable[bytes], most: int = limits.CHANGE_OPERATIONS_MAX) -> Iterator[bytes]:
    """
    Cut a body that arrives in pieces into the bytes of its operations; memory holds one operation and one piece.

    A body that ends inside an operation, claims one over the limit, or holds more of them than its header says, yields
    its rest as one more, which fits no type. (Its author signed it: refusing the change would stop all that depends on it.)

    Args:
        pieces: The body, cut anywhere.
        most: How many operations its header says that there are.
    """
    rest, found = b"", 0
    for piece in pieces:
        held = rest + piece if rest else piece
        at, end = 0, len(held)
        while end - at >= 4:
            (size,) = _LENGTH.unpack_from(held, at)
            if size > limits.OPERATION_BYTES_MAX or found == most:
                yield b""
                return
            if end - at - 4 < size:
                break
            yield held[at + 4 : at + 4 + size]
            found += 1
            at += 4 + size
        rest = held[at:] if at else held
    if rest:
        yield b""


__all__ = ["Delete", "Edit", "Kind", "Operation", "Put", "Touch", "Unread", "cut", "decode", "encode"]
