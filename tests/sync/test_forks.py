"""
Forks: copies of a store that write as one actor. A device that meets two branches proves the fork, and all end equal.

Nothing that was written is lost, nobody waits for the author, and a claim without a proof changes nothing.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import msgspec
import pytest

import edda_sync as edda
from edda_sync.changes import change as changes
from edda_sync.changes import forkproof
from edda_sync.changes.chains import PROOF, names_of
from edda_sync.changes.change import decode_header
from edda_sync.changes.drafts import Put
from edda_sync.crdt.entity import OWN_TIME
from edda_sync.crdt.keys import key_of
from edda_sync.engine.engine import StorageEngine
from edda_sync.sync.learning import News, Wanted
from edda_sync.sync.messages import Branch, Changes, Offer, Part, Summary
from edda_sync.testing import devices, pair, replica_of, sync
from edda_sync.words import limits
from edda_sync.words.errors import RemoteProtocolError
from edda_sync.words.values import id_bytes
from tests.sync.copies import (
    Copier,
    add,
    assert_equal,
    copier,
    meet_all,
    own_actor,
    shown,
    talk,
    titles,
)
from tests.sync.network import Network, name_of
from tests.sync.newcomers import BY_SEGMENT


@pytest.fixture(params=["memory", "sqlite"])
def backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def copy(tmp_path: Path) -> Iterator[Copier]:
    with copier(tmp_path) as made:
        yield made


Engines = tuple[StorageEngine, ...]


@pytest.fixture
def four(backend: str) -> Iterator[Engines]:
    """Four devices that hold the same: one task for each kind of work."""
    with devices(4, backend=backend) as engines:
        task = engines[0].create_task(edda.Task(title="base", description="one two three", tags={"work"}))
        engines[0].edit_text(task, "description", [(3, 0, " and a half")])
        meet_all(engines, 1)
        yield engines


def branches_of(engine: StorageEngine) -> set[bytes]:
    """The names of the branches that a store holds."""
    with engine.store.read() as reader:
        names = names_of(reader)
        return {run.name for run in names.runs() if run.parent is not None}


def evidence(engine: StorageEngine) -> dict[bytes, bytes]:
    with engine.store.read() as reader:
        return dict(reader.evidence.all())


def one_task(engine: StorageEngine, title: str) -> edda.Task:
    """The task with this title."""
    (task,) = [task for task in engine.query_tasks(edda.TaskQuery()) if task.title == title]
    return task


def in_any_order(these: Iterable[object]) -> list[tuple[str, tuple[object, ...]]]:
    """Return every order of these for stores in memory, and one for SQLite, which cannot tell who met first."""
    orders = list(itertools.permutations(these))
    return [*(("memory", order) for order in orders), ("sqlite", orders[1])]


# --- two branches and more --------------------------------------------------------------------------------------------


def test_two_branches_of_an_actor_end_as_two_lives_and_nothing_is_lost(four: Engines, copy: Copier) -> None:
    a, b, c, d = four
    base = one_task(a, "base").id
    twin = copy(a)
    for store, word in ((a, "one"), (twin, "two")):
        store.update_task(edda.Task(id=base, title=word))
        store.create_task(edda.Task(title=f"made by {word}"))
    sync(a, b)
    sync(twin, c)
    b.update_task(edda.Task(id=one_task(b, "made by one").id, priority=0))
    c.update_task(edda.Task(id=one_task(c, "made by two").id, priority=0))
    before = b.frontier()
    met = talk(b, c)
    assert met.errors == []
    assert len(met.proved) == 2
    meet_all([a, twin, b, c, d])
    assert_equal([a, twin, b, c, d])
    assert {"made by one", "made by two"} < set(titles(d))
    assert [conflict.field for conflict in d.conflicts()] == ["title"]
    assert {one_task(d, f"made by {word}").priority for word in ("one", "two")} == {0}
    assert len(branches_of(d)) == 2
    for name in branches_of(d):
        assert name not in before
        assert d.frontier()[name] == max(before.values())  # numbers are kept


@pytest.mark.parametrize(("backend", "order"), in_any_order([(0, 1), (1, 2), (0, 2)]))
def test_three_branches_end_equal_in_whatever_order_they_meet(
    four: Engines, copy: Copier, order: list[tuple[int, int]]
) -> None:
    a, *witnesses = four
    base = one_task(a, "base").id
    copies = [a, copy(a), copy(a)]
    for number, (store, witness) in enumerate(zip(copies, witnesses, strict=True)):
        store.update_task(edda.Task(id=base, title=f"title {number}"))
        store.edit_text(base, "description", [(number, 1, f"<{number}>")])
        sync(store, witness)
        witness.create_task(edda.Task(title=f"on top of {number}", parent_id=base))
        witness.edit_text(base, "description", [(0, 0, "*")])
    for one, other in order:
        sync(witnesses[one], witnesses[other])
    meet_all([*copies, *witnesses])
    assert_equal([*copies, *witnesses])
    assert len(branches_of(a)) == 3
    assert {f"on top of {number}" for number in range(3)} <= set(titles(a))
    assert a.refused() == 0


@pytest.mark.parametrize(("backend", "order"), in_any_order(range(3)))
def test_a_branch_that_forks_again_ends_equal_in_whatever_order_the_proofs_come(
    four: Engines, copy: Copier, order: list[int]
) -> None:
    """The second fork is on one branch of the first. The device that learns of it first cuts the branch before, or after."""
    a, *witnesses = four
    base = one_task(a, "base").id
    first = copy(a)
    a.edit_text(base, "description", [(0, 1, "A")])
    a.edit_text(base, "description", [(1, 0, "a")])
    second = copy(a)
    first.edit_text(base, "description", [(0, 1, "F")])
    second.edit_text(base, "description", [(2, 0, "S")])
    a.edit_text(base, "description", [(2, 0, "AA")])
    for store, witness in zip((a, first, second), witnesses, strict=True):
        sync(store, witness)
        witness.edit_text(base, "description", [(1, 1, "!")])
    at = [witnesses[number] for number in order]
    sync(at[0], at[1])
    sync(at[1], at[2])
    meet_all([a, first, second, *witnesses])
    assert_equal([a, first, second, *witnesses])
    assert len(branches_of(a)) == 4
    assert a.refused() == 0


def test_a_fork_at_an_actor_s_very_first_change_is_one_as_any_other(backend: str, copy: Copier) -> None:
    with devices(4, backend=backend) as (founder, a, b, c):
        base = founder.create_task(edda.Task(title="base", description="words"))
        meet_all([founder, a, b, c], 1)
        twin = copy(a)
        assert own_actor(a) not in a.frontier()
        for store, word in ((a, "one"), (twin, "two")):
            begin(store, f"first of {word}")
            store.edit_text(base, "description", [(0, 0, word)])
        old = own_actor(a)
        assert old == own_actor(twin)
        sync(a, b)
        sync(twin, c)
        b.edit_text(base, "description", [(1, 0, "b")])
        c.edit_text(base, "description", [(1, 0, "c")])
        sync(b, c)
        meet_all([founder, a, twin, b, c])
        assert_equal([founder, a, twin, b, c])
        assert {"first of one", "first of two"} <= set(titles(founder))
        assert old not in founder.frontier(), "nothing is left under the name of before"
        assert founder.refused() == 0


def begin(engine: StorageEngine, title: str) -> None:
    """Write a device's first change, like a copy that cannot know that it is one."""
    draft = Put.of("task", engine.writing.random(16), {"title": title, "created_at": OWN_TIME})
    assert engine.store.transact(lambda tx: engine.ledger.commit(tx, [draft], 1)) is not None


