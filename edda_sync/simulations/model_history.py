"""
Histories of the model: lives and changes as numbers, with the real hashes, names and fork proofs behind them.

Equal changes have one number, so that a store's log is a set of numbers. What this module knows about a change is the truth,
which no store can see: above all its past, which is all changes that its author had seen, transitively. A change always has
a higher number than those in its past.
"""

from __future__ import annotations

from collections import Counter
from functools import lru_cache
from hashlib import blake2b
from itertools import chain as joined
from typing import Final, NamedTuple

from edda_sync.changes import forkproof
from edda_sync.changes.branches import ROOT, Point, Run, Tree, branch_name
from edda_sync.changes.change import hash_change

NONE: Final = -1  # no change, or no life
PUT: Final = 1  # the change writes the cell
DELETE: Final = 3  # the change hides the entity
WORKSPACE: Final = bytes(16)
Fork = tuple[int, int]  # the life whose chain forks, and the change after which it forks (NONE: at its beginning)
Log = frozenset[int]


class Life(NamedTuple):
    """A birth: its key, what makes it unique, and the last change of its parent that the store held."""

    key: int
    nonce: tuple[int, ...]
    parent: int


class Change(NamedTuple):
    """
    A change: what its header and body contain.

    Attributes:
        life: The life of its chain.
        before: The change before it in that chain.
        deps: The other runs that its author had seen: the author's name for each, and its last change.
        kind: ``PUT`` writes the cell; ``DELETE`` hides the entity.
        pairs: What a deletion says it had seen, by its author's names.
        note: What makes it different from other changes at the same place.
    """

    life: int
    before: int
    deps: tuple[tuple[bytes, int], ...]
    kind: int
    pairs: tuple[tuple[bytes, int], ...]
    note: tuple[int, ...]


class Told(NamedTuple):
    """The truth about a change: its number in its chain, its hash, its chain up to itself, and its past without itself."""

    seq: int
    hash: bytes
    chain: tuple[int, ...]
    past: Log


class _Signers:
    """Accepts every head of a chain in this history, because nobody forges signatures in the model."""

    def __init__(self, history: History) -> None:
        self._history = history

    def actor_of(self, birth: bytes) -> bytes:
        return birth

    def signed(self, birth: bytes, workspace: bytes, seq: int, head: bytes, signature: bytes) -> bool:
        change, told = self._history.by_hash(head)
        return (WORKSPACE, self._history.actors[change.life], told.seq, head * 2) == (workspace, birth, seq, signature)


class History:
    """All lives and changes that the stores of a model made."""

    def __init__(self) -> None:
        self.lives: list[Life] = []
        self.actors: list[bytes] = []
        self.changes: list[Change] = []
        self.told: list[Told] = []
        self._numbers: dict[Life | Change, int] = {}
        self.children = Counter[Fork]()  # how many changes come directly after a change
        self.named: dict[bytes, tuple[bool, int]] = {}  # by name: whether it is a branch, and its life or first change
        self._hashed: dict[bytes, int] = {}
        self._headers: list[bytes] = []
        self._signers = _Signers(self)
        self.runs = lru_cache(maxsize=None)(self._runs)
        self.fork = lru_cache(maxsize=None)(self._fork)
        self.survivors = lru_cache(maxsize=None)(self._survivors)

    # --- making -------------------------------------------------------------------------------------------------------

    def born(self, life: Life) -> int:
        """Return the number of a life."""
        number = self._numbers.get(life)
        if number is None:
            number = self._numbers[life] = len(self.lives)
            parent = ROOT if life.parent == NONE else self.told[life.parent].hash
            actor = _hash(b"model-actor", life.key, life.nonce, parent)[:16]
            self.lives.append(life)
            self.actors.append(actor)
            self.named[actor] = False, number
        return number

    def made(self, change: Change) -> int:
        """Return the number of a change."""
        number = self._numbers.get(change)
        if number is not None:
            return number
        before = Told(0, ROOT, (), frozenset()) if change.before == NONE else self.told[change.before]
        deps = [(name, self.told[at].seq, self.told[at].hash[:16]) for name, at in change.deps]
        actor = self.actors[change.life]
        header = _hash(b"edda-header", actor, before.hash, deps, change.kind, change.pairs, change.note)
        digest = hash_change(before.hash, header)
        seen = [at for _, at in change.deps] + [change.before] * (change.before != NONE)
        past = frozenset(joined(seen, *(self.told[at].past for at in seen)))
        number = self._numbers[change] = len(self.changes)
        self.changes.append(change)
        self.told.append(Told(before.seq + 1, digest, (*before.chain, number), past))
        self._headers.append(header)
        self.children[change.life, change.before] += 1
        self.named[branch_name(actor, digest)] = True, number
        self._hashed[digest] = number
        return number

    def by_hash(self, digest: bytes) -> tuple[Change, Told]:
        """Return the change of a hash."""
        number = self._hashed[digest]
        return self.changes[number], self.told[number]

    # --- what a store may know ----------------------------------------------------------------------------------------

    def _runs(self, number: int, forks: frozenset[Fork]) -> tuple[Run, ...]:
        """Return the runs that lead to a change, by what is known about forks."""
        life = self.changes[number].life
        points = [self.point(at) for of, at in forks if of == life]
        told = self.told[number]
        return Tree(self.actors[life]).joined(points).path(told.seq, lambda seq: self.told[told.chain[seq - 1]].hash)

    def point(self, number: int) -> Point:
        """Return a change as a point where a chain may fork."""
        return Point(0, ROOT) if number == NONE else Point(self.told[number].seq, self.told[number].hash)

    def _fork(self, one: int, other: int) -> Fork | None:
        """Return the fork that the heads of two chains of one life prove; None if they prove none."""
        life = self.changes[one].life
        actor = self.actors[life]
        pieces = []
        for head in (one, other):
            headers = tuple(self._headers[at] for at in self.told[head].chain)
            pieces.append(forkproof.Chain(0, ROOT, headers, self.told[head].hash * 2))
        proof = forkproof.make(actor, actor, *pieces)
        if proof is None:
            return None
        forkproof.check(forkproof.decode(forkproof.encode(proof)), WORKSPACE, self._signers)
        return life, NONE if proof.seq == 0 else self._hashed[proof.hash]

    # --- what is true -------------------------------------------------------------------------------------------------

    def _survivors(self, log: Log) -> tuple[Log, bool]:
        """Return the writes of a log that no later change had seen, and whether a deletion has seen every write."""
        puts = [at for at in log if self.changes[at].kind == PUT]
        replaced = frozenset(joined.from_iterable(self.told[at].past for at in puts))
        deleted = frozenset(joined.from_iterable(self.told[at].past for at in log if self.changes[at].kind == DELETE))
        return frozenset(puts) - replaced, deleted.issuperset(puts)


def _hash(person: bytes, *parts: object) -> bytes:
    return blake2b(repr(parts).encode(), digest_size=32, person=person).digest()
