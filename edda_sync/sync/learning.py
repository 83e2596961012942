"""
Learning: what a store does when a chain is proved to fork. It calls changes by the names that follow from that, and folds
anew what they are about.

Which proofs are kept is a function of what is held, whatever came first: those by keys that the log says are members'. How
fast, is flow. Whoever leaves a proof asks for it again once there may be another answer.
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
from edda_sync.sync.vouchers import voucher_of
from edda_sync.workspace import authority
from edda_sync.workspace.keys import ACTOR_KEY

Allows = Callable[[bytes], bool]
"""Tells of a device's key whether one more proof by it may be taken now."""


class Wanted(NamedTuple):
    """A piece of a chain, for a peer: the last name of the chain, and where the piece ends; its end, or before a seq."""

    name: bytes
    before: int | None = None


@dataclass(slots=True)
class News:
    """
    What came of a piece of a chain, or of evidence.

    Attributes:
        evidence: What of it was new, by name.
        brought: What the peer told of it, new or not, by name.
        forked: Actors whose chains it newly proves to fork.
        renamed: What is called otherwise from now on, since a fork was proved.
        ends: Up to where a name goes from now on, of a chain that is proved to fork where nothing more of it is here.
        say: Longer pieces, for the peer.
        agrees: Whether a piece is, as far as both go, what is held here.
        strangers: Keys of which it had proofs, and that are no members here.
        late: Whether it had more proofs by one key than may be taken at once.
        unchecked: Whether a segment, whose log is not here yet, keeps it from being looked at.
    """

    evidence: list[bytes] = field(default_factory=list)
    brought: list[bytes] = field(default_factory=list)
    forked: set[bytes] = field(default_factory=set)
    renamed: list[Renaming] = field(default_factory=list)
    ends: list[Dot] = field(default_factory=list)
    say: list[Wanted] = field(default_factory=list)
    agrees: bool = False
    strangers: set[bytes] = field(default_factory=set)
    late: bool = False
    unchecked: bool = False


class Learning:
    """
    Proofs that are learned in one transaction: what they are about is folded anew once, after all of them.

    Args:
        ledger: The store's.
        tx: The transaction.
        allows: See :data:`Allows`.
    """

    def __init__(self, ledger: Ledger, tx: StoreWriter, allows: Allows) -> None:
        self._ledger, self._tx, self._allows = ledger, tx, allows
        self._positions = set[int]()  # of the changes whose entities are to be folded anew

    def is_wanted(self, proof: ForkProof, news: News) -> bool:
        """Tell whether a proof is of a point that is not known, by a member's key, and may be taken now."""
        if self._tx.segments.merged():
            news.unchecked = True  # whose branch a segment stands for, only the log behind it tells
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
        """Keep a proof that was checked, and call changes by the names that follow from it."""
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
            return  # nothing is held beyond the point, so nothing has another name
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
            tx.meta.set(ACTOR_KEY, by.new)  # under which this store wrote, so that its next life continues it
        anew.note(tx)
        above = names_of(tx).above(by.new)  # whose items texts call by the whole way down to them
        known = {name: SEQ_MAX for name in tx.log.heads() if name not in above}
        self._positions.update(tx.log.positions_after(known))

    def fold_anew(self, news: News) -> None:
        """Fold anew what changes are about that have another name now, and what names them."""
        if not news.renamed:
            return
        tx, old = self._tx, {by.old for by in news.renamed}
        keys = set(tx.mentions.entities_at(sorted(self._positions)))
        keys |= {record.key for record in tx.states.scan() if any(name in record.state for name in old)}
        self._ledger.refold(tx, sorted(keys))


def is_member(reader: StoreReader, key: bytes) -> bool:
    """Tell whether the log says that a key is a member's, or was one's."""
    device = authority.device_of(reader, key)
    return device is not None and bool(device.cells.get("record"))
