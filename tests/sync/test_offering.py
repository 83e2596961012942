"""A segment is made, offered, and sent in parts to a peer that wants it; nothing else is sent until the peer answers."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import edda_sync as edda
from edda_sync.engine.engine import StorageEngine
from edda_sync.sync.exchange import Exchange
from edda_sync.sync.making import MadeSegment, forget_made
from edda_sync.sync.messages import Snapshot, Want
from edda_sync.sync.offering import Offering
from edda_sync.testing import devices
from edda_sync.words import limits
from edda_sync.words.errors import RemoteProtocolError
from tests.sync.batches import exchange_of


@pytest.fixture
def laptop(monkeypatch: pytest.MonkeyPatch) -> Iterator[StorageEngine]:
    monkeypatch.setattr(limits, "PART_BYTES_MAX", 300)
    with devices(1, backend="memory") as (engine,):
        for number in range(50):
            engine.create_task(edda.Task(title=f"task {number}", description=f"{number * number} " * 20))
        yield engine


def made_of(exchange: Exchange) -> MadeSegment:
    made = exchange.making.given({})
    assert made is not None
    return made


def offered(laptop: StorageEngine) -> tuple[Offering, MadeSegment]:
    exchange = exchange_of(laptop)
    offering, made = Offering(exchange), made_of(exchange)
    offering.lacks = True
    assert offering.holds_up, "it is to be made first"
    assert offering.made(made)
    offer = offering.next()
    assert offer is not None
    assert (offer.segment, offer.parts) == (made.hash, made.parts)
    assert offering.next() is None, "it is offered once"
    assert offering.holds_up
    return offering, made


def parts_of(offering: Offering) -> list[int]:
    found = []
    while offering.is_sent:
        part = offering.next_part()
        assert isinstance(part, Snapshot)
        found.append(part.number)
    return found


@pytest.mark.parametrize("first", [0, 1])
def test_the_parts_that_the_peer_lacks_are_sent_and_the_last_one_brings_its_frontier(
    laptop: StorageEngine, first: int
) -> None:
    offering, made = offered(laptop)
    assert made.parts > 2
    offering.wanted(Want(made.hash, first))
    assert not offering.holds_up
    assert offering.brought == {}
    assert parts_of(offering) == list(range(first, made.parts))
    assert offering.brought == dict(made.frontier)


def test_a_peer_that_wants_no_part_has_declined(laptop: StorageEngine) -> None:
    offering, made = offered(laptop)
    offering.wanted(Want(made.hash, made.parts))
    assert (offering.is_declined, offering.is_sent, offering.holds_up) == (True, False, False)


def test_an_answer_to_nothing_or_to_another_segment_is_refused(laptop: StorageEngine) -> None:
    offering, made = offered(laptop)
    with pytest.raises(RemoteProtocolError, match="not offered"):
        offering.wanted(Want(b"n" * 32, 0))
    with pytest.raises(RemoteProtocolError, match="not offered"):
        offering.wanted(Want(made.hash, 0))


def test_a_segment_that_is_replaced_is_not_offered_and_not_sent_to_its_end(laptop: StorageEngine) -> None:
    offering, made = offered(laptop)
    offering.wanted(Want(made.hash, 0))
    offering.next_part()
    laptop.store.transact(forget_made)
    assert offering.next_part() is None
    assert (offering.is_sent, offering.brought) == (False, {}), "what came is no whole segment"
    offering.lacks = True
    assert not offering.made(made)
    assert offering.lacks, "it is to be made again"


def test_where_none_could_be_made_nothing_is_offered(laptop: StorageEngine) -> None:
    offering = Offering(exchange_of(laptop))
    offering.lacks = True
    assert offering.made(None)
    assert (offering.next(), offering.holds_up) == (None, False)


def test_parts_that_are_stopped_bring_nothing_and_the_answer_to_an_offer_may_still_come(laptop: StorageEngine) -> None:
    offering, made = offered(laptop)
    offering.stop()
    offering.wanted(Want(made.hash, 0))
    offering.stop()
    assert not offering.is_sent
