"""
A member that lies.

A liar is a real member with a key of its own, and runs the product's own code. It works like the others at first; what it
is made to say goes out beside that, or instead of it. It can sign what it likes, in its own name only.

1. A *lie* is a frame of its own making, told at once to everybody whom it has a link to.
2. A *mood* is what it does to its true frames for a while: it withholds, claims and contradicts.
3. It *equivocates* by living twice, as the same device on the same machine: two changes under one dot.

Changes that it really made and signed, and that everybody has to keep and pass on, are in ``strange``. In the second act it
is silent.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec
import zstandard

from edda_sync import limits, values
from edda_sync.crdt import change as changes
from edda_sync.crdt.change import NO_HASH, PUT, Birth, Header, Operation
from edda_sync.crdt.ledger import actor_of
from edda_sync.engine import StorageEngine
from edda_sync.model import Task
from edda_sync.protocols import Head
from edda_sync.sync.exchange import SUMMARY_HASH_BYTES
from edda_sync.sync.messages import Ack, Buckets, Changes, Goodbye, Hello, Message, Part, SignedHead, Snapshot, Summary
from edda_sync.sync.wire import Codec
from edda_sync.transport.identity import Identity
from simulations.device import SimulatedDevice
from simulations.faults import FOR_S, Mishap, cut
from simulations.keys import Keys, identity_of
from simulations.simulator import NAMES, Simulation
from simulations.tape import Draws

if TYPE_CHECKING:
    from simulations.network import Link

LIARS_MAX: Final = 2
FRAMES_REMEMBERED: Final = 32
TRIES: Final = 3  # a liar that has no link yet tries again so often
AGAIN_S: Final = 4.0
APART_S: Final = (10.0, 300.0)  # how long a liar's two faces each speak to their own
STRANGER: Final = 1_000  # the number of an identity that is nobody's here
FAR: Final = 1_000  # changes ahead of anything that exists

_CODEC: Final = Codec()


class Liar(SimulatedDevice):
    """
    A member that lies.

    Attributes:
        told: How often it told each lie: how many frames went out that no honest device sends.
        mood: Changes what it sends, a frame at a time; None while it is honest about it.
    """

    honest = False

    def __init__(self, sim: Simulation, name: str, identity: Identity, keys: Keys, folder: Path | None) -> None:
        super().__init__(sim, name, identity, keys, folder)
        self.signer = keys.signer(identity)
        self.told: Counter[str] = Counter()
        self.mood: tuple[str, Callable[[Message], Message | None]] | None = None
        self.frames: deque[bytes] = deque(maxlen=FRAMES_REMEMBERED)

    def send(self, link: Link, frame: bytes) -> None:
        """Hand a frame to the network, or what the mood makes of it."""
        self.frames.append(frame)
        if self.mood is None:
            super().send(link, frame)
            return
        name, change = self.mood
        message = _CODEC.decode(frame)
        changed = change(message)
        self.told[name] += changed != message
        if changed is not None:
            super().send(link, frame if changed == message else _CODEC.encode(changed))

    def received(self, link: Link, sender: SimulatedDevice, frame: bytes, sent: float) -> None:
        """Take a frame, and remember it for a replay."""
        self.frames.append(frame)
        super().received(link, sender, frame, sent)

    def tell(self, name: str, frames: Callable[[SimulatedDevice], Sequence[bytes]], tries: int = TRIES) -> None:
        """Send frames of its own making over every link that it has; later when it has none yet."""
        links = list(self.links.values()) if self.is_awake else []
        for link in links:
            for frame in frames(link.other(self)):
                self.told[name] += 1
                super().send(link, frame)
        if not links and tries and not self.sim.is_healing:
            self.sim.later(AGAIN_S, lambda: self.tell(name, frames, tries - 1))

    def chain(self, actor: int | None = None) -> Head | None:
        """Return where an actor's chain stands here; its own by default."""
        with self.running.store.read() as reader:
            return reader.heads().get(actor_of(reader) if actor is None else actor)

    def hash_at(self, actor: int, seq: int) -> bytes:
        """Return the hash of a change; zeros where it is not here."""
        with self.running.store.read() as reader:
            return reader.hash_at(actor, seq) or NO_HASH

    def batch(self, listed: Iterable[tuple[Header, bytes]], previous: bytes = NO_HASH) -> bytes:
        """Return the frame of one actor's changes, signed with its own key, whoever's they are."""
        workspace, head, raws, header = self.running.workspace, previous, [], None
        for header, body in listed:
            raw = changes.encode_header(header)
            raws.append((raw, body))
            head = changes.hash_change(head, changes.hash_content(raw, b"" if header.parts else body))
        assert header is not None, "there is something to tell"
        signature = self.signer.sign(changes.signed_message(workspace, header.actor, header.seq, head))
        return _CODEC.encode(Changes(tuple(raws), (SignedHead(header.actor, header.seq, signature, b""),)))


