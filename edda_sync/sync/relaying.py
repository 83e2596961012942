"""
Relaying: how what one device wrote reaches those that have no link to it. By pull: nobody pushes what is not its own.

Theory. What one holds is told to every linked peer whenever it grew; whoever lacks some of it pulls that from the first peer
that said that it has it. So each change crosses to a device once. This is the knowledge of all talks of one device together:
who is linked, to whom authors say that they push, who said that it holds what, and what is pulled from whom.

It ends well whoever lies, as long as a path of honest links holds:

1. What an author says of whom it pushes to only delays: to those it is announced later, and not never.
2. A claim counts up to the signed head that was shown for it. Beyond that it is believed only where nobody shows more, and
   after a grace: so it keeps nobody waiting.
3. A pull of which nothing comes for a while is over: what its peer claims is forgotten until it says it anew, and the next
   peer is asked. Its wish stands: an honest one answers when it can.
4. What a linked author pushes is waited for from the *first* announcement on, and then pulled from whoever has it.
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
    """Return what is said of a device to whom changes are pushed: who shares it with another one only hears later."""
    return device.encode()[:NAME_BYTES]


class _Claim(NamedTuple):
    """What a peer said that it holds of a chain, when, and how much of that it showed."""

    since: float
    seq: int
    shown: int


class _Rank(NamedTuple):
    """How good a source is: the lesser the better, and the first of equals."""

    is_only_claimed: bool
    failed: int  # its place among those of which nothing came; 0 for the others


@dataclass(slots=True)
class _Pull:
    """What was pulled from one peer: of each chain how much was here when some of it came last, and until when more must."""

    held: Frontier
    until: float


class Relaying:
    """
    What the talks of one device know together. Ask :meth:`due` after each event, and at :meth:`next_deadline`.

    Args:
        exchange: What the store gives and takes.
    """

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._linked: dict[str, bytes] = {}
        self._pushed: dict[str, Frontier] = {}
        # By chain, of what is not here; each by who said it, in order.
        self._claims: dict[bytes, dict[str, _Claim]] = {}
        self._pulls: dict[str, _Pull] = {}
        self._failed: dict[str, None] = {}  # peers of which nothing came, the last one last

    # --- who is there -------------------------------------------------------------------------------------------------

    def opened(self, peer: str) -> None:
        """Learn that a talk with a peer is open."""
        self._linked[peer] = short_name(peer)

    def is_open(self, peer: str) -> bool:
        """Tell whether a talk with a peer is open."""
        return peer in self._linked

    def gone(self, peer: str) -> None:
        """Learn that it is over."""
        for known in (self._linked, self._pushed, self._pulls, self._failed):
            known.pop(peer, None)
        for claims in self._claims.values():
            claims.pop(peer, None)

    # --- to whom authors push -----------------------------------------------------------------------------------------

    def linked(self, peer: str) -> bytes:
        """Return the devices to which own changes are pushed beside a peer, as one says it."""
        return b"".join(sorted(short for device, short in self._linked.items() if device != peer))

    def pushed(self, dots: Frontier, names: bytes) -> None:
        """Learn to whom the author of some changes says that it pushed them."""
        if len(names) % NAME_BYTES or len(names) > NAME_BYTES * limits.MEMBERS_MAX:
            raise RemoteProtocolError("names of devices that are none")
        devices = {names[at : at + NAME_BYTES] for at in range(0, len(names), NAME_BYTES)}
        for peer, short in self._linked.items():
            if short in devices:
                self._pushed[peer] = frontier.join(self._pushed.get(peer, {}), dots)

    def assumed(self, peer: str) -> Frontier:
        """Return what authors say that they pushed to a peer, and it has not said yet that it holds; of what is here."""
        pushed = self._pushed.get(peer)
        if not pushed:
            return {}
        ours = self._exchange.frontier()
        return {name: min(seq, ours[name]) for name, seq in pushed.items() if name in ours}

    def renamed(self) -> None:
        """Learn that changes have other names: what was said by the names of before is forgotten."""
        self._pushed.clear()
        self._claims.clear()
        self._pulls.clear()

    def holds(self, peer: str, held: Frontier) -> None:
        """Learn what a peer says that it holds: nothing of that is assumed any more."""
        pushed = self._pushed.get(peer)
        if pushed:
            self._pushed[peer] = {name: seq for name, seq in pushed.items() if seq > held.get(name, 0)}

    # --- who has what is not here -------------------------------------------------------------------------------------

    def claimed(self, peer: str, moved: Iterable[tuple[bytes, int]], now: float) -> None:
        """Learn what a peer says that it holds."""
        ours = self._exchange.frontier()
        for name, seq in moved:
            if seq > ours.get(name, 0) and (name in self._claims or is_kept(name, self._claims, ours)):
                before = self._claims.setdefault(name, {}).get(peer)
                since, shown = (now, 0) if before is None else (before.since, before.shown)
                self._claims[name][peer] = _Claim(since, seq, shown)

    def shown(self, peer: str, heads: tuple[Shown, ...]) -> None:
        """
        Learn which signed heads a peer shows for that.

        Raises:
            RemoteProtocolError: There are too many at once.
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
        """Learn what a peer sent: one that gives what was pulled from it is as good as the others again."""
        pull = self._pulls.get(peer)
        if pull is not None and any(name in pull.held for name, _ in dots):
            self._failed.pop(peer, None)

    def due(self, now: float) -> list[str]:
        """Return the peers from which all that they hold is to be pulled now."""
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
            before = self._pulls.get(peer)
            self._pulls[peer] = _Pull({**(before.held if before else {}), **names}, now + limits.PULL_PROGRESS_S)
        return list(chosen)

    def next_deadline(self) -> float | None:
        """Return when :meth:`due` is to be asked, in monotonic seconds; None when nothing is awaited."""
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
        """Forget claims of what is here by now, and those of a peer that was asked and does not give."""
        for name, claims in list(self._claims.items()):
            held = ours.get(name, 0)
            left = {peer: claim for peer, claim in claims.items() if claim.seq > held}
            if left:
                self._claims[name] = left
            else:
                del self._claims[name]
        for peer, pull in list(self._pulls.items()):
            left_of_it = {name: held for name, held in pull.held.items() if peer in self._claims.get(name, ())}
            if any(ours.get(name, 0) > held for name, held in pull.held.items()):
                pull.until = now + limits.PULL_PROGRESS_S
            pull.held = {name: ours.get(name, 0) for name in left_of_it}
            if not pull.held:
                del self._pulls[peer]
            elif now >= pull.until:
                del self._pulls[peer]
                self._failed.pop(peer, None)
                self._failed[peer] = None
                for name in left_of_it:
                    del self._claims[name][peer]
                    if not self._claims[name]:
                        del self._claims[name]

    def _choice(self, name: bytes, claims: dict[str, _Claim], ours: Frontier) -> tuple[str | None, float]:
        """Return from whom a chain is to be pulled, and from when on; nobody while it is awaited of somebody as good."""
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
