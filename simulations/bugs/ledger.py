"""Bugs of the log: names of changes, what they depend on, lives of a store, folding it anew."""

from __future__ import annotations

from typing import Final

from simulations.bugs.planting import Bug, one

BUGS: Final[tuple[Bug, ...]] = (
    one(
        "a number is used up by a failed transaction",
        "The next seq is counted in memory, so that a transaction that fails leaves a gap that nobody can pass.",
        (18,),
        "crdt.ledger:Ledger.commit",
        "seq = 1 if head is None else head.seq + 1",
        "seqs = self.__dict__.setdefault('seqs', {})\n"
        "    seq = seqs[actor] = 1 if head is None else max(seqs.get(actor, 0), head.seq) + 1",
    ),
    one(
        "a store put back is itself",
        "An old copy in the place of the store goes on under its actor: etcd members restored from a file copy.",
        (9, 10),
        "life:Sidecar.is_same_life",
        "(known.seq == head.seq and known.hash == head.hash) or",
        "known.seq or",
    ),
    one(
        "an old copy passes for the later life",
        "A former life's copy is taken for the later one, once peers have brought back what that wrote: a bug of this code,"
        " which seed 958 found.",
        (9, 10),
        "life:Sidecar.is_same_life",
        "return False  # a later life",
        "return reader.hash_at(known.actor, known.seq) == known.hash  # a later life",
    ),
    one(
        "a store without a sidecar is itself",
        "A copied store is taken for the one that it is a copy of: Syncthing before index ids.",
        (9, 10),
        "life:Sidecar.is_same_life",
        "if known is None or (",
        "if known is None:\n        return True\n    if (",
    ),
    one(
        "an actor is a device",
        "A new life of a store has the same actor each time: Riak's vnode ids before per-key epochs.",
        (9, 10),
        "engine:StorageEngine._live",
        "ledgers.new_life(tx, public_key, self._random(16))",
        "ledgers.new_life(tx, public_key, bytes(16))",
    ),
    one(
        "a newcomer is not depended on",
        "A change names only what its author depended on before, and not who is new since.",
        (1, 3),
        "crdt.ledger:Ledger.commit",
        "changed = frontier.difference(deps, previous)",
        "changed = {a: s for a, s in frontier.difference(deps, previous).items() if a in previous or not previous}",
    ),
    one(
        "a difference is taken for the whole",
        "A peer reads the difference to the former dependencies as all there are.",
        (1, 3, 11),
        "crdt.ledger:Ledger.admit",
        "deps = changes.full_deps(header, previous)",
        "deps = changes.full_deps(header, {})",
    ),
    one(
        "a rebuild takes a difference for the whole",
        "Dependencies are put together when a change comes, and not when the log is folded anew.",
        (11,),
        "crdt.ledger:Ledger.rebuild",
        "changes.full_deps(header, deps_of.get(header.actor, {}))",
        "changes.full_deps(header, {})",
    ),
    one(
        "a rebuild trusts its cache",
        "Texts in memory are kept when the view is folded anew.",
        (0, 11, 23),
        "crdt.ledger:Ledger.rebuild",
        "self.texts = Texts()",
        "pass",
    ),
    one(
        "signatures are not kept",
        "What vouches for a peer's changes is checked and thrown away, so that nobody can pass them on.",
        (18,),
        "sync.exchange:Exchange._keep_vouchers",
        "for actor, each in signed.items():",
        "for actor, each in ():",
    ),
)
