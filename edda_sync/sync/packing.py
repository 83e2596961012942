"""
Packing: the changes that a store holds beyond a frontier, as runs, for backups and bundles. Unpacking takes them.

A run holds the very frames that a session would send to a device that holds no more than the frontier. So one rule says what
may be given and what is taken, over a link and by a stick: :mod:`~edda_sync.sync.giving` gives only durable changes that
their authors vouch for, and :mod:`~edda_sync.sync.taking` checks each of them again.

1. A store packs nothing while the log behind its segment is not here: it would hand on what nobody has proved.
2. Evidence comes first, all of it each time: it is small, and a change may need it.
3. A run is at most about ``RUN_BYTES_MAX`` long. A large change may need several runs; whoever takes them keeps the parts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import msgspec

from edda_sync.changes import early
from edda_sync.crdt.frontier import Frontier
from edda_sync.segments import run as runs
from edda_sync.segments.run import Heads, RunHeader
from edda_sync.store.seams import Logged
from edda_sync.sync.exchange import SUMMARY_HASH_BYTES, Exchange, Proof
from edda_sync.sync.keys import Signer
from edda_sync.sync.messages import Evidence, Message, Part, Summary
from edda_sync.sync.wire import Codec
from edda_sync.words import limits
from edda_sync.words.errors import UsageError


def heads_of(exchange: Exchange) -> Heads:
    """Return how far the chains of a store are, as a run says it."""
    return tuple((each.actor, each.seq, each.hash) for each in exchange.introduction().heads)


@dataclass(frozen=True, slots=True)
class Packed:
    """
    A run that was made.

    Attributes:
        header: Its header.
        data: Its bytes.
    """

    header: RunHeader
    data: bytes


class Packing:
    """
    Packs what a store holds.

    Args:
        exchange: The store, as sessions see it.
        workspace: The workspace's id.
        signer: This device's key.
        wall_s: Wall clock in seconds.
    """

    def __init__(self, exchange: Exchange, workspace: bytes, signer: Signer, wall_s: Callable[[], float]) -> None:
        self._exchange, self._workspace, self._signer, self._wall_s = exchange, workspace, signer, wall_s
        self._codec = Codec()

    def pack(self, since: Heads = (), upto: Heads | None = None) -> Iterator[Packed]:
        """
        Yield runs of everything that is here by now and not in ``since``; at least one, perhaps without changes.

        ``Unpacking`` takes them, in this order.

        Args:
            since: What whoever takes them holds already, as the heads of an earlier run say it; empty for nothing.
            upto: The heads of an earlier run that was made here: nothing beyond them is packed. None for no limit.

        Raises:
            UsageError: The log behind the segment with which this store began is not here yet, or the change that let this
                device in.
        """
        exchange = self._exchange
        self._check_not_early()
        proof = exchange.proof()
        known, _ = exchange.compared(tuple(Summary(*each) for each in since))
        positions = exchange.giving.missing(known)
        if positions is None or exchange.standing().is_provisional:
            raise UsageError(
                "This device is still fetching the history of what it began with (`edda status` tells how far it is): "
                "try again once it is here."
            )
        limit = proof.frontier if upto is None else {name: seq for name, seq, _ in upto}
        making = _Making(since, known)
        for message in self._evidence():
            yield from self._add(making, message, proof)
        while (given := exchange.giving.batch(positions, known, limit)) is not None:
            known = given.frontier
            making.changes += len(given.message.changes)
            if given.large is None:
                making.reached = known
            yield from self._add(making, given.message, proof)
            if given.large is not None:
                for part in self._parts(given.large):
                    yield from self._add(making, part, proof)
                making.reached = known
        yield self._packed(making, proof)

    def _check_not_early(self) -> None:
        with self._exchange.store.read() as reader:
            if early.is_pending(reader):
                raise UsageError(
                    "What this device wrote rests on the change that let it in, which is not here yet, so nobody else could "
                    "take it: sync with another device first (`edda sync`)."
                )

    def _evidence(self) -> Iterator[Evidence]:
        names = list(self._exchange.forks.evidence())
        while names:
            items, count = self._exchange.forks.told(names)
            del names[:count]
            yield Evidence(tuple(items), bool(names))

    def _parts(self, large: Logged) -> Iterator[Part]:
        number = 0
        while (part := self._exchange.giving.part(large, number)) is not None:
            yield part
            number += 1

    def _add(self, making: _Making, message: Message, proof: Proof) -> Iterator[Packed]:
        """Add a frame to the run in the making; yield that run, if it is long enough by then."""
        frame = self._codec.encode(message, plain=True)
        making.frames.append(frame)
        making.size += len(frame)
        if making.size >= limits.RUN_BYTES_MAX:
            packed = self._packed(making, proof)
            making.begin(packed.header.heads)
            yield packed

    def _packed(self, making: _Making, proof: Proof) -> Packed:
        heads = self._heads(making.reached)
        is_whole = {name: seq for name, seq, _ in heads} == proof.frontier and not proof.waiting
        header = RunHeader(
            self._workspace,
            self._signer.public_key,
            int(self._wall_s() * 1_000),
            making.since,
            heads,
            proof.content if is_whole else b"",
            proof.evidence,
            making.changes,
            len(making.frames),
            runs.hash_frames(making.frames),
        )
        header = msgspec.structs.replace(header, signature=self._signer.sign(runs.signed_header(header)))
        return Packed(header, runs.write(header, making.frames))

    def _heads(self, reached: Frontier) -> Heads:
        with self._exchange.store.read() as reader:
            found = ((name, seq, reader.log.hash_at(name, seq)) for name, seq in sorted(reached.items()))
            return tuple((name, seq, digest[:SUMMARY_HASH_BYTES]) for name, seq, digest in found if digest is not None)


class _Making:
    """A run in the making: its frames so far, and what whoever takes them holds then."""

    def __init__(self, since: Heads, known: Frontier) -> None:
        self.reached = known
        self.begin(since)

    def begin(self, since: Heads) -> None:
        """Begin another run, for whoever holds ``since``."""
        self.since = since
        self.frames: list[bytes] = []
        self.size = self.changes = 0
