"""
The exchange: one store as a session sees it, and what was read of it since its last commit.

What it gives, takes, and serves to newcomers are parts of their own: :class:`~edda_sync.sync.giving.Giving`,
:class:`~edda_sync.sync.taking.Taking`, :class:`~edda_sync.sync.making.Making`,
:class:`~edda_sync.sync.merging.Merging`.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from hashlib import blake2b
from typing import Final, NamedTuple

from edda_sync.changes import change as changes
from edda_sync.changes.chains import Chains, names_of
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
    What a store holds at one moment: what two devices compare.

    Attributes:
        frontier: Which changes of each actor are held.
        waiting: How much is held but not applied.
        content: Digest of the entities, 16 bytes.
        heads_hash: Hash of the heads, 16 bytes: where it is equal, so are all changes.
        evidence: Hash of the set of evidence, 32 bytes: content is compared only where it is equal.
        unread: Hash of the set of operations that wait, 16 bytes; empty when nothing does. It is equal on devices of one
            level, so that nobody can keep these from being proved equal.
    """

    frontier: Frontier
    waiting: int
    content: bytes
    heads_hash: bytes
    evidence: bytes
    unread: bytes

    @property
    def encoded(self) -> bytes:
        """Content and heads, as one says them."""
        return self.content + self.heads_hash

    @property
    def seal(self) -> bytes:
        """All of it in 16 bytes: equal on two devices that hold the same."""
        return seal_of(self.encoded, self.evidence, self.unread)


def seal_of(encoded: bytes, evidence: bytes, unread: bytes) -> bytes:
    """Return the seal of a proof: 16 bytes."""
    return blake2b(encoded + evidence + unread, digest_size=16, person=b"edda-seal").digest()


class Introduction(NamedTuple):
    """What a store holds at one moment, as a hello says it; see there."""

    heads: tuple[Summary, ...]
    evidence: tuple[bytes, ...]
    waiting: int
    wanted: tuple[Wish, ...]

    def pages(self) -> list[Heads]:
        """Return heads and evidence cut up to travel: how many there are has no limit."""
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
        is_provisional: Whether it believes a segment until the log behind that is here.
    """

    frontier: Frontier
    waiting: int
    is_provisional: bool


@dataclass(slots=True)
class _Seen:
    """
    What was read of a store since its last commit.

    Attributes:
        version: Of the store, asked for before anything was read.
        standing, proof: None until somebody wants to know.
    """

    version: int
    standing: Standing | None = None
    proof: Proof | None = None


class Exchange:
    """
    What one store gives and takes; every call is one transaction or reader of the store.

    Args:
        store: The store.
        ledger: Its ledger's keeper.
        signer: This device's key.
        verify: Checks anybody's signature.
        wall_s: Wall clock in seconds.
        random: Source of random bytes, for the nonces of talks.

    Attributes:
        store: The store, whose version is asked for once an event.
        is_damaged: Whether something stored is known not to be what was written; no peer is called equal meanwhile.
        giving, taking: Changes to peers and from them.
        making, merging: Segments to newcomers, and from the one who lets us in.
        behind: The log behind such a segment.
        mending: Changes that rotted here.
        forks: Chains of which two devices hold different changes.
        random: As given.
        on_applied: Called in the middle of an event, once changes of a peer's are durable and before what they are answered
            is made: with the peer, and how many there are. Whoever shows them need not wait for that.
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
        self._keys: dict[bytes, bytes] = {}  # public keys, by the names of chains that were asked for
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
        """Return another one of the same store, for what is done between turns, perhaps on another thread."""
        return self._make()

    def count(self, other: Exchange) -> None:
        """Take over what another one of the same store has counted, and begin its counts anew."""
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
        """Return how often changes that were here have come to stand elsewhere in the log."""
        return self.taking.settled + self.losses()

    def losses(self) -> int:
        """Return how often less was held here than before: drafts, and what was written early, are other changes then."""
        return self.taking.readmitted + self.behind.fell

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
        """Return every actor's head."""
        with self.store.read() as reader:
            return list(reader.log.heads().values())

    def items(self, after: bytes = b"") -> Iterator[Item]:
        """Yield key and hash of every entity after a key, by key; every text is brought up to date for it."""
        self.proof()
        with self.store.read() as reader:
            for record in reader.states.scan(after=after):
                yield record.key, record.hash

    def proof(self) -> Proof:
        """Return what a peer with the same content has too; every text is brought up to date for it."""

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
        """Return :meth:`proof`, if it can be had without bringing a text up to date or looking at what waits."""
        seen = self._seen()
        if seen.proof is None:
            with self.store.read() as reader:
                seen.proof = None if reader.unapplied.waiting() or reader.index.stale() else _proof(reader)
        return seen.proof

    def author(self, name: bytes) -> str | None:
        """Return the id of the device that writes a chain; None when nothing of that is here."""
        key = self._key(name)
        return None if key is None else device_id(key)

    def vouches(self, shown: Shown) -> bool:
        """Tell whether a signed head is its author's; also where nothing is here to tell by, so that it may be fetched."""
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
        """Return whose chain a name belongs to."""
        with self.store.read() as reader:
            return names_of(reader).actor(name)

    def names(self, actors: Iterable[bytes]) -> frozenset[bytes]:
        """Return the names of some actors' chains: their own, and those of the branches that are held."""
        with self.store.read() as reader:
            names = names_of(reader)
            return frozenset(name for actor in actors for name in (actor, *names.branches(actor)))

    def compared(self, summaries: tuple[Summary, ...]) -> tuple[Frontier, frozenset[bytes]]:
        """
        Return what a peer's hello says that it holds, and of which actors it holds other changes than we do.

        What it has under a name that we have given up since, a fork being proved, is what we call by another one.
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
            for name in heads:  # of a branch nobody lacks what stands before it under its name
                if chains.names.first(name) > 1:
                    held.setdefault(name, chains.names.first(name) - 1)
        return held, frozenset(apart)

    def _seen(self) -> _Seen:
        """Return what was read of the store since its last commit: most events read, and few write."""
        version = self.store.version()
        if self._last_seen.version != version:
            self._last_seen = _Seen(version)
        return self._last_seen


def evidence_hash(reader: StoreReader) -> bytes:
    """Return a hash of the set of evidence that is held: equal where the sets are."""
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
    ) in reader.unapplied.waiting_numbers():  # a change at a time: 100,000 operations of one may wait
        numbers = [int(number) for number in listed.split(",")]
        waiting.append(reader.log.read(position).hash + struct.pack(f">{1 + len(numbers)}I", len(numbers), *numbers))
    return blake2b(b"".join(sorted(waiting)), digest_size=16, person=b"edda-unread").digest()


def _wanted(reader: StoreReader) -> tuple[Wish, ...]:
    """
    Return what is half here; of two large changes under one dot, the part that is missing of either.

    As many as one message has room for: the others come again from their first part.
    """
    first: dict[Dot, int] = {}
    for each in reader.incoming.all():
        dot, missing = decode_header(each.raw).dot, _first_missing(each.parts)
        first[dot] = min(missing, first.get(dot, missing))
    return tuple(Wish(actor, seq, number) for (actor, seq), number in sorted(first.items())[: limits.HEADS_MAX])


def _first_missing(parts: frozenset[int]) -> int:
    return next(number for number in range(len(parts) + 1) if number not in parts)
