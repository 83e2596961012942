from __future__ import annotations

from collections.abc import Mapping
from itertools import permutations
from typing import Final

import click
import pytest

from edda_sync.changes.names import Names
from edda_sync.simulations.model import SMALL, check
from edda_sync.simulations.model_history import NONE, PUT, Change, Fork, History, Log
from edda_sync.simulations.model_stores import DRAFTED, LIE, Pairs, Rules, Segment, Store


class KeepsTheLowerHash(Rules):
    """Only the branch with the lower first hash counts; the other one, and what depends on it, does not."""

    def receive(self, store: Store, number: int) -> Store:
        return self.refold(super().receive(store, number))

    def fold(self, store: Store, number: int) -> Store:
        return store if any(self.lost(store, at) for at in self.closure([number])) else super().fold(store, number)

    def lost(self, store: Store, number: int) -> bool:
        fork, ours = self.history.changes[number][:2], self.history.told[number].hash
        rivals = [at for at in store.log if self.history.changes[at][:2] == fork]
        return fork in store.forks and any(self.history.told[at].hash < ours for at in rivals)


class FreezesAtTheLastCommonChange(Rules):
    """Changes above a fork do not count, and neither do those that depend on them."""

    def fold(self, store: Store, number: int) -> Store:
        above = any(self.history.changes[at][:2] in store.forks for at in self.closure([number]))
        return store if above else super().fold(store, number)


class LetsTheFirstKeepTheName(Rules):
    """The branch that came first keeps the old name."""

    def branch(self, store: Store, fork: Fork) -> Store:
        return store._replace(forks=store.forks | {fork})


class WritesTheNamesThatItKnows(Rules):
    """An author who knows of a fork writes the branch's name, even if the reader cannot know it yet."""

    def named(self, names: Names, frontier: Mapping[bytes, int], past: Mapping[bytes, int]) -> dict[bytes, int]:
        return dict(frontier)


class TakesALifeOnAClaim(Rules):
    """A mere claim that this store's actor forked makes it begin a life."""

    def claimed(self, store: Store) -> Store:
        return store._replace(stale=True)


class BelievesAClaim(Rules):
    """A claim counts as evidence."""

    def claimed(self, store: Store) -> Store:
        return self.learn(store, {(store.life, store.tip)})


class ComparesWithoutHashes(Rules):
    """Two stores compare how far they have got, but not their changes."""

    def compared(self, store: Store) -> object:
        names = dict(store.dots)
        return frozenset(names[at] for at in self.heads(store.log)), store.forks


class DependsOnNumbers(Rules):
    """Any change with its number satisfies a dependency."""

    def fits(self, number: int, prefix: bytes) -> bool:
        return super().fits(number, b"")


class DeletesInTheNamesOfThen(Rules):
    """A deletion is taken literally, although its author's names mean something else now."""

    def covered(self, names: Names, pairs: Pairs, past: Mapping[bytes, int]) -> dict[bytes, int]:
        return dict(pairs)


class WantsABirthToCoverItsParent(Rules):
    """A life is accepted only if it has seen all changes of its parent that are here."""

    def is_born(self, store: Store, number: int) -> bool:
        parent = self.history.lives[self.history.changes[number].life].parent
        if self.history.changes[number].before != NONE or parent == NONE:
            return True
        life = self.history.changes[parent].life
        return {at for at in store.log if self.history.changes[at].life == life} <= self.history.told[number].past


class CutsTheParent(Rules):
    """Changes that a life wrote after the one that its child names are no longer taken."""

    def receive(self, store: Store, number: int) -> Store:
        before = self.history.changes[number].before
        children = {self.history.lives[self.history.changes[at].life].parent for at in store.log}
        return store if before != NONE and before in children else super().receive(store, number)


class TrustsASegmentAtOnce(Rules):
    """What a segment shows is believed."""

    def start_from(self, store: Store, segment: Segment) -> Store:
        after = self.take(store, segment.frontier, segment.forks)
        return after._replace(cell=tuple(write for write in after.cell if write[3] in segment.root))


class ForgetsDrafts(Rules):
    """What was written on a segment is dropped with it."""

    def let_go(self, store: Store, *, confirmed: bool) -> Store:
        return super().let_go(store if confirmed else store._replace(drafts=()), confirmed=confirmed)


class PublishesDraftsAsOfNow(Rules):
    """A draft counts as written when it is published."""

    def commit(self, store: Store, kind: int, past: Log, note: tuple[int, ...]) -> Store:
        return super().commit(store, kind, store.log if note[0] == DRAFTED else past, note)


