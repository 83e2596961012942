"""
Relaying: how changes reach devices that have no link to their author. They are pulled: a device pushes only its own changes.

Theory. Each device tells every linked peer what it holds, whenever it holds more. A peer that lacks some of that pulls it
from the first device that said it has it. So each change reaches a device once. This object is the knowledge that all
sessions of one device share: who is linked, to whom authors say that they push, who claims to hold what, and what is pulled
from whom.

Changes arrive even if peers lie, as long as a path of honest links exists:

1. What an author says about whom it pushes to can only delay: these peers are told later, but they are told.
2. A claim counts up to the signed head that was shown for it. A claim beyond that is tried only if nobody shows more, and
   after a delay, so it makes nobody wait.
3. A pull asks for what its peer had claimed by then. When that is here, a peer that has claimed more meanwhile is asked
   anew. A pull that brings nothing for a while is over. What it asked for is no longer counted as claimed until its peer
   says it again, and the next peer is asked. The peer keeps the wish: an honest peer answers when it can.
4. If the author is linked, its push is waited for, counted from the *first* claim. After that, any peer that has it is
   asked.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, NamedTuple

from edda_sync.crdt import frontier
from edda_sync.crdt.frontier import Dot, Frontier
from edda_sync.sync.exchange import Exchange
from edda_sync.sync.messages import Shown
from edda_sync.sync.theirs import is_kept
from edda_sync.words import limits
from edda_sync.words.errors import RemoteProtocolError

NAME_BYTES: Final = 8


def short_name(device: str) -> bytes:
    """Return the short form of a device's id in a list of push targets. Two devices that share one are only told later."""
    return device.encode()[:NAME_BYTES]


class _Claim(NamedTuple):
    """What a peer claims to hold of a chain: since when, up to which seq, and up to which seq it showed a signed head."""

    since: float
    seq: int
    shown: int


class _Rank(NamedTuple):
    """How good a source is; the smallest rank is best, and the first of equals."""

    is_only_claimed: bool
    failed: int  # its place among the peers that brought nothing; 0 for the others


@dataclass(slots=True)
class _Pull:
    """
    What was asked of one peer.

    Attributes:
        held: How much of each chain was here at the last progress.
        upto: What the peer had claimed of each chain when it was asked. It may send later changes only when asked anew.
        until: When more must have come.
    """

    held: Frontier
    upto: Frontier
    until: float


