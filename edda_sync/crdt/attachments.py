"""
Attachments: what a document says about a file that is attached to it. The file itself is not part of a change.

An attachment is a cell of the document, ``file.ID``, and so a member of a set, like a tag: it is there if any sibling has it
(add wins). Its value is a record, which is written once; detaching writes None.

A *file* is described by its *root*: the hash of its only chunk, or of a manifest, whose hashes lead to its chunks
(``files.tree``). So whoever has a record can check every byte of the file.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, NamedTuple

import msgspec

from edda_sync.crdt import ext as exts
from edda_sync.crdt.ext import Ext
from edda_sync.words import limits, values
from edda_sync.words.errors import InvalidValueError

HASH_BYTES: Final = 32
DEPTH_MAX: Final = 2
GROUP: Final = "file."
CONTENT_TYPE_DEFAULT: Final = "application/octet-stream"


class File(NamedTuple):
    """
    The content of a file.

    Attributes:
        root: The name of its only chunk, or of a manifest.
        size: In bytes.
        depth: How many manifests are between the root and a chunk: 0, 1 or 2.
    """

    root: bytes
    size: int
    depth: int


class AttachmentRecord(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """
    The value of a cell ``file.ID``.

    Attributes:
        name: What people call the file. It is shown, and is never a path.
        content_type: Its media type.
        root, size, depth: As in :class:`File`.
        ext: Room to grow.
    """

    name: str
    content_type: str
    root: Annotated[bytes, msgspec.Meta(min_length=HASH_BYTES, max_length=HASH_BYTES)]
    size: Annotated[int, msgspec.Meta(ge=0, le=limits.FILE_BYTES_MAX)]
    depth: Annotated[int, msgspec.Meta(ge=0, le=DEPTH_MAX)]
    ext: Ext = exts.NONE

    @property
    def file(self) -> File:
        """The file."""
        return File(self.root, self.size, self.depth)


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(AttachmentRecord).decode


def encode(record: AttachmentRecord) -> bytes:
    """Return a record as the value of a cell."""
    return _encode(record)


def decode(value: Any) -> AttachmentRecord:
    """
    Return the record in the value of a cell.

    Raises:
        InvalidValueError: It is no such record, or it describes a file that cannot exist.
    """
    if not isinstance(value, bytes) or len(value) > limits.ATTACHMENT_BYTES_MAX:
        raise InvalidValueError("file", "is no record of an attachment", None)
    try:
        record = _decode(value)
    except (ValueError, RecursionError) as error:
        raise InvalidValueError("file", str(error), None) from None
    values.line("name", record.name, code_points_max=limits.FILE_NAME_CODE_POINTS_MAX)
    values.line("content_type", record.content_type)
    if not exts.is_canonical(record.ext) or not exts.is_understood(record.ext, ()):
        raise InvalidValueError("file", "has extensions that cannot be ignored, or out of order", None)
    check(record.file)
    return record


def check_cell(attachment: str, value: Any) -> None:
    """
    Check a write of a cell.

    Args:
        attachment: The id in the cell's name.
        value: The value of the cell.

    Raises:
        InvalidValueError: They are not acceptable.
    """
    if values.id_text(values.id_bytes("id", attachment)) != attachment:
        raise InvalidValueError("file", "is not a canonical id", attachment)
    if value is not None:
        decode(value)


def size_max(depth: int) -> int:
    """Return how many bytes a file of some depth has at most."""
    reach: int = limits.CHUNK_BYTES * limits.MANIFEST_PARTS_MAX**depth
    return min(reach, limits.FILE_BYTES_MAX)


def check(file: File) -> None:
    """
    Check what somebody says about a file.

    Raises:
        InvalidValueError: There is no such file.
    """
    if len(file.root) != HASH_BYTES or not 0 <= file.depth <= DEPTH_MAX:
        raise InvalidValueError("file", "has no root of a known depth", file)
    if not 0 <= file.size <= size_max(file.depth) or (file.depth and not file.size):
        raise InvalidValueError("file", f"cannot have {file.size:,} bytes at depth {file.depth}", file.size)