class PublishesAtOnceAndWritesAgain(Rules):
    """Writes on a segment are changes at once; if the segment was false, they are written again."""

    def write(self, store: Store, kind: int) -> Store:
        after = super().write(store, kind)
        if store.segment is None:
            return after
        shown = self.take(store._replace(segment=None), store.segment.frontier, store.segment.forks)
        whole = self.commit(shown, kind, shown.log, (DRAFTED, len(store.drafted)))
        return after._replace(log=whole.log, dots=whole.dots, cell=whole.cell, touched=whole.touched, runs=whole.runs,
                              life=whole.life, tip=whole.tip, opened=whole.opened)  # fmt: skip

    def let_go(self, store: Store, *, confirmed: bool) -> Store:
        if confirmed or not store.drafts:
            return store._replace(segment=None, drafts=())
        return super().let_go(store, confirmed=False)


LOST: Final = "an acknowledged write is neither shown nor was it seen by one that is"
HISTORY: Final = "a store is not what its changes and evidence say"
UNEQUAL: Final = "two stores have synced and are not equal"
DELETED: Final = "a deletion covers what it had not seen, or not what it had"
PLANTED: Final = [
    (KeepsTheLowerHash, "forks", LOST),
    (FreezesAtTheLastCommonChange, "forks", LOST),
    (LetsTheFirstKeepTheName, "forks", HISTORY),
    (ComparesWithoutHashes, "forks", "two stores compare equal and are not"),
    (DependsOnNumbers, "forks", UNEQUAL),
    (WritesTheNamesThatItKnows, "deletions", DELETED),
    (DeletesInTheNamesOfThen, "deletions", DELETED),
    (TakesALifeOnAClaim, "backups", "a store opened a life for nothing"),
    (BelievesAClaim, "evidence", "there is evidence of a fork that is none"),
    (WantsABirthToCoverItsParent, "lives", UNEQUAL),
    (CutsTheParent, "lives", UNEQUAL),
    (TrustsASegmentAtOnce, "segments", LOST),
    (ForgetsDrafts, "segments", "an acknowledged draft is lost"),
    (PublishesDraftsAsOfNow, "segments", "a draft replaces what its writer was not shown"),
    (PublishesAtOnceAndWritesAgain, "segments", "a draft was written twice"),
]


@pytest.mark.parametrize(("rules", "bounds", "wrong"), PLANTED, ids=[rules.__name__ for rules, _, _ in PLANTED])
def test_a_planted_bug_is_found_where_the_rules_hold(rules: type[Rules], bounds: str, wrong: str) -> None:
    found = check(SMALL[bounds], rules)
    click.echo("; ".join(found.trace))
    assert found.wrong == wrong
    assert found.trace


class Story:
    """Some stores, by name, and what happens to them, written down in order."""

    def __init__(self, names: str) -> None:
        self.history = History()
        self.rules = Rules(self.history)
        self.stores = {name: Store(place, (place, 0)) for place, name in enumerate(names)}

    def write(self, *names: str) -> None:
        for name in names:
            self.stores[name] = self.rules.write(self.stores[name], PUT)

    def sync(self, *pairs: str) -> None:
        for one, other in map(tuple, pairs):
            self.stores[one], self.stores[other] = self.rules.exchange(self.stores[one], self.stores[other])

    def lie(self, liar: str, after: int, to: str, number: int = 0) -> int:
        """The liar signs another change after a number of its own, and tells it to one store."""
        store = self.stores[liar]
        chain = self.history.told[store.tip].chain
        before = chain[after - 1] if after else NONE
        lie = self.history.made(Change(store.life, before, (), PUT, (), (store.key, number, LIE)))
        log = frozenset({lie})
        forks = self.rules.proved(self.stores[to], log)
        self.stores[to] = self.rules.take(self.stores[to], log, forks)
        return lie

    def shown(self, name: str) -> set[int]:
        return {write[3] for write in self.stores[name].cell}

    def are_equal(self, names: str) -> bool:
        return len({(self.rules.content(self.stores[name]), self.stores[name].forks) for name in names}) == 1


def test_a_fork_relayed_before_it_was_seen_whose_author_is_never_heard_of_again() -> None:
    """L tells one change in two versions; B builds on one, C on the other; they meet, and tell D."""
    story = Story("BCDL")
    story.write("L")
    story.sync("LB", "LC")
    story.write("L")
    story.sync("LB")
    story.lie("L", 1, to="C")
    story.write("B", "C")
    theirs = {story.stores[name].tip for name in "BC"}
    story.sync("BC", "CD")
    assert story.are_equal("BCD")
    assert len(story.stores["D"].log) == 5
    assert story.shown("D") == theirs
    story.write("B", "D")
    assert story.stores["B"].opened == 1, "nobody but the author needs a new life"


