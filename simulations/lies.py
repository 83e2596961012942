"""Lies: frames of a liar's own making, told at once to everybody whom it has a link to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import msgspec
import zstandard

from edda_sync import limits, values
from edda_sync.crdt import change as changes
from edda_sync.crdt.change import NO_HASH, PUT, Birth
from edda_sync.sync.exchange import SUMMARY_HASH_BYTES
from edda_sync.sync.messages import Ack, Buckets, Changes, Goodbye, Hello, Message, Part, SignedHead, Snapshot, Summary
from simulations.device import SimulatedDevice
from simulations.faults import Mishap
from simulations.keys import identity_of
from simulations.liars import CODEC, FAR, Liar, body_of, header_of, liar_of
from simulations.simulator import Simulation
from simulations.tape import Draws

STRANGER: Final = 1_000  # the number of an identity that is nobody's here


def lie(name: str, frames: Callable[[Simulation, Draws, Liar], Callable[[SimulatedDevice], Sequence[bytes]]]) -> Mishap:
    """Return the action that tells a lie."""

    def do(sim: Simulation, draws: Draws) -> None:
        liar = liar_of(sim, draws)
        if liar is not None:
            sim.note("lie", liar, which=name)
            liar.tell(name, frames(sim, draws, liar))

    do.__doc__ = frames.__doc__
    return Mishap(name, "liars", 1, do)


def say(*messages: Message) -> Callable[[SimulatedDevice], Sequence[bytes]]:
    """Return what says the same to everyone."""
    frames = [CODEC.encode(message) for message in messages]
    return lambda _: frames


def garbage(sim: Simulation, draws: Draws, liar: Liar) -> Callable[[SimulatedDevice], Sequence[bytes]]:
    """Bytes that are no frame, or a frame with something amiss."""
    del sim
    frame = bytearray(draws.pick("frame", list(liar.frames)) if liar.frames else b"\0\x97")
    how = draws.pick("garbage", ("random", "flipped", "cut", "longer", "bomb", "claim"))
    if how == "random":
        frame = bytearray(draws.draw("byte", 256) for _ in range(1 + draws.draw("length", 40)))
    elif how == "flipped":
        for _ in range(1 + draws.draw("flips", 4)):
            frame[draws.draw("at", len(frame))] ^= 1 << draws.draw("bit", 8)
    elif how == "cut":
        del frame[draws.draw("length", len(frame)) :]
    elif how == "longer":
        frame += bytes(1 + draws.draw("more", 9))
    elif how == "bomb":
        size = limits.FRAME_BYTES_MAX + draws.pick("beyond", (-9, 0, 1, limits.FRAME_BYTES_MAX))
        frame = bytearray(b"\1" + zstandard.ZstdCompressor().compress(bytes(size)))
    else:  # a zstd frame header that declares 2^40 bytes
        frame = bytearray(b"\1\x28\xb5\x2f\xfd\xe0" + (1 << 40).to_bytes(8, "little") + b"\1\0\0")
    return lambda _: [bytes(frame)]


def replay(sim: Simulation, draws: Draws, liar: Liar) -> Callable[[SimulatedDevice], Sequence[bytes]]:
    """Frames that were sent before, by it or to it, by anyone."""
    del sim
    frames = draws.some("frames", list(liar.frames)) if liar.frames else []
    return lambda _: frames


def forge(sim: Simulation, draws: Draws, liar: Liar) -> Callable[[SimulatedDevice], Sequence[bytes]]:
    """A change in somebody else's name."""
    word = sim.book.word()
    body = body_of([[PUT, "task", values.id_bytes("id", liar.running.new_id()), {"title": word}]])
    with liar.running.store.read() as reader:
        others = [head for head in reader.heads().values() if head.public_key != liar.signer.public_key]
    how = draws.pick("forged", ("next", "again", "actor", "key", "stranger"))
    if how in ("next", "again") and others:
        victim = draws.pick("victim", others)
        seq = victim.seq + (how == "next")
        if seq > 1:
            previous = liar.hash_at(victim.actor, seq - 1)
            frames = [liar.batch([(header_of(victim.actor, seq, body), body)], previous)]
            return lambda _: frames
    nonce = bytes(draws.draw("byte", 256) for _ in range(16))
    birth = Birth(others[0].public_key if how == "key" and others else liar.signer.public_key, nonce)
    if how != "stranger":
        actor = changes.actor_of(birth) ^ (how != "key")  # under another's key it is well made, and badly signed
        return lambda _: [liar.batch([(header_of(actor, 1, body, birth=birth), body)])]
    return say(by_a_stranger(liar, body, nonce))


