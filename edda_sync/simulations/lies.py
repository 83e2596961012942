"""Lies: frames of a liar's own making, sent at once over all its links."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import msgspec
import zstandard

from edda_sync.changes import change as changes
from edda_sync.changes.change import Birth, Dep, Header
from edda_sync.simulations.accused import accuse
from edda_sync.simulations.faults import Mishap
from edda_sync.simulations.keys import identity_of
from edda_sync.simulations.liars import CODEC, FAR, PUT, Liar, body_of, header_of, large_header, liar_of, signed_by
from edda_sync.simulations.links import Host
from edda_sync.simulations.simulator import Simulation
from edda_sync.simulations.tape import Draws
from edda_sync.sync.exchange import evidence_hash
from edda_sync.sync.messages import Ack, Changes, Goodbye, Heads, Hello, Message, Part
from edda_sync.words import limits, values

STRANGER: Final = 1_000  # the number of an identity that belongs to no device here

Frames = Callable[[Host], Sequence[bytes]]


def lie(name: str, frames: Callable[[Simulation, Draws, Liar], Frames]) -> Mishap:
    """Return the action that tells a lie."""

    def do(sim: Simulation, draws: Draws) -> None:
        liar = liar_of(sim, draws)
        if liar is not None:
            sim.note("lie", liar, which=name)
            liar.tell(name, frames(sim, draws, liar))

    do.__doc__ = frames.__doc__
    return Mishap(name, "liars", 1, do)


def say(*messages: Message) -> Frames:
    """Return a function that sends the same messages to every peer."""
    frames = [CODEC.encode(message) for message in messages]
    return lambda _: frames


def task_body(sim: Simulation, liar: Liar) -> bytes:
    """Return the body of a change that creates a task."""
    return body_of([[PUT, "task", values.id_bytes("id", liar.running.writing.new_id()), {"title": sim.book.word()}]])


def a_nonce(draws: Draws) -> bytes:
    """Draw 16 bytes."""
    return bytes(draws.draw("byte", 256) for _ in range(16))


def garbage(sim: Simulation, draws: Draws, liar: Liar) -> Frames:
    """Bytes that are no frame, or a frame with something wrong in it."""
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


def replay(sim: Simulation, draws: Draws, liar: Liar) -> Frames:
    """Frames that were sent before, by the liar or to it, by any author."""
    del sim
    frames = draws.some("frames", list(liar.frames)) if liar.frames else []
    return lambda _: frames


def forge(sim: Simulation, draws: Draws, liar: Liar) -> Frames:
    """A change in another device's name, or one with a false birth; or false evidence against another device."""
    forged = _forged(sim, draws, liar)
    return say(*accuse(draws, liar)) if draws.chance("accuses", 30) else forged


def _forged(sim: Simulation, draws: Draws, liar: Liar) -> Frames:
    body = task_body(sim, liar)
    with liar.running.store.read() as reader:
        heads = [(head, changes.decode_birth(head.birth).public_key) for head in sorted(reader.log.heads().values())]
    others = [(head, key) for head, key in heads if key != liar.identity.public_key]
    how = draws.pick("forged", ("next", "again", "actor", "key", "stranger", "founder", "parent"))
    if how in ("next", "again") and others:
        victim, _ = draws.pick("victim", others)
        seq = victim.seq + (how == "next")
        if seq > 1:
            previous = liar.hash_at(victim.actor, seq - 1)
            frames = [liar.batch([(header_of(victim.actor, seq, body), body)], previous)]
            return lambda _: frames
    birth = liar.birth(a_nonce(draws), others[0][1] if how == "key" and others else None)
    if how == "stranger":
        return say(by_a_stranger(liar, body, birth.nonce))
    if how == "founder":  # this actor belongs to another workspace
        birth = Birth(birth.public_key, birth.nonce)
    elif how == "parent":  # its parent is a change that nobody ever made
        birth = msgspec.structs.replace(birth, parent_hash=birth.parent_hash[::-1])
    actor = actor_of(birth)  # under another device's key it is well formed, and signed wrongly
    if how not in ("key", "founder", "parent"):
        actor = bytes((actor[0] ^ 1, *actor[1:]))
    return lambda _: [liar.batch([(header_of(actor, 1, body, birth=birth), body)])]


def actor_of(birth: Birth) -> bytes:
    """Return the actor of a birth."""
    return changes.actor_of(changes.encode_birth(birth))


