"""Closings: one for each life, only of changes that are held, and the same set on all devices in any order."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest

import edda_sync as edda
from edda_sync.changes import change as changes
from edda_sync.changes.chains import CLOSING
from edda_sync.changes.change import Birth
from edda_sync.engine.engine import StorageEngine
from edda_sync.store.seams import StoreWriter
from edda_sync.sync.learning import News
from edda_sync.testing import devices, replica_of, sync
from edda_sync.workspace import closing
from edda_sync.workspace.actor import actor_of
from edda_sync.workspace.closing import Closing


@pytest.fixture
def three() -> Iterator[tuple[StorageEngine, ...]]:
    """Three devices; the first has written some changes in its one life."""
    with devices(3, backend="memory") as engines:
        for number in range(3):
            engines[0].create_task(edda.Task(title=f"task {number}"))
        yield engines


def end_of(engine: StorageEngine, seq: int) -> bytes:
    """A closing of a device's present life at one of its changes, as evidence."""
    with engine.store.read() as reader:
        head = reader.log.heads()[actor_of(reader)]
        digest = reader.log.hash_at(head.actor, seq)
    assert digest is not None
    message = closing.signed_message(engine.workspace, head.actor, seq, digest)
    return CLOSING + closing.encode(Closing(head.birth, seq, digest, engine.identity.sign(message)))


def take(engine: StorageEngine, *items: bytes) -> News:
    return replica_of(engine).exchange.forks.take_evidence(items)


def held(engine: StorageEngine) -> list[bytes]:
    with engine.store.read() as reader:
        return list(reader.evidence.all().values())


def forget_all(tx: StoreWriter) -> None:
    for name in tx.evidence.names():
        tx.evidence.drop(name)


def test_of_a_life_the_closing_that_covers_most_is_kept_in_every_order(three: tuple[StorageEngine, ...]) -> None:
    a, b, _ = three
    sync(a, b)
    ends = [end_of(a, seq) for seq in (2, 3, 4)]
    for order in itertools.permutations(ends):
        for each in order:
            take(b, each)
        assert held(b) == [ends[-1]]
        assert not take(b, *ends).evidence
        b.store.transact(forget_all)


def test_closings_of_lives_and_changes_that_nobody_holds_are_left(three: tuple[StorageEngine, ...]) -> None:
    """Their device can sign any number of them."""
    a, b, _ = three
    for number in range(100):
        birth = changes.encode_birth(Birth(a.identity.public_key, number.to_bytes(16, "big")))
        message = closing.signed_message(a.workspace, changes.actor_of(birth), 7, bytes(32))
        assert not take(b, CLOSING + closing.encode(Closing(birth, 7, bytes(32), a.identity.sign(message)))).evidence
    assert not take(b, end_of(a, 4)).evidence  # this change has not come here yet
    assert held(b) == []


def test_a_closing_that_was_left_comes_again_once_its_change_is_here(three: tuple[StorageEngine, ...]) -> None:
    a, b, c = three
    end = end_of(a, 4)
    assert take(a, end).evidence
    assert held(a) == [end]
    assert not take(b, end).evidence
    sync(a, b)
    sync(b, c)
    assert held(a) == held(b) == held(c) == [end]
