"""Newcomers that get a segment, and makers that lie in one: real stores, one of which does not show what its log says."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import edda_sync as edda
from edda_sync.crdt import digests, state
from edda_sync.crdt.entity import Entity
from edda_sync.crdt.keys import key_of
from edda_sync.engine import standing
from edda_sync.engine.engine import StorageEngine
from edda_sync.fold.view import View
from edda_sync.store.seams import StoreWriter
from edda_sync.sync.messages import Offer, Snapshot, Want
from edda_sync.sync.provisional import Provisional, provisional
from edda_sync.testing import pair, replica_of
from edda_sync.words.values import id_bytes
from tests.sync.network import Network

BY_SEGMENT, BY_LOG = -(1 << 40), 1 << 40
"""Values of ``SEGMENT_SAVES_US_MIN`` with which each newcomer is offered a segment, or none."""


class Newcomers:
    """Makes devices that join a member's workspace and hold nothing yet."""

    def __init__(self, folder: Path, backend: str) -> None:
        self._folder, self._backend = folder, backend
        self.made: list[StorageEngine] = []

    def __call__(self, host: StorageEngine) -> StorageEngine:
        engine = StorageEngine(self._folder / f"newcomer{len(self.made)}")
        memory = self._backend == "memory"
        engine.open_store(edda.StorageConfig(backend="memory" if memory else "sqlite", name=f"new {len(self.made)}"))
        self.made.append(engine)
        pair(host, engine)
        return engine


@contextmanager
def newcomers(folder: Path, backend: str) -> Iterator[Newcomers]:
    """Yield a maker of newcomers; close them at the end."""
    made = Newcomers(folder, backend)
    try:
        yield made
    finally:
        for engine in made.made:
            engine.close()


def begin_with_segment(host: StorageEngine, newcomer: StorageEngine) -> None:
    """Let a newcomer take a member's segment, and cut the link before any of the log behind it comes."""
    giving, taking = replica_of(host).exchange, replica_of(newcomer).exchange
    made = giving.making.given({})
    assert made is not None
    assert taking.merging.first_wanted(Offer(made.hash, made.parts)) == 0
    for number in range(made.parts):
        taking.merging.take(Snapshot(made.hash, made.parts, number, giving.making.part(made.hash, number) or b""))
    assert is_provisional(newcomer) is not None


def is_provisional(engine: StorageEngine) -> Provisional | None:
    """The segment that a device still believes."""
    with engine.store.read() as reader:
        return provisional(reader)


def forged_by(engine: StorageEngine) -> str | None:
    """The maker of a forged segment, as `status` names it."""
    found = standing.facts(engine)["forged_by"]
    assert found is None or isinstance(found, str)
    return found


def met(*engines: StorageEngine) -> Network:
    """Let the first newcomer exchange messages with others until nothing is left to say."""
    network = Network(*engines)
    for other in engines[1:]:
        network.connect(engines[0], other)
    network.run()
    return network


def segments_taken(network: Network) -> set[bytes]:
    """The segments whose parts were sent."""
    return {part.segment for part in network.said(Snapshot)}


def declined(network: Network) -> list[bool]:
    """For each answer to an offer, whether it asks for the log instead."""
    offers = {offer.segment: offer.parts for offer in network.said(Offer)}
    return [want.first >= offers[want.segment] for want in network.said(Want)]


# --- makers who lie ---------------------------------------------------------------------------------------------------


def alter(engine: StorageEngine, kind: str, item_id: str, **cells: Any) -> None:
    """Make a store show other cells of an entity than its log says, with matching hashes."""
    key = key_of(kind, id_bytes("id", item_id))

    def change(entity: Entity) -> None:
        for name, value in cells.items():
            actor, seq, wall_ms, _ = entity.cells[name][-1]
            entity.cells[name] = [(actor, seq, wall_ms, value)]

    rewrite(engine, key, change)


def rewrite(engine: StorageEngine, key: bytes, change: Any) -> None:
    """Make a store hold another state of an entity, changed by ``change``."""

    def work(tx: StoreWriter) -> None:
        engine.ledger.refresh(tx)
        record = tx.states.get([key])[key]
        entity = state.entity_of(key, record.state)
        change(entity)
        encoded = state.encode(entity)
        texts = [
            engine.ledger.texts.document(View(tx), (key, field, genesis)).hash()
            for field, genesis in entity.edited_texts()
        ]
        fresh = state.hash_entity(key, encoded, texts)
        tx.states.put([record._replace(hash=fresh, state=state.to_stored(key, encoded))], {key: False})
        tx.index.add_to_digest(digests.add(digests.sub(0, record.hash), fresh))

    engine.store.transact(work)


def lose(engine: StorageEngine, kind: str, item_id: str) -> None:
    """Make a store show nothing of an entity that its log contains."""
    key = key_of(kind, id_bytes("id", item_id))
    engine.store.transact(lambda tx: tx.forget([key]))
