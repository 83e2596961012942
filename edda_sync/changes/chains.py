"""
Chains: under which names a store holds the changes of actors, and where a new one goes.

A header names the actor whose chain the change belongs to. As long as that chain never forked, this is the name of the
change, too. Once a fork is proved, each branch has a name of its own (:mod:`~edda_sync.changes.branches`), and hashes tell
which branch a change, a dependency or an item means.
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
NAMES_READ_MAX: Final = 16  # of stores whose names are kept in memory: as many as a process has open
PROOF: Final = b"\x01"  # begins a piece of evidence: a fork proof follows,
CLOSING: Final = b"\x02"  # or a closing

_encode = msgspec.msgpack.Encoder().encode
_decode_runs = msgspec.msgpack.Decoder(list[Run]).decode
_decode_points = msgspec.msgpack.Decoder(list[Point]).decode
_decode_keys = msgspec.msgpack.Decoder(list[bytes]).decode
NOBODY: Final = Names()


_read: Final[OrderedDict[bytes, Names]] = OrderedDict()  # by their bytes: those of the stores that are in use


def _remember(encoded: bytes, names: Names) -> Names:
    _read[encoded] = names
    while len(_read) > NAMES_READ_MAX:
        _read.popitem(last=False)
    return names


def names_of(reader: StoreReader) -> Names:
    """Return the names of the branches that a store holds; of none while nobody's chain forked."""
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
    Return where an actor's chain is proved to fork.

    They are kept beside the proofs, by actor: each change that comes asks for them, and a proof may be half a megabyte.
    """
    encoded = reader.meta.get(_points_key(actor))
    return set() if encoded is None else set(_decode_points(encoded))


def forked_keys(reader: StoreReader) -> list[bytes]:
    """Return the signing keys of which a chain is proved to fork, in order."""
    encoded = reader.meta.get(FORKED_KEY)
    return [] if encoded is None else _decode_keys(encoded)


def keep_proof(tx: StoreWriter, proof: ForkProof) -> None:
    """Keep a proof that was checked: one of each point, whatever heads it shows."""
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
    Where a change goes.

    Attributes:
        name: What its store calls its chain, or the branch of it.
        hash: The change's.
        before: The dot of the change that it follows; None for a first one.
        run: The branch that begins with it, if one does.
    """

    name: bytes
    hash: bytes
    before: Dot | None
    run: Run | None


