"""Proving: two devices that hold the same find that out, and two that do not find out where they differ, in few bytes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import msgspec
import pytest

import edda_sync as edda
from edda_sync.crdt.keys import key_of
from edda_sync.crdt.sketch import CELL_BYTES
from edda_sync.engine.engine import StorageEngine
from edda_sync.sync.messages import Cells, Listed, Message
from edda_sync.sync.proving import Outcome, Proving
from edda_sync.testing import devices, sync
from edda_sync.words import limits
from edda_sync.words.errors import RemoteProtocolError
from edda_sync.words.values import id_bytes
from tests.sync.batches import exchange_of
from tests.sync.test_replica import skew

NONCES = (b"1" * 16, b"2" * 16)


@dataclass
class Two:
    """Two devices that hold the same changes, and their sides of one comparison."""

    laptop: StorageEngine
    phone: StorageEngine
    tasks: list[str]
    here: Proving
    there: Proving

    def told(self) -> None:
        """Let each side say its proof, and the other hear it."""
        at = self.laptop.frontier()
        for one, other in ((self.here, self.there), (self.there, self.here)):
            proof = one.say(at)
            assert proof is not None
            other.heard(at, proof.encoded, proof.unread, proof.evidence)

    def talk(self) -> tuple[set[bytes], set[bytes], list[Message]]:
        """Exchange cells and pages until nothing is left to say; return what each side found, and all messages."""
        found, said = (set[bytes](), set[bytes]()), list[Message]()
        waiting = [(0, each) for each in self.here.compare().say] + [(1, each) for each in self.there.compare().say]
        while waiting:
            sender, message = waiting.pop(0)
            said.append(message)
            receiver = (self.here, self.there)[1 - sender]
            outcome: Outcome
            if isinstance(message, Cells):
                outcome = receiver.take_cells(message)
            else:
                assert isinstance(message, Listed)
                outcome = receiver.take_page(message)
            found[1 - sender].update(each.key for each in outcome.differing)
            waiting += [(1 - sender, each) for each in outcome.say]
            for side, proving in enumerate((self.here, self.there)):
                page = proving.next_page()
                waiting += [] if page is None else [(side, page)]
        return *found, said


@pytest.fixture
def two() -> Iterator[Two]:
    with devices(2, backend="memory") as (laptop, phone):
        tasks = [laptop.create_task(edda.Task(title=f"task {number}")) for number in range(60)]
        sync(laptop, phone)
        sides = [Proving(exchange_of(engine), nonce) for engine, nonce in zip((laptop, phone), NONCES, strict=True)]
        for side, nonce in zip(sides, reversed(NONCES), strict=True):
            side.introduced(nonce)
        yield Two(laptop, phone, tasks, *sides)


def keys(tasks: list[str]) -> set[bytes]:
    return {key_of("task", id_bytes("id", task)) for task in tasks}


def test_equal_proofs_at_one_frontier_prove_equality_once(two: Two) -> None:
    assert two.here.compare() == Outcome(), "nothing was heard yet"
    two.told()
    assert two.here.compare() == Outcome(proved=True)
    assert two.here.compare() == Outcome(), "it was compared"
    two.here.recheck()
    assert two.here.compare() == Outcome(proved=True)


def test_a_proof_is_said_once_for_each_frontier_and_only_at_one_that_both_hold(two: Two) -> None:
    at = two.laptop.frontier()
    assert two.here.say({}) is None
    assert two.here.say(at) is not None
    assert two.here.say(at) is None
    two.laptop.create_task(edda.Task(title="more"))
    assert two.here.say(at) is None
    assert two.here.say(two.laptop.frontier()) is not None


def test_a_proof_of_another_frontier_is_not_compared(two: Two) -> None:
    two.told()
    two.laptop.create_task(edda.Task(title="more"))
    assert two.here.compare() == Outcome()


def test_cells_hang_on_the_nonces_of_both_and_not_on_who_said_which(two: Two) -> None:
    """A side that chose the key alone could make content that cannot be decoded."""
    skew(two.phone, two.tasks[0])

    def cells(own: bytes, theirs: bytes) -> bytes:
        two.here, two.there = Proving(exchange_of(two.laptop), own), Proving(exchange_of(two.phone), theirs)
        two.here.introduced(theirs)
        two.there.introduced(own)
        two.told()
        (message,) = two.here.compare().say
        assert isinstance(message, Cells)
        return message.cells

    low, middle, high = (bytes([number]) * 16 for number in (0, 7, 255))
    made = [cells(*pair) for pair in ((low, middle), (low, high), (middle, high), (low, low))]
    assert len(set(made)) == 4
    assert cells(middle, low) == made[0]


@pytest.mark.parametrize("count", [1, 2, 9, 20])
def test_a_few_differences_come_out_of_a_few_cells_on_both_sides(two: Two, count: int) -> None:
    for task in two.tasks[:count]:
        skew(two.phone, task)
    two.told()
    here, there, said = two.talk()
    assert here == there == keys(two.tasks[:count])
    assert all(isinstance(message, Cells) for message in said)
    assert sum(len(message.cells) for message in said if isinstance(message, Cells)) <= 4 * 64 * CELL_BYTES


def test_more_differences_take_more_cells(two: Two, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "CODED_CELLS_FIRST", 4)
    for task in two.tasks[:30]:
        skew(two.phone, task)
    two.told()
    here, there, said = two.talk()
    assert here == there == keys(two.tasks[:30])
    sizes = [len(message.cells) // CELL_BYTES for message in said if isinstance(message, Cells)]
    assert sizes[0] == 4
    assert max(sizes) > 16
    assert all(isinstance(message, Cells) for message in said)


def test_past_the_most_cells_the_items_are_listed(two: Two, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "CODED_CELLS_FIRST", 2)
    monkeypatch.setattr(limits, "CODED_CELLS_MAX", 8)
    for task in two.tasks[:40]:
        skew(two.phone, task)
    two.told()
    here, there, said = two.talk()
    assert here == there == keys(two.tasks[:40])
    assert any(isinstance(message, Listed) for message in said)


def test_cells_of_a_side_that_was_introduced_again_still_come_out(two: Two) -> None:
    """When names change, they are said in another hello with the same nonce."""
    two.here.introduced(NONCES[1])
    two.here.introduced(NONCES[1])
    skew(two.phone, two.tasks[0])
    two.told()
    here, there, _ = two.talk()
    assert here == there == keys(two.tasks[:1])


def test_heads_that_differ_are_told_apart_from_content(two: Two) -> None:
    with two.phone.store.read() as reader:
        (head,) = reader.log.heads().values()
    two.phone.store.transact(lambda tx: tx.log.set_head(head._replace(hash=bytes(32))))
    two.told()
    (cells,) = two.there.compare().say
    assert isinstance(cells, Cells)
    assert two.here.compare().say
    outcome = two.here.take_cells(cells)
    assert (outcome.apart, outcome.differing) == (frozenset((head.actor,)), ())


@pytest.mark.parametrize("lie", ["out of order", "none", "broken", "too many"])
def test_cells_that_are_none_end_the_talk(two: Two, monkeypatch: pytest.MonkeyPatch, lie: str) -> None:
    monkeypatch.setattr(limits, "CODED_CELLS_MAX", 64)
    skew(two.phone, two.tasks[0])
    two.told()
    (cells,) = two.there.compare().say
    assert isinstance(cells, Cells)
    lies: dict[str, dict[str, object]] = {
        "out of order": {"first": 1}, "none": {"cells": b""}, "broken": {"cells": cells.cells[:-1]},
        "too many": {"cells": cells.cells * 2},
    }  # fmt: skip
    with pytest.raises(RemoteProtocolError):
        two.here.take_cells(msgspec.structs.replace(cells, **lies[lie]))


def test_cells_of_another_moment_are_passed_over(two: Two) -> None:
    skew(two.phone, two.tasks[0])
    two.told()
    (cells,) = two.there.compare().say
    assert isinstance(cells, Cells)
    two.laptop.create_task(edda.Task(title="more"))
    assert two.here.take_cells(cells) == Outcome()
    assert two.here.take_cells(msgspec.structs.replace(cells, proof=b"p" * 32)) == Outcome()
    assert two.here.take_page(Listed(cells.proof, b"", b"\xff" * 17, b"")) == Outcome()


def test_a_list_that_does_not_go_on_where_it_stopped_ends_the_talk(two: Two) -> None:
    skew(two.phone, two.tasks[0])
    two.told()
    proof = exchange_of(two.phone).proof().encoded
    with pytest.raises(RemoteProtocolError, match="does not continue the list"):
        two.here.take_page(Listed(proof, b"k" * 17, b"\xff" * 17, b""))


@pytest.mark.parametrize("size", [0, 16, 31, 33])
def test_a_proof_of_another_length_is_none(two: Two, size: int) -> None:
    with pytest.raises(RemoteProtocolError):
        two.here.heard({}, bytes(size), b"", b"")


def test_a_proof_is_not_compared_with_ours_once_other_evidence_is_here(two: Two) -> None:
    """Content depends on evidence too, so a difference then is no damage."""
    at = two.laptop.frontier()
    theirs = exchange_of(two.phone).proof()
    assert two.here.say(at) is not None
    two.here.heard(at, bytes(32), theirs.unread, b"other evidence")
    assert two.here.compare() == Outcome()
    two.here.heard(at, bytes(32), theirs.unread, theirs.evidence)
    assert two.here.compare().say


def test_equal_content_proves_nothing_while_other_operations_wait_on_the_two_sides(two: Two) -> None:
    """What waits on one side may change its content later."""
    at = two.laptop.frontier()
    theirs = exchange_of(two.phone).proof()
    assert two.here.say(at) is not None
    two.here.heard(at, theirs.encoded, b"w" * 16, theirs.evidence)
    assert two.here.compare() == Outcome()
    two.here.recheck()
    two.here.heard(at, theirs.encoded, theirs.unread, theirs.evidence)
    assert two.here.compare() == Outcome(proved=True)