def by_a_stranger(liar: Liar, body: bytes, nonce: bytes) -> Changes:
    """Return a change that is well made and well signed, by a device that nobody ever welcomed."""
    stranger = liar.keys.signer(identity_of(STRANGER))
    birth = Birth(stranger.public_key, nonce)
    header = header_of(changes.actor_of(birth), 1, body, birth=birth)
    raw = changes.encode_header(header)
    head = changes.hash_change(NO_HASH, changes.hash_content(raw, body))
    signature = stranger.sign(changes.signed_message(liar.running.workspace, header.actor, 1, head))
    return Changes(((raw, body),), (SignedHead(header.actor, 1, signature, b""),))


def depend(sim: Simulation, draws: Draws, liar: Liar) -> Callable[[SimulatedDevice], Sequence[bytes]]:
    """A change of its own, well signed, that depends on what does not exist, or on what depends on it."""
    body = body_of([[PUT, "task", values.id_bytes("id", liar.running.new_id()), {"title": sim.book.word()}]])
    births = [
        Birth(liar.signer.public_key, bytes(draws.draw("byte", 256) for _ in range(16))) for _ in ("one", "other")
    ]
    one, other = (changes.actor_of(birth) for birth in births)
    how = draws.pick("depends", ("nobody", "far", "cycle"))
    deps: dict[int, int] = {other: 1}
    if how == "far":
        with liar.running.store.read() as reader:
            deps = {head.actor: head.seq + FAR for head in reader.heads().values()}
    first = header_of(one, 1, body, deps=deps, birth=births[0])
    frames = [liar.batch([(first, body)])]
    if how == "cycle":
        frames.append(liar.batch([(header_of(other, 1, body, deps={one: 1}, birth=births[1]), body)]))
    return lambda _: frames


def half(sim: Simulation, draws: Draws, liar: Liar) -> Callable[[SimulatedDevice], Sequence[bytes]]:
    """A large change of which no part, or a false one, follows."""
    del sim
    head = liar.chain()
    count = draws.pick("parts", (2, limits.CHANGE_BYTES_MAX // limits.PART_BYTES_MAX))
    parts = tuple(changes.hash_part(bytes([number % 256])) for number in range(min(count, 256)))
    size = limits.PART_BYTES_MAX * len(parts)
    if head is None:
        return lambda _: []
    header = msgspec.structs.replace(header_of(head.actor, head.seq + 1, b""), body_bytes=size, parts=parts)
    frames = [liar.batch([(header, b"")], head.hash)]
    if draws.chance("false part", 50):
        frames.append(CODEC.encode(Part(head.actor, head.seq + 1, draws.draw("number", 3), b"not it")))
    return lambda _: frames


def chatter(sim: Simulation, draws: Draws, liar: Liar) -> Callable[[SimulatedDevice], Sequence[bytes]]:
    """A message that is well formed, and untrue."""
    del sim
    ours = liar.running.frontier()
    true = tuple(sorted(ours.items()))
    heads = tuple(Summary(actor, seq, liar.hash_at(actor, seq)[:SUMMARY_HASH_BYTES]) for actor, seq in true)
    false = tuple(Summary(each.actor, each.seq, each.hash[::-1]) for each in heads)
    far = tuple((actor, seq + FAR) for actor, seq in true)
    says: tuple[Message, ...] = (
        Ack(far, 0, False, "", 0),
        Ack((), 1 << 62, True, "", -1),
        Ack(true, -1, False, "0" * 32, 0),
        Ack(((5, 1), (3, 1)), 0, False, "", 0),
        Buckets(heads, (7).to_bytes(18, "big")),
        Buckets(heads, bytes(17)),
        Buckets(false, b""),
        Part(true[0][0], true[0][1] + 1, 0, b"of nothing"),
        Snapshot(bytes(32), 1, 0, b"no segment"),
        Snapshot(bytes(32), 1 << 40, 0, b""),
        Goodbye("x" * 1_000, "yours"),
        Hello((1, 1), bytes(16), liar.id, (), "", 0, ()),
    )
    return say(draws.pick("says", says))


ACTIONS: Final = (
    lie("garbage", garbage),
    lie("replay", replay),
    lie("forge", forge),
    lie("depend", depend),
    lie("half", half),
    lie("chatter", chatter),
)
