"""
Unpacking: takes the changes of a run (:mod:`~edda_sync.sync.packing`), as if a peer had sent them.

Each change is checked as one from a peer is, so whoever made the run need not be trusted, and a run may be taken twice, and
after or before others. What it continues must be here: a run that comes too early is refused, and can be taken later.

Evidence comes first in a run. What it is about may come only later, so it is taken again whenever a chain differs, and at
the end. Where a run and the store hold different changes of one chain, and no evidence proves the fork, the run itself has a
piece of the chain that does. A session would ask its peer for both.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import pairwise

from edda_sync.changes import change as changes
from edda_sync.changes import forkproof
from edda_sync.changes.change import HASH_BYTES, Header
from edda_sync.segments import run as runs
from edda_sync.segments.run import OpenedRun, RunHeader
from edda_sync.sync.exchange import Exchange
from edda_sync.sync.keys import Verify
from edda_sync.sync.messages import Branch, Changes, Evidence, Message, Part
from edda_sync.sync.taking import Taken
from edda_sync.sync.wire import Codec
from edda_sync.words.errors import RemoteMismatchError, RemoteProtocolError


@dataclass(slots=True)
class Unpacked:
    """
    What came of a run.

    Attributes:
        applied: How many changes were new here.
        is_early: Whether it continues what is not here. Nothing after that was taken.
        apart: Actors of which it has other changes than are here, and the fork could not be proved by this run alone.
        members: Whether it may be about a device.
    """

    applied: int = 0
    is_early: bool = False
    apart: set[bytes] = field(default_factory=set)
    members: bool = False


class Unpacking:
    """
    Takes runs into a store.

    Args:
        exchange: The store, as sessions see it.
        workspace: The workspace's id.
        verify: Checks the signature of any device.
    """

    def __init__(self, exchange: Exchange, workspace: bytes, verify: Verify) -> None:
        self._exchange, self._workspace, self._verify = exchange, workspace, verify
        self._codec = Codec()
        self._evidence: list[tuple[bytes, ...]] = []  # of this run

    def check(self, header: RunHeader) -> None:
        """
        Check whose run it is, before anything of it is taken.

        Raises:
            RemoteMismatchError: It belongs to another workspace.
            RemoteProtocolError: Its maker did not sign it.
        """
        if header.workspace != self._workspace:
            raise RemoteMismatchError("these changes belong to another workspace")
        if not self._verify(header.maker, header.signature, runs.signed_header(header)):
            raise RemoteProtocolError("a run of changes that its maker did not sign")

    def take(self, opened: OpenedRun) -> Unpacked:
        """
        Take a run; each of its frames is one transaction, durable at once.

        Raises:
            RemoteMismatchError, RemoteProtocolError: See :meth:`check`; or it is damaged, or holds what no honest device
                sends. What was taken before is kept.
        """
        self.check(opened.header)
        self._evidence = []
        found = Unpacked()
        for frame in opened.frames:
            if found.is_early:
                continue  # to the end, so that damage is found and told before anything else
            self._take(self._codec.decode(frame), found)
        self._learns()
        return found

    def _take(self, message: Message, found: Unpacked) -> None:
        taking = self._exchange.taking
        if isinstance(message, Evidence):
            self._evidence.append(message.items)
            self._exchange.forks.take_evidence(message.items)
        elif isinstance(message, Changes):
            taken = self._changes(message, found)
            while taken.apart and (self._learns() or self._proves(message, taken.apart)):
                taken = self._changes(message, found)  # what comes now may be a chain that forks, too
            found.is_early = taken.early
            found.apart |= taken.apart.keys()
        elif isinstance(message, Part):
            try:
                self._count(taking.take_part(message, frozenset(found.apart), ahead=taking.completes(message)), found)
            except RemoteProtocolError:
                if message.actor not in found.apart:
                    raise
        else:
            raise RemoteProtocolError(f"a run of changes with a message of another kind ({type(message).__name__})")

    def _changes(self, message: Changes, found: Unpacked) -> Taken:
        taking = self._exchange.taking
        while True:
            taken = taking.take(message, parted=frozenset(found.apart), ahead=taking.takes_long(message))
            self._count(taken, found)
            if not taken.more:
                return taken

    @staticmethod
    def _count(taken: Taken, found: Unpacked) -> None:
        found.applied += taken.applied
        found.members = found.members or taken.members

    def _learns(self) -> bool:
        """Take the evidence again; tell whether any of it is new, because what it is about is here by now."""
        return any([self._exchange.forks.take_evidence(items).evidence for items in self._evidence])  # noqa: C419 - take all

    def _proves(self, message: Changes, actors: Iterable[bytes]) -> bool:
        """Prove forks by the pieces of chains in a batch; tell whether one was proved."""
        pieces = [piece for actor in actors if (piece := self._piece(message, actor)) is not None]
        news = [self._exchange.forks.take_piece(piece) for piece in pieces]  # all of them, and not only the first
        return any(each.evidence for each in news)

    def _piece(self, message: Changes, actor: bytes) -> Branch | None:
        """Return the piece of an actor's chain that is in a batch, with its signature; None if there is none."""
        headers = [changes.decode_header(raw) for raw, _ in message.changes]
        own = [
            (header, raw) for header, (raw, _) in zip(headers, message.changes, strict=True) if header.actor == actor
        ]
        signed = next((each for each in message.heads if each.actor == actor), None)
        if not own or signed is None or any(one[0].seq + 1 != other[0].seq for one, other in pairwise(own)):
            return None
        way = [signed.proof[at : at + HASH_BYTES] for at in range(0, len(signed.proof), HASH_BYTES)]
        hashes = (*(changes.hash_header(raw) for _, raw in own), *way)
        first: Header = own[0][0]
        birth = self._birth(actor) if first.birth is None else changes.encode_birth(first.birth)
        if birth is None or first.seq + len(hashes) - 1 != signed.seq or len(hashes) > forkproof.SIDE_HASHES_MAX:
            return None
        return Branch(actor, birth, first.seq - 1, first.previous, hashes, signed.signature)

    def _birth(self, actor: bytes) -> bytes | None:
        with self._exchange.store.read() as reader:
            head = reader.log.heads().get(actor)
        return None if head is None else head.birth
