from __future__ import annotations

import pytest

from edda_sync.simulations.model_history import DELETE, NONE, PUT, Change, History, Life


@pytest.fixture
def history() -> History:
    return History()


def put(history: History, life: int, before: int = NONE, note: int = 0, deps: tuple[int, ...] = ()) -> int:
    named = tuple((history.actors[history.changes[at].life], at) for at in deps)
    return history.made(Change(life, before, named, PUT, (), (note,)))


def test_equal_lives_and_equal_changes_have_one_number(history: History) -> None:
    ann, again, other = (history.born(Life(0, nonce, NONE)) for nonce in ((0,), (0,), (1,)))
    assert ann == again != other
    assert put(history, ann) == put(history, ann) != put(history, ann, note=1)
    assert len(history.changes) == 2


def test_the_past_of_a_change_is_what_its_author_had_seen_and_all_before_that(history: History) -> None:
    ann, bob = history.born(Life(0, (0,), NONE)), history.born(Life(1, (0,), NONE))
    first = put(history, ann)
    second = put(history, ann, first)
    seen = put(history, bob, deps=(second,))
    last = put(history, bob, seen)
    assert history.told[last].past == {first, second, seen}
    assert history.told[last].chain == (seen, last)
    assert [history.told[at].seq for at in (first, second, seen, last)] == [1, 2, 1, 2]


def test_two_changes_after_one_are_a_fork_that_their_heads_prove_and_a_chain_is_none(history: History) -> None:
    ann = history.born(Life(0, (0,), NONE))
    first = put(history, ann)
    one, other = put(history, ann, first, 1), put(history, ann, first, 2)
    after = put(history, ann, one)
    assert history.fork(one, other) == history.fork(after, other) == (ann, first)
    assert history.fork(first, after) is None
    assert history.children[ann, first] == 2
    assert history.fork(put(history, ann, note=3), one) == (ann, NONE), "the very first ones differ"


def test_a_branch_has_a_name_of_its_own_once_its_fork_is_known(history: History) -> None:
    ann = history.born(Life(0, (0,), NONE))
    first = put(history, ann)
    one, other = put(history, ann, first, 1), put(history, ann, first, 2)
    (alone,) = history.runs(one, frozenset())
    assert alone.name == history.actors[ann]
    names = {history.runs(at, frozenset({(ann, first)}))[-1].name for at in (one, other)}
    assert len(names) == 2
    assert history.actors[ann] not in names
    assert {history.named[name] for name in names} == {(True, one), (True, other)}


def test_a_write_survives_until_another_one_has_seen_it_and_all_are_hidden_only_if_a_deletion_saw_all(
    history: History,
) -> None:
    ann, bob = history.born(Life(0, (0,), NONE)), history.born(Life(1, (0,), NONE))
    one, other = put(history, ann), put(history, bob)
    both = put(history, ann, one, deps=(other,))
    assert history.survivors(frozenset({one, other})) == (frozenset({one, other}), False)
    assert history.survivors(frozenset({one, other, both})) == (frozenset({both}), False)
    deletion = history.made(Change(bob, other, ((history.actors[ann], both),), DELETE, (), ()))
    assert history.survivors(frozenset({one, other, both, deletion})) == (frozenset({both}), True)
    later = put(history, ann, both, note=9)
    assert not history.survivors(frozenset({one, other, both, deletion, later}))[1]
