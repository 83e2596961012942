"""
Taking: the changes that a store takes from a peer.

1. Only changes that a signed head vouches for are taken, and they are durable when the call returns.
2. What is rejected leaves no trace.
3. A batch that lacks what it depends on is dropped, and asked for again. So the log stays in causal order.
4. If the peer has another change under a dot that is held here, the actor's changes, and what depends on them, are passed
   over; everything else is taken. Only a proof can say whose fault it is. The changes of an actor are also passed over if an
   operation that waits for a newer version may have made it a member; then nobody is at fault.
5. Nothing is taken on top of a segment whose log is not here yet. Whether a change may be taken depends on its past, and a
   device that guesses might keep for good what every other device refuses.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import takewhile

import msgspec

from edda_sync.changes import change as changes
from edda_sync.changes import early as early_writes
from edda_sync.changes.chains import Chains, forked_keys, points_of
from edda_sync.changes.change import HASH_BYTES, Change
from edda_sync.crdt import operation
from edda_sync.crdt.frontier import Dot
from edda_sync.fold.prepared import Prepared
from edda_sync.ledger.admission import Admitted
from edda_sync.ledger.ledger import Ledger
from edda_sync.store.seams import Store, StoreReader, StoreWriter
from edda_sync.sync.ahead import prepare_first, prepare_last
from edda_sync.sync.keys import Verify
from edda_sync.sync.large import incoming_of, is_last
from edda_sync.sync.messages import Changes, Part, SignedHead, Summary
from edda_sync.sync.readmission import readmit
from edda_sync.sync.slices import Slice, first_slice, is_long, may_be_long, summary
from edda_sync.sync.vouchers import Vouched, keep_voucher, voucher_of
from edda_sync.words import limits
from edda_sync.words.errors import RemoteProtocolError


@dataclass(frozen=True, slots=True)
class Taken:
    """
    The result of taking a batch or part.

    Attributes:
        applied: How many changes were applied.
        early: Whether something came too early.
        late: Whether more lives began in it than may be taken at once; the rest is to be asked for after a while.
        apart: The actors whose changes differ at the peer, each with one of these changes.
        held: The dots of what came, by the names that are used here. The peer holds these changes, and all before them.
        settled: Whether this store's early changes can be given to everybody now.
        readmitted: Whether its early changes were written again in another life, because what they depended on is lost.
        unchecked: Whether it was passed over, because the log behind a segment is not here yet; it is to be asked for then.
        more: Whether the rest of it is to be taken in another turn, after others were served.
        members: Whether it may be about a device.
        reached: The end of the log before and after; None if changes were moved in the log, or if this is unknown.
        ahead: Whether a large change in it was folded before the transaction, which only wrote the result.
    """

    applied: int
    early: bool = False
    late: bool = False
    apart: Mapping[bytes, Summary] = field(default_factory=dict)
    held: tuple[Dot, ...] = ()
    settled: bool = False
    readmitted: bool = False
    unchecked: bool = False
    more: bool = False
    members: bool = True
    reached: tuple[int, int] | None = None
    ahead: bool = False


class Taking:
    """
    What one store takes. Every call is one transaction of the store.

    Args:
        store, ledger: The store, and its ledger.
        verify: Checks the signature of any device.
        workspace: The workspace's id.
        random: Source of random bytes.

    Attributes:
        settled: How often early changes were moved in the log, since this object was made.
        readmitted: How often early changes were written again in another life.
    """

    def __init__(
        self, store: Store, ledger: Ledger, verify: Verify, workspace: bytes, random: Callable[[int], bytes]
    ) -> None:
        self._store, self._ledger, self._verify_signature, self._workspace = store, ledger, verify, workspace
        self._random = random
        self.settled = self.readmitted = 0

    def take(
        self,
        batch: Changes,
        allows: Callable[[bytes], bool] = lambda _key: True,
        parted: frozenset[bytes] = frozenset(),
        *,
        ahead: bool = False,
    ) -> Taken:
        """
        Take a batch, or a slice of it: verify it, apply it, and make it durable.

        Args:
            batch: The batch.
            allows: Tells, for a device's key, whether one more life of it, or branch of one, may be taken now.
            parted: The actors whose changes differ at the peer. Changes that wait for theirs are passed over.
            ahead: Whether a change that takes long may be folded before the transaction begins (:meth:`takes_long`).

        Raises:
            RemoteProtocolError: The batch is malformed, or nothing vouches for it; nothing was taken.
        """
        decoded = [Change(changes.decode_header(raw), raw, body) for raw, body in batch.changes]
        for change in decoded:
            check_body(change)
        ready = self._prepared(decoded, batch.heads, parted) if ahead else None
        taken = self._store.transact(lambda tx: self._take(tx, decoded, batch.heads, allows, parted, ready))
        return self._count(taken)

    def _prepared(
        self, batch: list[Change], signed: tuple[SignedHead, ...], parted: frozenset[bytes]
    ) -> Prepared | None:
        """Fold the change that is taken next, if that takes long."""
        with self._store.read() as reader:
            fresh, apart = self._sorted(reader, batch, parted)
        if not fresh or not is_long(fresh[0].header) or fresh[0].header.actor in apart:
            return None
        return prepare_first(self._store, self._verify_signature, self._workspace, fresh, signed)

    def takes_long(self, batch: Changes) -> bool:
        """Tell whether a single change of a batch may cost more than one slice may, because a change cannot be cut."""
        least = limits.SLICE_US_MAX // limits.TAKE_WORST_US - 1  # of so few bytes, none can have enough operations
        return any(len(body) >= least and may_be_long(changes.decode_header(raw)) for raw, body in batch.changes)

    def completes(self, part: Part) -> bool:
        """Tell whether a part is the last missing part of a large change, which would then be applied."""
        with self._store.read() as reader:
            return is_last(reader, part)

    def named(self, batch: Changes) -> list[Dot]:
        """Return the dots under which the changes of a batch are held, or would be. The batch is not taken."""
        decoded = [Change(changes.decode_header(raw), raw, body) for raw, body in batch.changes]
        with self._store.read() as reader:
            return list(_dots_of(reader, decoded))

    def _count(self, taken: Taken) -> Taken:
        self.settled += taken.settled
        self.readmitted += taken.readmitted
        return taken

    def _take(
        self,
        tx: StoreWriter,
        batch: list[Change],
        signed: tuple[SignedHead, ...],
        allows: Callable[[bytes], bool],
        parted: frozenset[bytes],
        ready: Prepared | None,
    ) -> Taken:
        if tx.segments.merged():
            return Taken(0, held=tuple(_dots_of(tx, batch)), unchecked=True)  # the peer still holds them
        before = tx.log.position()
        fresh, apart = self._sorted(tx, batch, parted)
        vouched = Vouched.verify(self._verify_signature, self._workspace, tx, fresh, signed)
        if vouched is None:
            return Taken(0, early=True, apart=apart, held=tuple(_dots_of(tx, batch)))
        fold, waited = self._ledger.fold(tx), early_writes.is_pending(tx)
        if ready is None:
            fold.read_ahead((each.body, each.header.operations) for each in first_slice(fresh) if not each.header.parts)
        piece = Slice(tx, self._ledger, fold, allows, parted, apart)
        rest = piece.take(fresh, ready)
        if rest is not None:
            batch = list(takewhile(lambda each: each is not rest, batch))
        fold.flush()
        vouched.keep(tx)
        settled, held = waited and not early_writes.is_pending(tx), tuple(_dots_of(tx, batch))
        readmitted = readmit(tx, self._ledger, self._random)
        moved = settled or readmitted
        return Taken(
            piece.applied, piece.early, piece.late, piece.apart, held, settled, readmitted, more=rest is not None,
            members=moved or any(operation.is_about(each.body, each.header.operations, "device") for each in batch),
            reached=None if moved else (before, tx.log.position()), ahead=ready is not None and ready.is_written,
        )  # fmt: skip

    @staticmethod
    def _sorted(
        tx: StoreReader, batch: list[Change], parted: frozenset[bytes]
    ) -> tuple[list[Change], dict[bytes, Summary]]:
        """Return the changes that are new here, and the actors whose changes here differ from those in the batch."""
        chains = Chains(tx)
        fresh, apart = list[Change](), dict[bytes, Summary]()
        coming, strange = set[bytes](), set[bytes]()  # hashes: taken now, and not taken now
        for change in batch:
            header = change.header
            if header.previous in coming:  # true for nearly all
                coming.add(change.hash)
                fresh.append(change)
                continue
            if chains.knows(change):
                continue
            waits = header.actor in parted and chains.place(change) is None
            if header.previous in strange or waits or chains.is_apart(change):
                strange.add(change.hash)
                apart[header.actor] = summary(change)
            else:
                coming.add(change.hash)
                fresh.append(change)
        return fresh, apart

    def take_part(self, part: Part, parted: frozenset[bytes] = frozenset(), *, ahead: bool = False) -> Taken:
        """
        Take a part of a large change. The last missing part applies the change.

        Args:
            part: The part.
            parted: The actors whose changes differ at the peer. Their parts are passed over, as their headers were.
            ahead: Whether to fold the change that it completes (:meth:`completes`) before the transaction begins.

        Raises:
            RemoteProtocolError: It is a part of no announced change; nothing was taken.
        """
        ready = prepare_last(self._store, part) if ahead else None
        return self._count(self._store.transact(lambda tx: self._take_part(tx, part, parted, ready)))

    def _take_part(self, tx: StoreWriter, part: Part, parted: frozenset[bytes], ready: Prepared | None) -> Taken:
        if tx.segments.merged():
            return Taken(0, unchecked=True)
        try:
            incoming = incoming_of(tx, part)
        except RemoteProtocolError:
            if part.actor in parted:
                return Taken(0)
            raise
        chains = Chains(tx)
        if incoming is None:
            return Taken(0, early=not chains.holds_some(part.actor, part.seq))  # another peer may have been faster
        header = changes.decode_header(incoming.raw)
        tx.incoming.keep_part(incoming.actor, incoming.seq, part.number, part.data)
        change = Change(header, incoming.raw, b"")
        if len(incoming.parts | {part.number}) < len(header.parts):
            return Taken(0, held=tuple(_dots_of(tx, [change])))
        fold, waited = self._ledger.fold(tx), early_writes.is_pending(tx)
        outcome = self._ledger.admit(tx, fold, change, ready)
        fold.flush()
        if outcome is Admitted.APPLIED:
            self._keep_voucher(tx, change)
        settled = waited and not early_writes.is_pending(tx)
        held = tuple(_dots_of(tx, [change]))
        readmitted = readmit(tx, self._ledger, self._random)
        applied, early = int(outcome is Admitted.APPLIED), outcome is Admitted.EARLY
        if outcome is Admitted.UNKNOWN:
            tx.incoming.forget(incoming.actor, incoming.seq)
        ready_made = ready is not None and ready.is_written
        return Taken(applied, early, held=held, settled=settled, readmitted=readmitted, ahead=ready_made)

    @staticmethod
    def _keep_voucher(tx: StoreWriter, change: Change) -> None:
        """Keep what vouches for a large change: it came with its header, and is stored under the change before it."""
        chains, header = Chains(tx), change.header
        dot = chains.find(*header.dot, change.hash)
        if dot is None:
            return
        voucher = voucher_of(tx, *(chains.before(dot) or (header.actor, 0)))
        if voucher is not None:
            keep_voucher(tx, *dot, msgspec.structs.replace(voucher, proof=voucher.proof[HASH_BYTES:]))


def check_body(change: Change) -> None:
    """
    Check that a change's body has the hash that its header contains. A body in parts comes later.

    Raises:
        RemoteProtocolError: It does not.
    """
    if change.header.parts:
        if change.body:
            raise RemoteProtocolError("a change with both a body and parts")
    elif len(change.body) != change.header.body_bytes or changes.hash_part(change.body) != change.header.content:
        raise RemoteProtocolError("a change whose body is not the one that its header names")


def _dots_of(reader: StoreReader, batch: list[Change]) -> Iterator[Dot]:
    """Yield the dots under which changes are held. For chains without a known fork, also of changes that are not held."""
    chains, has_forks = Chains(reader), bool(forked_keys(reader))
    for change in batch:
        dot: Dot | None = change.header.dot
        is_forked = has_forks and bool(points_of(reader, change.header.actor))
        if is_forked and (dot := chains.find(*change.header.dot, change.hash)) is None:
            place = chains.place(change)  # a large change whose parts are still to come
            dot = None if place is None else (place.name, change.header.seq)
        if dot is not None:
            yield dot
