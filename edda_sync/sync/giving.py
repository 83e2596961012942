"""
Giving: what a store sends to peers of its log, in batches that a signature vouches for.

1. Nothing is given that is not durable: everything given is read from the store.
2. Nothing is given that no signature vouches for: this device's own, or the author's and the way to it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from edda_sync import limits
from edda_sync.crdt import change as changes
from edda_sync.crdt import early, frontier
from edda_sync.crdt.chains import NOBODY, Chains, names_of
from edda_sync.crdt.change import HASH_BYTES
from edda_sync.crdt.frontier import SEQ_MAX, Frontier
from edda_sync.crdt.past import Pasts
from edda_sync.protocols import Head, Logged, Store, StoreReader
from edda_sync.sync.keys import Signer
from edda_sync.sync.messages import Behind, Changes, Earlier, Part, SignedHead
from edda_sync.sync.vouchers import beyond


@dataclass(frozen=True, slots=True)
class Given:
    """A batch for a peer: the message, what the peer holds once it has it, and a large change whose parts must follow."""

    message: Changes
    frontier: Frontier
    large: Logged | None


class Giving:
    """
    What one store gives; every call is one reader of the store.

    Args:
        store: The store.
        signer: This device's key.
        workspace: The workspace's id.
    """

    def __init__(self, store: Store, signer: Signer, workspace: bytes) -> None:
        self._store, self._signer, self._workspace = store, signer, workspace

    def missing(self, known: Mapping[bytes, int]) -> list[int] | None:
        """Return where the changes are that a peer lacks; None when the log does not hold all of them any more."""
        with self._store.read() as reader:
            return missing(reader, known)

    def batch(
        self, positions: list[int], known: Mapping[bytes, int], upto: Mapping[bytes, int] | None = None
    ) -> Given | None:
        """
        Return the next batch for a peer, from the front of ``positions``, which lose what is in it or known.

        None when nothing can be given now: all is known, or no signature vouches for what is next yet.

        Args:
            positions: Where the changes are.
            known: What the peer holds.
            upto: How far along each chain it wants changes; without end by default.
        """
        with self._store.read() as reader:
            heads = reader.heads()
            chosen: list[Logged] = []
            size = used = 0
            large = None
            reached, held_back = dict(known), early.held_back(reader)
            for position in positions:
                logged = reader.logged(position)
                wanted = upto is None or logged.seq <= upto.get(logged.actor, 0)
                wanted = wanted and logged.actor not in held_back
                if wanted and logged.seq > reached.get(logged.actor, 0):
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
            del positions[:used]
            last = {logged.actor: logged for logged in chosen}
            signed = [self._signed(reader, heads[name], logged) for name, logged in sorted(last.items())]
            vouching = [each for each in signed if each is not None]
            if not chosen or len(vouching) < len(signed):
                return None
            for name, logged in sorted(last.items()):  # beside what vouches for its end, the last signature before that
                inner = reader.last_signed(name, logged.seq)
                if inner is not None and inner < logged.seq and not self.is_own(heads[name]):
                    signature = reader.signature_at(name, inner) or b""
                    vouching.append(SignedHead(names_of(reader).actor(name), inner, signature, b""))
        message = Changes(tuple((logged.raw, logged.body) for logged in chosen), tuple(vouching))
        return Given(message, reached, large)

    def earlier(self, behind: Behind) -> tuple[Earlier, Logged | None]:
        """
        Return a batch of the log behind a peer's segment, and a large change whose parts must follow.

        Of a head that is not here nothing is given but what others that are here depend on: its chain may be another one.
        """
        held = dict(behind.held)
        with self._store.read() as reader:
            chains = Chains(reader)
            found = [dot for each in behind.upto if (dot := chains.find(each.actor, each.seq, each.hash)) is not None]
            past, pasts = chains.past_of, Pasts()
            if len(found) < len(behind.upto):
                past = lambda dot: pasts.through(reader, dot)  # noqa: E731 - one of two
            upto: Frontier = {}
            for dot in found:
                upto = frontier.join(upto, past(dot))
            known = dict.fromkeys(reader.heads(), SEQ_MAX)
            known |= {name: max(chains.names.first(name) - 1, held.get(chains.actor(name), 0)) for name in upto}
            missed = list(reader.positions_missing(known))
            whole = frontier.lacking(known, upto) <= len(missed)
        given = self.batch(missed, known, upto) if whole else None
        if given is None:
            return Earlier((), ()), None
        return Earlier(given.message.changes, given.message.heads), given.large

    def is_own(self, head: Head) -> bool:
        """Tell whether a head is of one of this device's lives."""
        return changes.decode_birth(head.birth).public_key == self._signer.public_key

    def sign(self, head: Head) -> Head:
        """Return a head with a signature over it: this device's, if it is its own; else as it is."""
        if not self.is_own(head):
            return head
        message = changes.signed_message(self._workspace, changes.actor_of(head.birth), head.seq, head.hash)
        return head._replace(signed_seq=head.seq, signature=self._signer.sign(message))

    def _is_vouched_for(self, reader: StoreReader, head: Head, logged: Logged) -> bool:
        return self.is_own(head) or beyond(reader, names_of(reader), logged.actor, logged.seq) is not None

    def _signed(self, reader: StoreReader, head: Head, last: Logged) -> SignedHead | None:
        """Return what vouches for an actor's changes up to one: our signature, or its author's and the way there."""
        if self.is_own(head):
            actor = changes.actor_of(head.birth)
            message = changes.signed_message(self._workspace, actor, last.seq, last.hash)
            return SignedHead(actor, last.seq, self._signer.sign(message), b"")
        found = beyond(reader, names_of(reader), last.actor, last.seq)
        assert found is not None, "it was asked for before the change was chosen"
        vouch = found.vouch(reader)
        if len(vouch.proof) < HASH_BYTES * (vouch.seq - last.seq):
            return None  # a segment brought what is between, and nobody needs the log of it any more
        return vouch

    def part(self, large: Logged, number: int) -> Part | None:
        """Return a part of a large change; None past its end."""
        with self._store.read() as reader:
            data, actor = reader.log_part(large.position, number), names_of(reader).actor(large.actor)
        return None if data is None else Part(actor, large.seq, number, data)


def missing(reader: StoreReader, known: Mapping[bytes, int]) -> list[int] | None:
    """Return where the changes are that a frontier lacks; None when the log does not hold all of them any more."""
    held = {head.actor: head.seq for head in reader.heads().values()}
    names = names_of(reader)
    if names is not NOBODY:  # what stands before a branch is not of it
        known = frontier.join(known, {name: names.first(name) - 1 for name in held})
    positions = list(reader.positions_missing(known))
    return positions if len(positions) == frontier.lacking(known, held) else None