class Chains:
    """
    The chains of one store.

    Args:
        reader: A transaction or reader of it.
    """

    def __init__(self, reader: StoreReader) -> None:
        self._reader = reader
        self.names = names_of(reader)

    @property
    def is_plain(self) -> bool:
        """Whether no chain that is held forked: then every name is an actor."""
        return self.names is NOBODY

    def actor(self, name: bytes) -> bytes:
        """Return whose chain a name belongs to."""
        return self.names.actor(name)

    def find(self, name: bytes, seq: int, prefix: bytes) -> Dot | None:
        """
        Return under which dot a change is held, by what its hash begins with; None when it is not.

        Args:
            name: Its actor, or the name of a branch that holds it, or from which one that does goes on.
            seq: Its number.
            prefix: At least 16 bytes.
        """
        digest = self._hash_at(name, seq)
        if digest is not None and digest.startswith(prefix):
            return name, seq  # nearly always; and what goes on from a name has other numbers
        if self.is_plain:
            return None
        is_whole = len(prefix) == HASH_BYTES
        if is_whole and (begun := branch_name(self.actor(name), prefix)) in self._reader.log.heads():
            return (begun, seq) if self.names.first(begun) == seq else None  # as most are of many branches at one point
        found: list[tuple[bytes, Dot]] = []
        for each in self.names.holding(name, seq):
            digest = self._hash_at(each, seq)
            if digest is not None and digest.startswith(prefix):
                if is_whole:
                    return each, seq
                found.append((digest, (each, seq)))
        return min(found)[1] if found else None

    def _hash_at(self, name: bytes, seq: int) -> bytes | None:
        """Return the hash of a change that is held under a name."""
        head = self._reader.log.heads().get(name)
        if head is None or seq > head.seq:
            return None
        return head.hash if head.seq == seq else self._reader.log.hash_at(name, seq)

    def holds_some(self, actor: bytes, seq: int) -> bool:
        """Tell whether some change of an actor with a seq is held, whichever."""
        heads = self._reader.log.heads()
        return any(
            name in heads and self.names.first(name) <= seq <= heads[name].seq
            for name in self.names.holding(actor, seq)
        )

    def is_uncertain(self, actor: bytes, seq: int) -> bool:
        """Tell whether a change is held under no hash: a segment stands for it, whose log is not here yet."""
        heads = self._reader.log.heads()
        return actor in heads and seq < heads[actor].seq and self._reader.log.hash_at(actor, seq) is None

    def place(self, change: Change) -> Place | None:
        """
        Return where a change goes that is not held.

        None when it cannot go anywhere now: what it follows is not here, or is followed by another one and nobody has
        proved that yet.
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
            )  # as whatever is held behind a point
        return self.find(*change.header.dot, change.hash) is not None

    def is_apart(self, change: Change) -> bool:
        """Tell whether another change is held where this one would stand, and nobody has proved that yet."""
        if self.knows(change) or self.place(change) is not None:
            return False
        header = change.header
        if self.holds_some(header.actor, header.seq):
            return True
        return header.seq > 1 and self.holds_some(header.actor, header.seq - 1)

    def deps(self, entries: Iterable[tuple[bytes, int, bytes]]) -> Frontier | None:
        """Return the frontier that a header's dependencies name; None when one of them is not held."""
        if self.is_plain:
            return {actor: seq for actor, seq, _ in entries}
        return self.names.deps(entries, self.find)

    def past_of(self, dot: Dot) -> Frontier:
        """Return a change and what stands before it in its chain, as a frontier."""
        return {dot[0]: dot[1]} if self.is_plain else self.names.past(dot)

    def goes_on(self, dot: Dot, past: Mapping[bytes, int]) -> bool:
        """Tell whether a past holds a change that stands after one in its chain, on whichever branch."""
        name, seq = dot
        return past.get(name, 0) > seq or self.names.goes_on(name, past)

    def shared(self, dot: Dot, past: Mapping[bytes, int]) -> int:
        """Return how much of the chain up to a change a past holds: the last seq."""
        return max(min(past.get(name, 0), last) for name, last in self.past_of(dot).items())

    def on(self, name: bytes, seq: int) -> Dot:
        """Return the dot of a change of a chain, by the chain's last name."""
        while seq < self.names.first(name):
            name = self.names.parent(name)
        return name, seq

    def hash(self, name: bytes, seq: int) -> bytes | None:
        """Return the hash of a change of a chain, by the chain's last name; ``NO_HASH`` before the first."""
        return self._reader.log.hash_at(*self.on(name, seq)) if seq else NO_HASH

    def headers(self, name: bytes, first: int, last: int) -> list[bytes]:
        """Return the headers of a chain's changes from a seq to a seq, by the chain's last name, as far as they are held."""
        found: list[bytes] = []
        while first <= last:
            name, _ = self.on(name, last)
            begins = max(first, self.names.first(name))
            found = [*self._reader.log.headers(name, begins, last), *found]
            last = begins - 1
        return found

    def before(self, dot: Dot) -> Dot | None:
        """Return the dot of the change that one follows in its chain; None before a first one."""
        name, seq = dot
        if seq == 1:
            return None
        if self.is_plain or seq > self.names.first(name):
            return name, seq - 1
        return self.names.parent(name), seq - 1

    def continued(self, birth: Birth) -> Dot | None:
        """Return the dot of the change that a life continues; None where there is none, or it is not held."""
        if birth.parent is None:
            return None
        return self.find(birth.parent, birth.parent_seq, birth.parent_hash)

    def pairs(self, pairs: Iterable[tuple[bytes, int]], past: Mapping[bytes, int]) -> Frontier:
        """Return what the pairs of a deletion cover: of what they name, what is in its past."""
        if not self.is_plain:
            return self.names.pairs(pairs, past)
        seen = {actor: min(seq, past.get(actor, 0)) for actor, seq in pairs}
        return {actor: seq for actor, seq in seen.items() if seq}


def prefix(digest: bytes) -> bytes:
    """Return by what a dependency names a change's hash."""
    return digest[:DEP_HASH_BYTES]
