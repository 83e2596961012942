"""
Lies about attached files: a liar gives wrong parts, parts of wrong sizes, and parts that nobody asked for. It says that it
has what it does not have, asks without end, and attaches files that nobody can have.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Final

import msgspec

from edda_sync.crdt.attachments import CONTENT_TYPE_DEFAULT, AttachmentRecord, File
from edda_sync.crdt.attachments import encode as encode_record
from edda_sync.engine.engine import StorageEngine
from edda_sync.engine.transaction import Transaction
from edda_sync.files.chunks import name_of
from edda_sync.files.tree import Part, encode
from edda_sync.simulations import filed
from edda_sync.simulations.disk import Interrupted
from edda_sync.simulations.faults import Mishap
from edda_sync.simulations.liars import Liar, liar_of
from edda_sync.simulations.lies import Frames, lie, say
from edda_sync.simulations.moods import mood
from edda_sync.simulations.simulator import Simulation
from edda_sync.simulations.tape import Draws
from edda_sync.sync.file_messages import Has, Lacks, Range, Seek, Slice
from edda_sync.sync.messages import Message
from edda_sync.words import limits, values
from edda_sync.words.errors import ConflictError, InvalidValueError, NotFoundError

NUMBER_MAX: Final = (1 << 53) - 1  # what a message may say


def wrong_parts(draws: Draws, liar: Liar) -> Callable[[Message], Message | None]:
    """The parts of files that it gives are not what they are called."""
    del liar
    percent, noise = draws.pick("how many", (100, 50)), 1 + draws.draw("noise", 255)

    def change(message: Message) -> Message | None:
        if not isinstance(message, Slice) or not message.data or not draws.chance("wrong", percent):
            return message
        return msgspec.structs.replace(message, data=bytes((message.data[0] ^ noise, *message.data[1:])))

    return change


def wrong_sizes(draws: Draws, liar: Liar) -> Callable[[Message], Message | None]:
    """The parts of files that it gives are too short or too long, elsewhere, or of chunks that hardly end."""
    del liar
    how = draws.pick("sizes", ("endless", "ends here", "short", "long", "elsewhere", "empty"))

    def change(message: Message) -> Message | None:
        if not isinstance(message, Slice):
            return message
        if how == "endless":
            return msgspec.structs.replace(message, total=limits.CHUNK_BYTES)
        if how == "ends here":
            return msgspec.structs.replace(message, total=message.at + len(message.data))
        if how == "elsewhere":
            return msgspec.structs.replace(message, at=message.at + 1)
        data = {"short": message.data[:-1], "long": message.data + b"?", "empty": b""}[how]
        return msgspec.structs.replace(message, data=data)

    return change


def misstate(draws: Draws, liar: Liar) -> Callable[[Message], Message | None]:
    """It says to have what it lacks, or to lack what it has, or does not answer questions about files at all."""
    how = draws.pick("misstates", ("has all", "has nothing", "is silent"))

    def change(message: Message) -> Message | None:
        if how == "has all" and isinstance(message, Lacks):
            return Has(message.chunks, 0, 0)
        if how == "has nothing" and isinstance(message, Slice):
            return Lacks((message.chunk,))
        return None if how == "is silent" and isinstance(message, (Slice, Lacks)) else message

    del liar
    return change


def unasked_parts(sim: Simulation, draws: Draws, liar: Liar) -> Frames:
    """It sends parts of files that nobody asked for, of files that are attached or not."""
    known = sorted(name for name in liar.chunks.packed if liar.chunks.is_sound(name))
    chunk = liar.chunks.get(draws.pick("chunk", known)) if known and draws.chance("known", 50) else None
    data = filed.content(1_000 + draws.draw("which", 3), 50) if chunk is None else chunk
    part = Slice(name_of(data), len(data), 0, data)
    del sim
    return say(*[part] * (1 + draws.draw("times", 3)))


def claims(sim: Simulation, draws: Draws, liar: Liar) -> Frames:
    """It says that it has every part of every file, or lacks them all, and that it is fetching more than there is."""
    del liar
    names = tuple(sorted(sim.filed.names)[: limits.FILE_NAMES_MAX])
    said: tuple[Message, ...] = (Has(names, NUMBER_MAX, NUMBER_MAX), Has(names, 0, 0), Lacks(names))
    return say(draws.pick("claim", said))


def asks_without_end(sim: Simulation, draws: Draws, liar: Liar) -> Frames:
    """It asks for more parts of files than may be under way, for parts that nobody has, or beyond their ends."""
    del liar
    names = sorted(sim.filed.names) or [bytes(32)]
    name = draws.pick("chunk", names)
    how = draws.pick("asks", ("nothing known", "beyond", "again", "too much"))
    times = {"again": 3, "too much": 2 * limits.FILE_ASKS_MAX}.get(how, 1)
    asked = Range(bytes(32) if how == "nothing known" else name, limits.CHUNK_BYTES if how == "beyond" else 0, 1_000)
    per = max(1, limits.FILE_ASKS_MAX // 2)
    return say(*[Seek(name, (asked,) * min(per, times - at)) for at in range(0, times, per)])


def attach_lies(sim: Simulation, draws: Draws) -> None:
    """A liar attaches a file that does not exist, or whose size, or list of parts, is not true."""
    liar = liar_of(sim, draws)
    if liar is None or not sim.book.documents:
        return
    document = draws.pick("document", sim.book.documents)
    data = filed.content(2_000 + draws.draw("which", 3), 100)
    how = draws.pick("attaches", ("nothing", "larger", "smaller", "a list that is none", "a list that adds up to less"))
    manifest = encode([Part(name_of(data), len(data)), Part(name_of(data), len(data))])
    chunks = {"a list that is none": [data], "a list that adds up to less": [data, manifest]}.get(how, [data])
    root = name_of(chunks[-1])
    said = {
        "nothing": File(bytes(31) + b"\1", 100, 0),
        "larger": File(root, len(data) + 30, 0),
        "smaller": File(root, len(data) - 30, 0),
        "a list that is none": File(root, len(data), 1),
        "a list that adds up to less": File(root, 2 * len(data) + 1, 1),
    }[how]
    sim.note("lie", liar, which="attach lies")
    sim.filed.names |= set(map(name_of, chunks))
    sim.filed.lies.add(said)
    liar.told["attach lies"] += 1

    def work(engine: StorageEngine) -> None:
        with liar.chunks.adding() as adding:
            for chunk in chunks:
                adding.add(chunk)
            adding.settle()
        with suppress(NotFoundError, ConflictError, InvalidValueError, Interrupted):  # the document is not there
            engine.transact(lambda tx: _attach(tx, document, said))

    liar.act(work)


def _attach(tx: Transaction, document: str, said: File) -> None:
    record = encode_record(AttachmentRecord("file", CONTENT_TYPE_DEFAULT, *said))
    tx._active().attach(values.id_bytes("document", document), tx._writing.new_id(), record)


LIES: Final = (
    mood("wrong parts", wrong_parts),
    mood("wrong sizes", wrong_sizes),
    mood("misstate", misstate),
    lie("unasked parts", unasked_parts),
    lie("claims of parts", claims),
    lie("asks without end", asks_without_end),
    Mishap("attach lies", "liars", 1, attach_lies),
)
"""They happen beside the tape, in runs that are busy with files (``filework``)."""
