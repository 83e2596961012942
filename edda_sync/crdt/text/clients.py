"""
Client ids for names: what Yjs wants instead of the 16 bytes that name the author of a text's items.

Yjs puts concurrent insertions at one place in the order of their client ids, so the ids must be the same function of the
names on every device, and must order as the names do: then the order of a text is a matter of its names alone. Names that
begin alike are kept apart by counting up, which changes ids and never their order.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

CLIENT_BITS: Final = 52  # taken of a name; what is counted up from there stays a safe integer of JavaScript, 53 bits
NAME_BYTES: Final = 16


def client_ids(names: Iterable[bytes], bits: int = CLIENT_BITS) -> dict[bytes, int]:
    """
    Give each name of one text its client id; hand the ids to :mod:`~edda_sync.crdt.text.yjs`.

    Args:
        names: All that the text has items of, in any order: 16 bytes each, or more where chains forked.
        bits: How many of a name's first bits make its id, unless a smaller name has it; fewer only to test collisions.

    Returns:
        The ids, ordered as the names are. Another name may change the ids of greater names, never the order of any two.
    """
    ids: dict[bytes, int] = {}
    previous = -1
    for name in sorted(set(names)):
        previous = max(int.from_bytes(name[:NAME_BYTES], "big") >> (8 * NAME_BYTES - bits), previous + 1)
        ids[name] = previous
    return ids
