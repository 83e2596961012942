"""
The exchange: one store as a session sees it, and what was read of it since its last commit.

Its parts give changes (:class:`~edda_sync.sync.giving.Giving`), take them (:class:`~edda_sync.sync.taking.Taking`), and make
and take segments for newcomers (:class:`~edda_sync.sync.making.Making`, :class:`~edda_sync.sync.merging.Merging`).
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from hashlib import blake2b
from typing import Final, NamedTuple

from edda_sync.changes import change as changes
from edda_sync.changes.chains import PROOF, Chains, names_of
from edda_sync.changes.change import decode_header
from edda_sync.crdt.digests import Item
from edda_sync.crdt.frontier import Dot, Frontier
from edda_sync.crdt.records import device_id
from edda_sync.ledger.ledger import Ledger
from edda_sync.store.seams import Head, Store, StoreReader, StoreWriter
from edda_sync.sync.asked_once import AskedOnce
from edda_sync.sync.behind import LogBehind
from edda_sync.sync.forks import Forks
from edda_sync.sync.giving import Giving
from edda_sync.sync.keys import Signer, Verify
from edda_sync.sync.making import Making
from edda_sync.sync.mending import Mending
from edda_sync.sync.merging import Merging
from edda_sync.sync.messages import Heads, Shown, Summary, Wish
from edda_sync.sync.provisional import provisional
from edda_sync.sync.taking import Taking
from edda_sync.sync.telling import short_names
from edda_sync.words import limits
from edda_sync.workspace.keys import WORKSPACE_KEY

SUMMARY_HASH_BYTES: Final = 16


@dataclass(frozen=True, slots=True)
class Proof:
    """
    What a store holds at one moment, in the form that two devices compare.

    Attributes:
        frontier: Which changes of each actor are held.
        waiting: How much is held but not applied.
        content: Digest of the entities, 16 bytes.
        heads_hash: Hash of the heads, 16 bytes. Equal hashes mean equal changes.
        evidence: Hash of the set of evidence, 32 bytes. Content is compared only where it is equal.
        unread: Hash of the set of operations that wait, 16 bytes; empty when none waits. It is equal on devices of the same
            level, so that waiting operations cannot keep these devices from being proved equal.
    """

    frontier: Frontier
    waiting: int
    content: bytes
    heads_hash: bytes
    evidence: bytes
    unread: bytes

    @property
    def encoded(self) -> bytes:
        """Content and heads, as a message carries them."""
        return self.content + self.heads_hash

    @property
    def seal(self) -> bytes:
        """The whole proof in 16 bytes, equal on two devices that hold the same."""
        return seal_of(self.encoded, self.evidence, self.unread)


def seal_of(encoded: bytes, evidence: bytes, unread: bytes) -> bytes:
    """Return the seal of a proof: 16 bytes."""
    return blake2b(encoded + evidence + unread, digest_size=16, person=b"edda-seal").digest()


class Introduction(NamedTuple):
    """What a store holds at one moment, as a hello says it; see :class:`~edda_sync.sync.messages.Hello`."""

    heads: tuple[Summary, ...]
    evidence: tuple[bytes, ...]
    waiting: int
    wanted: tuple[Wish, ...]

    def pages(self) -> list[Heads]:
        """Return heads and evidence cut into pages, because their number has no limit."""
        size = limits.HEADS_MAX
        most = max(len(self.heads), len(self.evidence), 1)
        return [
            Heads(self.heads[at : at + size], self.evidence[at : at + size], at + size < most)
            for at in range(0, most, size)
        ]


class Standing(NamedTuple):
    """
    How a store stands at one moment.

    Attributes:
        frontier: Which changes of each actor are held.
        waiting: How much is held but not applied.
        is_provisional: Whether the store believes a segment whose log is not here yet.
    """

    frontier: Frontier
    waiting: int
    is_provisional: bool


@dataclass(slots=True)
class _Seen:
    """
    What was read of a store since its last commit.

    Attributes:
        version: The store's version, asked for before anything was read.
        standing, proof: None until they are needed.
    """

    version: int
    standing: Standing | None = None
    proof: Proof | None = None


class Exchange:
    """
    What one store gives and takes. Every call is one transaction or reader of the store.

    Args:
        store: The store.
        ledger: Its ledger.
        signer: This device's key.
        verify: Checks the signature of any device.
        wall_s: Wall clock in seconds.
        random: Source of random bytes, for the nonces of sessions.

    Attributes:
        store: The store, whose version is asked for once an event.
        is_damaged: Whether stored data is known to be damaged. Meanwhile no peer is called equal.
        giving, taking: Changes to peers, and changes from them.
        making, merging: Segments for newcomers, and the segment that this store begins with.
        behind: The log behind that segment.
        mending: Changes that rotted on this disk.
        forks: Chains of which two devices hold different changes.
        random: As given.
        on_applied: Called in the middle of an event with a peer and a number of its changes, as soon as these are durable
            and before the acknowledgement is made, so that they can be shown at once.
    """

    def __init__(
        self,
        store: Store,
        ledger: Ledger,
        signer: Signer,
        verify: Verify,
        wall_s: Callable[[], float],
        random: Callable[[int], bytes],
    ) -> None:
        self._make = partial(Exchange, store, ledger, signer, verify, wall_s, random)
        seen = self.store = AskedOnce(store)
        self.is_damaged = False
        self.on_applied: Callable[[str, int], object] = lambda _peer, _changes: None
        self.random = random
        self._ledger, self._verify = ledger, verify
        self._keys: dict[bytes, bytes] = {}  # public keys, by the name of a chain
        self._heard = set[bytes]()  # names of evidence, see :meth:`keeps_names`
        with seen.read() as reader:
            workspace = self._workspace = reader.meta.get(WORKSPACE_KEY) or b""
        self.giving = Giving(seen, signer, workspace)
        self.taking = Taking(seen, ledger, verify, workspace, random)
        self.making = Making(seen, ledger, self.giving, signer, workspace, wall_s)
        self.merging = Merging(seen, ledger, verify, workspace)
        self.behind = LogBehind(seen, ledger, verify, workspace, random)
        self.mending = Mending(seen)
        self.forks = Forks(seen, ledger, self.giving, verify, workspace)
        self._last_seen = _Seen(seen.version())

    def beside(self) -> Exchange:
        """Return another exchange of the same store, for work between turns, perhaps on another thread."""
        return self._make()

    def count(self, other: Exchange) -> None:
        """Add what another exchange of the same store has counted, and reset its counts."""
        self.taking.settled += other.taking.settled
        self.taking.readmitted += other.taking.readmitted
        self.behind.ended += other.behind.ended
        self.behind.fell += other.behind.fell
        self.merging.refused.extend(other.merging.refused)
        other.taking.settled = other.taking.readmitted = other.behind.ended = other.behind.fell = 0
        other.merging.refused.clear()

    def introduction(self) -> Introduction:
        """Return what a hello says."""
        with self.store.read() as reader:
            return Introduction(
                _summaries(reader), short_names(reader.evidence.names()), reader.unapplied.waiting(), _wanted(reader)
            )

    def moves(self) -> int:
        """Return how often changes were moved to another position in the log."""
        return self.taking.settled + self.losses()

    def losses(self) -> int:
        """Return how often the store came to hold less than before: drafts and early changes were replaced by others."""
        return self.taking.readmitted + self.behind.fell

    def heard(self, names: Iterable[bytes]) -> None:
        """Note the names of evidence that every session heard of."""
        self._heard.update(names)

    def keeps_names(self) -> bool:
        """Tell whether every session heard of every proof of a fork; from now on, those that are here count as heard of."""
        with self.store.read() as reader:
            names = set(reader.evidence.names())  # not the branches: one that begins at a known fork renames nothing
            fresh = [reader.evidence.get(name) or b"" for name in sorted(names - self._heard)]
        self._heard = names
        return not any(evidence.startswith(PROOF) for evidence in fresh)

    def frontier(self) -> Frontier:
        """Return which changes of each actor are here."""
        return self.standing().frontier

    def standing(self) -> Standing:
        """Return how the store stands."""
        seen = self._seen()
        if seen.standing is None:
            with self.store.read() as reader:
                seen.standing = Standing(_frontier(reader), reader.unapplied.waiting(), provisional(reader) is not None)
        return seen.standing

    def heads(self) -> list[Head]:
        """Return the heads of all chains."""
        with self.store.read() as reader:
            return list(reader.log.heads().values())

    def items(self, after: bytes = b"") -> Iterator[Item]:
        """Yield key and hash of every entity after a key, in order; bring every text up to date first."""
        self.proof()
        with self.store.read() as reader:
            for record in reader.states.scan(after=after):
                yield record.key, record.hash

    def proof(self) -> Proof:
        """Return what a peer with the same content would also have; bring every text up to date first."""

        def refresh(tx: StoreWriter) -> Proof:
            self._ledger.refresh(tx)
            return _proof(tx)

        seen = self._seen()
        if seen.proof is None:
            with self.store.read() as reader:
                found = None if reader.index.stale() else _proof(reader)
            seen.proof = self.store.transact(refresh) if found is None else found
        return seen.proof

    def settled_proof(self) -> Proof | None:
        """Return :meth:`proof`, if no text has to be brought up to date and nothing waits; None otherwise."""
        seen = self._seen()
        if seen.proof is None:
            with self.store.read() as reader:
                seen.proof = None if reader.unapplied.waiting() or reader.index.stale() else _proof(reader)
        return seen.proof

    def author(self, name: bytes) -> str | None:
        """Return the id of the device that writes a chain; None when nothing of the chain is here."""
        key = self._key(name)
        return None if key is None else device_id(key)

    def vouches(self, shown: Shown) -> bool:
        """Tell whether a signed head is its author's. True also for an unknown chain, so that it may be fetched."""
        key = self._key(shown.name)
        message = changes.signed_message(self._workspace, self.actor(shown.name), shown.seq, shown.hash)
        return key is None or self._verify(key, shown.signature, message)

    def _key(self, name: bytes) -> bytes | None:
        if name not in self._keys:
            with self.store.read() as reader:
                head = reader.log.heads().get(name)
            if head is None:
                return None
            self._keys[name] = changes.decode_birth(head.birth).public_key
        return self._keys[name]

    def actor(self, name: bytes) -> bytes:
        """Return the actor whose chain has a name."""
        with self.store.read() as reader:
            return names_of(reader).actor(name)

    def names(self, actors: Iterable[bytes]) -> frozenset[bytes]:
        """Return the names of some actors' chains: the actors themselves, and the branches that are held."""
        with self.store.read() as reader:
            names = names_of(reader)
            return frozenset(name for actor in actors for name in (actor, *names.branches(actor)))

    def compared(self, summaries: tuple[Summary, ...]) -> tuple[Frontier, frozenset[bytes]]:
        """
        Return what a peer holds according to its hello, and the actors of which it holds other changes than we do.

        The peer may still use a name that we no longer use because a fork was proved; it is translated to ours.
        """
        held: Frontier = {}
        apart = set[bytes]()
        with self.store.read() as reader:
            chains, heads = Chains(reader), reader.log.heads()
            for name, seq, digest in ((each.actor, each.seq, each.hash) for each in summaries):
                actor = chains.actor(name)
                dot = chains.find(name, seq, digest)
                if dot is not None:
                    for each, last in chains.past_of(dot).items():
                        held[each] = max(last, held.get(each, 0))
                    continue
                held[name] = max(seq, held.get(name, 0))
                known = heads.get(name)
                if known is not None and seq <= known.seq and not chains.is_uncertain(name, seq):
                    apart.add(actor)
            for name in heads:  # the changes before a branch belong to its parent: nobody lacks them under this name
                if chains.names.first(name) > 1:
                    held.setdefault(name, chains.names.first(name) - 1)
        return held, frozenset(apart)

    def are_held(self, claims: Iterable[Summary]) -> bool:
        """Tell whether one of some changes is here by now, under whatever name."""
        with self.store.read() as reader:
            chains = Chains(reader)
            return any(chains.find(each.actor, each.seq, each.hash) is not None for each in claims)

    def _seen(self) -> _Seen:
        """Return what was read of the store since its last commit. Most events read, and few write."""
        version = self.store.version()
        if self._last_seen.version != version:
            self._last_seen = _Seen(version)
        return self._last_seen


