"""
Slices: a batch is taken in slices of limited cost, so that other peers are served in between.

A slice ends where a change has to wait: for room, for what it depends on, or for its device's next turn. Changes of actors
whose changes differ at the peer are passed over, and so is what may depend on them.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from itertools import accumulate

from edda_sync.changes import change as changes
from edda_sync.changes import early as early_writes
from edda_sync.changes.branches import Point
from edda_sync.changes.chains import Chains, forked_keys, points_of
from edda_sync.changes.change import DEP_HASH_BYTES, Change, Header
from edda_sync.crdt.frontier import Dot
from edda_sync.fold.fold import Fold
from edda_sync.fold.prepared import Prepared
from edda_sync.ledger.admission import Admitted
from edda_sync.ledger.ledger import Ledger
from edda_sync.store.seams import StoreReader, StoreWriter
from edda_sync.sync.large import expect
from edda_sync.sync.messages import Summary
from edda_sync.words import limits


class Slice:
    """
    One slice of a batch, in a transaction. Call :meth:`take`, and then flush the fold.

    Args:
        tx, ledger, fold: The transaction, the ledger, and the fold that the changes are applied with.
        allows: Tells, for a device's key, whether one more life of it, or branch of one, may be taken now.
        parted: The actors whose changes differ at the peer.
        apart: Those of them that are in this batch, each with one of these changes.

    Attributes:
        applied: How many changes were applied.
        early: Whether it ended at a change that came too early.
        late: Whether it ended at a life that begins later than may be taken now.
        apart: As given, with the actors that were found to be apart on the way.
    """

    def __init__(
        self,
        tx: StoreWriter,
        ledger: Ledger,
        fold: Fold,
        allows: Callable[[bytes], bool],
        parted: frozenset[bytes],
        apart: Mapping[bytes, Summary],
    ) -> None:
        self._tx, self._ledger, self._fold, self._allows, self._parted = tx, ledger, fold, allows, parted
        self.apart = dict(apart)
        self.applied, self.early, self.late = 0, False, False
        self._work_us = 0
        self._has_forks = bool(forked_keys(tx))
        self._halves = defaultdict[Dot, list[Dot]](list)  # half received large changes, by dot
        for half in tx.incoming.all():
            self._halves[changes.decode_header(half.raw).dot].append((half.actor, half.seq))

    def take(self, fresh: list[Change], ready: Prepared | None) -> Change | None:
        """
        Take changes in their order, until one has to wait.

        Args:
            fresh: Changes that are new here, in causal order.
            ready: What was folded beforehand of the first one.

        Returns:
            The change with which the next slice begins, if this one is full.
        """
        for change in fresh:
            if change.header.actor in self.apart:
                continue
            if self._is_full(change):
                return change
            if not self._may_begin(change):
                self.late = True
                return None
            outcome = self._admit(change, ready)
            if outcome is None:
                return None
            if outcome is Admitted.APPLIED:
                self._count(change)
            elif self._is_apart(change, outcome):
                self.apart |= {change.header.actor: summary(change)} | _differing(self._tx, change)
            elif outcome is Admitted.EARLY:
                self.early = True
                return None
        return None

    def _is_full(self, change: Change) -> bool:
        cost = self._work_us + self._fold.work_us + cost_us(change.header)
        return bool(self.applied) and cost > limits.SLICE_US_MAX

    def _may_begin(self, change: Change) -> bool:
        """Tell whether a change may begin another life, or branch, of its device now; true for one that begins none."""
        birth = change.header.birth
        if birth is not None:
            return self._allows(birth.public_key)
        key = _key_of_branch(self._tx, change) if self._has_forks else None
        return key is None or self._allows(key)

    def _admit(self, change: Change, ready: Prepared | None) -> Admitted | None:
        """Admit a change; None for a large one that is admitted when its last part has come, and awaited until then."""
        if not change.header.parts:
            return self._ledger.admit(self._tx, self._fold, change, ready)
        checked = self._ledger.check(self._tx, self._fold, change)
        if isinstance(checked, Admitted):
            return checked
        expect(self._tx, change)
        return None

    def _count(self, change: Change) -> None:
        self.applied += 1
        self._work_us += cost_us(change.header)
        for half in self._halves.pop(change.header.dot, ()):  # its author gave somebody another change of this dot
            self._tx.incoming.forget(*half)

    def _is_apart(self, change: Change, outcome: Admitted) -> bool:
        """Tell whether the peer may hold another change than we do where this one cannot be applied."""
        if outcome in (Admitted.FORKED, Admitted.UNKNOWN):
            return True
        return outcome is Admitted.EARLY and _may_need(self._tx, change, self._parted | self.apart.keys())


def cost_us(header: Header) -> int:
    """Return the estimated cost of taking a change, in microseconds."""
    return limits.TAKE_CHANGE_US + limits.TAKE_OPERATION_US * header.operations


def may_be_long(header: Header) -> bool:
    """Tell whether a change may cost more than one slice may. One whose body comes in parts is applied later."""
    return not header.parts and limits.TAKE_CHANGE_US + limits.TAKE_WORST_US * header.operations > limits.SLICE_US_MAX


def is_long(header: Header) -> bool:
    """Tell whether a change costs so much that it is folded before its transaction."""
    return not header.parts and cost_us(header) > 2 * limits.SLICE_US_MAX


def first_slice(fresh: list[Change]) -> list[Change]:
    """Return the changes of the first slice, if all of them are taken."""
    work_us = list(accumulate(cost_us(each.header) for each in fresh))
    return fresh[: max(1, bisect_right(work_us, limits.SLICE_US_MAX))]


def _key_of_branch(reader: StoreReader, change: Change) -> bytes | None:
    """Return the device's key, if a change begins another branch of its chain, which counts like a life; otherwise None."""
    actor, seq = change.header.dot
    if Point(seq - 1, change.header.previous) not in points_of(reader, actor):
        return None
    before = Chains(reader).find(actor, seq - 1, change.header.previous)
    return None if before is None else changes.decode_birth(reader.log.heads()[before[0]].birth).public_key


def _may_need(reader: StoreReader, change: Change, apart: AbstractSet[bytes]) -> bool:
    """
    Tell whether a change may depend, by its header, on actors whose changes differ at the peer.

    Whose branch an unknown name is can only be told after the fork is proved. Until then it may be one of these actors.
    """
    chains, header, heads = Chains(reader), change.header, reader.log.heads()
    birth, named = header.birth, [dep[0] for dep in header.deps]
    continued = [] if birth is None or birth.parent is None else [birth.parent]
    awaited = early_writes.awaited(reader) if apart else []  # what depends on early writes depends on this
    if any(chains.actor(name) in apart for name in (header.actor, *continued, *named, *awaited)):
        return True
    return bool(apart) and any(name not in heads and chains.actor(name) == name for name in named)


def summary(change: Change) -> Summary:
    """Return what names a change in a message: its dot and the beginning of its hash."""
    return Summary(*change.header.dot, change.hash[:DEP_HASH_BYTES])


def _differing(reader: StoreReader, change: Change) -> dict[bytes, Summary]:
    """Return those dependencies of a change of which another change is here, by actor; their chains fork."""
    chains, header = Chains(reader), change.header
    continued = None if header.birth is None else header.birth.continues
    needed = [*header.deps, *([] if continued is None else [continued])]
    return {
        chains.actor(name): Summary(name, seq, digest[:DEP_HASH_BYTES])
        for name, seq, digest in needed
        if chains.find(name, seq, digest) is None and chains.holds_some(chains.actor(name), seq)
    }
