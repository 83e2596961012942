"""
Pages: the whole list of a device's items in the order of their keys, cut into messages.

With pages, two devices find their differences when these are too many for coded cells (``crdt.sketch``). A page covers
a range of keys without a gap, so its sender has nothing in that range but the items in the page. Each page costs the
peer a scan of the range, and nobody holds more than a page and the differences in its range.

    records := (key(17 bytes) hash(32 bytes))*        keys ascend
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from struct import Struct
from typing import Final, NamedTuple

from edda_sync.crdt.digests import HASH_BYTES, KEY_BYTES, Item, ascending
from edda_sync.crdt.sketch import Decoded
from edda_sync.words import limits
from edda_sync.words.errors import RemoteProtocolError

BEFORE_ALL: Final = b""
"""Where the first page begins: below all keys."""
LAST_KEY: Final = b"\xff" * KEY_BYTES
"""Where the last page ends: no key is above it."""

_RECORD: Final = Struct(f"{KEY_BYTES}s{HASH_BYTES}s")


class Page(NamedTuple):
    """
    All items of a device in a range of keys.

    Attributes:
        after: The range begins after this key, where the previous page ended; :data:`BEFORE_ALL` in the first page.
        upto: The range ends with this key: the key of the last record, or :data:`LAST_KEY` in the last page.
        records: The items, at most ``LISTED_ITEMS_MAX``.
    """

    after: bytes
    upto: bytes
    records: bytes

    def covers(self, key: bytes) -> bool:
        """Tell whether a key lies in its range."""
        return self.after < key <= self.upto


def pages(items: Iterable[Item], size: int = limits.LISTED_ITEMS_MAX) -> Iterator[Page]:
    """
    Cut a scan into pages, of which the last ends at :data:`LAST_KEY`, in O(page) memory. The peer calls :func:`compare`.

    Args:
        items: Every entity's key and hash, in the order of the keys.
        size: Items of one page.

    Raises:
        ValueError: The keys do not ascend, or an item has a wrong size.
    """
    after, records = BEFORE_ALL, list[bytes]()
    for key, entity_hash in ascending(items):
        if len(records) == size:  # only when another item comes, so that the last page is not empty
            upto = records[-1][:KEY_BYTES]
            yield Page(after, upto, b"".join(records))
            after, records = upto, []
        records.append(key + entity_hash)
    yield Page(after, LAST_KEY, b"".join(records))


def compare(ours: Iterable[Item], theirs: Page) -> Decoded:
    """
    Return the items in which two devices differ in the range of a page. The result is always complete.

    First check that the page begins where the previous one ended. If it does not, the peer is at fault.

    Args:
        ours: All our items in the range of the page, in the order of the keys.
        theirs: A page of the peer's list.

    Raises:
        RemoteProtocolError: :func:`pages` would not make this page.
        ValueError: Our keys do not ascend or lie outside the range, or an item has a wrong size.
    """
    rest = dict(_checked(theirs))
    ours_only = []
    for key, entity_hash in ascending(ours):
        if not theirs.covers(key):
            raise ValueError(f"the key {key.hex()} outside the page")
        if rest.get(key) == entity_hash:
            del rest[key]
        else:
            ours_only.append((key, entity_hash))
    return Decoded(ours_only, list(rest.items()), complete=True)


def _checked(page: Page) -> list[Item]:
    if len(page.records) % _RECORD.size or len(page.records) > limits.LISTED_ITEMS_MAX * _RECORD.size:
        raise RemoteProtocolError(f"a page of {len(page.records)} bytes")
    if len(page.after) not in (0, KEY_BYTES):
        raise RemoteProtocolError("a page that begins behind what is no key")
    items = list(_RECORD.iter_unpack(page.records))
    last = items[-1][0] if items else LAST_KEY
    if page.upto not in (last, LAST_KEY):  # an empty page that is not the last one would make no progress
        raise RemoteProtocolError("a page that does not end with its last item")
    try:
        in_order = list(ascending(items))
    except ValueError as error:
        raise RemoteProtocolError(f"a page with {error}") from error
    if not all(page.covers(key) for key, _ in in_order):
        raise RemoteProtocolError("a page with a key outside its range")
    return in_order
