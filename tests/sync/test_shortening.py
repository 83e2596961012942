"""Shortening: less is sent, the same arrives, and a header that was restored wrongly is signed by nobody."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

import edda_sync as edda
from edda_sync.changes import change as changes
from edda_sync.changes.change import HASH_BYTES, NO_HASH, Header
from edda_sync.engine.engine import StorageEngine
from edda_sync.sync.messages import Changes, Earlier
from edda_sync.sync.shortening import Piece, restored, shortened
from edda_sync.sync.wire import Codec
from edda_sync.testing import devices
from edda_sync.words import limits
from edda_sync.words.errors import RemoteProtocolError
from tests.sync.batches import batches, exchange_of

ACTOR, OTHER = b"a" * 16, b"b" * 16


@pytest.fixture
def two() -> Iterator[tuple[StorageEngine, StorageEngine]]:
    with devices(2, backend="memory") as (laptop, phone):
        for number in range(10):
            laptop.create_task(edda.Task(title=f"task {number}"))
        yield laptop, phone


def chained(actor: bytes, bodies: list[bytes], first: int = 1, previous: bytes = NO_HASH) -> list[Piece]:
    """Changes of one actor in a row, whose ext contains only the wall clock."""
    made = []
    for seq, body in enumerate(bodies, first):
        ext = changes.header_ext(seq)
        raw = changes.encode_header(
            Header(1, actor, seq, (), 1, len(body), changes.hash_part(body), previous, ext),
        )
        made.append((raw, body))
        previous = changes.hash_change(previous, changes.hash_header(raw))
    return made


def test_of_a_chain_in_a_batch_neither_hash_travels_and_both_arrive() -> None:
    whole = chained(ACTOR, [b"one", b"two", b"three"])
    short = shortened(whole)
    assert [len(raw) - len(cut) for (raw, _), (cut, _) in zip(whole, short, strict=True)] == [2 * HASH_BYTES] * 3
    assert restored(short) == tuple(whole)


def test_what_stands_before_a_batch_travels_since_its_reader_may_hold_another_branch() -> None:
    whole = chained(ACTOR, [b"five", b"six"], 5, b"p" * HASH_BYTES)
    sizes = [len(raw) - len(cut) for (raw, _), (cut, _) in zip(whole, shortened(whole), strict=True)]
    assert sizes == [HASH_BYTES, 2 * HASH_BYTES]
    assert restored(shortened(whole)) == tuple(whole)


def test_chains_that_are_mixed_in_one_batch_are_each_followed() -> None:
    one, other = chained(ACTOR, [b"1", b"2", b"3"]), chained(OTHER, [b"4", b"5", b"6"])
    mixed = [each for pair in zip(one, other, strict=True) for each in pair]
    assert sum(len(raw) - len(cut) for (raw, _), (cut, _) in zip(mixed, shortened(mixed), strict=True)) == 12 * 32
    assert restored(shortened(mixed)) == tuple(mixed)


def test_two_branches_of_one_actor_in_one_batch_arrive_as_they_were() -> None:
    before, one = chained(ACTOR, [b"1", b"2"])
    head = changes.hash_change(NO_HASH, changes.hash_header(before[0]))
    (other,) = chained(ACTOR, [b"another"], 2, head)
    assert restored(shortened([before, one, other])) == (before, one, other)
    assert restored(shortened([before, other, one])) == (before, other, one)


@pytest.mark.parametrize(
    "lie",
    [
        (b"\xc1", b"no header"),
        (b"", b""),
        (chained(ACTOR, [b"one"])[0][0], b"another body"),
        (chained(ACTOR, [b"one"])[0][0] + b"more", b"one"),
        (b"\xdc\x00\x09" + chained(ACTOR, [b"one"])[0][0][1:], b"one"),  # an array's length in three bytes
        (bytes(limits.HEADER_BYTES_MAX + 1), b""),
    ],
)
def test_what_does_not_fit_travels_and_arrives_as_it_is(lie: Piece) -> None:
    whole = [*chained(ACTOR, [b"one", b"two"]), lie]
    assert restored(shortened(whole)) == tuple(whole)


@given(st.lists(st.tuples(st.binary(max_size=200), st.binary(max_size=20)), max_size=6))
def test_whatever_is_shortened_arrives_as_it_was(pieces: list[Piece]) -> None:
    assert restored(shortened(pieces)) == tuple(pieces)


@given(st.data())
def test_a_header_with_bytes_changed_anywhere_arrives_as_it_was(data: st.DataObject) -> None:
    whole = chained(ACTOR, [b"one", b"two", b"three"])
    at = data.draw(st.integers(0, 2))
    raw = bytearray(whole[at][0])
    for _ in range(data.draw(st.integers(1, 3))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    whole[at] = (bytes(raw), whole[at][1])
    assert restored(shortened(whole)) == tuple(whole)


@given(st.lists(st.tuples(st.binary(max_size=200), st.binary(max_size=20)), max_size=6))
def test_nothing_that_a_peer_says_makes_restoring_fail(pieces: list[Piece]) -> None:
    assert len(restored(pieces)) == len(pieces)


def test_a_body_that_was_changed_on_its_way_is_nobodys(two: tuple[StorageEngine, StorageEngine]) -> None:
    laptop, phone = two
    (message,) = batches(exchange_of(laptop), phone.frontier())
    (raw, body), *rest = shortened(message.changes)
    forged = restored([(raw, body.replace(b"task 0", b"task X")), *rest])
    with pytest.raises(RemoteProtocolError):
        exchange_of(phone).taking.take(msgspec.structs.replace(message, changes=forged))
    assert phone.digest() != laptop.digest()
    exchange_of(phone).taking.take(message)
    assert phone.digest() == laptop.digest()


def test_frames_of_changes_and_of_the_log_behind_a_segment_are_shortened() -> None:
    whole = tuple(chained(ACTOR, [bytes((number,)) for number in range(50)]))
    for message in (Changes(whole, ()), Earlier(whole, ())):
        frame = Codec().encode(message)
        assert Codec().decode(frame) == message
        assert len(frame) < 50 * HASH_BYTES, "of each change both hashes would be 64 bytes that do not compress"
