from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from edda_sync.changes.branches import Renaming, Run, Tree, branch_name
from edda_sync.changes.forkproof import check, make
from tests.changes.forking import AUTHOR, BIRTH, Grown, View, X, covers, grown, view
from tests.crdt.chains import WORKSPACE, RealSigners


@given(grown(8), st.data())
def test_the_same_proofs_in_any_order_give_the_same_tree(whole: Grown, data: st.DataObject) -> None:
    nodes = range(len(whole.parents))
    pairs = data.draw(st.lists(st.tuples(st.sampled_from(nodes), st.sampled_from(nodes)), max_size=6))
    proofs = [
        proof
        for one, other in pairs
        if (proof := make(X, AUTHOR.birth, AUTHOR.chain(whole.words(one)), AUTHOR.chain(whole.words(other))))
    ]
    for proof in proofs:
        check(proof, WORKSPACE, RealSigners())
    tree = Tree(X)
    for proof in data.draw(st.permutations(proofs + proofs)):
        tree = tree.joined([proof.point])
    assert tree == Tree(X).joined(proof.point for proof in proofs)
    shared = {
        tuple(itertools.takewhile(lambda at: at[0] == at[1], zip(*map(whole.chain, pair), strict=False)))
        for pair in pairs
    }
    ends = {whole.point(chain[-1][0] if chain else BIRTH) for chain in shared}
    assert tree.points <= ends
    for node in nodes:
        known = View(whole, {each for each in whole.forks() if whole.point(each) in tree.points}, [])
        assert (whole.path(tree, node)[-1].name, whole.seqs[node]) == known.dot(node)


@given(st.data())
def test_every_change_goes_by_the_name_of_the_last_branching_below_it(data: st.DataObject) -> None:
    seen = data.draw(view(data.draw(grown())))
    for node in seen.held:
        path = seen.whole.path(seen.tree, node)
        assert path[0] == Run(X, X, 1, None)
        assert (path[-1].name, seen.whole.seqs[node]) == seen.dot(node)
        assert all(run.parent == before.name for before, run in itertools.pairwise(path))
        assert seen.names.past(seen.dot(node)) == seen.frontier([node])
        assert seen.names.actor(seen.dot(node)[0]) == X


@given(st.data())
def test_no_two_changes_have_the_same_name_and_frontiers_are_ordered_as_chains_are(data: st.DataObject) -> None:
    seen = data.draw(view(data.draw(grown())))
    assert len({seen.dot(node) for node in seen.held}) == len(seen.held)
    for one, other in itertools.product(seen.held, repeat=2):
        assert covers(seen.names.past(seen.dot(one)), seen.dot(other)) == (other in seen.whole.chain(one))


def test_the_name_of_a_branch_has_the_bytes_of_the_format() -> None:
    assert branch_name(bytes(16), bytes(32)).hex() == "c80fadc8398848754184143ba4dfc35a"


def test_three_branches_at_one_point_get_names_and_so_does_one_that_forks_again() -> None:
    """0 - 1 - {2 - 3 - {4, 5}, 6, 7}: every name, written out."""
    whole = Grown([-1, 0, 1, 2, 3, 3, 1, 1])
    seen = View(whole, {1, 3}, list(range(8)))
    a, b, c, d, e = (branch_name(X, whole.hashes[node]) for node in (2, 6, 7, 4, 5))
    dots = [whole.path(seen.tree, node)[-1].name for node in range(8)]
    assert dots == [X, X, a, a, d, e, b, c]
    assert seen.names.past((d, 5)) == {X: 2, a: 4, d: 5}
    assert seen.frontier(seen.held) == {X: 2, a: 4, d: 5, e: 5, b: 3, c: 3}


def test_a_third_branch_needs_no_proof_of_its_own() -> None:
    whole = Grown([-1, 0, 0, 0])
    proof = make(X, AUTHOR.birth, AUTHOR.chain(whole.words(1)), AUTHOR.chain(whole.words(2)))
    assert proof is not None
    assert whole.path(Tree(X).joined([proof.point]), 3)[-1].name == branch_name(X, whole.hashes[3])


def test_a_branch_at_last_years_change_renames_what_came_since_and_a_later_branch_there_renames_nothing() -> None:
    whole = Grown([*range(-1, 364), 3, 3])  # a year, and two lies after its fourth change
    tree = Tree(X).joined([whole.point(3)])
    first = whole.path(tree, 363)
    assert first[-1] == Run(branch_name(X, whole.hashes[4]), X, 5, X)
    assert whole.path(tree.joined([whole.point(3)]), 363) == first
    assert whole.path(tree, 3)[-1].name == X
    more = whole.path(tree.joined(whole.point(node) for node in (7, 199, 69)), 363)
    assert [run.first for run in more] == [1, 5, 9, 71, 201]
    assert more[1] == first[-1]


def test_branches_can_differ_in_their_first_change() -> None:
    whole = Grown([-1, -1, 0])
    seen = View(whole, {BIRTH}, [0, 1, 2])
    one, other = branch_name(X, whole.hashes[0]), branch_name(X, whole.hashes[1])
    assert [whole.path(seen.tree, node)[-1].name for node in range(3)] == [one, other, one]
    assert seen.names.past((one, 2)) == {one: 2}
    assert seen.names.pairs([(X, 1)], {one: 2}) == {one: 1}


def test_a_renaming_moves_the_changes_above_the_point_and_leaves_the_rest() -> None:
    by = Renaming(X, 4, b"a")
    assert by.frontier({X: 7, b"other": 9}) == {X: 4, b"a": 7, b"other": 9}
    assert by.frontier({X: 4}) == {X: 4}
    assert by.frontier({b"other": 9}) == {b"other": 9}
    assert Renaming(X, 0, b"a").frontier({X: 7}) == {b"a": 7}
    assert (by.dot((X, 4)), by.dot((X, 5)), by.dot((b"other", 5))) == ((X, 4), (b"a", 5), (b"other", 5))
