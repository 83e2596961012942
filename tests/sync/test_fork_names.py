"""The names of a peer's changes that are not here: once a chain is proved to fork, the names of its branches."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import edda_sync as edda
from edda_sync.changes.branches import Renaming
from edda_sync.engine.engine import StorageEngine
from edda_sync.sync.effects import Close
from edda_sync.sync.messages import Earlier, Evidence, Goodbye, Part
from edda_sync.sync.session import Session
from edda_sync.sync.theirs import ended_held, renamed_held
from edda_sync.testing import devices, replica_of, sync
from edda_sync.words import limits
from tests.sync.copies import Copier, add, assert_equal, copier, end_life, meet_all, own_actor, titles
from tests.sync.network import Network, name_of
from tests.sync.newcomers import Newcomers, begin_with_segment, is_provisional, newcomers
from tests.sync.packed import pack, unpack
from tests.sync.test_forks import branches_of, evidence


@pytest.fixture(params=["memory", "sqlite"])
def backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def three(backend: str) -> Iterator[tuple[StorageEngine, ...]]:
    """Three devices that hold the same."""
    with devices(3, backend=backend) as engines:
        add("base")(engines[0])
        sync(engines[0], engines[1])
        sync(engines[0], engines[2])
        yield engines


@pytest.fixture
def copy(tmp_path: Path) -> Iterator[Copier]:
    with copier(tmp_path) as made:
        yield made


@pytest.fixture
def newcomer(tmp_path: Path, backend: str) -> Iterator[Newcomers]:
    with newcomers(tmp_path, backend) as made:
        yield made


def test_who_began_with_a_branch_that_is_lost_is_proved_equal_to_who_knows_the_fork(
    three: tuple[StorageEngine, ...], copy: Copier, newcomer: Newcomers
) -> None:
    """What is passed over while a segment is believed has names that only the peer knows."""
    laptop, phone, _ = three
    watch = newcomer(laptop)
    sync(laptop, phone)
    old, older = copy(laptop), copy(laptop)
    add("kept")(laptop)
    sync(laptop, phone)
    add("lost")(laptop)
    begin_with_segment(laptop, watch)
    add("other")(old)
    sync(old, phone)
    assert len(branches_of(phone)) == 2
    network = Network(watch, phone, older)
    network.connect(watch, older)
    deliver(network)
    assert network.said(Earlier)
    network.cut(watch, older)
    network.connect(watch, phone)
    network.run()
    assert is_provisional(watch) is None
    assert titles(watch) == ["base", "kept", "other"]
    assert_equal([watch, phone])
    assert len(network.proved) == 2


def test_a_peer_that_holds_another_branch_than_a_segment_shows_is_given_the_one_that_it_lacks(
    three: tuple[StorageEngine, ...], copy: Copier, newcomer: Newcomers
) -> None:
    laptop, phone, tablet = three
    watch = newcomer(laptop)
    sync(laptop, phone)
    old = copy(laptop)
    add("one")(laptop)
    add("two")(old)
    begin_with_segment(laptop, watch)
    sync(laptop, tablet)
    early, late = copy(laptop), copy(old)
    sync(late, tablet)
    replica_of(phone).exchange.forks.take_evidence(list(evidence(tablet).values()))
    sync(old, phone)
    assert titles(phone) == ["base", "two"]
    network = Network(watch, phone, early)
    network.connect(watch, phone)
    deliver(network)
    assert is_provisional(watch) is not None
    network.connect(watch, early)
    network.run()
    assert is_provisional(watch) is None
    assert titles(watch) == ["base", "one", "two"]
    assert_equal([watch, phone])
    assert len(network.proved) == 4


def test_a_large_change_that_is_half_here_when_its_chain_is_proved_to_fork(
    three: tuple[StorageEngine, ...], copy: Copier, monkeypatch: pytest.MonkeyPatch
) -> None:
    laptop, phone, tablet = three
    twin = copy(laptop)
    monkeypatch.setattr(limits, "PART_BYTES_MAX", 2_000)
    monkeypatch.setattr(limits, "WINDOW_BYTES_MAX", 5_000)
    with laptop.begin_transaction() as tx:
        for number in range(200):
            tx.create_task(edda.Task(title=f"task {number}", description=f"{number} " * 100))
    sync(laptop, phone)
    add("other")(twin)
    sync(twin, phone)
    network = Network(tablet, phone)
    network.connect(tablet, phone)
    proofs = network.replicas[name_of(tablet)]._rates[name_of(phone)].proofs
    proofs._most = 0  # it may take none yet
    network.run_until_said(Part)
    assert network.said(Evidence)
    assert evidence(tablet) == {}
    proofs._most = limits.PROOFS_MAX
    network.now += limits.PROOFS_WINDOW_S
    network._do(name_of(tablet), network.replicas[name_of(tablet)].tick(network.now))
    while not evidence(tablet):
        assert network.step()
    assert branches_of(tablet) == set()
    network.run()
    assert_equal([tablet, phone])
    assert len(network.proved) == 2


def test_a_large_change_of_a_chain_that_is_known_to_fork_goes_by_its_branch(
    three: tuple[StorageEngine, ...], copy: Copier, monkeypatch: pytest.MonkeyPatch
) -> None:
    laptop, phone, tablet = three
    actor, twin = own_actor(laptop), copy(laptop)
    monkeypatch.setattr(limits, "PART_BYTES_MAX", 2_000)
    with laptop.begin_transaction() as tx:
        for number in range(20):
            tx.create_task(edda.Task(title=f"task {number}", description=f"{number} " * 100))
    sync(laptop, phone)
    add("other")(twin)
    sync(twin, phone)
    last = tablet.frontier()[actor]
    exchange = replica_of(tablet).exchange
    news = exchange.forks.take_evidence(list(evidence(phone).values()))
    assert (news.renamed, news.ends) == ([], [(actor, last)])
    network = Network(tablet, phone)
    network.connect(tablet, phone)
    network.run_until_said(Part)
    theirs = network.replicas[name_of(tablet)].progress()[name_of(phone)].theirs
    assert theirs[actor] == last
    network.run()
    assert_equal([tablet, phone])
    assert len(network.proved) == 2


def test_where_a_name_ends_nothing_beyond_is_held_by_it() -> None:
    a, b = b"a" * 16, b"b" * 16
    assert ended_held({a: 5, b: 3}, []) == {a: 5, b: 3}
    assert ended_held({a: 5, b: 3}, [(a, 4), (a, 2), (a, 3)]) == {a: 2, b: 3}
    assert ended_held({a: 5, b: 3}, [(a, 0), (b"c" * 16, 7), (b, 9)]) == {b: 3}


def test_where_a_chain_forks_from_its_first_change_on_a_peer_may_hold_nothing_by_its_name() -> None:
    by = Renaming(b"a" * 16, 0, b"n" * 16)
    assert renamed_held({by.old: 5}, by, apart=False) == {by.new: 5}
    assert renamed_held({by.old: 5}, by, apart=True) == {}


def deliver(network: Network) -> None:
    """Deliver all frames that are under way, without letting time pass."""
    while network.on_its_way:
        network.step()


def replica_session(network: Network, engine: StorageEngine, peer: StorageEngine) -> Session:
    """The progress of a device's session with a peer."""
    return network.replicas[name_of(engine)]._sessions[name_of(peer)]


