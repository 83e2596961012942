"""Bugs of the log: names of changes, their dependencies, the lives of a store, folding it again."""

from __future__ import annotations

from typing import Final

from edda_sync.simulations.bugs.planting import Bug, one

BUGS: Final[tuple[Bug, ...]] = (
    one(
        "a number is used up by a failed transaction",
        "The next seq is counted in memory, so a failed transaction leaves a gap that no peer can get past.",
        (18,),
        "ledger.ledger:Ledger._write",
        "actor, seq = actor_of(tx), 1 if head is None else head.seq + 1",
        "actor, seqs = actor_of(tx), self.__dict__.setdefault('seqs', {})\n"
        "    seq = seqs[actor] = 1 if head is None else max(seqs.get(actor, 0), head.seq) + 1",
    ),
    one(
        "a store put back is itself",
        "An old copy that replaces the store goes on under the same actor: etcd members restored from a file copy.",
        (9, 10),
        "engine.life:Sidecar.doubt",
        "(known.seq == head.seq and known.hash == head.hash) or",
        "known.seq or",
    ),
    one(
        "an old copy passes for the later life",
        "An old copy is taken for the later life once peers have sent back what that life wrote: a bug that this code"
        " had; seed 958 found it.",
        (9, 10),
        "engine.life:Sidecar.doubt",
        "if known.actor != head.actor and not reissued:",
        "if known.actor != head.actor and reader.log.hash_at(known.actor, known.seq) != known.hash:",
    ),
    one(
        "a store without a sidecar is itself",
        "A copied store is taken for the original: Syncthing before index ids.",
        (9, 10),
        "engine.life:Sidecar.doubt",
        'return "" if is_itself else COPIED',
        'return "" if is_itself or known is None else COPIED',
    ),
    one(
        "an actor is a device",
        "Each new life of a store gets the same actor: Riak's vnode ids before per-key epochs.",
        (9, 10),
        "engine.writing:Writing.live",
        "actors.new_life(tx, self.random(16), why)",
        "actors.new_life(tx, bytes(16), why)",
    ),
    one(
        "a newcomer is not depended on",
        "A change names only devices that its author depended on before, and leaves out those that are new since.",
        (1, 3),
        "ledger.ledger:header_deps",
        "    for name, seq in moved.items():",
        "    for name, seq in [(a, s) for a, s in moved.items() if a in before or not before]:",
    ),
    one(
        "a difference is taken for the whole",
        "A peer takes the difference to the former dependencies for the full list.",
        (0, 1, 3, 11),
        "ledger.admission:check",
        "deps = frontier.join(before, named)",
        "deps = dict(named)",
    ),
    one(
        "a rebuild takes a difference for the whole",
        "Dependencies are put together when a change arrives, but not when the log is folded anew.",
        (11,),
        "ledger.refold:_fold_again",
        "deps = walk.at(logged.actor, logged.seq)",
        "deps = {actor: seq for actor, seq, _ in header.deps}",
    ),
    one(
        "a rebuild trusts its cache",
        "Texts in memory are kept when the view is folded anew.",
        (0, 11, 23),
        "ledger.refold:rebuild",
        "anew.note(tx)",
        "pass",
    ),
    one(
        "signatures are not kept",
        "The signatures over a peer's changes are checked and thrown away, so nobody can pass those changes on.",
        (10, 18),
        "sync.vouchers:Vouched.keep",
        "in self._ends.items():",
        "in ():",
    ),
    one(
        "a life depends on nothing before it",
        "The past of a life's first change is only what its header names, without what the life continues.",
        (1, 3, 7, 11, 18),
        "ledger.admission:check",
        "before = pasts.before(reader, birth)",
        "before = {}",
    ),
    one(
        "a fork is nobody's news",
        "A device that proves a fork keeps the proof to itself, and uses names for its changes that nobody else uses.",
        (1, 18),
        "sync.learning:Learning.learn",
        "news.evidence.append(name_of_proof(proof))",
        "pass",
    ),
)
