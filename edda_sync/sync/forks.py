"""
Forks: one dot under two hashes. Found wherever two devices compare what they hold, and noted once an actor.

Whoever got changes as a segment never saw them. So a segment brings, for each of its heads, a *chain*: what the hashes of
that actor's changes begin with, up to the head. A change's hash covers all before it of its actor; so two devices need to
compare only the last change that both hold.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Final, NamedTuple

from edda_sync import limits
from edda_sync.backup import segment as segments
from edda_sync.backup.segment import SegmentHeader
from edda_sync.crdt.change import Dot
from edda_sync.errors import ForkError
from edda_sync.protocols import Head, Store, StoreReader, StoreWriter

CHAIN_HASH_BYTES: Final = 4  # of a change: one fork in 2**32 goes unseen, and a million changes take 4 MB


class Fork(NamedTuple):
    """A dot, our hash of its change, and the other one; of each perhaps only what it begins with."""

    actor: int
    seq: int
    ours: bytes
    theirs: bytes


def find(reader: StoreReader, others: Iterable[tuple[int, int, bytes]]) -> list[Fork]:
    """
    Return which changes are here under another hash.

    Args:
        reader: The store.
        others: Actor, seq and hash, or what it begins with, of changes that somebody holds.
    """
    heads = reader.heads()
    shared = [each for each in others if each[0] in heads and each[1] <= heads[each[0]].seq]
    held = hashes_at(reader, [(actor, seq) for actor, seq, _ in shared])
    both = [Fork(actor, seq, ours, theirs) for (actor, seq, theirs), ours in zip(shared, held, strict=True)]
    return [fork for fork in both if not (fork.ours.startswith(fork.theirs) or fork.theirs.startswith(fork.ours))]


def note(tx: StoreWriter, forks: Iterable[Fork]) -> None:
    """Note forks, one of each actor: its later changes differ as well, and a liar could make up any number."""
    noted = {fork[0] for fork in tx.forks()}
    for fork in forks:
        if fork.actor not in noted:
            tx.add_fork(*fork)


@contextmanager
def noted(store: Store) -> Iterator[None]:
    """Note the fork that ends what is done within."""
    try:
        yield
    except ForkError as error:
        fork = Fork(error.actor, error.seq, *error.hashes)
        store.transact(lambda tx: note(tx, [fork]))
        raise


def hashes_at(reader: StoreReader, dots: Iterable[Dot]) -> list[bytes]:
    """Return changes' hashes: what one begins with where a segment brought it, nothing where the chain is too short."""
    held = [(dot, reader.hash_at(*dot)) for dot in dots]
    merged = list(_merged(reader)) if any(known is None for _, known in held) else []  # read once, and only if need be
    return [known or next((found for each in merged if (found := hash_in(each, *dot))), b"") for dot, known in held]


def hash_in(header: SegmentHeader, actor: int, seq: int) -> bytes:
    """Return what the hash of a change in a segment begins with; nothing where its chain does not reach."""
    for head, chain in zip(header.heads, header.chains, strict=True):
        if head.actor == actor and 0 < seq <= head.seq:
            start = len(chain) - CHAIN_HASH_BYTES * (head.seq - seq + 1)
            return chain[start : start + CHAIN_HASH_BYTES] if start >= 0 else b""
    return b""


def chains_of(reader: StoreReader, heads: Iterable[Head]) -> tuple[bytes, ...]:
    """Return each head's chain, of as many changes as a segment may bring."""
    merged = list(_merged(reader))
    return tuple(_chain_of(reader, head, merged) for head in heads)


def is_chain(head: Head, chain: bytes) -> bool:
    """Tell whether a chain is as long as it must be, and ends at its head."""
    length = CHAIN_HASH_BYTES * min(head.seq, limits.CHAIN_HASHES_MAX)
    return len(chain) == length and head.hash.startswith(chain[-CHAIN_HASH_BYTES:])


def _chain_of(reader: StoreReader, head: Head, merged: list[SegmentHeader]) -> bytes:
    first = max(0, head.seq - limits.CHAIN_HASHES_MAX) + 1
    known = {seq: digest[:CHAIN_HASH_BYTES] for seq, digest in reader.hashes(head.actor, first)}
    for header in merged:
        for each, chain in zip(header.heads, header.chains, strict=True):
            if each.actor == head.actor:
                cut = [chain[at : at + CHAIN_HASH_BYTES] for at in range(0, len(chain), CHAIN_HASH_BYTES)]
                known = {**dict(zip(range(each.seq - len(cut) + 1, each.seq + 1), cut, strict=True)), **known}
    return b"".join(known[seq] for seq in range(first, head.seq + 1))


def _merged(reader: StoreReader) -> Iterator[SegmentHeader]:
    """Yield the headers of the segments that were merged into a store, the newest first."""
    for _, name in reversed(reader.segments()):
        yield segments.read(segments.parts_of(reader, name))[0]
