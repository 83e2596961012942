"""
How a text reads after all its edits: a Yjs document is given one edit after another.

In Yjs the units of a text are named by numbers, and of concurrent writes at one place the smaller number comes first. Our
edits name units by 16 bytes, so each name is replaced by its rank among the text's names; then the order is the same. An
edit becomes an update in the encoding of Yjs, version 1 (INTERNALS.md of yjs/yjs); numbers are varints, 7 bits a byte.

    update    := 1 count client clock block{count} deletions | 0 deletions
    block     := info [client clock] [client clock] [1 1 "t"] length utf8{length}
    info      := 0x84 has left | 0x44 has right | 4
    deletions := count (client 1 clock length){count}
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from hashlib import blake2b
from typing import Any, Final

import msgspec
from pycrdt import Doc
from pycrdt import Text as YText

_ROOT: Final = "t"
_OWN: Final = 0  # the index of the edit's own name among its names


def read(genesis: bytes, start: str, edits: Iterable[tuple[bytes, bytes]]) -> str:
    """
    Return how a text reads.

    Args:
        genesis: The text's name, which is also the name of the units that it starts with.
        start: The string that it starts with.
        edits: Author and bytes of each accepted edit, in causal order.
    """
    told = [Told(genesis, author, encoded) for author, encoded in edits]
    names = sorted({genesis, *(name for each in told for name in each.names)})
    clients = {name: rank for rank, name in enumerate(names, start=1)}
    document: Doc[YText] = Doc(client_id=clients[genesis])
    root = document.get(_ROOT, type=YText)
    root.insert(0, start)
    for each in told:
        document.apply_update(each.update(clients))
    return str(root)


class Told:
    """One edit. Its units are named by its author; in a rewrite of the whole text, by a hash of text and edit."""

    def __init__(self, genesis: bytes, author: bytes, encoded: bytes) -> None:
        self._listed, self._clock, self.blocks, self.deletions = msgspec.msgpack.decode(encoded)
        own = author
        if self._clock is None and self.blocks:
            own = blake2b(genesis + encoded, digest_size=16, person=b"edda-rewrite").digest()
        self.names: Sequence[bytes] = (own, genesis, *self._listed)

    def update(self, clients: Mapping[bytes, int]) -> bytes:
        """Return the edit as an update of Yjs."""
        numbers = [clients[name] for name in self.names]
        out = bytearray()
        if self.blocks:
            out += _number(1) + _number(len(self.blocks)) + _number(numbers[_OWN]) + _number(self._clock or 0)
            for left, right, text in self.blocks:
                out += _block(numbers, left, right, text)
        else:
            out += _number(0)
        out += _number(len({index for index, _, _ in self.deletions}))
        for index in dict.fromkeys(index for index, _, _ in self.deletions):
            spans = [(clock, length) for of, clock, length in self.deletions if of == index]
            out += _number(numbers[index]) + _number(len(spans))
            for clock, length in spans:
                out += _number(clock) + _number(length)
        return bytes(out)


def _block(numbers: Sequence[int], left: Any, right: Any, text: str) -> bytes:
    out = bytearray((4 | (0x80 if left else 0) | (0x40 if right else 0),))
    for beside in (left, right):
        if beside:
            out += _number(numbers[beside[0]]) + _number(beside[1])
    if not left and not right:
        out += b"\1\1" + _ROOT.encode()
    content = text.encode()
    return bytes(out) + _number(len(content)) + content


def _number(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes((*out, number))
