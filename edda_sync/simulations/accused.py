"""Accusations: false evidence against another device, which a liar makes up and signs itself."""

from __future__ import annotations

from typing import Final

from edda_sync.changes import change as changes
from edda_sync.changes import forkproof
from edda_sync.changes.chains import CLOSING, PROOF
from edda_sync.changes.change import NO_HASH
from edda_sync.changes.forkproof import Chain
from edda_sync.simulations.liars import Liar
from edda_sync.simulations.tape import Draws
from edda_sync.store.seams import Head
from edda_sync.sync.messages import Branch, Evidence, Message
from edda_sync.workspace import closing
from edda_sync.workspace.closing import Closing

OF: Final = ("fork", "closing", "piece")


def accuse(draws: Draws, liar: Liar) -> list[Message]:
    """Return evidence that a chain forks, a piece of a chain that suggests it, or evidence that a life has ended."""
    with liar.running.store.read() as reader:
        others = [head for head in sorted(reader.log.heads().values()) if _key(head) != liar.identity.public_key]
        if not others:
            return []
        victim, what = draws.pick("victim", others), draws.pick("of", OF)
        actor, seq = changes.actor_of(victim.birth), victim.seq
        raws = reader.log.headers(victim.actor, seq, seq)
        before = reader.log.hash_at(victim.actor, seq - 1) if seq > 1 else NO_HASH
    if not raws or before is None:
        return []  # a segment stands for these changes
    workspace, true = liar.running.workspace, changes.hash_header(raws[0])
    if what == "closing":
        signature = liar.identity.sign(closing.signed_message(workspace, actor, seq, victim.hash))
        return [Evidence((CLOSING + closing.encode(Closing(victim.birth, seq, victim.hash, signature)),), False)]
    false = true[::-1]
    head = changes.hash_change(before, false)
    signature = liar.identity.sign(changes.signed_message(workspace, actor, seq, head))
    if what == "piece":
        return [Branch(actor, victim.birth, seq - 1, before, (false,), signature)]
    sides = Chain(seq - 1, before, (true,), victim.signature or signature), Chain(seq - 1, before, (false,), signature)
    proof = forkproof.make(actor, victim.birth, *sides)
    assert proof is not None, "the two differ"
    return [Evidence((PROOF + forkproof.encode(proof),), False)]


def _key(head: Head) -> bytes:
    return changes.decode_birth(head.birth).public_key