@pytest.mark.parametrize(("count", "longer"), [(1, False), (1, True), (9, False), (20, True)])
def test_a_fork_at_an_old_dot_is_proved_however_much_was_built_on_it(
    four: Engines, copy: Copier, monkeypatch: pytest.MonkeyPatch, count: int, longer: bool
) -> None:
    """Messages hold few hashes here, and the chains part much further back, so longer pieces are asked for."""
    monkeypatch.setattr(forkproof, "SIDE_HASHES_MAX", 4)
    monkeypatch.setattr(limits, "BATCH_BYTES_MAX", 1_000)  # so that signatures stand close enough for a proof
    a, b, c, d = four
    base = one_task(a, "base").id
    twin = copy(a)
    for number in range(count):
        a.create_task(edda.Task(title=f"one {number}"))
        twin.create_task(edda.Task(title=f"two {number}"))
        sync(a, b)
        if longer:
            twin.create_task(edda.Task(title=f"three {number}"))
        sync(twin, c)
        b.edit_text(base, "description", [(0, 0, "b")])
        c.edit_text(base, "description", [(0, 0, "c")])
    network = Network(b, c)
    network.connect(b, c)
    network.run()
    assert len(network.proved) == 2
    assert all(len(piece.headers) <= 4 for piece in network.said(Branch))
    meet_all([a, twin, b, c, d])
    assert_equal([a, twin, b, c, d])
    assert len(titles(d)) == 1 + (3 if longer else 2) * count


