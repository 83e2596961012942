"""
Retold: a compact record of what this device did to texts that may have to be written again.

Each edit is kept. The text before it is kept only if the edit before did not leave exactly that, which a hash tells. So the
record grows with what is typed, and not with the size of the texts. The texts before and after each edit are returned one
after another, in the order of the edits.
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
    Record what a change did to a text.

    Args:
        tx: A transaction of the store.
        position: The change's position in the log.
        entity: The key of the text's entity.
        before, after: The text before and after.
        edits: The edits that turn one into the other.
    """
    told = None if tx.segments.left_by_rewriting(entity) == _hash(before) else before
    tx.segments.keep_rewritten(Rewritten(position, entity, told, _encode(list(edits)), _hash(after)))


def _hash(text: str) -> bytes:
    return blake2b(text.encode(), digest_size=_HASH_BYTES).digest()


class Retold:
    """Returns the texts before and after recorded edits. For each entity, all edits must be asked for, in order."""

    def __init__(self) -> None:
        self._reads: dict[bytes, str] = {}  # by the entity's key

    def next(self, kept: Rewritten) -> tuple[str, str]:
        """Return the text before and after one edit."""
        from edda_sync.crdt.text.diff import apply_edits  # only needed by those who read texts

        before = self._reads[kept.entity] if kept.before is None else kept.before
        after = self._reads[kept.entity] = apply_edits(before, _decode(kept.edits))
        return before, after
