"""What is held apart, since two hold different changes of an actor, is exchanged again once the reason has ended."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import edda_sync as edda
from edda_sync.engine.engine import StorageEngine
from edda_sync.sync.messages import Branch, Hello
from edda_sync.testing import devices, sync
from edda_sync.words import limits
from tests.sync.copies import Copier, add, assert_equal, copier, meet_all, own_actor, titles
from tests.sync.network import Network, name_of
from tests.sync.newcomers import Newcomers, begin_with_segment, is_provisional, newcomers
from tests.sync.strange import write_change
from tests.sync.test_forks import branches_of

Engines = tuple[StorageEngine, ...]


@pytest.fixture
def copy(tmp_path: Path) -> Iterator[Copier]:
    with copier(tmp_path) as made:
        yield made


@pytest.fixture
def newcomer(tmp_path: Path) -> Iterator[Newcomers]:
    with newcomers(tmp_path, "memory") as made:
        yield made


@pytest.fixture
def forked(copy: Copier) -> Iterator[Engines]:
    """A phone and a tablet that know two branches of a laptop's chain, and wrote after they had seen both."""
    with devices(3, backend="memory") as (laptop, phone, tablet):
        add("base")(laptop)
        sync(laptop, phone)
        twin = copy(laptop)
        add("one")(laptop)
        add("two")(twin)
        sync(laptop, phone)
        sync(twin, phone)
        assert len(branches_of(phone)) == 2
        sync(phone, tablet)
        for engine in (phone, tablet):
            for title in ("one", "two"):
                (task,) = [each for each in engine.query_tasks(edda.TaskQuery()) if each.title == title]
                engine.update_task(edda.Task(id=task.id, priority=0))
        sync(phone, tablet)
        yield phone, tablet


def met(one: StorageEngine, other: StorageEngine) -> Network:
    """A network of two devices that have just met, and learned everything."""
    network = Network(one, other)
    network.connect(one, other)
    network.run()
    assert len(network.proved) == 2
    assert len(branches_of(one)) == len(branches_of(other)) == 2
    return network


def test_a_newcomer_holds_nobody_apart_once_it_knows_the_fork(forked: Engines, newcomer: Newcomers) -> None:
    phone, _ = forked
    watch = newcomer(phone)
    network = met(phone, watch)
    for engine in (phone, watch):
        assert [talk.apart for talk in network.replicas[name_of(engine)].progress().values()] == [frozenset()]


def test_what_others_write_after_a_fork_goes_through_a_newcomer_to_whom_it_learned_the_fork_from(
    forked: Engines, newcomer: Newcomers
) -> None:
    phone, tablet = forked
    watch = newcomer(phone)
    network = Network(phone, watch, tablet)
    network.connect(phone, watch)
    network.run()
    network.connect(watch, tablet)
    network.run()
    network.proved.clear()
    add("by the tablet")(tablet)
    network.committed(tablet)
    network.run()
    assert "by the tablet" in titles(phone)
    assert_equal([phone, watch, tablet])
    assert len(network.proved) == 4


def test_a_newcomer_is_proved_equal_to_one_that_goes_on_after_a_fork(forked: Engines, newcomer: Newcomers) -> None:
    """What a peer sends counts as told, so its receiver must note that the peer has it. Seals wait while operations wait."""
    phone, _ = forked
    write_change(phone, b"\x94\x63\xa4task\xc4\x10" + bytes(16) + b"\xc0")  # of a newer version: [99, "task", id, nil]
    watch = newcomer(phone)
    network = met(phone, watch)
    network.proved.clear()
    add("more")(phone)
    network.committed(phone)
    network.run()
    assert_equal([phone, watch])
    assert len(network.proved) == 2


# --- whatever ends the reason -----------------------------------------------------------------------------------------


@pytest.fixture
def parted(copy: Copier, newcomer: Newcomers) -> Iterator[Engines]:
    """A laptop, a phone that holds its chain, a copy of the laptop that goes on otherwise, and a tablet with nothing."""
    with devices(2, backend="memory") as (laptop, phone):
        add("base")(laptop)
        sync(laptop, phone)
        tablet = newcomer(phone)
        sync(laptop, phone)
        twin = copy(laptop)
        add("one")(laptop)
        add("two")(twin)
        sync(laptop, phone)
        yield laptop, phone, twin, tablet


def apart(network: Network, here: StorageEngine, there: StorageEngine) -> frozenset[bytes]:
    """What one device holds apart in its talk with another."""
    return network.replicas[name_of(here)].progress()[name_of(there)].apart


def test_what_was_apart_over_a_segment_is_exchanged_once_that_is_dropped(parted: Engines) -> None:
    """The other branch was never here: the segment only said so, and who brings its log is gone."""
    laptop, phone, twin, tablet = parted
    begin_with_segment(twin, tablet)
    network = Network(tablet, phone, laptop)
    network.connect(tablet, phone)
    network.run_for(1)
    assert apart(network, tablet, phone) == apart(network, phone, tablet) == {own_actor(laptop)}
    network.run()
    assert is_provisional(tablet) is None
    assert apart(network, tablet, phone) == apart(network, phone, tablet) == frozenset()
    network.connect(tablet, laptop)
    network.run()
    add("more")(laptop)
    network.committed(laptop)
    network.run()
    assert "more" in titles(phone)
    assert len(network.proved) == 4
    assert_equal([laptop, phone, tablet])


