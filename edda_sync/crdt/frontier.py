"""
Frontiers: which changes of each actor are held, as a map from actor to the highest sequence number without a gap.

A frontier is a version vector (Parker et al. 1983, "Detection of mutual inconsistency in distributed systems").
Frontiers form a join-semilattice: :func:`join` is associative, commutative and idempotent, and :func:`covers` is its
order. An actor that is not in the map is at 0. A frontier may have any number of actors; no reader may refuse it for
its length.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from typing import Annotated, Final

import msgspec

ACTOR_BYTES: Final = 16
SEQ_MAX: Final = (1 << 48) - 1

Actor = Annotated[bytes, msgspec.Meta(min_length=ACTOR_BYTES, max_length=ACTOR_BYTES)]
"""The name of one life of a device's store: 16 bytes of the hash of its birth."""

Seq = Annotated[int, msgspec.Meta(gt=0, le=SEQ_MAX)]
"""The number of a change in its actor's chain: 1, 2, 3... without a gap."""

Dot = tuple[Actor, Seq]
"""The name of a change."""

Frontier = dict[bytes, int]
Pairs = list[tuple[bytes, int]]


def covers(frontier: Mapping[bytes, int], other: Mapping[bytes, int]) -> bool:
    """Tell whether everything in ``other`` is in ``frontier``."""
    return all(seq <= frontier.get(actor, 0) for actor, seq in other.items())


def join(frontier: Mapping[bytes, int], other: Mapping[bytes, int]) -> Frontier:
    """Return the least frontier that covers both."""
    joined = dict(frontier)
    for actor, seq in other.items():
        if seq > joined.get(actor, 0):
            joined[actor] = seq
    return joined


def difference(frontier: Mapping[bytes, int], before: Mapping[bytes, int]) -> Frontier:
    """Return the entries of ``frontier`` that differ from those in ``before``."""
    return {actor: seq for actor, seq in frontier.items() if before.get(actor, 0) != seq}


def lacking(frontier: Mapping[bytes, int], other: Mapping[bytes, int]) -> int:
    """Return how many changes of ``other`` are not in ``frontier``."""
    return sum(max(0, seq - frontier.get(actor, 0)) for actor, seq in other.items())


def to_pairs(frontier: Mapping[bytes, int]) -> Pairs:
    """Return the canonical form: pairs sorted by actor, without entries at 0."""
    return sorted((actor, seq) for actor, seq in frontier.items() if seq > 0)


def from_pairs(pairs: Iterable[tuple[bytes, int]]) -> Frontier:
    """
    Return the frontier of canonical pairs. Their types must have been checked (:data:`Actor`, :data:`Seq`).

    Raises:
        ValueError: The pairs are not sorted, or name an actor twice.
    """
    listed = list(pairs)
    if len(listed) > 1 and any(one[0] >= other[0] for one, other in itertools.pairwise(listed)):
        raise ValueError("a frontier that is not canonical")
    return dict(listed)
