"""
Retold: what this device made of texts that may have to be written again elsewhere, kept small.

Kept is each edit, and what its text read before it only where that is not what the edit before it left, which a hash tells.
So what is kept grows with what is typed, and not with the texts that it is typed into. What a text read before and after an
edit is told one after another, in the order in which they were made.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b

import msgspec

from edda_sync.store.seams import Rewritten, StoreWriter
from edda_sync.words.model import Replacement

_HASH_BYTES = 16
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[Replacement]).decode


def keep(tx: StoreWriter, position: int, entity: bytes, before: str, edits: Sequence[Replacement], after: str) -> None:
    """
    Keep what a change made of a text.

    Args:
        tx: A transaction of the store.
        position: Of the change, in the log.
        entity: Whose text it is, by key.
        before, after: What that read.
        edits: What turns the one into the other.
    """
    told = None if tx.segments.left_by_rewriting(entity) == _hash(before) else before
    tx.segments.keep_rewritten(Rewritten(position, entity, told, _encode(list(edits)), _hash(after)))


def _hash(text: str) -> bytes:
    return blake2b(text.encode(), digest_size=_HASH_BYTES).digest()


class Retold:
    """What texts read before and after what is kept; of each entity it must be asked for all of it, in order."""

    def __init__(self) -> None:
        self._reads: dict[bytes, str] = {}  # by the entity's key

    def next(self, kept: Rewritten) -> tuple[str, str]:
        """Return what a text read before and after one edit."""
        from edda_sync.crdt.text.diff import apply_edits  # only who looks at a text needs it

        before = self._reads[kept.entity] if kept.before is None else kept.before
        after = self._reads[kept.entity] = apply_edits(before, _decode(kept.edits))
        return before, after