def test_a_change_that_depends_on_another_branch_has_that_fork_proved_in_the_same_talk(
    four: Engines, copy: Copier
) -> None:
    """Each believes that the other has its branch: both branches have the same dot, and neither is sent."""
    a, b, c, d = four
    network = Network(b, c)
    network.connect(b, c)
    network.run()
    twin = copy(a)
    add("of one")(a)
    add("of two")(twin)
    sync(a, b)
    network.replicas[name_of(b)].rebuilt(network.now)
    for other in (b, c):
        heads = {head.actor: head.seq for head in replica_of(b).exchange.heads()}
        session = network.replicas[name_of(other)]._sessions[name_of(c if other is b else b)]
        session._theirs.held |= heads
        session._sending.acknowledged(session._theirs.held, 0, 0.0, again=False)
    sync(twin, c)
    c.update_task(edda.Task(id=one_task(c, "of two").id, title="of two and c"))
    network.committed(c)
    network.run()
    assert branches_of(b) == branches_of(c) != set()
    assert titles(b) == titles(c) == ["base", "of one", "of two and c"]
    assert len(network.proved) == 2
    meet_all([a, twin, b, c, d])
    assert_equal([a, twin, b, c, d])


def test_nobody_waits_for_the_author(four: Engines, copy: Copier) -> None:
    """Neither copy is ever seen again, and a newcomer that met neither learns both branches."""
    a, b, c, d = four
    twin = copy(a)
    add("of one")(a)
    add("of the other")(twin)
    sync(a, b)
    sync(twin, c)
    a.close()
    twin.close()
    sync(b, d)
    sync(c, d)
    meet_all([b, c, d])
    assert_equal([b, c, d])
    assert {"of one", "of the other"} <= set(titles(d))


# --- what a proof changes, and when -----------------------------------------------------------------------------------


@pytest.mark.parametrize("first", ["proof", "changes"])
@pytest.mark.parametrize("swapped", [False, True])
def test_a_device_ends_equal_whether_the_proof_or_the_changes_come_first(
    four: Engines, copy: Copier, first: str, swapped: bool
) -> None:
    a, b, c, d = four
    base = one_task(a, "base").id
    twin = copy(a)
    for store, word in ((a, "ONE"), (twin, "TWO")):
        store.edit_text(base, "description", [(0, 3, word)])
        store.delete_task(add("passing")(store))
    sync(a, b)
    sync(twin, c)
    b.edit_text(base, "description", [(2, 0, "-b-")])
    c.edit_text(base, "description", [(2, 0, "-c-")])
    one, other = (c, b) if swapped else (b, c)
    before_proof = batch_of(one, d)
    sync(b, c)
    proofs = list(evidence(b).values())
    assert proofs
    taker = replica_of(d).exchange
    if first == "changes":
        assert taker.taking.take(before_proof).applied
    assert taker.forks.take_evidence(proofs).evidence
    if first == "proof":
        assert taker.taking.take(before_proof).applied
    assert not taker.forks.take_evidence(proofs).evidence, "again is nothing"
    sync(other, d)
    meet_all([a, twin, b, c, d])
    assert_equal([a, twin, b, c, d])
    assert d.refused() == 0


def batch_of(giver: StorageEngine, taker: StorageEngine) -> Changes:
    """What one store would send another."""
    giving = replica_of(giver).exchange.giving
    given = giving.batch(giving.missing(taker.frontier()) or [], taker.frontier())
    assert given is not None
    return given.message


