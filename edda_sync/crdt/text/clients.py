"""
Client ids: the numbers that Yjs needs in place of the names (16 bytes) of the authors of a text's items.

Yjs orders concurrent insertions at one place by their client ids. So the ids must depend only on the names, on every
device, and must have the order of the names. The order of a text then depends on its names alone. If two names have the
same first bits, the id of the greater one is counted up. This changes ids, but never their order.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

CLIENT_BITS: Final = 52  # taken from a name; counted up, an id stays a safe integer of JavaScript (53 bits)
NAME_BYTES: Final = 16


def client_ids(names: Iterable[bytes], bits: int = CLIENT_BITS) -> dict[bytes, int]:
    """
    Return the client id of each name in a text; pass the ids to :mod:`~edda_sync.crdt.text.yjs`.

    Args:
        names: All names of items in the text, in any order: 16 bytes each, or more if chains forked.
        bits: How many of a name's first bits form its id, unless a smaller name has that id. Tests use fewer, for
            collisions.

    Returns:
        The ids, in the order of the names. Another name may change the ids of greater names, but never the order of two.
    """
    ids: dict[bytes, int] = {}
    previous = -1
    for name in sorted(set(names)):
        previous = max(int.from_bytes(name[:NAME_BYTES], "big") >> (8 * NAME_BYTES - bits), previous + 1)
        ids[name] = previous
    return ids