def test_after_another_process_took_the_proof_of_a_fork_sessions_begin_anew_and_prove_equality(
    three: tuple[StorageEngine, ...], copy: Copier
) -> None:
    """As when `edda bundle import` runs beside `edda up`: changes have other names than the sessions told."""
    laptop, phone, _ = three
    twin = copy(laptop)
    add("one")(laptop)
    add("two")(twin)
    network = Network(laptop, phone)
    network.connect(laptop, phone)
    network.run()
    running = network.replicas[name_of(phone)]
    unpack(phone, pack(twin))
    assert [each.peer for each in running.grown(network.now) if isinstance(each, Close)] == [name_of(laptop)]
    assert running.progress() == {}
    network.cut(laptop, phone)
    network.proved.clear()
    network.connect(laptop, phone)
    network.run()
    assert len(network.proved) == 2
    assert titles(phone) == ["base", "one", "two"]
    assert_equal([laptop, phone])
    assert not any(isinstance(each, Close) for each in running.grown(network.now)), "its own session knows the names"


# --- what ends the sessions that run ----------------------------------------------------------------------------------


def test_a_third_branch_that_comes_after_the_proof_ends_no_session(
    three: tuple[StorageEngine, ...], copy: Copier
) -> None:
    """It begins where the chain is known to fork, so nothing that is held gets another name."""
    laptop, phone, tablet = three
    second, third = copy(laptop), copy(laptop)
    for number, store in enumerate((laptop, second, third)):
        add(f"of {number}")(store)
    sync(laptop, phone)
    sync(second, tablet)
    network = Network(phone, tablet, third)
    network.connect(phone, tablet)
    network.run()
    assert len(branches_of(phone)) == 2
    network.connect(phone, third)
    network.run()
    assert len(branches_of(phone)) == len(branches_of(tablet)) == 3
    for store in (phone, tablet):
        add(f"of {name_of(store)}")(store)
        network.committed(store)
    network.run()
    assert network.said(Goodbye) == []
    assert_equal([phone, tablet, third])


@pytest.mark.parametrize("holds_a_branch", [True, False])
def test_a_fork_that_another_process_proved_ends_the_sessions_which_tell_the_old_names(
    three: tuple[StorageEngine, ...], copy: Copier, *, holds_a_branch: bool
) -> None:
    laptop, phone, tablet = three
    network = Network(laptop, phone)
    network.connect(laptop, phone)
    network.run()
    twin = copy(laptop)
    network.replicas[name_of(laptop)] = replica_of(laptop)
    network.cut(laptop, phone)
    network.connect(laptop, phone)
    network.run()
    add("one")(laptop)
    add("two")(twin)
    if holds_a_branch:
        network.committed(laptop)
        network.run()
    sync(laptop, tablet)
    sync(twin, tablet)
    assert replica_of(phone).exchange.forks.take_evidence(list(evidence(tablet).values())).forked
    assert bool(branches_of(phone)) == holds_a_branch
    network.committed(phone)
    network.run()
    assert [goodbye.reason for goodbye in network.said(Goodbye)] == ["a fork"]
    network.cut(laptop, phone)
    network.connect(laptop, phone)
    add("more")(phone)
    network.committed(phone)
    network.run()
    assert len(network.said(Goodbye)) == 1
    meet_all([phone, tablet, laptop, twin])
    assert_equal([phone, tablet, laptop, twin])


def test_a_life_that_ends_ends_no_session(three: tuple[StorageEngine, ...]) -> None:
    """What is signed about its end is evidence too, and names nothing anew."""
    laptop, phone, _ = three
    network = Network(laptop, phone)
    network.connect(laptop, phone)
    network.run()
    before = evidence(laptop)
    end_life(laptop)
    assert evidence(laptop) != before
    network.committed(laptop)
    network.run()
    assert network.said(Goodbye) == []
