"""
Forks, as an outsider sees them: which device holds which branch, and how far each is along each actor's chain.

A *fork* is one dot with two hashes. After two devices that hold different branches have talked, both can prove it, and each
branch has a name of its own: then both devices hold both branches. Until then they hold different changes under one name.
(Everything that depends on forks is in this file, in ``ending``, and in ``Book.forked``.)
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from edda_sync.changes.chains import Chains, names_of
from edda_sync.crdt.frontier import Dot, Frontier
from edda_sync.simulations.links import Host
from edda_sync.store.seams import StoreReader

_FAR: Final = 1 << 62


def forks_between(first: Host, second: Host, within: Mapping[bytes, int] | None = None) -> list[Dot]:
    """
    Return the last common dot for each name under which two running devices hold different changes.

    Args:
        first, second: The devices.
        within: Look only at changes within this frontier.
    """
    with first.running.store.read() as reader, second.running.store.read() as other:
        heads, others = reader.log.heads(), other.log.heads()
        found = []
        for actor in sorted(heads.keys() & others.keys()):
            seq = min(heads[actor].seq, others[actor].seq, within.get(actor, 0) if within is not None else _FAR)
            if _differ(reader.log.hash_at(actor, seq), other.log.hash_at(actor, seq)):
                found.append((actor, seq))
        return found


def reach_of(reader: StoreReader) -> Frontier:
    """Return the last seq that a store holds of each actor's chain, on any branch."""
    names = names_of(reader)
    reach: Frontier = {}
    for head in reader.log.heads().values():
        actor = names.actor(head.actor)
        reach[actor] = max(head.seq, reach.get(actor, 0))
    return reach


def is_in_a_segment(reader: StoreReader, actor: bytes, seq: int, digest: bytes) -> bool:
    """Tell whether a segment in a log stands for a change, given the beginning of its hash."""
    chains = Chains(reader)
    dot = chains.find(actor, seq, digest)
    return chains.is_uncertain(actor, seq) if dot is None else reader.log.position_of(*dot) is None


def _differ(one: bytes | None, other: bytes | None) -> bool:
    """Tell whether two hashes are known and differ. Behind a segment the log may not have a hash."""
    return one is not None and other is not None and one != other
