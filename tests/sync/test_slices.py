"""A slice ends where a change has to wait, and passes over what the peer's own fork keeps from being taken."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import pytest

import edda_sync as edda
from edda_sync.changes import change as changes
from edda_sync.changes.change import decode_header
from edda_sync.engine.engine import StorageEngine
from edda_sync.sync.messages import Changes, SignedHead
from edda_sync.testing import devices
from edda_sync.words import limits
from tests.sync.batches import batches, exchange_of, trace

Pair = tuple[StorageEngine, StorageEngine]


@pytest.fixture(params=["memory", "sqlite"])
def two(request: pytest.FixtureRequest) -> Iterator[Pair]:
    with devices(2, backend=request.param) as (laptop, phone):
        yield laptop, phone


def test_a_batch_is_taken_in_slices_each_of_them_durable(two: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    laptop, phone = two
    known = phone.frontier()
    for count in (1, 1, 30, 1, 1, 1):
        with laptop.begin_transaction() as tx:
            for number in range(count):
                tx.create_task(edda.Task(title=f"task {number}"))
    (message,) = batches(exchange_of(laptop), known)
    monkeypatch.setattr(limits, "SLICE_US_MAX", 2 * (limits.TAKE_CHANGE_US + limits.TAKE_OPERATION_US))
    taking = exchange_of(phone).taking
    found: list[tuple[int, bool]] = []
    while not found or found[-1][1]:
        taken = taking.take(message)
        found.append((taken.applied, taken.more))
        assert phone.counts()["changes"] == sum(known.values()) + sum(applied for applied, _ in found)
    assert found == [(2, True), (1, True), (2, True), (1, False)], "no slice is empty, and no change is cut"
    assert phone.frontier() == laptop.frontier()
    passed_on = exchange_of(phone).giving.batch(exchange_of(phone).giving.missing(known) or [], known)
    assert passed_on is not None
    assert len(passed_on.message.changes) == len(message.changes), "what vouches for the batch is kept with its slices"


def test_a_slice_holds_fewer_changes_of_entities_that_were_here_before_and_fewest_of_different_texts(
    two: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    laptop, phone = two
    monkeypatch.setattr(limits, "SLICE_US_MAX", 10 * (limits.TAKE_CHANGE_US + limits.TAKE_OPERATION_US))

    def slices() -> int:
        (message,) = batches(exchange_of(laptop), phone.frontier())
        taking, count = exchange_of(phone).taking, 1
        while taking.take(message).more:
            count += 1
        assert phone.frontier() == laptop.frontier()
        return count

    ids = [laptop.create_task(edda.Task(title=f"task {number}", description="old")) for number in range(20)]
    created = slices()
    for each in ids:
        task = laptop.get_task(each)
        assert task is not None
        task.title = "another"
        laptop.update_task(task)
    updated = slices()
    for each in ids:
        laptop.edit_text(each, "description", [(0, 0, "very ")])
    edited = slices()
    for _ in ids:
        laptop.edit_text(ids[0], "description", [(0, 0, "very ")])
    typed = slices()
    assert (created, updated, edited, typed) == (2, 4, 7, 3)
    assert phone.digest() == laptop.digest()


def test_another_change_under_a_held_dot_is_passed_over_and_the_rest_is_taken(two: Pair) -> None:
    laptop, phone = two
    known = phone.frontier()
    laptop.create_task(edda.Task(title="T"))
    phone.create_task(edda.Task(title="of the phone"))
    (message,) = batches(exchange_of(laptop), known)
    taking = exchange_of(phone).taking
    taking.take(message)
    before = trace(phone)
    ((raw, body),) = message.changes
    header = decode_header(raw)
    other = body.replace(b"T", b"F")
    lie = changes.encode_header(msgspec.structs.replace(header, content=changes.hash_part(other)))
    digest = changes.hash_change(header.previous, changes.hash_header(lie))
    signature = laptop.identity.sign(changes.signed_message(laptop.workspace, *header.dot, digest))
    taken = taking.take(Changes(((lie, other),), (SignedHead(*header.dot, signature, b""),)))
    assert (taken.applied, taken.early, set(taken.apart)) == (0, False, {header.actor})
    assert trace(phone) == before


def test_what_waits_for_a_chain_of_which_the_peer_has_another_is_passed_over_and_not_asked_for(two: Pair) -> None:
    """Asking for it again and again would end the session, and everything else with it."""
    laptop, phone = two
    ((founder, _),) = laptop.frontier().items()
    known = phone.frontier()
    laptop.create_task(edda.Task(title="not sent"))
    middle = laptop.frontier()
    laptop.create_task(edda.Task(title="sent, and depends on what was not"))
    (message,) = batches(exchange_of(laptop), middle)
    taking = exchange_of(phone).taking
    assert taking.take(message).early
    taken = taking.take(message, parted=frozenset((founder,)))
    assert (taken.applied, taken.early, set(taken.apart)) == (0, False, {founder})
    whole = batches(exchange_of(laptop), known)[0]
    assert taking.take(whole, parted=frozenset((founder,))).applied == 2, "what fits is taken all the same"
