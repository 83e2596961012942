"""
Frontiers: which changes of each actor are held, as a map from actor to its highest sequence number without a gap.

A frontier is a version vector (Parker et al. 1983, "Detection of mutual inconsistency in distributed systems"). It forms
a join-semilattice: :func:`join` is associative, commutative and idempotent, and :func:`covers` is its order. An absent
actor is at 0.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from edda_sync import limits

Frontier = dict[int, int]
Pairs = list[tuple[int, int]]


def covers(frontier: Mapping[int, int], other: Mapping[int, int]) -> bool:
    """Tell whether everything in ``other`` is in ``frontier``."""
    return all(seq <= frontier.get(actor, 0) for actor, seq in other.items())


def join(frontier: Mapping[int, int], other: Mapping[int, int]) -> Frontier:
    """Return the least frontier that covers both."""
    joined = dict(frontier)
    for actor, seq in other.items():
        if seq > joined.get(actor, 0):
            joined[actor] = seq
    return joined


def difference(frontier: Mapping[int, int], before: Mapping[int, int]) -> Frontier:
    """Return the entries of ``frontier`` that are not the same in ``before``."""
    return {actor: seq for actor, seq in frontier.items() if before.get(actor, 0) != seq}


def lacking(frontier: Mapping[int, int], other: Mapping[int, int]) -> int:
    """Return how many changes of ``other`` are not in ``frontier``."""
    return sum(max(0, seq - frontier.get(actor, 0)) for actor, seq in other.items())


def to_pairs(frontier: Mapping[int, int]) -> Pairs:
    """Return the canonical form: pairs sorted by actor, none at 0."""
    return sorted((actor, seq) for actor, seq in frontier.items() if seq > 0)


def from_pairs(pairs: Iterable[tuple[int, int]]) -> Frontier:
    """
    Return the frontier of canonical pairs.

    Raises:
        ValueError: The pairs are not canonical, or too many.
    """
    listed = list(pairs)
    if len(listed) > limits.ACTORS_MAX:
        raise ValueError(f"a frontier of {len(listed)} actors")
    previous = -1
    for actor, seq in listed:
        if not previous < actor < 1 << limits.ACTOR_BITS or not 0 < seq < 1 << 48:
            raise ValueError("a frontier that is not canonical")
        previous = actor
    return dict(listed)
