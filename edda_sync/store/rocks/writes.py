"""
Writes: what a transaction did to states and texts, as the bytes of rows of ``_pending``.

A row is a msgpack array of writes, each an array that begins with its name, followed by 8 bytes of BLAKE2b over it:

    ["put", [[key, hidden | conflicted << 1, hash, state], ...]]
    ["text", entity, field, genesis, serial, state, [[serial, actor, seq, edit], ...]]     the edits are newer than the state
    ["edit", entity, field, genesis, serial, actor, seq, edit]
    ["drop", [key, ...]]
    ["clear"]
"""

from __future__ import annotations

from hashlib import blake2b
from typing import Any, Final

import msgspec

from edda_sync.store.rocks.layers import Layer
from edda_sync.store.seams.states import Record, TailEdit
from edda_sync.words.errors import CorruptError

HIDDEN: Final = 1
CONFLICTED: Final = 2
_SUM_BYTES: Final = 8
_encoder: Final = msgspec.msgpack.Encoder()
_decoder: Final = msgspec.msgpack.Decoder()


def encode(writes: list[tuple[Any, ...]]) -> bytes:
    """Return the bytes of a row."""
    content = _encoder.encode(writes)
    return content + blake2b(content, digest_size=_SUM_BYTES).digest()


def replay(row: bytes, layer: Layer) -> None:
    """
    Do to a layer what a row says.

    Raises:
        CorruptError: The row is not what was written.
    """
    content = row[:-_SUM_BYTES]
    if blake2b(content, digest_size=_SUM_BYTES).digest() != row[-_SUM_BYTES:]:
        raise CorruptError("What is to be written into RocksDB")
    for what, *of in _decoder.decode(content):
        if what == "put":
            for key, flags, digest, state in of[0]:
                layer.entries[key] = Record(key, bool(flags & HIDDEN), digest, state), bool(flags & CONFLICTED)
        elif what == "edit":
            entity, field, genesis, *edit = of
            layer.append(entity, (field, genesis), TailEdit(*edit))
        elif what == "text":
            entity, field, genesis, serial, state, edits = of
            layer.put_text(entity, (field, genesis), (serial, state), (TailEdit(*edit) for edit in edits))
        elif what == "drop":
            layer.drop(of[0])
        else:
            layer.clear()
