"""
Giving: the changes that a store sends to peers, in batches that a signature vouches for.

1. Only durable changes are given: everything is read from the store.
2. Only changes that a signature vouches for are given: this device's own signature, or the author's and the hashes up to it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from edda_sync.changes import change as changes
from edda_sync.changes import early
from edda_sync.changes.chains import NOBODY, Chains, names_of
from edda_sync.changes.change import HASH_BYTES, NO_HASH
from edda_sync.changes.past import joined
from edda_sync.crdt import frontier
from edda_sync.crdt.frontier import SEQ_MAX, Frontier
from edda_sync.store.seams import Head, Logged, Store, StoreReader
from edda_sync.sync.keys import Signer
from edda_sync.sync.messages import Behind, Changes, Earlier, Part, Shown, SignedHead
from edda_sync.sync.vouchers import beyond, last_signed
from edda_sync.words import limits

_HEADS_BYTES: Final = 256  # the size of a signed head without its hashes, and of the one before it


@dataclass(frozen=True, slots=True)
class Given:
    """
    A batch for a peer.

    Attributes:
        message: The batch.
        frontier: What the peer holds once it has the batch.
        brought: The last change of each chain in it.
        large: A large change whose parts must follow, if any.
    """

    message: Changes
    frontier: Frontier
    brought: Frontier
    large: Logged | None


class Giving:
    """
    What one store gives. Every call is one reader of the store.

    Args:
        store: The store.
        signer: This device's key.
        workspace: The workspace's id.
    """

    def __init__(self, store: Store, signer: Signer, workspace: bytes) -> None:
        self._store, self._signer, self._workspace = store, signer, workspace
        self._last_signed = b"", b""  # the last message that was signed, and its signature

    def missing(self, known: Mapping[bytes, int]) -> list[int] | None:
        """Return the positions of the changes that a peer lacks; None when the log no longer holds all of them."""
        with self._store.read() as reader:
            return missing(reader, known)

    def batch(
        self, positions: list[int], known: Mapping[bytes, int], upto: Mapping[bytes, int] | None = None
    ) -> Given | None:
        """
        Return the next batch for a peer. Remove what is in it, or known, from the front of ``positions``.

        Return None when nothing can be given now: everything is known, or no signature vouches for the next change yet.

        Args:
            positions: Where the changes are in the log.
            known: What the peer holds.
            upto: Up to where the peer wants changes of each chain; without limit by default.
        """
        with self._store.read() as reader:
            heads = reader.log.heads()
            names, vouchers = names_of(reader), _Ends(reader)
            chosen: list[Logged] = []
            size = used = work_us = 0
            large = None
            own = {name: self.is_own(head) for name, head in heads.items()}
            reached, held_back = dict(known), early.held_back(reader)
            for position in positions:
                logged = reader.log.read(position)
                wanted = upto is None or logged.seq <= upto.get(logged.actor, 0)
                wanted = wanted and logged.actor not in held_back
                if wanted and logged.seq > reached.get(logged.actor, 0):
                    if chosen and size + len(logged.raw) + len(logged.body) > limits.BATCH_BYTES_MAX:
                        break
                    header = changes.decode_header(logged.raw)
                    work_us += limits.LOG_CHANGE_US + limits.LOG_MENTION_US * header.operations
                    if chosen and work_us > limits.BATCH_US_MAX:
                        break
                    until = logged.seq if own[logged.actor] else vouchers.signed(logged)
                    if until is None:
                        break  # it was relayed to us before its signature, which will come
                    if not vouchers.add(logged, until):
                        break
                    chosen.append(logged)
                    size += len(logged.raw) + len(logged.body)
                    reached[logged.actor] = logged.seq
                    if header.parts:
                        large = logged
                used += 1
                if large is not None:
                    break
            del positions[:used]
            ends = vouchers.ends()
            signed = [self._signed(reader, heads[logged.actor], logged) for logged in ends]
            vouching = [each for each in signed if each is not None]
            if not chosen or len(vouching) < len(signed):
                return None
            for logged in ends:  # also give the last signature before the one that vouches for the end
                if own[logged.actor]:
                    continue  # each of its heads was signed when it was given
                inner = last_signed(reader, names, (logged.actor, logged.seq))
                if inner is not None and inner[1] < logged.seq:
                    signature = reader.signatures.at(*inner) or b""
                    vouching.append(SignedHead(names.actor(logged.actor), inner[1], signature, b""))
        message = Changes(tuple((logged.raw, logged.body) for logged in chosen), tuple(vouching))
        return Given(message, reached, {logged.actor: logged.seq for logged in chosen}, large)

    def beside(self, positions: list[int], large: Logged) -> list[int]:
        """
        Return those of some positions whose changes do not depend on a large change, and are not large themselves.

        Where chains have forked, none is returned: which of their changes depend on which is not told by a header alone.
        """
        with self._store.read() as reader:
            names = names_of(reader)
            if names is not NOBODY:
                return []
            wait = {large.actor: large.seq}  # of each actor, the first change that depends on it
            found = []
            for position in positions[: limits.BESIDE_LOOKED_MAX]:
                header = changes.decode_header(reader.log.read(position).raw)
                needs = [(dep[0], dep[1]) for dep in header.deps]
                if header.birth is not None and header.birth.parent is not None:
                    needs.append((header.birth.parent, header.birth.parent_seq))
                depends = any(seq >= wait.get(actor, SEQ_MAX) for actor, seq in (header.dot, *needs))
                if depends or header.parts:
                    wait.setdefault(header.actor, header.seq)
                else:
                    found.append(position)
            return found

    def shown(self, names: Iterable[bytes]) -> list[Shown]:
        """Return signed heads of some chains: of what is held, of something beyond it, or the last one before it."""
        found: list[Shown] = []
        with self._store.read() as reader:
            chains, heads = Chains(reader), reader.log.heads()
            for name in names:
                head = self.sign(heads[name])
                if self.is_own(head):
                    found.append(Shown(name, head.seq, head.hash, head.signature))
                    continue
                ahead = beyond(reader, chains.names, name, head.seq)
                if ahead is not None:
                    vouch, digest = ahead.vouch(reader), head.hash
                    for at in range(0, len(vouch.proof), HASH_BYTES):
                        digest = changes.hash_change(digest, vouch.proof[at : at + HASH_BYTES])
                    found.append(Shown(name, vouch.seq, digest, vouch.signature))
                elif (last := last_signed(reader, chains.names, (name, head.seq))) is not None:
                    digest, signature = reader.log.hash_at(*last) or NO_HASH, reader.signatures.at(*last) or b""
                    found.append(Shown(name, last[1], digest, signature))
        return found

    def earlier(self, behind: Behind) -> tuple[Earlier, Logged | None]:
        """
        Return a batch of the log behind a peer's segment, and a large change whose parts must follow.

        If one of the segment's heads is not here, its chain may be a different one. Then only those of its changes are
        given that the heads that are here depend on.
        """
        held = dict(behind.held)
        with self._store.read() as reader:
            chains = Chains(reader)
            found = [dot for each in behind.upto if (dot := chains.find(each.actor, each.seq, each.hash)) is not None]
            upto: Frontier = {}
            if len(found) < len(behind.upto):
                upto = joined(reader, found)
            else:
                for dot in found:
                    upto = frontier.join(upto, chains.past_of(dot))
            known = dict.fromkeys(reader.log.heads(), SEQ_MAX)
            known |= {name: max(chains.names.first(name) - 1, held.get(chains.actor(name), 0)) for name in upto}
            missed = list(reader.log.positions_after(known))
            whole = frontier.lacking(known, upto) <= len(missed)
        given = self.batch(missed, known, upto) if whole else None
        if given is None:
            return Earlier((), ()), None
        return Earlier(given.message.changes, given.message.heads), given.large

    def is_own(self, head: Head) -> bool:
        """Tell whether a head belongs to one of this device's lives."""
        return changes.decode_birth(head.birth).public_key == self._signer.public_key

    def sign(self, head: Head) -> Head:
        """Return a head with this device's signature, if it is its own; otherwise as it is."""
        if not self.is_own(head):
            return head
        signature = self._sign(changes.actor_of(head.birth), head.seq, head.hash)
        return head._replace(signed_seq=head.seq, signature=signature)

    def _sign(self, actor: bytes, seq: int, digest: bytes) -> bytes:
        """Return this device's signature of one of its heads. The last signature is kept, because every peer is sent it."""
        message = changes.signed_message(self._workspace, actor, seq, digest)
        if self._last_signed[0] != message:
            self._last_signed = message, self._signer.sign(message)
        return self._last_signed[1]

    def _signed(self, reader: StoreReader, head: Head, last: Logged) -> SignedHead | None:
        """Return what vouches for an actor's changes up to one: our signature, or the author's with the hashes up to it."""
        if self.is_own(head):
            actor = changes.actor_of(head.birth)
            return SignedHead(actor, last.seq, self._sign(actor, last.seq, last.hash), b"")
        found = beyond(reader, names_of(reader), last.actor, last.seq)
        assert found is not None, "it was asked for before the change was chosen"
        vouch = found.vouch(reader)
        if len(vouch.proof) < HASH_BYTES * (vouch.seq - last.seq):
            return None  # a segment brought the changes between, and their headers are not here
        return vouch

    def part(self, large: Logged, number: int) -> Part | None:
        """Return a part of a large change; None after its last part."""
        with self._store.read() as reader:
            data, actor = reader.log.part(large.position, number), names_of(reader).actor(large.actor)
        return None if data is None else Part(actor, large.seq, number, data)


