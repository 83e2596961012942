"""Comparing: the results of a comparison in one session, for its progress, and how often the store is scanned."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

import edda_sync as edda
from edda_sync.crdt.keys import key_of
from edda_sync.engine.engine import StorageEngine
from edda_sync.sync.comparing import Comparing
from edda_sync.sync.effects import Differs, Proved
from edda_sync.sync.messages import Ack, Cells
from edda_sync.sync.progress import Progress
from edda_sync.sync.timers import Timers
from edda_sync.testing import devices, sync
from edda_sync.words import limits
from edda_sync.words.errors import RemoteProtocolError
from edda_sync.words.values import id_bytes
from tests.sync.batches import exchange_of
from tests.sync.test_replica import skew


class Side:
    """One side of a comparison."""

    def __init__(self, engine: StorageEngine, nonce: bytes, peer: str) -> None:
        self.engine, self.progress, self.timers, self.may_look = engine, Progress(), Timers(), True
        exchange = exchange_of(engine)
        self.comparing = Comparing(exchange, nonce, peer, self.progress, self.timers, lambda: self.may_look)

    def ack(self) -> Ack:
        """What this side says with its proof."""
        proof = self.comparing.proving.say(self.engine.frontier())
        assert proof is not None
        return Ack((), 0, False, proof.encoded, proof.waiting, proof.evidence, proof.unread)


@dataclass
class Two:
    """Two sides that hold the same changes."""

    here: Side
    there: Side
    task: str

    def told(self) -> None:
        """Let each side hear the proof of the other."""
        for one, other in ((self.here, self.there), (self.there, self.here)):
            assert other.comparing.heard(one.ack(), other.engine.frontier())


@pytest.fixture
def two() -> Iterator[Two]:
    with devices(2, backend="memory") as (laptop, phone):
        task = laptop.create_task(edda.Task(title="one"))
        sync(laptop, phone)
        here, there = Side(laptop, b"1" * 16, "phone"), Side(phone, b"2" * 16, "laptop")
        here.comparing.introduced(b"2" * 16)
        there.comparing.introduced(b"1" * 16)
        yield Two(here, there, task)


def test_two_that_hold_the_same_are_proved_equal_and_their_progress_says_where(two: Two) -> None:
    two.told()
    assert two.here.comparing.compare(0.0) == [Proved("phone")]
    assert (two.here.progress.proved, two.here.progress.proved_at) == (True, two.here.engine.frontier())
    assert two.here.comparing.compare(0.0) == [], "it is said once"


def test_what_differs_is_said_in_cells_and_named_to_whoever_asks(two: Two) -> None:
    skew(two.there.engine, two.task)
    two.told()
    (cells,) = two.here.comparing.compare(0.0)
    assert isinstance(cells, Cells)
    assert not two.here.progress.proved
    found = two.there.comparing.take(cells, 0.0)
    assert found is not None
    (differs,) = [each for each in found if isinstance(each, Differs)]
    assert differs.keys == (key_of("task", id_bytes("id", two.task)),)
    assert tuple(each.key for each in two.there.progress.differing) == differs.keys


def test_what_may_not_be_looked_at_now_is_kept_and_taken_in_its_turn(two: Two) -> None:
    skew(two.there.engine, two.task)
    two.told()
    (cells,) = two.here.comparing.compare(0.0)
    assert isinstance(cells, Cells)
    two.there.may_look = False
    assert two.there.comparing.take(cells, 7.0) is None
    assert two.there.timers.next() == 7.0 + limits.SCANS_WINDOW_S
    two.there.may_look = True
    assert two.there.comparing.take(cells, 8.0) is None, "it comes after what waits"
    assert two.there.comparing.left() == [cells, cells]
    assert two.there.comparing.left() == []
    assert two.there.comparing.take(cells, 9.0)


def test_a_peer_that_goes_on_to_compare_and_waits_for_no_answer_is_left(two: Two) -> None:
    skew(two.there.engine, two.task)
    two.told()
    (cells,) = two.here.comparing.compare(0.0)
    assert isinstance(cells, Cells)
    two.there.may_look = False
    for _ in range(limits.DEFERRED_MAX):
        assert two.there.comparing.take(cells, 0.0) is None
    with pytest.raises(RemoteProtocolError, match="wait for an answer"):
        two.there.comparing.take(cells, 0.0)


def test_a_seal_is_no_proof(two: Two) -> None:
    proof = two.here.comparing.proving.seal(two.here.engine.frontier(), refresh=True)
    assert proof is not None
    ack = Ack((), 0, False, proof.seal, 0)
    assert not two.there.comparing.heard(ack, two.there.engine.frontier())