def test_a_store_whose_own_chain_forked_begins_a_new_life_with_its_next_write_and_not_before(
    four: Engines, copy: Copier
) -> None:
    a, b, c, d = four
    twin = copy(a)
    add("one")(a)
    add("two")(twin)
    sync(a, b)
    sync(twin, c)
    add("more")(a)
    old = own_actor(a)
    assert own_actor(twin) == old
    sync(b, c)
    sync(a, b)
    sync(twin, c)
    with a.store.read() as reader:
        last = reader.log.heads()[own_actor(a)]
    assert last.seq == a.frontier()[own_actor(a)]
    stores = [(a, "after one"), (twin, "after two")]
    for store, title in stores:
        before = own_actor(store)
        add(title)(store)
        assert own_actor(store) not in (before, old)
        assert store.frontier()[own_actor(store)] == 1
        add(f"{title} again")(store)
        assert store.frontier()[own_actor(store)] == 2, "one is enough"
    with a.store.read() as reader:
        birth = decode_header(reader.log.headers(own_actor(a), 1, 1)[0]).birth
    assert birth is not None
    assert (birth.parent, birth.parent_seq, birth.parent_hash) == (old, last.seq, last.hash)
    meet_all([a, twin, b, c, d])
    assert_equal([a, twin, b, c, d])
    assert {"after one", "after two", "more"} <= set(titles(d))


def test_a_device_that_holds_nothing_of_the_fork_keeps_the_proof_and_passes_it_on(four: Engines, copy: Copier) -> None:
    a, b, c, d = four
    twin = copy(a)
    add("one")(a)
    add("two")(twin)
    sync(a, b)
    sync(twin, c)
    sync(b, c)
    frontier = d.frontier()
    news = replica_of(d).exchange.forks.take_evidence(list(evidence(b).values()))
    assert news.evidence == news.brought == list(evidence(b))
    assert (news.renamed, news.late, news.unchecked) == ([], False, False)
    assert d.frontier() == frontier
    assert evidence(d) == evidence(b)
    sync(d, a)  # a learns of it from a device that cannot have found it
    assert set(evidence(b)) <= set(evidence(a))


def test_a_proof_is_kept_once_for_each_point_whichever_heads_it_shows(four: Engines, copy: Copier) -> None:
    a, b, c, d = four
    twin = copy(a)
    add("one")(a)
    add("two")(twin)
    sync(a, b)
    sync(twin, c)
    sync(b, c)
    meet_all([b, c, d])
    (short,) = (item for item in evidence(b).values() if item[:1] == PROOF)
    other = forkproof.decode(short[1:])
    replaced = msgspec.structs.replace(other, ext=((2, b"said by somebody"),))
    assert not replica_of(d).exchange.forks.take_evidence([PROOF + forkproof.encode(replaced)]).evidence
    assert list(evidence(d).values()) == [short]


# --- deletions --------------------------------------------------------------------------------------------------------


def test_a_deletion_hides_what_its_author_saw_and_not_what_another_branch_did_under_the_same_dot(
    four: Engines, copy: Copier
) -> None:
    a, b, c, d = four
    base, other = one_task(a, "base").id, add("other")(a)
    meet_all(four, 1)
    twin = copy(a)
    a.update_task(edda.Task(id=base, priority=1))  # the same number of change
    twin.update_task(edda.Task(id=base, priority=2))
    a.update_task(edda.Task(id=other, priority=1))
    twin.create_task(edda.Task(title="something else"))
    sync(a, b)
    sync(twin, c)
    b.delete_task(base)  # it saw one branch; the other one's edit is concurrent, and survives
    b.delete_task(other)  # it saw everything that touched it
    sync(b, c)
    meet_all([a, twin, b, c, d])
    assert_equal([a, twin, b, c, d])
    assert d.get_task(base) is not None
    assert d.get_task(other) is None


def test_a_deletion_by_one_who_saw_both_branches_hides_both(four: Engines, copy: Copier) -> None:
    a, b, c, d = four
    base = one_task(a, "base").id
    twin = copy(a)
    a.update_task(edda.Task(id=base, priority=1))
    twin.update_task(edda.Task(id=base, priority=2))
    sync(a, b)
    sync(twin, c)
    sync(b, c)
    b.delete_task(base)
    meet_all([a, twin, b, c, d])
    assert_equal([a, twin, b, c, d])
    assert d.get_task(base) is None


def test_what_a_branch_deleted_and_made_stays_so(four: Engines, copy: Copier) -> None:
    a, b, c, d = four
    twin = copy(a)
    gone = add("gone")(a)
    add("filler")(twin)
    a.delete_task(gone)
    kept = add("kept")(twin)
    sync(a, b)
    sync(twin, c)
    b.restore_task(gone)
    c.delete_task(kept)
    sync(b, c)
    meet_all([a, twin, b, c, d])
    assert_equal([a, twin, b, c, d])
    assert d.get_task(gone) is not None
    assert d.get_task(kept) is None