class Relaying:
    """
    What all sessions of one device share. Ask :meth:`due` after each event, and at :meth:`next_deadline`.

    Args:
        exchange: The store, as sessions see it.
    """

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._linked: dict[str, bytes] = {}
        self._pushed: dict[str, Frontier] = {}
        # Claims of what is not here, by chain and then by peer, in the order of the claims.
        self._claims: dict[bytes, dict[str, _Claim]] = {}
        self._pulls: dict[str, _Pull] = {}
        self._failed: dict[str, None] = {}  # peers that brought nothing, the latest last

    # --- who is there -------------------------------------------------------------------------------------------------

    def opened(self, peer: str) -> None:
        """Note that a session with a peer is open."""
        self._linked[peer] = short_name(peer)

    def is_open(self, peer: str) -> bool:
        """Tell whether a session with a peer is open."""
        return peer in self._linked

    def gone(self, peer: str) -> None:
        """Note that the session with a peer is over."""
        for known in (self._linked, self._pushed, self._pulls, self._failed):
            known.pop(peer, None)
        for claims in self._claims.values():
            claims.pop(peer, None)

    # --- to whom authors push -----------------------------------------------------------------------------------------

    def linked(self, peer: str) -> bytes:
        """Return the devices, except one peer, to which own changes are pushed, as a message lists them."""
        return b"".join(sorted(short for device, short in self._linked.items() if device != peer))

    def pushed(self, dots: Frontier, names: bytes) -> None:
        """Note to whom the author of some changes says that it pushed them."""
        if len(names) % NAME_BYTES or len(names) > NAME_BYTES * limits.MEMBERS_MAX:
            raise RemoteProtocolError("malformed names of devices")
        devices = {names[at : at + NAME_BYTES] for at in range(0, len(names), NAME_BYTES)}
        for peer, short in self._linked.items():
            if short in devices:
                self._pushed[peer] = frontier.join(self._pushed.get(peer, {}), dots)

    def assumed(self, peer: str) -> Frontier:
        """Return what authors say that they pushed to a peer, of what is held here and the peer has not claimed yet."""
        pushed = self._pushed.get(peer)
        if not pushed:
            return {}
        ours = self._exchange.frontier()
        return {name: min(seq, ours[name]) for name, seq in pushed.items() if name in ours}

    def renamed(self) -> None:
        """Note that changes were renamed: forget what was said by the old names."""
        self._pushed.clear()
        self._claims.clear()
        self._pulls.clear()

    def holds(self, peer: str, held: Frontier) -> None:
        """Note what a peer says that it holds; nothing of that is assumed any more."""
        pushed = self._pushed.get(peer)
        if pushed:
            self._pushed[peer] = {name: seq for name, seq in pushed.items() if seq > held.get(name, 0)}

    # --- who has what is not here -------------------------------------------------------------------------------------

    def claimed(self, peer: str, moved: Iterable[tuple[bytes, int]], now: float) -> None:
        """Note what a peer claims to hold."""
        ours = self._exchange.frontier()
        for name, seq in moved:
            if seq > ours.get(name, 0) and (name in self._claims or is_kept(name, self._claims, ours)):
                before = self._claims.setdefault(name, {}).get(peer)
                since, shown = (now, 0) if before is None else (before.since, before.shown)
                self._claims[name][peer] = _Claim(since, seq, shown)

    def shown(self, peer: str, heads: tuple[Shown, ...]) -> None:
        """
        Note the signed heads that a peer shows for its claims.

        Raises:
            RemoteProtocolError: There are too many in one message.
        """
        if len(heads) > limits.SHOWN_HEADS_MAX:
            raise RemoteProtocolError(f"{len(heads):,} signed heads at once")
        ours = self._exchange.frontier()
        for each in heads:
            claim = self._claims.get(each.name, {}).get(peer)
            if claim is not None and each.seq > ours.get(each.name, 0) and self._exchange.vouches(each):
                known = each.name in ours
                self._claims[each.name][peer] = claim._replace(shown=each.seq if known else 1)

    def gave(self, peer: str, dots: Iterable[Dot]) -> None:
        """Note what a peer sent. If it sends what was pulled from it, it counts as a good source again."""
        pull = self._pulls.get(peer)
        if pull is not None and any(name in pull.held for name, _ in dots):
            self._failed.pop(peer, None)

    def due(self, now: float) -> list[str]:
        """Return the peers to send a pull to now."""
        if not self._claims and not self._pulls:
            return []
        ours, _, is_provisional = self._exchange.standing()
        self._look(ours, now)
        if is_provisional:
            return []  # nothing can be taken before the log behind the segment is here
        chosen: dict[str, Frontier] = {}
        for name, claims in self._claims.items():
            peer, starts = self._choice(name, claims, ours)
            if peer is not None and starts <= now:
                chosen.setdefault(peer, {})[name] = ours.get(name, 0)
        for peer, names in chosen.items():
            pull = self._pulls.setdefault(peer, _Pull({}, {}, 0.0))
            pull.held.update(names)
            pull.until = now + limits.PULL_PROGRESS_S
            pull.upto = {name: self._claims[name][peer].seq for name in pull.held}  # it is asked for all that it claims
        return list(chosen)

    def next_deadline(self) -> float | None:
        """Return when to ask :meth:`due`, in monotonic seconds; None when nothing is awaited."""
        if not self._claims:
            return None
        ours, _, is_provisional = self._exchange.standing()
        if is_provisional:
            return None
        found = [pull.until for pull in self._pulls.values()]
        for name, claims in self._claims.items():
            peer, starts = self._choice(name, claims, ours)
            if peer is not None:
                found.append(starts)
        return min(found, default=None)

    def _look(self, ours: Frontier, now: float) -> None:
        """Forget claims of what is here by now, and the claims of a peer that was asked and brings nothing."""
        for name, claims in list(self._claims.items()):
            held = ours.get(name, 0)
            left = {peer: claim for peer, claim in claims.items() if claim.seq > held}
            if left:
                self._claims[name] = left
            else:
                del self._claims[name]
        for peer, pull in list(self._pulls.items()):
            if any(ours.get(name, 0) > held for name, held in pull.held.items()):
                pull.until = now + limits.PULL_PROGRESS_S
            pull.held = {
                name: ours.get(name, 0)
                for name in pull.held
                if peer in self._claims.get(name, ()) and ours.get(name, 0) < pull.upto[name]
            }
            if not pull.held:
                del self._pulls[peer]
            elif now >= pull.until:
                del self._pulls[peer]
                self._failed.pop(peer, None)
                self._failed[peer] = None
                self._forget(peer, pull)

    def _forget(self, peer: str, pull: _Pull) -> None:
        """Forget the claims of a peer that it was asked for in vain. What it claimed later is left to be asked for."""
        for name in pull.held:
            if self._claims[name][peer].seq <= pull.upto[name]:
                del self._claims[name][peer]
                if not self._claims[name]:
                    del self._claims[name]

    def _choice(self, name: bytes, claims: dict[str, _Claim], ours: Frontier) -> tuple[str | None, float]:
        """Return the peer to pull a chain from, and from when on; None while an equally good peer is already asked."""
        ranks = {peer: self._rank(peer, claim, ours.get(name, 0)) for peer, claim in claims.items()}
        best = min(ranks, key=lambda peer: ranks[peer], default=None)
        asked = (peer for peer, pull in self._pulls.items() if name in pull.held and peer in ranks)
        if best is None or any(ranks[peer] == ranks[best] for peer in asked):
            return None, 0.0
        author = self._exchange.author(name)
        waits = ranks[best].is_only_claimed or (author is not None and author in self._linked)
        return best, min(claim.since for claim in claims.values()) + (limits.PULL_GRACE_S if waits else 0.0)

    def _rank(self, peer: str, claim: _Claim, held: int) -> _Rank:
        failed = [*self._failed].index(peer) + 1 if peer in self._failed else 0
        return _Rank(min(claim.seq, claim.shown) <= held, failed)
