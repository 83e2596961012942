"""Large changes: which part completes one, and what is kept of those that are half received (see also test_taking)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import edda_sync as edda
from edda_sync.engine.engine import StorageEngine
from edda_sync.sync.exchange import Exchange
from edda_sync.sync.large import incoming_of, is_last
from edda_sync.sync.messages import Part
from edda_sync.testing import devices
from edda_sync.words import limits
from edda_sync.words.errors import RemoteProtocolError
from tests.sync.batches import batches, exchange_of

Sent = tuple[StorageEngine, Exchange, list[Part]]


@pytest.fixture(params=["memory", "sqlite"])
def sent(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sent]:
    """A phone that has the header of a large change, and the parts of that change."""
    monkeypatch.setattr(limits, "PART_BYTES_MAX", 1_000)
    with devices(2, backend=request.param) as (laptop, phone):
        known = phone.frontier()
        laptop.create_task(edda.Task(title="large", description="x" * 3_000))
        (message,) = batches(exchange_of(laptop), known)
        taking, giving = exchange_of(phone), exchange_of(laptop).giving
        taking.taking.take(message)
        with laptop.store.read() as reader:
            logged = reader.log.read(reader.log.position())
        parts = [part for number in range(9) if (part := giving.part(logged, number)) is not None]
        assert len(parts) > 2
        yield phone, taking, parts


def test_a_part_is_the_last_one_when_all_others_are_here_in_whatever_order_they_came(sent: Sent) -> None:
    phone, exchange, parts = sent
    for number in (2, 0):
        exchange.taking.take_part(parts[number])
    rest = [part for part in parts if part.number not in (0, 2)]
    for left, part in zip(range(len(rest) - 1, -1, -1), rest, strict=True):
        with phone.store.read() as reader:
            assert is_last(reader, part) == (left == 0)
            assert not is_last(reader, parts[0]), "it is here"
        exchange.taking.take_part(part)
    with phone.store.read() as reader:
        assert not is_last(reader, parts[-1]), "all of it is applied"


def test_a_part_that_is_not_what_it_says_is_no_last_one(sent: Sent) -> None:
    phone, exchange, parts = sent
    *first, last = parts
    for part in first:
        exchange.taking.take_part(part)
    lie = Part(last.actor, last.seq, last.number, last.data + b"!")
    with phone.store.read() as reader:
        assert not is_last(reader, lie)
        with pytest.raises(RemoteProtocolError, match="does not belong to the change"):
            incoming_of(reader, lie)
        assert incoming_of(reader, Part(last.actor, last.seq + 1, 0, b"")) is None