# --- texts ------------------------------------------------------------------------------------------------------------


def text(engine: StorageEngine, task: str) -> str:
    found = engine.get_task(task)
    assert found is not None
    return found.description or ""


def test_what_both_branches_and_others_typed_into_one_text_all_stands(four: Engines, copy: Copier) -> None:
    a, b, c, d = four
    base = one_task(a, "base").id
    twin = copy(a)
    for store, word in ((a, "north"), (twin, "south")):
        for at, letter in enumerate(word):
            store.edit_text(base, "description", [(at, 0, letter)])
    sync(a, b)
    sync(twin, c)
    b.edit_text(base, "description", [(2, 0, "B"), (0, 1, "")])  # inside a branch's word, and one letter of it
    c.edit_text(base, "description", [(2, 0, "C"), (0, 1, "")])
    d.edit_text(base, "description", [(0, 0, "D")])
    sync(b, c)
    meet_all([a, twin, b, c, d])
    assert_equal([a, twin, b, c, d])
    assert sorted(text(d, base)) == sorted("oBrthoCuthDone and a half two three")
    assert "oBrth" in text(d, base)
    assert "oCuth" in text(d, base)
    assert d.refused() == 0


def test_of_a_text_into_which_a_chain_wrote_that_forks_one_branch_may_be_void(four: Engines, copy: Copier) -> None:
    a, b, c, d = four
    base = one_task(a, "base").id
    twin = copy(a)
    for store, word in ((a, "north"), (twin, "south")):
        store.edit_text(base, "description", [(0, 0, word)])
    sync(a, b)
    sync(twin, c)
    b.edit_text(base, "description", [(3, 0, "B")])  # inside a branch's word
    c.edit_text(base, "description", [(3, 0, "C"), (0, 1, "")])
    sync(b, c)
    meet_all([a, twin, b, c, d])
    key, shown = key_of("task", id_bytes("id", base)), text(d, base)
    with d.store.read() as reader:
        ends = [(name, head.seq) for name, head in reader.log.heads().items() if len(names_of(reader).order(name)) == 2]
    left = []
    for end in ends:
        d.store.transact(lambda tx, end=end: d.ledger.refold(tx, [key], [end]))  # type: ignore[misc]
        left.append(text(d, base).removesuffix("one and a half two three"))
    assert d.refused() == 0
    assert {*left} in ({"CnorBth", "ouCthB"}, {"norBthC", "BouCth"}), "which branch comes first, its name decides"
    d.refold([key])
    assert text(d, base) == shown


def test_a_rewrite_that_two_branches_made_in_the_same_words_is_two_where_it_means_other_letters(
    four: Engines, copy: Copier
) -> None:
    """A machine that was put back repeats what it did: the same bytes, about another text."""
    a, b, c, d = four
    base = one_task(a, "base").id
    twin = copy(a)
    for store, word in ((a, "aaa"), (twin, "bbb")):
        store.edit_text(base, "description", [(0, 0, word)])
        task = store.get_task(base)
        assert task is not None
        task.description = "new"
        store.update_task(task)
    sync(a, b)
    sync(twin, c)
    for store, word in ((b, "B"), (c, "C")):  # beside and inside what was rewritten
        store.edit_text(base, "description", [(1, 0, word), (0, 0, "<"), (5, 0, ">")])
    sync(b, c)
    d.edit_text(base, "description", [(0, 0, "d")])
    meet_all([a, twin, b, c, d])
    assert_equal([a, twin, b, c, d])
    assert "aaa" not in text(d, base)
    assert "bbb" not in text(d, base)
    both = text(d, base)
    for store in (b, c, d):  # these saw both edits
        store.edit_text(base, "description", [(at, 1, "") for at in range(6)])
        store.edit_text(base, "description", [(len(text(store, base)), 0, store.name)])
    meet_all([a, twin, b, c, d])
    assert_equal([a, twin, b, c, d])
    assert d.refused() == 0
    assert len(both) > len("new") + 6


