"""Helpers for tests of branches and names: chains that fork, and views that know more or less of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from hypothesis import strategies as st

from edda_sync.changes.branches import ROOT, Point, Run, Tree, branch_name
from edda_sync.changes.names import Names
from edda_sync.crdt.frontier import Dot, Frontier
from tests.crdt.chains import Author, change_hash, header_hash

AUTHOR = Author()
X = AUTHOR.actor
BIRTH = -1  # stands before the first changes


class Grown:
    """All the changes that one actor ever made, as a tree: change ``n`` stands after ``parents[n]`` and says its number."""

    def __init__(self, parents: list[int]) -> None:
        self.parents = parents
        self.seqs: dict[int, int] = {BIRTH: 0}
        self.hashes: dict[int, bytes] = {BIRTH: ROOT}
        for node, parent in enumerate(parents):
            self.seqs[node] = self.seqs[parent] + 1
            header = header_hash(f"1:{self.seqs[node]}:{node}".encode())
            self.hashes[node] = change_hash(self.hashes[parent], header)

    def chain(self, node: int) -> list[int]:
        """Its chain from the first change on."""
        above = []
        while node != BIRTH:
            above.append(node)
            node = self.parents[node]
        return above[::-1]

    def forks(self) -> list[int]:
        return [node for node in self.hashes if self.parents.count(node) > 1]

    def point(self, node: int) -> Point:
        return Point(self.seqs[node], self.hashes[node])

    def path(self, tree: Tree, node: int) -> tuple[Run, ...]:
        chain = self.chain(node)
        return tree.path(self.seqs[node], lambda seq: self.hashes[chain[seq - 1]])

    def words(self, node: int) -> list[str]:
        return [str(each) for each in self.chain(node)]


@st.composite
def grown(draw: st.DrawFn, size: int = 10) -> Grown:
    parents: list[int] = []
    for node in range(draw(st.integers(1, size))):
        parents.append(draw(st.integers(max(BIRTH, node - 4), node - 1)))
    return Grown(parents)


@dataclass
class View:
    """The points that a store knows, the changes that it holds, and their names by the literal rule."""

    whole: Grown
    points: set[int]
    held: list[int]

    @property
    def tree(self) -> Tree:
        return Tree(X).joined(self.whole.point(node) for node in self.points)

    @property
    def names(self) -> Names:
        return Names(run for node in self.held for run in self.whole.path(self.tree, node))

    def dot(self, node: int) -> Dot:
        name, before = X, BIRTH
        for each in self.whole.chain(node):
            if before in self.points:
                name = branch_name(X, self.whole.hashes[each])
            before = each
        return name, self.whole.seqs[node]

    def frontier(self, nodes: Iterable[int]) -> Frontier:
        found: Frontier = {}
        for node in nodes:
            for name, seq in map(self.dot, self.whole.chain(node)):
                found[name] = max(seq, found.get(name, 0))
        return found

    def find(self, name: bytes, seq: int, prefix: bytes) -> Dot | None:
        fitting = [node for node in self.held if self.whole.hashes[node].startswith(prefix)]
        return next((self.dot(node) for node in fitting if self.whole.seqs[node] == seq), None)


@st.composite
def view(draw: st.DrawFn, whole: Grown, *, within: View | None = None) -> View:
    """A store that knows some of the points, and holds as many branches as these allow, perhaps fewer than another store."""
    points = {node for node in whole.forks() if draw(st.booleans())}
    held: list[int] = []
    for node in range(len(whole.parents)) if within is None else within.held:
        parent = whole.parents[node]
        alone = parent in points or all(whole.parents[other] != parent for other in held)
        if (parent == BIRTH or parent in held) and alone and draw(st.integers(0, 5)):
            held.append(node)
    return View(whole, points, held)


def covers(frontier: Frontier, dot: Dot) -> bool:
    return dot[1] <= frontier.get(dot[0], 0)