class _Ends:
    """
    The ends of the chains in a batch, and how many bytes vouch for them; both are limited.

    Args:
        reader: A reader of the store.
    """

    def __init__(self, reader: StoreReader) -> None:
        self._reader, self._names = reader, names_of(reader)
        self._until: dict[bytes, int] = {}  # by name: where the signature is that covers what was asked about
        self._ends: dict[bytes, tuple[Logged, int]] = {}  # by name, in the batch's order: last change, bytes
        self._of_actor = Counter[bytes]()
        self._size = 0

    def signed(self, logged: Logged) -> int | None:
        """Return the seq of the signed head that vouches for a change of another device; None when there is none."""
        until = self._until.get(logged.actor, 0)
        if until < logged.seq:
            found = beyond(self._reader, self._names, logged.actor, logged.seq)
            if found is None:
                return None
            until = found.signed.seq
            self._until |= {name: until for name, _, _ in found.between}
        return until

    def add(self, logged: Logged, until: int) -> bool:
        """Add a change whose chain is signed at ``until``; return False if there is no room for what vouches for it."""
        names, name = self._names, logged.actor
        follows = [name] if name in self._ends else []
        if names is not NOBODY and not follows and logged.seq > 1 and logged.seq == names.first(name):
            before = self._ends.get(names.parent(name))
            follows = [names.parent(name)] if before is not None and before[0].seq == logged.seq - 1 else []
        size = HASH_BYTES * (until - logged.seq) + _HEADS_BYTES
        total = self._size + size
        for each in follows:
            total -= self._ends[each][1]
        if self._ends and total > limits.BATCH_VOUCHERS_BYTES_MAX:
            return False
        if names is not NOBODY and not follows:
            actor = names.actor(name)
            if self._of_actor[actor] >= limits.BATCH_ENDS_MAX:
                return False
            self._of_actor[actor] += 1
        for each in follows:
            del self._ends[each]
        self._ends[name], self._size = (logged, size), total
        return True

    def ends(self) -> list[Logged]:
        """Return the last change of each chain, in the order of the batch."""
        return [logged for logged, _ in self._ends.values()]


def missing(reader: StoreReader, known: Mapping[bytes, int]) -> list[int] | None:
    """Return the positions of the changes that a frontier lacks; None when the log no longer holds all of them."""
    held = {head.actor: head.seq for head in reader.log.heads().values()}
    names = names_of(reader)
    if names is not NOBODY:  # the changes before a branch are not part of it
        known = frontier.join(known, {name: names.first(name) - 1 for name in held})
    positions = list(reader.log.positions_after(known))
    return positions if len(positions) == frontier.lacking(known, held) else None