@pytest.mark.parametrize("further", ["neither", "the tablet", "the phone"])
def test_what_was_apart_over_a_segment_is_proved_once_the_log_confirms_that(parted: Engines, further: str) -> None:
    """Both branches are here. Who has only a segment can neither prove that nor be told it before the log is here."""
    laptop, phone, twin, tablet = parted
    if further != "neither":
        add("further")(twin if further == "the tablet" else laptop)
        sync(laptop, phone)
    begin_with_segment(twin, tablet)
    network = Network(tablet, phone, twin)
    network.connect(tablet, phone)
    network.run_for(1)
    network.connect(tablet, twin)
    network.run()
    assert is_provisional(tablet) is None
    assert apart(network, tablet, phone) == apart(network, phone, tablet) == frozenset()
    assert len(network.proved) == 4
    assert_equal([phone, tablet, twin])


def test_a_piece_that_comes_after_what_it_differs_from_is_gone_parts_nobody(parted: Engines) -> None:
    """It was sent over another link than the one whose silence ended the segment."""
    laptop, phone, twin, tablet = parted
    begin_with_segment(twin, tablet)
    network = Network(tablet, phone, laptop)
    network.connect(tablet, phone)
    network.run_for(1)
    network.connect(tablet, laptop)
    network.run_until_said(Hello, 4)
    assert not network.said(Branch, laptop)
    while is_provisional(tablet) is not None:
        network.move_time()
    network.run()
    assert network.said(Branch, laptop)
    assert apart(network, tablet, laptop) == apart(network, laptop, tablet) == frozenset()
    add("more")(phone)
    network.committed(phone)
    network.run()
    assert_equal([phone, tablet, laptop])


def test_what_was_apart_is_exchanged_once_its_proof_is_here_with_others_that_the_peer_lacked(
    copy: Copier, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The peer told the proof before, too fast to be taken; a third device tells it once more, and of another fork."""
    with devices(5, backend="memory") as (laptop, phone, tablet, watch, desk):
        add("base")(laptop)
        add("of the desk")(desk)
        meet_all((laptop, phone, tablet, watch, desk))
        twins = copy(laptop), copy(desk)
        add("one")(laptop)
        add("two")(twins[0])
        for here, there in ((laptop, watch), (laptop, phone), (twins[0], phone), (phone, tablet)):
            sync(here, there)
        add("on top of both")(tablet)
        sync(phone, tablet)
        add("three")(desk)
        add("four")(twins[1])
        sync(desk, tablet)
        sync(twins[1], tablet)
        network = Network(watch, phone, tablet)
        with monkeypatch.context() as slow:
            slow.setattr(limits, "PROOFS_MAX", 0)
            network.replicas[name_of(watch)].connected(
                name_of(phone)
            )  # of what it takes of the phone, and not the reverse
            network.replicas[name_of(watch)].disconnected(name_of(phone), 0.0)
        network.connect(watch, phone)
        network.run_for(1)
        assert apart(network, watch, phone) >= {own_actor(laptop), own_actor(tablet)}
        network.connect(watch, tablet)
        network.run_for(1)
        assert apart(network, watch, phone) == frozenset()
        add("more")(tablet)
        network.committed(tablet)
        network.run_for(1)
        assert "more" in titles(phone)
        assert_equal([phone, tablet, watch])


def test_what_was_apart_for_a_change_that_came_too_early_is_exchanged_once_that_has_come(copy: Copier) -> None:
    """Both know the fork by then. Before, one took what the other had said of its branch for the same one of its own."""
    with devices(4, backend="memory") as (laptop, phone, watch, desk):
        add("base")(laptop)
        meet_all((laptop, phone, watch, desk))
        twin = copy(laptop)
        network = Network(watch, phone, desk)
        network.connect(watch, phone)
        network.run()
        add("one")(laptop)
        add("two")(twin)
        add("three")(twin)
        for here, there in ((laptop, watch), (twin, phone), (laptop, desk), (twin, desk)):
            sync(here, there)
        network.replicas[name_of(watch)].grown(network.now)
        network.run_for(1)
        network.connect(phone, desk)
        held = set[frozenset[bytes]]()
        while network.step():
            held.add(apart(network, watch, phone))
        assert held == {frozenset(), frozenset((own_actor(laptop),))}
        assert apart(network, watch, phone) == frozenset()
        assert_equal([phone, watch, desk])


@pytest.mark.parametrize("after", [0, 3])
@pytest.mark.parametrize("before", [1, 3])
def test_a_newcomer_is_proved_equal_though_its_segment_held_a_change_of_a_fork_that_nobody_else_has(
    copy: Copier, newcomer: Newcomers, before: int, after: int
) -> None:
    with devices(2, backend="memory") as (laptop, phone):
        note = laptop.create_document(edda.Document(title="Note", content="one two"))
        sync(laptop, phone)
        tablet = newcomer(phone)
        sync(laptop, phone)
        twin = copy(laptop)
        add("one")(laptop)
        for number in range(before):
            add(f"two {number}")(twin)
        lone = copy(twin)
        add("never given")(lone)
        for number in range(after):
            add(f"more {number}")(laptop)
        sync(laptop, phone)
        sync(twin, phone)
        assert len(branches_of(phone)) == 2
        phone.edit_text(
            note, "content", [(0, 0, "x")]
        )  # both must bring a text up to date before they can prove anything
        begin_with_segment(lone, tablet)
        network = met(tablet, phone)
        assert is_provisional(tablet) is None
        assert_equal([tablet, phone])
        assert all(each.proved for replica in network.replicas.values() for each in replica.progress().values())