def evidence_hash(reader: StoreReader) -> bytes:
    """Return a hash of the set of evidence that is held; equal sets have equal hashes."""
    digest = blake2b(digest_size=32, person=b"edda-evidence")
    for name in reader.evidence.names():
        digest.update(name)
    return digest.digest()


def _frontier(reader: StoreReader) -> Frontier:
    return {head.actor: head.seq for head in reader.log.heads().values()}


def _summaries(reader: StoreReader) -> tuple[Summary, ...]:
    heads = sorted(reader.log.heads().values())
    return tuple(Summary(head.actor, head.seq, head.hash[:SUMMARY_HASH_BYTES]) for head in heads)


def _proof(reader: StoreReader) -> Proof:
    digest = blake2b(digest_size=16, person=b"edda-proof")
    heads = sorted(reader.log.heads().values())
    for head in heads:
        digest.update(head.actor + head.seq.to_bytes(8, "big") + head.hash)
    content = reader.index.digest().to_bytes(16, "big")
    at = {head.actor: head.seq for head in heads}
    return Proof(at, reader.unapplied.waiting(), content, digest.digest(), evidence_hash(reader), _unread(reader))


def _unread(reader: StoreReader) -> bytes:
    if not reader.unapplied.waiting():
        return b""
    waiting = []
    for (
        position,
        listed,
    ) in reader.unapplied.waiting_numbers():  # one change at a time: 100,000 operations of one may wait
        numbers = [int(number) for number in listed.split(",")]
        waiting.append(reader.log.read(position).hash + struct.pack(f">{1 + len(numbers)}I", len(numbers), *numbers))
    return blake2b(b"".join(sorted(waiting)), digest_size=16, person=b"edda-unread").digest()


def _wanted(reader: StoreReader) -> tuple[Wish, ...]:
    """
    Return the large changes that are half received; of two under one dot, the lower of their first missing parts.

    It returns as many as one message has room for. The others are sent again from their first part.
    """
    first: dict[Dot, int] = {}
    for each in reader.incoming.all():
        dot, missing = decode_header(each.raw).dot, _first_missing(each.parts)
        first[dot] = min(missing, first.get(dot, missing))
    return tuple(Wish(actor, seq, number) for (actor, seq), number in sorted(first.items())[: limits.HEADS_MAX])


def _first_missing(parts: frozenset[int]) -> int:
    return next(number for number in range(len(parts) + 1) if number not in parts)
