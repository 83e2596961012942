"""
Digests: the hashes by which two devices tell whether they hold the same.

An *item* is an entity's key (17 bytes: its kind's number, then its id) and its hash (32 bytes). Two hashes are made of
items, and neither does the work of the other:

- The **sum** of the items' hashes modulo 2**128 moves with each commit in O(1). It finds damage between honest devices and
  is no evidence: somebody who may choose many hashes finds some with any sum (Wagner 2002, "A generalized birthday
  problem").
- The **root** is one BLAKE2b over all items in the order of their keys. It costs a scan, and is what may be signed,
  attested or believed: a second list with the same root is a collision of BLAKE2b-256.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from hashlib import blake2b
from typing import Final

KEY_BYTES: Final = 17  # of an entity's key: the number of its kind and its id
HASH_BYTES: Final = 32  # of an entity's hash and of a root

Item = tuple[bytes, bytes]
"""An entity's key and its hash."""

_SUM_BYTES: Final = 16
_SUM_MASK: Final = (1 << 8 * _SUM_BYTES) - 1


def ascending(items: Iterable[Item]) -> Iterator[Item]:
    """
    Pass items on, and see that each has its shape and that their keys ascend.

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
    Return the root of all items: 32 bytes; O(1) memory.

    Args:
        items: Every entity's key and hash, in the order of the keys.

    Raises:
        ValueError: The keys do not ascend, or an item has not its shape.
    """
    digest = blake2b(digest_size=HASH_BYTES, person=b"edda-root")
    for key, entity_hash in ascending(items):
        digest.update(key + entity_hash)  # of fixed widths, so that no other list makes the same bytes
    return digest.digest()


def add(total: int, entity_hash: bytes) -> int:
    """
    Return the sum with one more entity's hash in it; 0 is the sum of none.

    Args:
        total: The sum so far, below 2**128.
        entity_hash: 32 bytes, of which the first 16 are added.

    Raises:
        ValueError: The hash is not 32 bytes.
    """
    return total + _addend(entity_hash) & _SUM_MASK


def sub(total: int, entity_hash: bytes) -> int:
    """
    Return the sum without an entity's hash that is in it; the inverse of :func:`add`.

    Raises:
        ValueError: The hash is not 32 bytes.
    """
    return total - _addend(entity_hash) & _SUM_MASK


def _addend(entity_hash: bytes) -> int:
    if len(entity_hash) != HASH_BYTES:
        raise ValueError(f"an entity hash of {len(entity_hash)} bytes")
    return int.from_bytes(entity_hash[:_SUM_BYTES], "big")
