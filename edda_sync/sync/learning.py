"""
Learning: what a store does when a chain is proved to fork. It renames changes accordingly, and folds again the entities
that they are about.

Which proofs are kept depends on what is held, in whatever order it came: proofs by keys that the log says are members'. Only
how fast they are taken is limited by rates. A device that ignored a proof asks for it again when the answer may be
different.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from edda_sync.changes import branches
from edda_sync.changes import change as changes
from edda_sync.changes.branches import Renaming
from edda_sync.changes.chains import Chains, keep_names, keep_proof, name_of_proof, names_of, points_of
from edda_sync.changes.forkproof import ForkProof
from edda_sync.changes.past import renamed_pairs
from edda_sync.crdt.frontier import SEQ_MAX, Dot
from edda_sync.ledger.ledger import Ledger
from edda_sync.store import anew
from edda_sync.store.seams import StoreReader, StoreWriter
from edda_sync.sync.making import forget_made
from edda_sync.sync.messages import Summary
from edda_sync.sync.vouchers import voucher_of
from edda_sync.workspace import authority
from edda_sync.workspace.keys import ACTOR_KEY

Allows = Callable[[bytes], bool]
"""Tells whether one more proof by a device's key may be taken now."""


class Wanted(NamedTuple):
    """A piece of a chain for a peer: the chain's last name, and the seq before which the piece ends; None for the end."""

    name: bytes
    before: int | None = None


@dataclass(slots=True)
class News:
    """
    What came of evidence, or of a piece of a chain.

    Attributes:
        evidence: The names of what was new.
        brought: The names of all evidence that the peer told, new or not.
        forked: Actors whose chains were newly proved to fork.
        renamed: The new names of changes, after a proof.
        ends: The last change under a name, for forked chains of which nothing after the fork is held here.
        say: Longer pieces to tell the peer.
        differs: A change of a piece, if another one is held here in its place, or in the place of one before it.
        strangers: Keys with proofs that are no members here.
        late: Whether there were more proofs by one key than may be taken at once.
        unchecked: Whether something could not be checked, because the log behind our segment is not here yet.
    """

    evidence: list[bytes] = field(default_factory=list)
    brought: list[bytes] = field(default_factory=list)
    forked: set[bytes] = field(default_factory=set)
    renamed: list[Renaming] = field(default_factory=list)
    ends: list[Dot] = field(default_factory=list)
    say: list[Wanted] = field(default_factory=list)
    differs: Summary | None = None
    strangers: set[bytes] = field(default_factory=set)
    late: bool = False
    unchecked: bool = False


class Learning:
    """
    The proofs that one transaction learns. After all of them, the affected entities are folded again once.

    Args:
        ledger: The store's ledger.
        tx: The transaction.
        allows: See :data:`Allows`.
    """

    def __init__(self, ledger: Ledger, tx: StoreWriter, allows: Allows) -> None:
        self._ledger, self._tx, self._allows = ledger, tx, allows
        self._positions = set[int]()  # of the changes whose entities are to be folded again

    def is_wanted(self, proof: ForkProof, news: News) -> bool:
        """Tell whether a proof is about an unknown point, made by a member's key, and may be taken now."""
        if self._tx.segments.merged():
            news.unchecked = True  # only the log behind a segment tells which branch the segment stands for
            return False
        if proof.point in points_of(self._tx, proof.actor):
            return False
        key = changes.decode_birth(proof.birth).public_key
        if not is_member(self._tx, key):
            news.strangers.add(key)
        elif self._allows(key):
            return True
        else:
            news.late = True
        return False

    def learn(self, proof: ForkProof, news: News) -> None:
        """Keep a proof that was checked, and rename changes accordingly."""
        tx, point = self._tx, proof.point
        if point in points_of(tx, proof.actor):
            return
        chains = Chains(tx)
        shared: Dot | None = (proof.actor, 0)
        if point.seq:
            shared = chains.find(proof.actor, point.seq, point.hash)
        keep_proof(tx, proof)
        forget_made(tx)
        news.evidence.append(name_of_proof(proof))
        news.forked.add(proof.actor)
        head = None if shared is None else tx.log.heads().get(shared[0])
        if shared is None or head is None or head.seq <= point.seq:
            news.ends.append((proof.actor if shared is None else shared[0], point.seq))
            return  # nothing after the fork is held, so nothing gets another name
        after = tx.log.hash_at(shared[0], point.seq + 1)
        assert after is not None, "the log holds all that its heads say, or there would be no evidence of it"
        by = branches.renaming(proof.actor, shared, after)
        self._rename(chains, by)
        news.renamed.append(by)

    def _rename(self, chains: Chains, by: Renaming) -> None:
        tx = self._tx
        head = tx.log.heads()[by.old]
        before = None
        if by.above >= chains.names.first(by.old):
            named = self._ledger.pasts.named_until(tx, (by.old, by.above))
            before = head._replace(seq=by.above, hash=tx.log.hash_at(by.old, by.above) or b"", deps=named, signed_seq=0)
        voucher = voucher_of(tx, by.old, head.seq)
        self._positions.update(tx.log.rename(by.old, by.above, by.new, before))
        if voucher is not None:
            tx.meta.set(f"voucher {by.new.hex()}", tx.meta.get(f"voucher {by.old.hex()}") or b"")
            tx.meta.drop(f"voucher {by.old.hex()}")
        keep_names(tx, chains.names.renamed(by))
        for other in tx.log.heads().values():
            deps = renamed_pairs(other.deps, by)
            if deps != other.deps:
                tx.log.set_head(other._replace(deps=deps))
        if tx.meta.get(ACTOR_KEY) == by.old:
            tx.meta.set(ACTOR_KEY, by.new)  # this store wrote under that name, and its next life continues it
        anew.note(tx)
        above = names_of(tx).above(by.new)  # texts name the items of all branches above it
        known = {name: SEQ_MAX for name in tx.log.heads() if name not in above}
        self._positions.update(tx.log.positions_after(known))

    def refold(self, news: News) -> None:
        """Fold again the entities of changes that were renamed, and the entities whose state mentions an old name."""
        if not news.renamed:
            return
        tx, old = self._tx, {by.old for by in news.renamed}
        keys = set(tx.mentions.entities_at(sorted(self._positions)))
        keys |= {record.key for record in tx.states.scan() if any(name in record.state for name in old)}
        self._ledger.refold(tx, sorted(keys))


def is_member(reader: StoreReader, key: bytes) -> bool:
    """Tell whether the log says that a key is a member's, now or earlier."""
    device = authority.device_of(reader, key)
    return device is not None and bool(device.cells.get("record"))