def test_the_same_rewrite_of_what_both_branches_share_stands_once(four: Engines, copy: Copier) -> None:
    a, b, c, d = four
    base = one_task(a, "base").id
    twin = copy(a)
    for store in (a, twin):
        task = store.get_task(base)
        assert task is not None
        task.description = "the same words"
        store.update_task(task)
    sync(a, b)
    sync(twin, c)
    sync(b, c)
    meet_all([a, twin, b, c, d])
    assert_equal([a, twin, b, c, d])
    assert text(d, base) == "the same words"


def test_a_text_that_both_branches_began_goes_on_from_both(four: Engines, copy: Copier) -> None:
    a, b, c, d = four
    empty = add("without words")(a)
    meet_all(four, 1)
    twin = copy(a)
    for store in (a, twin):
        store.update_task(edda.Task(id=empty, description="begun"))
        store.edit_text(empty, "description", [(5, 0, "!")])
    sync(a, b)
    sync(twin, c)
    b.edit_text(empty, "description", [(0, 0, "b ")])
    c.edit_text(empty, "description", [(0, 0, "c ")])
    b.update_task(edda.Task(id=empty, description=None))
    sync(b, c)
    meet_all([a, twin, b, c, d])
    assert_equal([a, twin, b, c, d])
    assert d.refused() == 0


def test_an_open_text_goes_on_after_a_proof_that_came_while_it_was_in_use(four: Engines, copy: Copier) -> None:
    a, b, c, _ = four
    base = one_task(a, "base").id
    twin = copy(a)
    for number in range(3):
        a.edit_text(base, "description", [(0, 0, f"{number}")])
        twin.edit_text(base, "description", [(0, 0, f"{number}")])
    network = Network(a, b, c)
    network.connect(a, b)
    sync(twin, c)
    network.connect(b, c)
    for number in range(40):
        for store in (a, b, c):
            store.edit_text(base, "description", [(number % 5, number % 2, "x")])
            network.committed(store)
        network.step()
    network.run()
    assert network.differs == []
    meet_all([a, twin, b, c])
    assert_equal([a, twin, b, c])
    assert a.refused() == 0


# --- large changes, segments, links -----------------------------------------------------------------------------------


def test_two_large_changes_under_one_dot_both_arrive(
    four: Engines, copy: Copier, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "PART_BYTES_MAX", 2_000)
    a, b, c, d = four
    twin = copy(a)
    for store, word in ((a, "one"), (twin, "two")):
        with store.begin_transaction() as tx:
            for number in range(30):
                tx.create_task(edda.Task(title=f"{word} {number}", description=f"{number}" * 200))
        add(f"after {word}")(store)
    sync(a, b)
    sync(twin, c)
    sync(b, d)
    network = Network(b, c)
    network.connect(b, c)
    network.run()
    assert network.said(Part)
    assert len(network.proved) == 2
    meet_all([a, twin, b, c, d])
    assert_equal([a, twin, b, c, d])
    assert len(titles(d)) == 1 + 2 * 31


def test_a_large_change_of_a_branch_that_broke_off_goes_on_where_it_stopped(
    four: Engines, copy: Copier, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "PART_BYTES_MAX", 2_000)
    monkeypatch.setattr(limits, "WINDOW_BYTES_MAX", 3_000)
    a, b, c, d = four
    twin = copy(a)
    add("one")(a)
    add("two")(twin)
    sync(a, b)
    sync(twin, c)
    sync(b, c)
    sync(b, d)
    with twin.begin_transaction() as tx:  # it does not know yet
        for number in range(60):
            tx.create_task(edda.Task(title=f"{number}", description=f"{number}" * 200))
    network = Network(twin, d)
    network.connect(twin, d)
    network.run_until_said(Part, 2)
    network.cut(twin, d)
    number = len(network.said(Part))
    network.connect(twin, d)
    network.run()
    sent = [part.number for part in network.said(Part)]
    assert sent == list(range(len(sent)))
    assert number < len(sent)
    meet_all([a, twin, b, c, d])
    assert_equal([a, twin, b, c, d])