def header_of(
    actor: int,
    seq: int,
    body: bytes,
    *,
    deps: dict[int, int] | None = None,
    operations: int = 1,
    wall_ms: int = 0,
    birth: Birth | None = None,
) -> Header:
    """Return the header of a change."""
    pairs = tuple(sorted((deps or {}).items()))
    return Header(changes.VERSION, actor, seq, wall_ms, pairs, operations, len(body), birth=birth)


def body_of(operations: Sequence[Operation]) -> bytes:
    """Return the body of operations."""
    return b"".join(changes.encode_operation(each) for each in operations)


def liar_of(sim: Simulation, draws: Draws) -> Liar | None:
    """Return a liar that is awake; one joins when there is none yet."""
    liars = [device for device in sim.devices if isinstance(device, Liar)]
    if not liars or (len(liars) < LIARS_MAX and draws.chance("another", 10)):
        number = len(sim.devices)
        name = "liar" if not liars else f"liar {len(liars) + 1}"
        made = Liar(sim, name, identity_of(len(NAMES) + number), sim.keys, sim.folder_of(name))
        if sim.add(made) not in sim.devices:
            return None
        work(sim, made)
        liars.append(made)
    awake = [liar for liar in liars if liar.is_awake]
    return draws.pick("liar", awake) if awake else None


def work(sim: Simulation, liar: Liar) -> str | None:
    """Let a liar do something decent; return the task."""
    word = sim.book.word()
    return liar.act(lambda engine: engine.create_task(Task(title=word, description=word)))


# --- lies -------------------------------------------------------------------------------------------------------------


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
    frames = [_CODEC.encode(message) for message in messages]
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
        frames.append(_CODEC.encode(Part(head.actor, head.seq + 1, draws.draw("number", 3), b"not it")))
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


# --- moods ------------------------------------------------------------------------------------------------------------


def mood(name: str, change: Callable[[Draws, Liar], Callable[[Message], Message | None]]) -> Mishap:
    """Return the action that puts a liar into a mood for a while."""

    def do(sim: Simulation, draws: Draws) -> None:
        liar = liar_of(sim, draws)
        if liar is None or liar.mood is not None:
            return
        duration_s = draws.seconds("for", *FOR_S)
        sim.note("mood", liar, which=name, seconds=duration_s)
        liar.mood = name, change(draws, liar)
        sim.for_a_while(duration_s, lambda: setattr(liar, "mood", None))
        if draws.chance("anew", 50):  # what it says first matters most
            for link in sim.network.links_of(liar):
                liar.disconnected_silently(link)

    do.__doc__ = change.__doc__
    return Mishap(name, "liars", 1, do)


def withhold(draws: Draws, liar: Liar) -> Callable[[Message], Message | None]:
    """It sends every other change, or none, or does not say what it got."""
    del liar
    how = draws.pick("withholds", ("every other change", "changes", "acks", "parts"))

    def change(message: Message) -> Message | None:
        if how == "every other change" and isinstance(message, Changes):
            return msgspec.structs.replace(message, changes=message.changes[::2])
        kinds: dict[str, type[Message]] = {"changes": Changes, "acks": Ack, "parts": Part}
        return None if how in kinds and isinstance(message, kinds[how]) else message

    return change


def claim(draws: Draws, liar: Liar) -> Callable[[Message], Message | None]:
    """It says that it holds what it does not, holds nothing, or has dealt with what it was never sent."""
    how = draws.pick("claims", ("all", "nothing", "frames", "waiting"))
    far = draws.pick("far", (1, FAR))

    def change(message: Message) -> Message | None:
        if isinstance(message, Hello) and how == "all":
            heads = tuple(Summary(each.actor, each.seq + far, each.hash) for each in message.heads)
            return msgspec.structs.replace(message, heads=heads)
        if isinstance(message, Hello) and how == "nothing":
            return msgspec.structs.replace(message, heads=())
        if isinstance(message, Ack):
            if how == "all":
                held = tuple((actor, seq + far) for actor, seq in message.frontier)
                return msgspec.structs.replace(message, frontier=held)
            if how == "nothing" and not message.again:  # with it, two would go round and round at no cost of time
                return msgspec.structs.replace(message, frontier=())
            if how == "frames":
                return msgspec.structs.replace(message, frames=message.frames + far)
            return msgspec.structs.replace(message, waiting=far)
        return message

    del liar
    return change


