"""
Chains: the names under which a store holds the changes of actors, and the place of a new change.

A header names the actor whose chain the change belongs to. As long as that chain does not fork, this is also the name
of the change. Once a fork is proved, each branch has a name of its own (:mod:`~edda_sync.changes.branches`), and hashes
decide which branch a change, a dependency or an item means.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from hashlib import blake2b
from typing import Final, NamedTuple

import msgspec

from edda_sync.changes.branches import Point, Run, branch_name
from edda_sync.changes.change import DEP_HASH_BYTES, HASH_BYTES, NO_HASH, Birth, Change, decode_birth
from edda_sync.changes.forkproof import ForkProof
from edda_sync.changes.forkproof import encode as encode_proof
from edda_sync.changes.names import Names
from edda_sync.crdt.frontier import Dot, Frontier
from edda_sync.store.seams import StoreReader, StoreWriter

RUNS_KEY: Final = "branches"
FORKED_KEY: Final = "forked"
NAMES_READ_MAX: Final = 16  # stores whose names are kept in memory: as many as a process has open
PROOF: Final = b"\x01"  # first byte of evidence that is a fork proof,
CLOSING: Final = b"\x02"  # or a closing

_encode = msgspec.msgpack.Encoder().encode
_decode_runs = msgspec.msgpack.Decoder(list[Run]).decode
_decode_points = msgspec.msgpack.Decoder(list[Point]).decode
_decode_keys = msgspec.msgpack.Decoder(list[bytes]).decode
NOBODY: Final = Names()


_read: Final[OrderedDict[bytes, Names]] = OrderedDict()  # by their encoding, for the stores in use


def _remember(encoded: bytes, names: Names) -> Names:
    _read[encoded] = names
    while len(_read) > NAMES_READ_MAX:
        _read.popitem(last=False)
    return names


def names_of(reader: StoreReader) -> Names:
    """Return the names of the branches that a store holds; :data:`NOBODY` if no chain forks."""
    encoded = reader.meta.get(RUNS_KEY)
    if encoded is None:
        return NOBODY
    return _read.get(encoded) or _remember(encoded, Names(_decode_runs(encoded)))


def keep_names(tx: StoreWriter, names: Names) -> None:
    """Keep the names of the branches that a store holds."""
    encoded = _encode(names.listed())
    tx.meta.set(RUNS_KEY, encoded)
    _remember(encoded, names)


def points_of(reader: StoreReader, actor: bytes) -> set[Point]:
    """
    Return the points at which an actor's chain is proved to fork.

    They are stored beside the proofs, by actor: each new change needs them, and a proof may have half a megabyte.
    """
    encoded = reader.meta.get(_points_key(actor))
    return set() if encoded is None else set(_decode_points(encoded))


def forked_keys(reader: StoreReader) -> list[bytes]:
    """Return the signing keys that have a chain which is proved to fork, in order."""
    encoded = reader.meta.get(FORKED_KEY)
    return [] if encoded is None else _decode_keys(encoded)


def keep_proof(tx: StoreWriter, proof: ForkProof) -> None:
    """Keep a checked proof, unless there is one for the same point, whatever heads it shows."""
    points = points_of(tx, proof.actor)
    if proof.point in points:
        return
    tx.evidence.add(name_of_proof(proof), PROOF + encode_proof(proof))
    tx.meta.set(_points_key(proof.actor), _encode(sorted({*points, proof.point})))
    tx.meta.set(FORKED_KEY, _encode(sorted({*forked_keys(tx), decode_birth(proof.birth).public_key})))


def name_of_proof(proof: ForkProof) -> bytes:
    """Return the name of a proof among the evidence: that of its point."""
    seq, digest = proof.point
    return blake2b(proof.actor + seq.to_bytes(8, "big") + digest, digest_size=32, person=b"edda-fork").digest()


def _points_key(actor: bytes) -> str:
    return f"points {actor.hex()}"


class Place(NamedTuple):
    """
    The place of a change.

    Attributes:
        name: The name of its chain, or of a branch of it, in this store.
        hash: The hash of the change.
        before: The dot of the change that it follows; None for a first change.
        run: The branch that begins with it; None if it begins none.
    """

    name: bytes
    hash: bytes
    before: Dot | None
    run: Run | None


class Chains:
    """
    The chains of one store.

    Args:
        reader: A transaction or reader of the store.
    """

    def __init__(self, reader: StoreReader) -> None:
        self._reader = reader
        self.names = names_of(reader)

    @property
    def is_plain(self) -> bool:
        """Whether no chain that is held forks: then every name is an actor."""
        return self.names is NOBODY

    def actor(self, name: bytes) -> bytes:
        """Return the actor whose chain a name belongs to."""
        return self.names.actor(name)

    def find(self, name: bytes, seq: int, prefix: bytes) -> Dot | None:
        """
        Return the dot under which a change is held, given the beginning of its hash; None if it is not held.

        Args:
            name: The actor of the change, the name of a branch that holds it, or a name that such a branch continues.
            seq: The number of the change.
            prefix: The beginning of its hash, at least 16 bytes.
        """
        digest = self._hash_at(name, seq)
        if digest is not None and digest.startswith(prefix):
            return name, seq  # the usual case; runs that continue a name have other numbers
        if self.is_plain:
            return None
        is_whole = len(prefix) == HASH_BYTES
        if is_whole and (begun := branch_name(self.actor(name), prefix)) in self._reader.log.heads():
            return (begun, seq) if self.names.first(begun) == seq else None  # so are most at a point
        found: list[tuple[bytes, Dot]] = []
        for each in self.names.holding(name, seq):
            digest = self._hash_at(each, seq)
            if digest is not None and digest.startswith(prefix):
                if is_whole:
                    return each, seq
                found.append((digest, (each, seq)))
        return min(found)[1] if found else None

    def _hash_at(self, name: bytes, seq: int) -> bytes | None:
        """Return the hash of a change that is held under a name; None if none is."""
        head = self._reader.log.heads().get(name)
        if head is None or seq > head.seq:
            return None
        return head.hash if head.seq == seq else self._reader.log.hash_at(name, seq)

    def holds_some(self, actor: bytes, seq: int) -> bool:
        """Tell whether any change of an actor with a seq is held, on whichever branch."""
        heads = self._reader.log.heads()
        return any(
            name in heads and self.names.first(name) <= seq <= heads[name].seq
            for name in self.names.holding(actor, seq)
        )

    def is_uncertain(self, actor: bytes, seq: int) -> bool:
        """Tell whether a change is held without its hash: a segment stands for it, and its log is not here yet."""
        heads = self._reader.log.heads()
        return actor in heads and seq < heads[actor].seq and self._reader.log.hash_at(actor, seq) is None

    def place(self, change: Change) -> Place | None:
        """
        Return the place of a change that is not held.

        It is None if the change has no place yet: the change before it is not here, or is followed by another change
        and this fork is not proved yet.
        """
        header, digest = change.header, change.hash
        actor, seq = header.dot
        points = points_of(self._reader, actor)
        heads = self._reader.log.heads()
        if seq == 1:
            if Point(0, NO_HASH) in points:
                name = branch_name(actor, digest)
                return Place(name, digest, None, Run(name, actor, 1, actor))
            return None if actor in heads else Place(actor, digest, None, None)
        before = self.find(actor, seq - 1, header.previous)
        if before is None:
            return None
        if Point(seq - 1, header.previous) in points:
            name = branch_name(actor, digest)
            return Place(name, digest, before, Run(name, actor, seq, before[0]))
        return Place(before[0], digest, before, None) if heads[before[0]].seq == seq - 1 else None

    def knows(self, change: Change) -> bool:
        """Tell whether a change is held."""
        header = change.header
        if not self.is_plain and Point(header.seq - 1, header.previous) in points_of(self._reader, header.actor):
            return (
                branch_name(header.actor, change.hash) in self._reader.log.heads()
            )  # every change that is held after a point is a branch's first
        return self.find(*change.header.dot, change.hash) is not None

    def is_apart(self, change: Change) -> bool:
        """Tell whether another change is held in this one's place, and that fork is not proved yet."""
        if self.knows(change) or self.place(change) is not None:
            return False
        header = change.header
        if self.holds_some(header.actor, header.seq):
            return True
        return header.seq > 1 and self.holds_some(header.actor, header.seq - 1)

    def deps(self, entries: Iterable[tuple[bytes, int, bytes]]) -> Frontier | None:
        """Return the frontier that a header's dependencies name; None if one of them is not held."""
        if self.is_plain:
            return {actor: seq for actor, seq, _ in entries}
        return self.names.deps(entries, self.find)

    def past_of(self, dot: Dot) -> Frontier:
        """Return a change and those before it in its chain, as a frontier."""
        return {dot[0]: dot[1]} if self.is_plain else self.names.past(dot)

    def goes_on(self, dot: Dot, past: Mapping[bytes, int]) -> bool:
        """Tell whether a past holds a change that comes after a given one in its chain, on any branch."""
        name, seq = dot
        return past.get(name, 0) > seq or self.names.goes_on(name, past)

    def shared(self, dot: Dot, past: Mapping[bytes, int]) -> int:
        """Return the last seq of the chain up to a change that a past holds."""
        return max(min(past.get(name, 0), last) for name, last in self.past_of(dot).items())

    def on(self, name: bytes, seq: int) -> Dot:
        """Return the dot of a change in a chain, given the chain's last name."""
        while seq < self.names.first(name):
            name = self.names.parent(name)
        return name, seq

    def hash(self, name: bytes, seq: int) -> bytes | None:
        """Return the hash of a change in a chain, given the chain's last name; ``NO_HASH`` before the first change."""
        return self._reader.log.hash_at(*self.on(name, seq)) if seq else NO_HASH

    def headers(self, name: bytes, first: int, last: int) -> list[bytes]:
        """Return the held headers of a chain's changes from one seq to another, given the chain's last name."""
        found: list[bytes] = []
        while first <= last:
            name, _ = self.on(name, last)
            begins = max(first, self.names.first(name))
            found = [*self._reader.log.headers(name, begins, last), *found]
            last = begins - 1
        return found

    def before(self, dot: Dot) -> Dot | None:
        """Return the dot of the change before a given one in its chain; None if that is the first."""
        name, seq = dot
        if seq == 1:
            return None
        if self.is_plain or seq > self.names.first(name):
            return name, seq - 1
        return self.names.parent(name), seq - 1

    def continued(self, birth: Birth) -> Dot | None:
        """Return the dot of the change that a life continues; None if there is none, or it is not held."""
        if birth.parent is None:
            return None
        return self.find(birth.parent, birth.parent_seq, birth.parent_hash)

    def pairs(self, pairs: Iterable[tuple[bytes, int]], past: Mapping[bytes, int]) -> Frontier:
        """Return what the pairs of a deletion cover: the part of it that is in the past."""
        if not self.is_plain:
            return self.names.pairs(pairs, past)
        seen = {actor: min(seq, past.get(actor, 0)) for actor, seq in pairs}
        return {actor: seq for actor, seq in seen.items() if seq}


def prefix(digest: bytes) -> bytes:
    """Return the beginning of a change's hash, as dependencies contain it."""
    return digest[:DEP_HASH_BYTES]
