"""
The exchange: what a store gives to peers and takes from them.

1. Nothing is given that is not durable: everything given is read from the store.
2. Nothing is taken that no signed head vouches for, and what is taken is durable when the call returns.
3. What is rejected leaves no trace.
4. Causal order is kept by refusing: a batch that lacks what it depends on is dropped, and asked for again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import Final, NamedTuple

import msgspec

from edda_sync import limits
from edda_sync.crdt import change as changes
from edda_sync.crdt.change import HASH_BYTES, NO_HASH, Change
from edda_sync.crdt.entity import digest_of
from edda_sync.crdt.frontier import Frontier
from edda_sync.crdt.ledger import WORKSPACE_KEY, Admitted, Ledger, count_waiting, is_welcome
from edda_sync.errors import ForkError, RemoteProtocolError
from edda_sync.protocols import Head, Logged, Store, StoreReader, StoreWriter
from edda_sync.sync import forks
from edda_sync.sync.messages import Changes, Part, SignedHead, Summary
from edda_sync.sync.snapshots import Signer, Snapshots, Taken, Verify, halves_of, missing
from edda_sync.sync.vouchers import keep_voucher, voucher_of

SUMMARY_HASH_BYTES: Final = 16


@dataclass(frozen=True, slots=True)
class Given:
    """A batch for a peer: the message, what the peer holds once it has it, and a large change whose parts must follow."""

    message: Changes
    frontier: Frontier
    large: Logged | None


@dataclass(frozen=True, slots=True)
class Proof:
    """
    What a store holds at one moment: what two devices compare.

    Attributes:
        heads: The frontier, with hashes.
        waiting: How much is held but not applied.
        digest: Of the heads and the content: where it is equal, so are all changes and what came of them.
        buckets: The content's digest, by buckets.
    """

    heads: tuple[Summary, ...]
    waiting: int
    digest: str
    buckets: Mapping[int, int]

    @property
    def frontier(self) -> Frontier:
        """Which changes of each actor are held."""
        return {head.actor: head.seq for head in self.heads}


class Introduction(NamedTuple):
    """What a store holds at one moment, as a hello says it; see there."""

    heads: tuple[Summary, ...]
    waiting: int
    wanted: tuple[tuple[int, int, bytes, int], ...]


@dataclass(slots=True)
class Seen:
    """
    What was read of a store since its last commit.

    Attributes:
        version: Of the store, asked for before anything was read.
        frontier, proof: None until somebody wants to know.
    """

    version: int
    frontier: Frontier | None = None
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

    Attributes:
        snapshots: The segments of the store.
    """

    def __init__(
        self, store: Store, ledger: Ledger, signer: Signer, verify: Verify, wall_s: Callable[[], float]
    ) -> None:
        self.store = store
        self._ledger = ledger
        self._signer, self._verify_signature = signer, verify
        self.snapshots = Snapshots(store, ledger, signer, verify, wall_s)
        self._digested: tuple[Mapping[int, int], str] = ({}, "")  # buckets, and the digest of these very ones
        self._last_seen = Seen(store.version())
        with store.read() as reader:
            self._workspace = reader.meta(WORKSPACE_KEY) or b""

    # --- summaries ----------------------------------------------------------------------------------------------------

    def introduction(self) -> Introduction:
        """Return what a hello says."""
        with self.store.read() as reader:
            large = [(each.actor, each.seq, b"", _first_missing(each.parts)) for each in reader.incoming()]
            halves = [(0, 0, name, parts) for name, parts in halves_of(reader)]
            return Introduction(_summaries(reader), count_waiting(reader), (*large, *halves))

    def frontier(self) -> Frontier:
        """Return which changes of each actor are here."""
        seen = self._seen()
        if seen.frontier is None:
            with self.store.read() as reader:
                seen.frontier = {head.actor: head.seq for head in reader.heads().values()}
        return seen.frontier

    def standing(self) -> tuple[Frontier, int]:
        """Return :meth:`frontier` and how much is held but not applied, of one moment."""
        with self.store.read() as reader:
            return {head.actor: head.seq for head in reader.heads().values()}, count_waiting(reader)

    def proof(self) -> Proof:
        """Return what a peer with the same content has too; every text is brought up to date for it."""

        def look(reader: StoreReader) -> tuple[tuple[Summary, ...], int, Mapping[int, int]]:
            return _summaries(reader), count_waiting(reader), reader.buckets()

        def refresh(tx: StoreWriter) -> tuple[tuple[Summary, ...], int, Mapping[int, int]]:
            self._ledger.refresh(tx)
            return look(tx)

        seen = self._seen()
        if seen.proof is None:
            with self.store.read() as reader:
                found = None if reader.stale_texts() else look(reader)
            heads, waiting, buckets = self.store.transact(refresh) if found is None else found
            if buckets is not self._digested[0]:  # a millisecond, for which nobody who writes should wait
                self._digested = (buckets, digest_of(buckets))
            seen.proof = Proof(heads, waiting, _digest_of(heads, self._digested[1]), buckets)
        return seen.proof

    def _seen(self) -> Seen:
        """Return what was read of the store since its last commit: most events read, and few write."""
        version = self.store.version()
        if self._last_seen.version != version:
            self._last_seen = Seen(version)
        return self._last_seen

    def find_forks(self, summaries: Iterable[Summary]) -> list[tuple[int, int]]:
        """Note of whom a peer has a dot under another hash; return all such dots."""
        with self.store.read() as reader:
            found = forks.find(reader, [(each.actor, each.seq, each.hash) for each in summaries])
        if found:
            self.store.transact(lambda tx: forks.note(tx, found))
        return [(fork.actor, fork.seq) for fork in found]

    # --- giving -------------------------------------------------------------------------------------------------------

    def missing(self, known: Mapping[int, int]) -> list[int] | None:
        """Return where the changes are that a peer lacks; None when the log does not hold all of them any more."""
        with self.store.read() as reader:
            return missing(reader, known)

    def batch(self, positions: list[int], known: Mapping[int, int]) -> Given | None:
        """
        Return the next batch for a peer, from the front of ``positions``, which lose what is in it or known.

        None when nothing can be given now: all is known, or no signature vouches for what is next yet.
        """
        with self.store.read() as reader:
            heads = reader.heads()
            chosen: list[Logged] = []
            size = used = 0
            large = None
            reached = dict(known)
            for position in positions:
                logged = reader.logged(position)
                if logged.seq > reached.get(logged.actor, 0):
                    if chosen and size + len(logged.raw) + len(logged.body) > limits.BATCH_BYTES_MAX:
                        break
                    if not self._is_vouched_for(reader, heads[logged.actor], logged):
                        break  # it was relayed to us ahead of its signature, which is on its way
                    chosen.append(logged)
                    size += len(logged.raw) + len(logged.body)
                    reached[logged.actor] = logged.seq
                    if not logged.body and changes.decode_header(logged.raw).parts:
                        large = logged
                used += 1
                if large is not None:
                    break
            last = {logged.actor: logged for logged in chosen}
            signed = [self._signed(reader, heads[actor], logged) for actor, logged in sorted(last.items())]
        del positions[:used]
        vouching = tuple(each for each in signed if each is not None)
        if not chosen or len(vouching) < len(signed):
            return None
        message = Changes(tuple((logged.raw, logged.body) for logged in chosen), vouching)
        return Given(message, reached, large)

    def _is_own(self, head: Head) -> bool:
        return head.public_key == self._signer.public_key

    def _is_vouched_for(self, reader: StoreReader, head: Head, logged: Logged) -> bool:
        if self._is_own(head) or reader.next_signed(logged.actor, logged.seq) is not None:
            return True
        return voucher_of(reader, logged.actor, head.seq) is not None

    def _signed(self, reader: StoreReader, head: Head, last: Logged) -> SignedHead | None:
        """Return what vouches for an actor's changes up to one: our signature, or its author's and the way there."""
        if self._is_own(head):
            return SignedHead(
                last.actor, last.seq, self._signer.sign(self._message(last.actor, last.seq, last.hash)), b""
            )
        seq = reader.next_signed(last.actor, last.seq)
        proof = b""
        if seq is not None:
            vouch = SignedHead(last.actor, seq, reader.signature_at(last.actor, seq) or b"", b"")
        else:
            found = voucher_of(reader, last.actor, head.seq)
            assert found is not None, "it was asked for before the change was chosen"
            vouch, seq, proof = found, head.seq, found.proof
        proof = b"".join(self._contents(reader, last, seq)) + proof
        if len(proof) < HASH_BYTES * (vouch.seq - last.seq):
            return None  # a segment brought what is between, and nobody needs the log of it any more
        return msgspec.structs.replace(vouch, proof=proof)

    def _contents(self, reader: StoreReader, last: Logged, seq: int) -> Iterator[bytes]:
        """Yield what an actor's changes say after one and up to a seq, as far as the log has them."""
        between = reader.positions_missing({**dict.fromkeys(reader.heads(), 1 << 62), last.actor: last.seq})
        for position in between[: seq - last.seq]:
            logged = reader.logged(position)
            yield changes.hash_content(logged.raw, logged.body)

    def part(self, large: Logged, number: int) -> Part | None:
        """Return a part of a large change; None past its end."""
        with self.store.read() as reader:
            data = reader.log_part(large.position, number)
        return None if data is None else Part(large.actor, large.seq, number, data)

    def _message(self, actor: int, seq: int, head: bytes) -> bytes:
        return changes.signed_message(self._workspace, actor, seq, head)

    # --- taking -------------------------------------------------------------------------------------------------------

    def take(self, batch: Changes) -> Taken:
        """
        Take a batch: verify, apply, make durable.

        Raises:
            RemoteProtocolError: It is malformed, or nothing vouches for it; nothing was taken.
            ForkError: A dot of it is here under another hash; the fork is noted.
        """
        decoded = [Change(changes.decode_header(raw), raw, body) for raw, body in batch.changes]
        for change in decoded:
            if len(change.body) != (0 if change.header.parts else change.header.body_bytes):
                raise RemoteProtocolError("a change whose body is not as long as its header says")
        with forks.noted(self.store):
            return self.store.transact(lambda tx: self._take(tx, decoded, batch.heads))

    def _take(self, tx: StoreWriter, batch: list[Change], signed: tuple[SignedHead, ...]) -> Taken:
        heads = tx.heads()
        fresh = [change for change in batch if self._is_news(tx, heads, change)]
        if not self._verify(heads, fresh, signed):
            return Taken(0, early=True)
        ledger = self._ledger
        fold = ledger.fold(tx)
        halves = {(each.actor, each.seq) for each in tx.incoming()}
        taken: set[int] = set()
        applied = 0
        early = strange = False
        for change in fresh:
            if change.header.birth is not None and not is_welcome(tx, fold, change.header, change.header.birth):
                early = strange = True  # what makes its author a member may come later in this very batch
                continue
            if change.header.parts:
                if self._is_ready(tx, change):
                    _expect(tx, change)
                    taken.add(change.header.actor)
                else:
                    early = True
                break
            if ledger.admit(tx, fold, change) is Admitted.APPLIED:
                applied += 1
                taken.add(change.header.actor)
                if change.header.dot in halves:  # its author told somebody else another change under this dot
                    tx.forget_incoming(*change.header.dot)
            else:
                early = True
            if early and not strange:
                break
        if strange and not applied:
            raise RemoteProtocolError("a change by a device that is not a member")
        fold.flush()
        self._keep_vouchers(tx, fresh, {each.actor: each for each in signed if each.actor in taken})
        return Taken(applied, early)

    def _keep_vouchers(self, tx: StoreWriter, batch: list[Change], signed: Mapping[int, SignedHead]) -> None:
        """Keep what vouches for what was taken, so that it can be passed on should nobody ever send the rest."""
        heads = tx.heads()
        for actor, each in signed.items():
            held = heads[actor].seq if actor in heads else 0
            rest = [change.content for change in batch if change.header.actor == actor and change.header.seq > held]
            keep_voucher(tx, held, msgspec.structs.replace(each, proof=b"".join(rest) + each.proof))

    def _is_news(self, tx: StoreReader, heads: Mapping[int, Head], change: Change) -> bool:
        """Tell whether a change is new here. What is known must be known under the same hash."""
        actor, seq = change.header.dot
        if actor not in heads or seq > heads[actor].seq:
            return True
        ours = tx.hash_at(actor, seq)
        previous = NO_HASH if seq == 1 else tx.hash_at(actor, seq - 1)
        if ours is not None and previous is not None:
            theirs = changes.hash_change(previous, change.content)
            if theirs != ours:
                raise ForkError(actor, seq, hashes=(ours, theirs))
        return False

    def _is_ready(self, tx: StoreReader, change: Change) -> bool:
        """Tell whether all that a large change depends on is here."""
        heads = tx.heads()
        head = heads.get(change.header.actor)
        if change.header.seq != (1 if head is None else head.seq + 1):
            return False
        return all(actor in heads and heads[actor].seq >= seq for actor, seq in change.header.deps)

    def _verify(self, heads: Mapping[int, Head], batch: list[Change], signed: tuple[SignedHead, ...]) -> bool:
        """Follow each actor's chain through a batch to its signature; False when the chain does not start where we are."""
        vouching = {each.actor: each for each in signed}
        chain = {actor: (head.seq, head.hash, head.public_key) for actor, head in heads.items()}
        for change in batch:
            actor, seq = change.header.dot
            birth = change.header.birth
            at, previous, public_key = chain.get(actor, (0, NO_HASH, birth.public_key if birth is not None else b""))
            if seq != at + 1:
                return False
            chain[actor] = (seq, changes.hash_change(previous, change.content), public_key)
        for actor in {change.header.actor for change in batch}:
            seq, head, public_key = chain[actor]
            vouch = vouching.get(actor)
            if vouch is None or len(vouch.proof) != HASH_BYTES * (vouch.seq - seq):
                raise RemoteProtocolError("a batch without a signed head")
            for at in range(0, len(vouch.proof), HASH_BYTES):
                head = changes.hash_change(head, vouch.proof[at : at + HASH_BYTES])
            if not self._verify_signature(public_key, vouch.signature, self._message(actor, vouch.seq, head)):
                raise RemoteProtocolError("a batch whose signature is not its author's")
        return True

    def take_part(self, part: Part) -> Taken:
        """
        Take a part of a large change; the last one applies it.

        Raises:
            RemoteProtocolError: It is not a part that was announced; nothing was taken.
        """
        return self.store.transact(lambda tx: self._take_part(tx, part))

    def _take_part(self, tx: StoreWriter, part: Part) -> Taken:
        incoming = next((each for each in tx.incoming() if (each.actor, each.seq) == (part.actor, part.seq)), None)
        if incoming is None:
            head = tx.heads().get(part.actor)
            if head is not None and head.seq >= part.seq:
                return Taken(0)  # another peer was faster
            return Taken(0, early=True)
        header = changes.decode_header(incoming.raw)
        if not 0 <= part.number < len(header.parts) or changes.hash_part(part.data) != header.parts[part.number]:
            raise RemoteProtocolError("a part that is not of the change it names")
        tx.keep_part(part.actor, part.seq, part.number, part.data)
        if len(incoming.parts | {part.number}) < len(header.parts):
            return Taken(0)
        ledger = self._ledger
        fold = ledger.fold(tx)
        outcome = ledger.admit(tx, fold, Change(header, incoming.raw, b""))
        fold.flush()
        voucher = voucher_of(tx, part.actor, part.seq - 1)
        if voucher is not None and outcome is Admitted.APPLIED:
            keep_voucher(tx, part.seq, msgspec.structs.replace(voucher, proof=voucher.proof[HASH_BYTES:]))
        return Taken(int(outcome is Admitted.APPLIED), early=outcome is Admitted.EARLY)


def _expect(tx: StoreWriter, change: Change) -> None:
    """Expect the parts of a large change; of two under one dot, those of the one that was named last."""
    actor, seq = change.header.dot
    if any((each.actor, each.seq) == (actor, seq) and each.raw != change.raw for each in tx.incoming()):
        tx.forget_incoming(actor, seq)
    tx.expect(actor, seq, change.raw)


def _summaries(reader: StoreReader) -> tuple[Summary, ...]:
    heads = sorted(reader.heads().values())
    return tuple(Summary(head.actor, head.seq, head.hash[:SUMMARY_HASH_BYTES]) for head in heads)


def _digest_of(heads: Iterable[Summary], content: str) -> str:
    """Return a hash of changes and content: two changes under one dot may have one content, and are not equal."""
    digest = blake2b(content.encode(), digest_size=16, person=b"edda-proof")
    for head in heads:
        digest.update(head.actor.to_bytes(8, "big") + head.seq.to_bytes(8, "big") + head.hash)
    return digest.hexdigest()


def _first_missing(parts: frozenset[int]) -> int:
    return next(number for number in range(len(parts) + 1) if number not in parts)
