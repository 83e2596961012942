"""
A forged segment: a liar that is alone with a newcomer gives it a segment with another content than the log has. The segment
is well formed, and signed by the liar.

The newcomer has to begin with it, because no other device is there, and may believe it only until it has the log. What
somebody types meanwhile into a text that the liar made up must survive. Some forged segments have a head at a change of the
liar that it shows to nobody; the newcomer has to give these up. Some are signed wrongly: they name an honest device as
their maker, or a change that its author never made. No device may begin with those.
"""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import blake2b
from typing import Final

import msgspec

from edda_sync.changes import change as changes
from edda_sync.crdt import state
from edda_sync.crdt.digests import root
from edda_sync.crdt.keys import kind_and_id
from edda_sync.engine.engine import StorageEngine
from edda_sync.segments import segment as segments
from edda_sync.segments.segment import Entry, SegmentHeader
from edda_sync.simulations.device import SimulatedDevice
from edda_sync.simulations.faults import Mishap, cut
from edda_sync.simulations.liars import CODEC, Liar, liar_of
from edda_sync.simulations.midway import COMPANY_MAX
from edda_sync.simulations.simulator import Simulation
from edda_sync.simulations.tape import Draws
from edda_sync.simulations.workload import write
from edda_sync.store.seams import Head, StoreWriter
from edda_sync.sync.messages import Ack, Behind, Earlier, Goodbye, Hello, Offer, Part, Snapshot
from edda_sync.words import values
from edda_sync.words.errors import NotFoundError
from edda_sync.words.model import Task
from edda_sync.words.query import TaskQuery

ALONE_S: Final = (15.0, 60.0)  # how long the newcomer reaches only the liar
OFFERED_S: Final = (6.0, 7.0, 9.0, 10.0)  # when the segment is offered, and sent, and both again
UNASKED_S: Final = 6.5  # when it may be sent a part of another segment, for which it did not ask
TYPED_S: Final = 12.0  # when somebody types into a text of the segment
FORGERIES: Final = ("title", "title", "text", "maker", "head")
WITHHELD_PERCENT: Final = 40  # of the segments with a false title
TRUE: Final = (Hello, Ack, Goodbye, Behind)
"""True messages that the liar sends to a newcomer after a forged segment."""

LOG: Final = (Earlier, Part)
"""Further messages, unless somebody is to type into the segment's text: the log that shows the lie."""


def forge_segment(sim: Simulation, draws: Draws) -> None:
    """A liar gives a newcomer a signed segment whose content differs from the log: it is believed until the log is here."""
    liar = liar_of(sim, draws)
    if liar is None or liar.mood is not None or len(sim.devices) > COMPANY_MAX:
        return
    alone_s, what = draws.seconds("alone", *ALONE_S), draws.pick("forges", FORGERIES)
    if what == "title" and draws.chance("withholds", WITHHELD_PERCENT):
        what = "own head"
    parts = liar.act(lambda engine: Forgery(sim, liar, what).parts(engine, sim.book.word()))
    if not parts:
        return
    newcomer = sim.add_device()
    others = [device for device in sim.devices if device not in (newcomer, liar)]
    cut(sim, [path for each in others for path in ((newcomer, each), (each, newcomer))], alone_s, "kept apart")
    name = blake2b(b"".join(parts), digest_size=32).digest()
    liar.unheard.add(name)
    true = TRUE if what == "text" else (*TRUE, *LOG)
    liar.mood = "forged segment", lambda message: message if isinstance(message, true) else None
    sim.for_a_while(alone_s, lambda: setattr(liar, "mood", None))
    offer = CODEC.encode(Offer(name, len(parts)))
    frames = [CODEC.encode(Snapshot(name, len(parts), number, part)) for number, part in enumerate(parts)]
    for at_s, told in zip(OFFERED_S, ([offer], frames) * 2, strict=True):
        sim.later(at_s, lambda told=told: _tell(sim, liar, newcomer, told))  # type: ignore[misc]
    if draws.chance("imposes", 30):
        unasked = CODEC.encode(Snapshot(bytes(32), 2, 0, b"of nothing"))
        sim.later(UNASKED_S, lambda: _tell(sim, liar, newcomer, [unasked]))
    if what == "text":
        sim.later(TYPED_S, lambda: None if sim.is_healing else _type(sim, newcomer))


