"""What a peer is told is durable here: each thing once, and again when it may not have noted it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import edda_sync as edda
from edda_sync.engine.engine import StorageEngine
from edda_sync.sync.acking import Acking
from edda_sync.testing import devices
from tests.sync.batches import exchange_of


@pytest.fixture
def laptop() -> Iterator[StorageEngine]:
    with devices(2, backend="memory") as (laptop, _):
        laptop.create_task(edda.Task(title="task"))
        yield laptop


@pytest.fixture
def acking(laptop: StorageEngine) -> Acking:
    return Acking(exchange_of(laptop))


def moved(acking: Acking) -> dict[bytes, int]:
    """What the next acknowledgement says is held."""
    return {name: seq for ack in acking.acks() for name, seq in ack.moved}


def is_told(acking: Acking) -> bool:
    """Whether nothing is left to say."""
    return acking.is_told


def test_what_was_said_is_not_said_again(laptop: StorageEngine, acking: Acking) -> None:
    assert moved(acking) == laptop.frontier()
    assert is_told(acking)
    assert moved(acking) == {}
    acking.greeted()
    assert is_told(acking)
    assert moved(acking) == {}


def test_what_was_sent_is_said_once_the_peer_says_hello_again(laptop: StorageEngine, acking: Acking) -> None:
    acking.introduced({}, 0)
    acking.sent(laptop.frontier())
    assert is_told(acking)
    assert moved(acking) == {}
    acking.greeted()
    assert not is_told(acking)
    assert moved(acking) == laptop.frontier()
    acking.greeted()
    assert is_told(acking)


def test_our_hello_says_also_what_was_sent(laptop: StorageEngine, acking: Acking) -> None:
    acking.sent(laptop.frontier())
    acking.introduced(laptop.frontier(), 0)
    acking.greeted()
    assert is_told(acking)


def test_a_peer_that_sends_what_it_was_told_is_here_is_told_again(laptop: StorageEngine, acking: Acking) -> None:
    acking.acks()
    acking.asked_again(tuple(laptop.frontier().items()))
    assert moved(acking) == laptop.frontier()