def by_a_stranger(liar: Liar, body: bytes, nonce: bytes) -> Changes:
    """Return a change that is well formed and well signed, by a device that is not a member."""
    stranger = liar.keys.of(identity_of(STRANGER))
    birth = liar.birth(nonce, stranger.public_key)
    header = header_of(actor_of(birth), 1, body, birth=birth)
    return signed_by(stranger, liar.running.workspace, [(header, body)])


def depend(sim: Simulation, draws: Draws, liar: Liar) -> Frames:
    """A change of its own, well signed, that depends on something that does not exist, or on a change that does so."""
    body = task_body(sim, liar)
    births = [liar.birth(a_nonce(draws)) for _ in ("one", "other")]
    one, other = map(actor_of, births)
    how = draws.pick("depends", ("nobody", "far", "cycle", "another"))
    deps: tuple[Dep, ...] = ((other, 1, bytes(changes.DEP_HASH_BYTES)),)
    held = liar.running.frontier()
    if how == "far":
        deps = liar.deps_on({actor: seq + FAR for actor, seq in held.items()})
    elif how == "another":  # it names what all hold, under hashes that nobody holds
        deps = tuple((actor, seq, digest[::-1]) for actor, seq, digest in liar.deps_on(held))
    frames = [liar.batch([(header_of(one, 1, body, deps=deps, birth=births[0]), body)])]
    if how == "cycle":
        back: tuple[Dep, ...] = ((one, 1, bytes(changes.DEP_HASH_BYTES)),)
        frames.append(liar.batch([(header_of(other, 1, body, deps=back, birth=births[1]), body)]))
    return lambda _: frames


def regress(sim: Simulation, draws: Draws, liar: Liar) -> Frames:
    """Two changes of its own, well signed; the second depends on less than the first, or on what it does not cover."""
    body = task_body(sim, liar)
    birth = liar.birth(a_nonce(draws))
    held = liar.running.frontier()
    deps = liar.deps_on(held)
    first: tuple[Dep, ...] = ()
    second = deps[-1:]  # only its last dependency, without what that one depends on
    if draws.chance("down", 50):
        first, second = deps, liar.deps_on({actor: seq - 1 for actor, seq in held.items() if seq > 1})[:1]
    listed = [
        (header_of(actor_of(birth), 1, body, deps=first, birth=birth), body),
        (header_of(actor_of(birth), 2, body, deps=second), body),
    ]
    return lambda _: [liar.batch(listed)]


def half(sim: Simulation, draws: Draws, liar: Liar) -> Frames:
    """A large change whose parts never follow, or follow with a false one."""
    del sim
    head = liar.chain()
    count = draws.pick("parts", (2, limits.CHANGE_BYTES_MAX // limits.PART_BYTES_MAX))
    parts = tuple(changes.hash_part(bytes([number % 256])) for number in range(min(count, 256)))
    if head is None:
        return lambda _: []
    header: Header = large_header(head.actor, head.seq + 1, parts)
    frames = [liar.batch([(header, b"")], head.hash)]
    if draws.chance("false part", 50):
        frames.append(CODEC.encode(Part(head.actor, head.seq + 1, draws.draw("number", 3), b"not it")))
    return lambda _: frames


def chatter(sim: Simulation, draws: Draws, liar: Liar) -> Frames:
    """A message that is well formed and untrue."""
    del sim
    true = tuple(sorted(liar.running.frontier().items()))
    far = tuple((actor, seq + FAR) for actor, seq in true)
    nothing = bytes(16)
    with liar.running.store.read() as reader:
        known = evidence_hash(reader)  # otherwise no proof would be compared
    says: tuple[Message, ...] = (
        Ack(far, 0, False, b"", 0),
        Ack((), 0, True, b"", 1 << 40),
        Ack(true, 0, False, bytes(32), 0, known),
        Ack(true, 0, False, b"short", 0, known),
        Ack(((b"\5" * 16, 1), (b"\3" * 16, 1)), 0, False, b"", 0),
        Heads((), (), False),
        Part(true[0][0], true[0][1] + 1, 0, b"of nothing"),
        Goodbye("x" * 1_000, "yours"),
        Hello((1, 1), nothing, liar.id, nothing, (), False, (), 0, ()),
    )
    return say(draws.pick("says", says))


ACTIONS: Final = (
    lie("garbage", garbage),
    lie("replay", replay),
    lie("forge", forge),
    lie("depend", depend),
    lie("regress", regress),
    lie("half", half),
    lie("chatter", chatter),
)
