"""Rejoining: what was kept apart because of a fork is exchanged again once both know its proof, in any order."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import edda_sync as edda
from edda_sync.engine.engine import StorageEngine
from edda_sync.testing import devices, sync
from tests.sync.copies import Copier, add, assert_equal, copier, titles
from tests.sync.network import Network, name_of
from tests.sync.newcomers import Newcomers, newcomers
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