def _tell(sim: Simulation, liar: Liar, newcomer: SimulatedDevice, frames: list[bytes]) -> None:
    if not sim.is_healing:
        liar.tell("forged segment", lambda listener: frames if listener is newcomer else [], tries=0)


def _type(sim: Simulation, newcomer: SimulatedDevice) -> None:
    """Let somebody type into a text that came from the liar, and note its task."""

    def describe(engine: StorageEngine, word: str) -> str:
        task = next((each for each in engine.query_tasks(TaskQuery()) if _is_a_liars(sim, each)), None)
        if task is None or task.id is None:
            raise NotFoundError("task", "of a liar")
        task.description = f"{task.description} {word}"
        engine.update_task(task)
        sim.book.typed[word] = task.id
        return word

    if newcomer.is_awake:
        write(sim, newcomer, describe)


def _is_a_liars(sim: Simulation, task: Task) -> bool:
    """Tell whether a task has a description, and nobody else works on it."""
    return task.id not in sim.book.tasks and bool(task.description)


class Forgery:
    """
    A segment of what a liar holds, with one thing changed.

    Args:
        sim: The simulation.
        liar: The maker.
        what: What is forged: a ``title`` or a ``text``; or, besides a title, the segment's maker (``maker``), a head of
            another device (``head``), or a head of the liar (``own head``).
    """

    def __init__(self, sim: Simulation, liar: Liar, what: str) -> None:
        self._sim, self._liar, self._what = sim, liar, what
        self._spared = {  # tasks of sets, in which no reader may see two words
            values.id_bytes("id", task) for tasks in sim.book.sets for task in tasks
        }

    def parts(self, engine: StorageEngine, word: str) -> list[bytes]:
        """Return its parts; none when there is nothing to forge, or no segment can be made."""
        assert self._liar.replica is not None, "it is awake"
        making = self._liar.replica.exchange.making
        if not making._can_make():
            return []

        def work(tx: StoreWriter) -> list[bytes]:
            engine.ledger.refresh(tx)
            records = {record.key: record.hash for record in tx.states.scan()}
            entries = list(self._entries(making._entries(tx), records, word))
            heads = self._heads([making._giving.sign(head) for head in sorted(tx.log.heads().values())])
            if not heads or entries == list(making._entries(tx)):
                return []
            content = root(sorted(records.items()))
            header = SegmentHeader(self._maker(), content, segments.hash_heads(heads), len(heads), len(entries))
            signature = self._liar.identity.sign(segments.signed_header(header, engine.workspace))
            signed = msgspec.structs.replace(header, signature=signature)
            return list(segments.cut(segments.write(signed, heads, entries)))

        return engine.store.transact(work)

    def _maker(self) -> bytes:
        return (self._sim.honest()[0] if self._what == "maker" else self._liar).identity.public_key

    def _heads(self, heads: list[Head]) -> list[Head]:
        """Return a segment's heads. In a forged one, another device's first head is one change too far."""
        if self._what not in ("head", "own head"):
            return heads
        own = self._liar.identity
        for at, head in enumerate(heads):
            if (changes.decode_birth(head.birth).public_key == own.public_key) == (self._what == "own head"):
                seq, digest = head.seq + 1, head.hash[::-1]
                message = changes.signed_message(self._liar.running.workspace, head.actor, seq, digest)
                heads[at] = head._replace(seq=seq, hash=digest, signed_seq=seq, signature=own.sign(message))
                return heads
        return []

    def _entries(self, entries: Iterator[Entry], records: dict[bytes, bytes], word: str) -> Iterator[Entry]:
        """Yield the entries, with a false title or text in the first suitable task; note its hash."""
        forged = False
        field = "description" if self._what == "text" else "title"
        for entry in entries:
            kind, entity_id = kind_and_id(entry.key)
            entity = state.decode(entity_id, entry.state)
            is_fit = kind == "task" and isinstance(entity.value(field), str) and not entity.edited_texts()
            if field == "description":
                is_fit = is_fit and values.id_text(entity_id) not in self._sim.book.tasks
            if not forged and is_fit and entity_id not in self._spared:
                forged = True
                entity.cells[field] = [(*write[:3], word) for write in entity.cells[field]]
                entry = entry._replace(state=state.encode(entity))
                records[entry.key] = state.hash_entity(entry.key, entry.state, [])
            yield entry


ACTIONS: Final = (Mishap("forge segment", "liars", 1, forge_segment),)
