"""
A forged segment: a liar alone with a newcomer gives it another content than the log has, well made, and signed by itself.

The newcomer has to begin with it, since nobody else is there, and to believe it no longer than until it has the log.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from hashlib import blake2b
from typing import Final

import msgspec

from edda_sync import values
from edda_sync.backup import segment as segments
from edda_sync.backup.segment import Entry, SegmentHeader
from edda_sync.crdt import state
from edda_sync.crdt.digests import root
from edda_sync.crdt.entity import kind_and_id
from edda_sync.engine import StorageEngine
from edda_sync.protocols import StoreWriter
from edda_sync.sync.messages import Ack, Behind, Earlier, Goodbye, Hello, Message, Offer, Part, Snapshot
from simulations.device import SimulatedDevice
from simulations.faults import Mishap, cut
from simulations.liars import CODEC, Liar, liar_of
from simulations.midway import COMPANY_MAX
from simulations.simulator import Simulation
from simulations.tape import Draws

ALONE_S: Final = (15.0, 60.0)  # how long the newcomer hears nobody but the liar
OFFERED_S: Final = (6.0, 7.0, 9.0, 10.0)  # when it is offered the segment, and sent it, and both again
TRUE: Final = (Hello, Ack, Goodbye, Behind, Earlier, Part)
"""What a liar says truly to a newcomer that it has given a forged segment: the log that shows the lie, too."""


def forge_segment(sim: Simulation, draws: Draws) -> None:
    """A liar gives a newcomer a segment with another content than the log has, signed: it is believed until that is here."""
    liar = liar_of(sim, draws)
    if liar is None or liar.mood is not None or len(sim.devices) > COMPANY_MAX:
        return
    spared = {
        values.id_bytes("id", task) for tasks in sim.book.sets for task in tasks
    }  # no reader sees two words there
    parts = liar.act(lambda engine: forged_parts(liar, engine, sim.book.word(), spared))
    if not parts:
        return
    newcomer = sim.add_device()
    alone_s = draws.seconds("alone", *ALONE_S)
    others = [device for device in sim.devices if device not in (newcomer, liar)]
    cut(sim, [path for each in others for path in ((newcomer, each), (each, newcomer))], alone_s, "kept apart")
    name = blake2b(b"".join(parts), digest_size=32).digest()
    liar.unheard.add(name)
    liar.mood = "forged segment", _only_what_is_true
    sim.for_a_while(alone_s, lambda: setattr(liar, "mood", None))
    offer = CODEC.encode(Offer(name, len(parts)))
    frames = [CODEC.encode(Snapshot(name, len(parts), number, part)) for number, part in enumerate(parts)]
    for at_s, told in zip(OFFERED_S, ([offer], frames) * 2, strict=True):
        sim.later(at_s, lambda told=told: _tell(sim, liar, newcomer, told))  # type: ignore[misc]


def _only_what_is_true(message: Message) -> Message | None:
    return message if isinstance(message, TRUE) else None


def _tell(sim: Simulation, liar: Liar, newcomer: SimulatedDevice, frames: list[bytes]) -> None:
    if not sim.is_healing:
        liar.tell("forged segment", lambda listener: frames if listener is newcomer else [], tries=0)


def forged_parts(liar: Liar, engine: StorageEngine, word: str, spared: Collection[bytes]) -> list[bytes]:
    """Return the parts of a segment of what a liar holds, in which a title is another; none when it cannot make any."""
    assert liar.replica is not None, "it is awake"
    making = liar.replica.exchange.making
    if not making._can_make():
        return []

    def work(tx: StoreWriter) -> list[bytes]:
        engine.ledger.refresh(tx)
        records = {record.key: record.hash for record in tx.all_records()}
        entries = list(_forged(making._entries(tx), records, word, spared))
        if entries == list(making._entries(tx)):
            return []  # there is no title yet
        heads = [making._giving.sign(head) for head in sorted(tx.heads().values())]
        content = root(sorted(records.items()))
        header = SegmentHeader(
            liar.identity.public_key, content, segments.hash_heads(heads), len(heads), len(entries)
        )  # fmt: skip
        signature = liar.identity.sign(segments.signed_header(header, engine.workspace))
        return list(segments.cut(segments.write(msgspec.structs.replace(header, signature=signature), heads, entries)))

    return engine.store.transact(work)


def _forged(
    entries: Iterator[Entry], records: dict[bytes, bytes], word: str, spared: Collection[bytes]
) -> Iterator[Entry]:
    """Yield entries, the first task that has no edited text with another title; note its hash."""
    forged = False
    for entry in entries:
        kind, entity_id = kind_and_id(entry.key)
        entity = state.decode(entity_id, entry.state)
        is_fit = kind == "task" and "title" in entity.cells and not entity.edited_texts()
        if not forged and is_fit and entity_id not in spared:
            forged = True
            entity.cells["title"] = [(*write[:3], word) for write in entity.cells["title"]]
            entry = entry._replace(state=state.encode(entity))
            records[entry.key] = state.hash_entity(entry.key, entry.state, [])
        yield entry


ACTIONS: Final = (Mishap("forge segment", "liars", 1, forge_segment),)
