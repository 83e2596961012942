"""
Digests: the hashes with which two devices find out whether they hold the same.

An *item* is an entity's key (17 bytes: the number of its kind, then its id) and its hash (32 bytes). Two hashes are
made of items, for different purposes:

- The **sum** of the items' hashes modulo 2**128 is updated with each commit in O(1). It finds damage between honest
  devices, but is no evidence: somebody who may choose many hashes can find some with any sum (Wagner 2002, "A
  generalized birthday problem").
- The **root** is one BLAKE2b hash over all items in the order of their keys. It costs a scan. It can be signed,
  attested and believed: another list with the same root would be a collision of BLAKE2b-256.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from hashlib import blake2b
from typing import Final

KEY_BYTES: Final = 17  # of an entity's key: the number of its kind, then its id
HASH_BYTES: Final = 32  # of an entity's hash and of a root

Item = tuple[bytes, bytes]
"""An entity's key and its hash."""

_SUM_BYTES: Final = 16
_SUM_MASK: Final = (1 << 8 * _SUM_BYTES) - 1


def ascending(items: Iterable[Item]) -> Iterator[Item]:
    """
    Yield the items, and check that each has the right sizes and that the keys ascend.

    Raises:
        ValueError: A key is not above the one before it, or an item is not 17 and 32 bytes.
    """
    previous = b""
    for key, entity_hash in items:
        if len(key) != KEY_BYTES or len(entity_hash) != HASH_BYTES:
            raise ValueError(f"an item of {len(key)} and {len(entity_hash)} bytes")
        if key <= previous:
            raise ValueError(f"the key {key.hex()} after {previous.hex()}")
        yield key, entity_hash
        previous = key


def root(items: Iterable[Item]) -> bytes:
    """
    Return the root of all items: 32 bytes. This takes O(1) memory.

    Args:
        items: Every entity's key and hash, in the order of the keys.

    Raises:
        ValueError: The keys do not ascend, or an item has a wrong size.
    """
    digest = blake2b(digest_size=HASH_BYTES, person=b"edda-root")
    for key, entity_hash in ascending(items):
        digest.update(key + entity_hash)  # all widths are fixed, so no other list gives the same bytes
    return digest.digest()


def add(total: int, entity_hash: bytes) -> int:
    """
    Return the sum with one more entity's hash added. The sum of no hashes is 0.

    Args:
        total: The sum so far, below 2**128.
        entity_hash: 32 bytes, of which the first 16 are added.

    Raises:
        ValueError: The hash is not 32 bytes.
    """
    return total + _addend(entity_hash) & _SUM_MASK


def sub(total: int, entity_hash: bytes) -> int:
    """
    Return the sum with an entity's hash taken out of it: the inverse of :func:`add`.

    Raises:
        ValueError: The hash is not 32 bytes.
    """
    return total - _addend(entity_hash) & _SUM_MASK


def _addend(entity_hash: bytes) -> int:
    if len(entity_hash) != HASH_BYTES:
        raise ValueError(f"an entity hash of {len(entity_hash)} bytes")
    return int.from_bytes(entity_hash[:_SUM_BYTES], "big")