def misdigest(draws: Draws, liar: Liar) -> Callable[[Message], Message | None]:
    """It says that its content differs."""
    del liar
    false = f"{draws.draw('digest', 1 << 30):032x}"

    def change(message: Message) -> Message | None:
        if isinstance(message, Ack) and message.digest:
            return msgspec.structs.replace(message, digest=false)
        return message

    return change


def contradict(draws: Draws, liar: Liar) -> Callable[[Message], Message | None]:
    """Its hello is another device's, of another workspace or version, or names other hashes: a fork that is none."""
    how = draws.pick("hello", ("device", "workspace", "version", "hashes", "wishes", "order"))

    def change(message: Message) -> Message | None:
        if not isinstance(message, Hello):
            return message
        if how == "hashes":
            heads = tuple(Summary(each.actor, each.seq, each.hash[::-1]) for each in message.heads)
            return msgspec.structs.replace(message, heads=heads)
        others: dict[str, dict[str, Any]] = {
            "device": {"device": "a" * len(liar.id)},
            "workspace": {"workspace": bytes(16)},
            "version": {"protocol": (limits.PROTOCOL_VERSION + 1, limits.PROTOCOL_VERSION + 1)},
            "wishes": {"wanted": ((1, 1, b"", -1), (0, 0, bytes(32), 1 << 40))},
            "order": {"heads": message.heads[::-1] + message.heads},
        }
        return msgspec.structs.replace(message, **others[how])

    return change


# --- two changes under one name ---------------------------------------------------------------------------------------


def equivocate(sim: Simulation, draws: Draws) -> None:
    """A liar makes two changes under one dot, each well signed, and tells one to some and the other to the others."""
    liar = liar_of(sim, draws)
    if liar is None or len([each for each in sim.devices if each.id == liar.id]) > 1 or work(sim, liar) is None:
        return
    twin = Liar(sim, f"{liar.name}'s other face", liar.identity, liar.keys, sim.folder_of(f"{liar.name}'s other face"))
    twin.disk.machine, twin.disk.inode, twin.disk.boots = liar.disk.machine, liar.disk.inode, liar.disk.boots
    twin.skew_s = liar.skew_s
    twin.disk.put_back(liar.disk.image(), sidecar=True, copied=False)
    sim.add(twin, member=True)
    head = liar.chain()
    assert head is not None, "it has worked before"
    sim.book.forked.add((head.actor, head.seq + 1))  # from here on, whatever else the two do before they speak
    honest = sim.honest()
    for listener, other in ((liar, twin), (twin, liar)):
        listener.told["equivocation"] += 1
        heard = honest[::2] if listener is liar else honest[1::2]
        paths: list[tuple[SimulatedDevice, SimulatedDevice]] = [(listener, other)]
        paths += [p for device in honest if device not in heard for p in ((listener, device), (device, listener))]
        cut(sim, paths, draws.seconds("for", *APART_S), "told apart")
    same = draws.chance("but for the reason", 30)
    words = [sim.book.word()] * 2 if same else [sim.book.word(), sim.book.word()]

    def speak() -> None:
        for face, word in zip((liar, twin), words, strict=True):
            if not sim.is_healing:
                face.act(lambda engine, face=face, word=word: _say(engine, face, word))  # type: ignore[misc]

    sim.later(draws.seconds("until all listen", 0, 2 * AGAIN_S), speak)


def _say(engine: StorageEngine, face: Liar, word: str) -> None:
    head = face.chain()
    assert head is not None, "it has worked before"
    task = Task(id=values.uuid8("equivocation", f"{head.actor}:{head.seq}"), title=word)
    engine.transact(lambda tx: tx.create_task(task), reason=face.name)


ACTIONS: Final = (
    lie("garbage", garbage),
    lie("replay", replay),
    lie("forge", forge),
    lie("depend", depend),
    lie("half", half),
    lie("chatter", chatter),
    mood("withhold", withhold),
    mood("claim", claim),
    mood("misdigest", misdigest),
    mood("contradict", contradict),
    Mishap("equivocate", "liars", 1, equivocate),
)