def test_a_fork_at_the_oldest_change_takes_nothing_from_those_who_built_on_later_changes() -> None:
    story = Story("BCL")
    for _ in range(5):
        story.write("L")
        story.sync("LB")
        story.write("B")
        story.sync("LB")
    story.sync("BC")
    before = story.stores["B"]
    lie = story.lie("L", 1, to="C")
    story.sync("BC")
    after = story.stores["B"]
    assert story.are_equal("BC")
    assert after.log == before.log | {lie}
    assert story.shown("B") == {lie} | {write[3] for write in before.cell}
    renamed = [at for (at, dot), (_, earlier) in zip(before.dots, after.dots, strict=False) if dot != earlier]
    chain = story.history.told[story.stores["L"].tip].chain
    assert renamed == list(chain[1:])


@pytest.mark.parametrize("order", list(permutations(["BC", "CD", "DB"])), ids="-".join)
def test_three_branches_meet_in_any_order(order: tuple[str, ...]) -> None:
    story = Story("BCDL")
    story.write("L")
    story.sync("LB", "LC", "LD")
    lies = {story.lie("L", 1, to=name, number=number) for number, name in enumerate("BCD")}
    story.sync(*order, *order)
    assert story.are_equal("BCD")
    assert story.shown("B") == lies


@pytest.mark.parametrize("order", list(permutations(["BC", "CD", "DB"])), ids="-".join)
def test_a_branch_that_forks_again_is_the_same_in_any_order(order: tuple[str, ...]) -> None:
    """B holds l1 l2 l3, C holds l1 l2 and another third change, D another second one."""
    story = Story("BCDL")
    for _ in range(3):
        story.write("L")
        if story.history.told[story.stores["L"].tip].seq == 1:
            story.sync("LD")
        if story.history.told[story.stores["L"].tip].seq == 2:
            story.sync("LC")
    story.sync("LB")
    ends = {story.stores["L"].tip, story.lie("L", 2, to="C"), story.lie("L", 1, to="D")}
    story.sync(*order, *order)
    assert story.are_equal("BCD")
    assert len(story.stores["B"].forks) == 2
    assert story.shown("B") == ends


def test_a_backup_that_is_put_back_offline_goes_on_and_cuts_nothing() -> None:
    """A wrote 1 to 3, B has them all, A's disk is put back at 1: its next life is taken, and so are 2 and 3."""
    story = Story("AB")
    story.write("A")
    saved = story.stores["A"]
    story.write("A", "A")
    story.sync("AB")
    last = story.stores["A"].tip
    story.stores["A"] = saved._replace(stale=True, stamp=(0, 1), opened=0)
    story.write("A")
    story.sync("AB")
    assert story.are_equal("AB")
    assert story.shown("B") == {last, story.stores["A"].tip}


def test_two_copies_that_both_notice_are_two_lives_and_no_fork() -> None:
    story = Story("AB")
    story.write("A")
    stale = story.stores["A"]._replace(stale=True, opened=0)
    story.stores |= {"A": stale._replace(stamp=(0, 1)), "B": stale._replace(stamp=(1, 1))}
    story.write("A", "B")
    tips = {story.stores[name].tip for name in "AB"}
    story.sync("AB")
    assert story.are_equal("AB")
    assert story.shown("A") == tips
    assert not story.stores["A"].forks


def test_a_write_on_a_false_segment_is_published_only_when_that_is_known_and_then_replaces_nothing() -> None:
    """B would see a published draft and write over it; the draft, issued again later, would win over that."""
    story = Story("ABD")
    story.write("A")
    truth = story.stores["A"].tip
    false = story.rules.segment_of(story.stores["A"])._replace(root=frozenset({NONE}))
    story.stores["D"] = story.rules.start_from(story.stores["D"], false)
    story.write("D")
    assert not story.stores["D"].log
    story.sync("AD")
    assert story.stores["D"].segment is None
    draft = story.stores["D"].tip
    assert story.shown("A") == {truth, draft}
    story.sync("AB")
    story.write("B")
    story.sync("BD")
    assert story.shown("D") == {story.stores["B"].tip}
    assert [change.note[2] for change in story.history.changes].count(DRAFTED) == 1
