"""Bodies of changes: those that are being made, and what a body in the log does."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from edda_sync.changes import change as changes
from edda_sync.crdt import operation as ops
from edda_sync.store.seams import Logged, StoreReader, StoreWriter
from edda_sync.words import limits
from edda_sync.words.errors import LimitError

_ADVICE: Final = "write it in several transactions, for each of which others wait less"


def operations_of(reader: StoreReader, logged: Logged) -> Iterator[ops.Operation]:
    """Yield the operations of a change that this version can read."""
    header = changes.decode_header(logged.raw)
    body = reader.log.parts(logged.position) if header.parts else (logged.body,)
    for encoded in ops.cut(body, header.operations):
        one = ops.decode(encoded)
        if not isinstance(one, ops.Unread):
            yield one


class Body:
    """
    A body that is being made: whole as long as it is short, then in stored parts.

    Args:
        tx: The store's transaction.
        position: The change's position in the log.

    Attributes:
        operations, size: The number of operations and of bytes.
    """

    def __init__(self, tx: StoreWriter, position: int) -> None:
        self._tx, self._position = tx, position
        self._rest = bytearray()
        self._parts: list[bytes] = []
        self.operations = self.size = 0

    def add(self, encoded: bytes) -> None:
        """
        Add an encoded operation.

        Raises:
            LimitError: The operation or the change would be too large.
        """
        if len(encoded) > 4 + limits.OPERATION_BYTES_MAX:
            raise LimitError("the bytes of one operation", len(encoded) - 4, limits.OPERATION_BYTES_MAX)
        self.operations += 1
        self.size += len(encoded)
        if self.operations > limits.CHANGE_OPERATIONS_MAX:
            most = limits.CHANGE_OPERATIONS_MAX
            raise LimitError("the number of operations in one transaction", self.operations, most, _ADVICE)
        if self.size > limits.CHANGE_BYTES_MAX:
            raise LimitError("the bytes of one transaction", self.size, limits.CHANGE_BYTES_MAX, _ADVICE)
        self._rest += encoded
        while len(self._rest) > limits.PART_BYTES_MAX:
            self._keep(bytes(self._rest[: limits.PART_BYTES_MAX]))
            del self._rest[: limits.PART_BYTES_MAX]

    def end(self) -> tuple[bytes, tuple[bytes, ...]]:
        """Return the whole body and no hashes; for a body in parts, an empty body and the hashes of its parts."""
        if not self._parts:
            return bytes(self._rest), ()
        self._keep(bytes(self._rest))
        self._rest.clear()
        return b"", tuple(self._parts)

    def _keep(self, part: bytes) -> None:
        self._tx.log.append_part(self._position, len(self._parts), part)
        self._parts.append(changes.hash_part(part))
