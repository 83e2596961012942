"""
Packets: how large those to one peer may be, as the ends of the links with it have shown.

Somewhere on the way, as in a tunnel, packets above some size may vanish without a word (a "black hole"). TCP then repeats
such a packet until the link ends, and so does every link after it. Nothing that a program may ask the system for finds that
out, so it is learned here:

1. A link that ends because sent bytes were not acknowledged, and a peer that answers soon after that: small packets get
   through, and large ones do not. So the next link gets smaller ones, and the one after that the smallest.
2. A peer that does not answer soon was away, which says nothing about packets. If even the smallest ones vanish, it is not
   for their size, and the next link gets packets of any size again.
3. What was learned is forgotten after a while, because networks change.

Both ends of a link send packets of the size that one of them asks for, so it is enough if one of them has learned it.

Source: Lahey, "TCP Problems with Path MTU Discovery" (RFC 2923), section 2.1; Mathis, Heffner, "Packetization Layer Path MTU
Discovery" (RFC 4821), section 7.7.
"""

from __future__ import annotations

from math import inf
from typing import Final

from edda_sync.words import limits

ANY: Final = 0
SIZES: Final = (ANY, limits.PACKET_BYTES_SMALL, limits.PACKET_BYTES_SMALLEST)


class Packets:
    """The size of the packets to one peer. Tell it of each link; times are monotonic seconds."""

    def __init__(self) -> None:
        self._size = ANY
        self._until_s = inf
        self._stalled_s: float | None = (
            None  # when the last link ended for unacknowledged bytes; None after the next one
        )

    @property
    def are_small(self) -> bool:
        """Whether the present link, if there is one, was made for smaller packets."""
        return self._size != ANY

    def limit(self, now_s: float) -> int:
        """Return how many bytes of content a packet of a link that is made now may have; ``ANY`` for no limit."""
        if self._stalled_s is not None and now_s - self._stalled_s <= limits.ANSWERS_SOON_S:
            return _smaller(self._size)
        return self._size if now_s < self._until_s else ANY

    def stalled(self, now_s: float) -> None:
        """Note that a link ended because bytes that were sent were not acknowledged."""
        self._stalled_s = now_s

    def opened(self, now_s: float) -> bool:
        """Note that a link was made; return whether this shows for the first time that large packets do not get through."""
        before, limit = self._size, self.limit(now_s)
        if limit != before:
            self._size, self._until_s = limit, now_s + limits.PACKETS_SMALL_S
        self._stalled_s = None
        return before == ANY and limit != ANY


def _smaller(size: int) -> int:
    return SIZES[(SIZES.index(size) + 1) % len(SIZES)]


def sentence(name: str) -> str:
    """Return what a person may want to know about a peer whose packets are small."""
    return (
        f"Large packets do not get through to {name}, so edda sends smaller ones; whoever looks after the network or VPN "
        "between the two can mend that (its MTU is too high, or it drops the messages that say so)."
    )
