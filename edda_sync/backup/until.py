"""
A point in time: the changes of runs, without those that were made later, and without what depends on these.

A change counts as later if its author's clock said so. What is left is closed: it is a state that the workspace had, as far
as clocks can tell, and a store takes it like any other changes. Where a chain ends earlier than its author's signature, the
hashes of the changes up to that signature go along, as they do between devices.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Final

import msgspec

from edda_sync.changes import change as changes
from edda_sync.changes.change import DEP_HASH_BYTES, NO_HASH, Change
from edda_sync.crdt.frontier import Dot
from edda_sync.sync.messages import Changes, Part, SignedHead
from edda_sync.sync.wire import Codec
from edda_sync.words.errors import BackupError

_NONE: Final = NO_HASH[:DEP_HASH_BYTES]


class Until:
    """
    Leaves out what was made after a moment. Give it all frames of all runs of a backup, in their order.

    Args:
        wall_ms: The moment, in milliseconds since 1970.
    """

    def __init__(self, wall_ms: int) -> None:
        self._wall_ms, self._codec = wall_ms, Codec()
        self._kept = {_NONE}  # beginnings of the hashes of what was kept
        self._dropped = set[Dot]()  # large changes of which the parts are still to come

    def frames(self, frames: Iterable[bytes]) -> Iterator[bytes]:
        """Yield the frames of what was made by then."""
        for frame in frames:
            message = self._codec.decode(frame)
            if isinstance(message, Part) and (message.actor, message.seq) in self._dropped:
                continue
            if not isinstance(message, Changes):
                yield frame
            elif (cut := self._cut(message)).changes:
                yield self._codec.encode(cut, plain=True)

    def _cut(self, batch: Changes) -> Changes:
        kept: list[tuple[bytes, bytes]] = []
        last: dict[bytes, int] = {}
        left_out: defaultdict[bytes, dict[int, bytes]] = defaultdict(dict)
        for raw, body in batch.changes:
            change = Change(changes.decode_header(raw), raw, body)
            header = change.header
            if self._is_kept(change):
                self._kept.add(change.hash[:DEP_HASH_BYTES])
                kept.append((raw, body))
                last[header.actor] = max(header.seq, last.get(header.actor, 0))
            else:
                if header.seq in left_out[header.actor] or header.seq < last.get(header.actor, 0):
                    raise BackupError(
                        "A device's work forks at that time, because its store existed twice: choose an earlier or a later "
                        "time, or a whole backup."
                    )
                self._dropped.add(header.dot)
                left_out[header.actor][header.seq] = changes.hash_header(raw)
        heads = [_vouching(each, last[each.actor], left_out[each.actor]) for each in batch.heads if each.actor in last]
        return msgspec.structs.replace(batch, changes=tuple(kept), heads=tuple(heads), pushed=None, seal=b"")

    def _is_kept(self, change: Change) -> bool:
        header = change.header
        continues = () if header.birth is None or header.birth.continues is None else (header.birth.continues,)
        needs = (
            header.previous[:DEP_HASH_BYTES],
            *(digest[:DEP_HASH_BYTES] for _, _, digest in (*header.deps, *continues)),
        )
        return header.wall_ms <= self._wall_ms and all(each in self._kept for each in needs)


def _vouching(head: SignedHead, last: int, left_out: dict[int, bytes]) -> SignedHead:
    """Return a signed head for a chain that now ends earlier: the hashes of what was left out go before its own."""
    way = b"".join(left_out[seq] for seq in sorted(left_out) if last < seq <= head.seq)
    return msgspec.structs.replace(head, proof=way + head.proof)
