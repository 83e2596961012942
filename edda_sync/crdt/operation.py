"""
Operations: what a change does, with a strict type for each code; and the body that contains them.

A body is a sequence of operations. Each is a length (u32, big endian) and that many bytes of msgpack. So a body can be
cut into parts anywhere, and an operation of an unknown kind can be skipped. In every version, the first three fields of
an operation are its code, and the kind and id of its entity.

Reading an operation has one of three results, which depends only on its bytes:

* It fits the type of its code: it is folded (:mod:`~edda_sync.fold.fold`).
* Its code, its kind of entity or one of its cells belongs to a newer version: it is *unknown*. It is kept, passed on, and
  waits until an upgrade folds it.
* It does not fit: it is *refused*, as a whole and for good, on every device. This includes an operation that is nested
  too deeply, even one of a newer version, because how deeply a reader can follow would depend on its stack.

Values are never accepted because they compare as equal: ``5.0`` and ``True`` are not sequence numbers, and not codes.
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
    Kind = str  # one of model.KINDS; the decoder accepts no other text
else:
    Kind = Literal[KINDS]

EntityId = Annotated[bytes, msgspec.Meta(min_length=16, max_length=16)]

_LENGTH: Final = Struct(">I")
_encoder = msgspec.msgpack.Encoder(order="sorted")


class _Operation(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True, gc=False):
    """An operation is an array: its code, the kind and id of its entity, then what it does."""

    kind: Kind
    id: EntityId


class Put(_Operation, frozen=True, tag=1, gc=False):
    """Write cells. A string in an empty text field is the start of the text."""

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
    """Return the approximate size of a cell's value or name; for text, never less than its size on the wire."""
    if isinstance(value, str):
        return len(value) if value.isascii() else len(value.encode())
    return len(value) if isinstance(value, bytes) else 16 * len(value) if isinstance(value, list) else 8


class Unread(NamedTuple):
    """
    An operation that is not folded.

    Attributes:
        refused: True if no version will fold it; False if a newer version will.
        kind, id: The entity that it is about, or None if that cannot be read.
    """

    refused: bool
    kind: Kind | None = None
    id: bytes | None = None


class _Prefix(msgspec.Struct, frozen=True, array_like=True):
    """The fields of an operation that every version can read."""

    code: Annotated[int, msgspec.Meta(ge=0)]
    kind: str
    id: EntityId


_decode = msgspec.msgpack.Decoder(Operation).decode
_decode_prefix = msgspec.msgpack.Decoder(_Prefix).decode
_decode_any = msgspec.msgpack.Decoder().decode
_CODES: Final = (1, 2, 3, 4)
_NESTED: Final = frozenset((list, tuple, dict))


def encode(operation: Operation) -> bytes:
    """Return an operation in the form of a body: its length, then its bytes."""
    return framed(_encoder.encode(operation))


def framed(encoded: bytes) -> bytes:
    """Return the bytes of an operation, as :func:`cut` yields them, with their length in front."""
    return _LENGTH.pack(len(encoded)) + encoded


def decode(encoded: bytes | memoryview) -> Operation | Unread:
    """Return the operation of some bytes, given without their length."""
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
    Yield the kind and id of the entities that the operations of a whole body are about, if these can be read.

    This is for callers that read ahead. :func:`decode` tells what an operation does, and whether it is valid.
    """
    for encoded in cut((body,), operations):
        try:
            prefix = _decode_prefix(encoded)
        except (ValueError, RecursionError):
            continue
        if prefix.kind in KINDS:
            yield prefix.kind, prefix.id


def is_about(body: bytes, operations: int, kind: str) -> bool:
    """Tell whether any operation of a whole body is about an entity of a kind, as far as that can be read."""
    if kind.encode() not in body:  # the usual case for kinds with few entities
        return False
    return any(found == kind for found, _ in about(body, operations))


def _is_shallow(fields: list[Any]) -> bool:
    """Tell whether an operation's fields are nested less deeply than the limit, without recursion."""
    layer: list[Any] = [fields]
    for _ in range(limits.OPERATION_LEVELS_MAX):
        held = [inner for each in layer for inner in (each if type(each) is not dict else (*each, *each.values()))]
        layer = [each for each in held if type(each) in _NESTED]
        if not layer:
            return True
    return False


def cut(pieces: Iterable[bytes], most: int = limits.CHANGE_OPERATIONS_MAX) -> Iterator[bytes]:
    """
    Cut a body that arrives in pieces into the bytes of its operations. Memory holds one operation and one piece.

    Some bodies end inside an operation, claim one that is over the limit, or contain more than their header says. Their
    rest is yielded as one more operation, which fits no type. (The change cannot be refused for it: its author signed
    it, and later changes depend on it.)

    Args:
        pieces: The body, cut anywhere.
        most: The number of operations according to the header.
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
