"""The batches that one store would send another, as messages."""

from __future__ import annotations

from edda_sync.changes.change import decode_header
from edda_sync.crdt.frontier import Dot, Frontier
from edda_sync.engine.engine import StorageEngine
from edda_sync.sync.exchange import Exchange
from edda_sync.sync.messages import Changes
from edda_sync.testing import replica_of


def exchange_of(engine: StorageEngine) -> Exchange:
    """The exchange of a device's store."""
    return replica_of(engine).exchange


def batches(exchange: Exchange, known: Frontier) -> list[Changes]:
    """All batches for a peer that holds this frontier."""
    positions = exchange.giving.missing(known)
    assert positions is not None
    made = []
    while (given := exchange.giving.batch(positions, known)) is not None:
        made.append(given.message)
        known = given.frontier
    assert positions == []
    return made


def dots(message: Changes) -> list[Dot]:
    """The dots of a batch."""
    return [decode_header(raw).dot for raw, _ in message.changes]


def trace(engine: StorageEngine) -> tuple[object, ...]:
    """Everything that a refused message must leave unchanged."""
    return engine.frontier(), engine.digest(), engine.counts(), engine.waiting()