def test_a_newcomer_gets_the_log_of_a_forked_chain_and_no_segment(
    four: Engines, copy: Copier, tmp_path: Path, backend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "SEGMENT_SAVES_US_MIN", BY_SEGMENT)
    a, b, c, d = four
    twin = copy(a)
    add("one")(a)
    add("two")(twin)
    sync(a, b)
    sync(twin, c)
    sync(b, c)
    with StorageEngine(tmp_path / "newcomer") as newcomer:
        newcomer.open_store(edda.StorageConfig(backend="memory" if backend == "memory" else "sqlite", name="new"))
        pair(b, newcomer)
        network = Network(b, newcomer)
        network.connect(b, newcomer)
        network.run()
        assert network.said(Offer) == []
        meet_all([a, twin, b, c, d, newcomer])
        assert_equal([a, twin, b, c, d, newcomer])


def test_everything_else_goes_on_while_a_fork_is_not_proved(four: Engines, copy: Copier) -> None:
    """Of two devices with different changes, one cannot prove the fork, because its branch came without a signature."""
    a, b, c, d = four
    twin = copy(a)
    add("one")(a)
    add("two")(twin)
    sync(a, b)
    sync(twin, c)
    add("of b")(b)
    add("of c, who knew")(c)
    add("of d, who knew neither")(d)
    network = Network(b, c, d)
    monkey = pytest.MonkeyPatch()
    for replica in network.replicas.values():
        monkey.setattr(replica.exchange.forks, "pieces", lambda _actor: [])
    network.connect(b, c)
    network.connect(c, d)
    network.run()
    assert evidence(b) == evidence(c) == {}
    assert "of d, who knew neither" in titles(b)
    assert "two" not in titles(b)
    assert "of c, who knew" not in titles(b), "it depends on what is held under another hash"
    assert "one" not in titles(c)
    monkey.undo()
    meet_all([b, c, d])
    assert_equal([b, c, d])
    assert {"one", "two", "of b", "of c, who knew"} <= set(titles(d))


# --- claims without proof ---------------------------------------------------------------------------------------------


def piece_of(engine: StorageEngine) -> Branch:
    """A piece of the founder's chain."""
    exchange = replica_of(engine).exchange
    founder = min(each.actor for each in exchange.heads() if not decode_birth_parent(each.birth))
    (wanted,) = exchange.forks.pieces([founder])
    piece = exchange.forks.piece(wanted)
    assert piece is not None
    return piece


def decode_birth_parent(birth: bytes) -> bytes | None:
    return changes.decode_birth(birth).parent


LIES: dict[str, Callable[[Branch], Branch]] = {
    "another signature": lambda piece: msgspec.structs.replace(piece, signature=bytes(64)),
    "a signature of another length": lambda piece: msgspec.structs.replace(piece, signature=b"short"),
    "a header hash that is another one": lambda piece: msgspec.structs.replace(
        piece, headers=(*piece.headers[:-1], b"x" * 32)
    ),
    "a header hash more": lambda piece: msgspec.structs.replace(piece, headers=(*piece.headers, b"x" * 32)),
    "a header hash less": lambda piece: msgspec.structs.replace(piece, headers=piece.headers[:-1]),
    "no header hashes": lambda piece: msgspec.structs.replace(piece, headers=()),
    "another beginning": lambda piece: msgspec.structs.replace(piece, seq=1, hash=b"x" * 32),
    "a first change after something": lambda piece: msgspec.structs.replace(piece, hash=b"x" * 32),
    "another actor": lambda piece: msgspec.structs.replace(piece, actor=b"x" * 16),
    "another birth": lambda piece: msgspec.structs.replace(piece, birth=b"x" + piece.birth[1:]),
    "a birth that is none": lambda piece: msgspec.structs.replace(
        piece, birth=b"none", actor=changes.actor_of(b"none")
    ),
    "far away": lambda piece: msgspec.structs.replace(piece, seq=1 << 47, hash=b"x" * 32),
}


@pytest.mark.parametrize("lie", LIES)
def test_a_lying_piece_is_refused_and_changes_nothing(four: Engines, lie: str) -> None:
    a, b, *_ = four
    add("more")(a)
    piece = piece_of(a)
    before = shown(b), evidence(b), own_actor(b)
    with pytest.raises(RemoteProtocolError):
        replica_of(b).exchange.forks.take_piece(LIES[lie](piece))
    assert (shown(b), evidence(b), own_actor(b)) == before


def test_honest_pieces_of_a_chain_that_does_not_fork_prove_nothing(four: Engines) -> None:
    a, b, *_ = four
    behind = piece_of(b)
    for number in range(3):
        add(f"more {number}")(a)
    ahead = piece_of(a)
    assert ahead.headers[: len(behind.headers)] == behind.headers
    for engine in (a, b):
        for piece in (behind, ahead):
            assert replica_of(engine).exchange.forks.take_piece(piece) == News()
        assert evidence(engine) == {}


def test_a_piece_of_a_chain_of_which_nothing_is_held_is_no_difference(four: Engines) -> None:
    _, b, c, _ = four
    add("first")(c)
    theirs = replica_of(c).exchange.forks
    (wanted,) = theirs.pieces([own_actor(c)])
    piece = theirs.piece(wanted)
    assert piece is not None
    assert replica_of(b).exchange.forks.take_piece(piece) == News()


def test_a_piece_of_a_branch_that_is_not_held_is_no_difference_once_the_fork_is_known(
    four: Engines, copy: Copier
) -> None:
    a, b, c, d = four
    twin = copy(a)
    add("one")(a)
    add("two")(twin)
    for here, there in ((a, b), (a, d), (twin, c), (b, c)):
        sync(here, there)
    piece, taker = piece_of(twin), replica_of(d).exchange.forks
    taker.take_evidence(list(evidence(b).values()))
    assert taker.take_piece(piece) == News()


def test_a_piece_that_begins_beyond_what_is_held_differs_only_where_something_else_is_there(
    four: Engines, copy: Copier, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who holds less tells what it holds: of that the other can say whether they part."""
    a, b, c, _ = four
    twin = copy(a)
    for number in range(9):
        add(f"one {number}")(a)
        add(f"two {number}")(twin)
    sync(twin, c)
    monkeypatch.setattr(forkproof, "SIDE_HASHES_MAX", 4)
    ahead, behind = piece_of(a), piece_of(b)
    assert behind.seq + len(behind.headers) < ahead.seq
    assert replica_of(b).exchange.forks.take_piece(ahead) == News(say=[Wanted(ahead.actor)])
    assert replica_of(a).exchange.forks.take_piece(behind) == News()
    strange = Summary(ahead.actor, ahead.seq, ahead.hash[:16])
    assert replica_of(c).exchange.forks.take_piece(ahead) == News(say=[Wanted(ahead.actor, ahead.seq)], differs=strange)


def test_a_hello_that_lies_of_a_head_begins_no_life_and_folds_nothing_anew(four: Engines) -> None:
    a, b, *_ = four
    network = Network(a, b)
    exchange = network.replicas[name_of(b)].exchange
    honest = exchange.introduction

    def lie() -> object:
        told = honest()
        heads = tuple(Summary(each.actor, each.seq, b"another hash !!!") for each in told.heads)
        return told._replace(heads=heads)

    exchange.introduction = lie  # type: ignore[method-assign, assignment]
    before = shown(a), evidence(a), own_actor(a)
    network.connect(a, b)
    network.run()
    assert (shown(a), evidence(a), own_actor(a)) == before
    assert network.replicas[name_of(a)].progress()[name_of(b)].apart
    add("after it")(a)
    assert own_actor(a) == before[2]
    sync(a, b)
    assert_equal([a, b])


def test_evidence_that_proves_nothing_is_refused_and_what_a_newer_version_knows_is_left(
    four: Engines, copy: Copier
) -> None:
    a, b, c, d = four
    twin = copy(a)
    add("one")(a)
    add("two")(twin)
    sync(a, b)
    sync(twin, c)
    sync(b, c)
    (proof,) = evidence(b).values()
    taker = replica_of(d).exchange.forks
    sound = forkproof.decode(proof[1:])
    swapped = msgspec.structs.replace(sound, lesser=sound.greater, greater=sound.lesser)
    unsigned = msgspec.structs.replace(sound, greater=msgspec.structs.replace(sound.greater, signature=bytes(64)))
    for lie in (proof[:-1], proof + b"\0", PROOF, b"\x01\xc0", *(PROOF + encode(each) for each in (swapped, unsigned))):
        with pytest.raises(RemoteProtocolError):
            taker.take_evidence([lie])
        with pytest.raises(RemoteProtocolError):
            taker.take_evidence([proof, lie])
        assert evidence(d) == {}
    assert taker.take_evidence([b"\x7f of a newer version", b""]) == News()
    assert evidence(d) == {}


def encode(proof: forkproof.ForkProof) -> bytes:
    return msgspec.msgpack.encode(proof)
