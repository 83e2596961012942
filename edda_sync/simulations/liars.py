"""
A member that lies.

A liar is a real member with a key of its own, and runs the product's own code. At first it works like the others. Its lies
are sent beside the frames of that code, or instead of them. It can sign anything, but only in its own name.

1. A *lie* is a frame of its own making, sent at once over all its links.
2. A *mood* changes its true frames for a while: it withholds, claims and contradicts.
3. It *equivocates* by running twice, as the same device on the same machine: two changes under one dot.

Changes that it really makes and signs, and that every device has to keep and pass on, are in ``strange``. In the second act
it is silent.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec

from edda_sync.changes import change as changes
from edda_sync.changes.change import DEP_HASH_BYTES, NO_HASH, Birth, Dep, Header
from edda_sync.crdt import ext as exts
from edda_sync.crdt.ext import Ext
from edda_sync.engine.engine import StorageEngine
from edda_sync.simulations.device import SimulatedDevice
from edda_sync.simulations.faults import Mishap, cut
from edda_sync.simulations.keys import Keys, identity_of
from edda_sync.simulations.simulator import NAMES, Simulation
from edda_sync.simulations.tape import Draws
from edda_sync.store.seams import Head
from edda_sync.sync.keys import Signer
from edda_sync.sync.messages import Changes, Message, SignedHead, Want
from edda_sync.sync.session import EVENT_OF
from edda_sync.sync.states import Event
from edda_sync.sync.wire import Codec
from edda_sync.transport.identity import Identity
from edda_sync.words import limits, values
from edda_sync.words.errors import RemoteProtocolError
from edda_sync.words.model import Task
from edda_sync.workspace.actor import actor_of
from edda_sync.workspace.keys import BIRTH_KEY

if TYPE_CHECKING:
    from edda_sync.simulations.links import Host, Link

LIARS_MAX: Final = 2
FRAMES_REMEMBERED: Final = 32
TRIES: Final = 3  # how often a liar without a link tries to send a lie
AGAIN_S: Final = 4.0
APART_S: Final = (10.0, 300.0)  # how long a liar's two copies each reach only their own group
FAR: Final = 1_000  # changes beyond any that exists
PUT, EDIT, DELETE, TOUCH = 1, 2, 3, 4  # codes of operations

CODEC: Final = Codec()
_encode: Final = msgspec.msgpack.Encoder(order="sorted").encode


class Liar(SimulatedDevice):
    """
    A member that lies.

    Attributes:
        told: For each lie, how many frames it sent that no honest device sends.
        mood: Changes what it sends, a frame at a time; None while it sends true frames.
        unheard: Names of segments that its own code does not know; requests for them are ignored.
    """

    honest = False

    def __init__(self, sim: Simulation, name: str, identity: Identity, keys: Keys, folder: Path | None) -> None:
        super().__init__(sim, name, identity, keys, folder)
        self.told: Counter[str] = Counter()
        self.mood: tuple[str, Callable[[Message], Message | None]] | None = None
        self.frames: deque[bytes] = deque(maxlen=FRAMES_REMEMBERED)
        self.unheard: set[bytes] = set()

    def send(self, link: Link, frame: bytes) -> None:
        """Hand a frame to the network, as changed by the mood."""
        self.frames.append(frame)
        if self.mood is None:
            super().send(link, frame)
            return
        name, change = self.mood
        message = CODEC.decode(frame)
        changed = change(message)
        self.told[name] += changed != message
        if changed is not None:
            super().send(link, frame if changed == message else CODEC.encode(changed))

    def received(self, link: Link, sender: SimulatedDevice, frame: bytes, sent: float) -> None:
        """Receive a frame, and remember it for a replay."""
        self.frames.append(frame)
        message = CODEC.decode(frame) if self.unheard and sender.honest else None
        if not isinstance(message, Want) or message.segment not in self.unheard:
            super().received(link, sender, frame, sent)

    def tell(self, name: str, frames: Callable[[Host], Sequence[bytes]], tries: int = TRIES) -> None:
        """Send frames of its own making over all its links; try again later if it has none."""
        links = list(self.links.values()) if self.is_awake else []
        for link in links:
            for frame in frames(link.other(self)):
                self.told[name] += 1
                self._count(link, frame)
                super().send(link, frame)
        if not links and tries and not self.sim.is_healing:
            self.sim.later(AGAIN_S, lambda: self.tell(name, frames, tries - 1))

    def _count(self, link: Link, frame: bytes) -> None:
        """Make its own code count a frame as sent, because it would close the link of a peer that acknowledges another."""
        session = None if self.replica is None else self.replica._sessions.get(link.other(self).id)
        try:
            is_data = EVENT_OF[type(CODEC.decode(frame))] is Event.DATA
        except RemoteProtocolError:
            return
        if is_data and session is not None:
            session._sending.sent(0, session._now)

    def chain(self, actor: bytes | None = None) -> Head | None:
        """Return the head of an actor's chain here; its own by default."""
        with self.running.store.read() as reader:
            return reader.log.heads().get(actor_of(reader) if actor is None else actor)

    def hash_at(self, actor: bytes, seq: int) -> bytes:
        """Return the hash of a change; zeros if it is not here."""
        with self.running.store.read() as reader:
            return reader.log.hash_at(actor, seq) or NO_HASH

    def deps_on(self, frontier: Mapping[bytes, int]) -> tuple[Dep, ...]:
        """Return the dependencies of a header on some changes; with a hash of zeros for those that are not here."""
        dots = sorted(frontier.items())
        return tuple((actor, seq, self.hash_at(actor, seq)[:DEP_HASH_BYTES]) for actor, seq in dots)

    def birth(self, nonce: bytes, public_key: bytes | None = None) -> Birth:
        """Return the birth of another life with the same parent as its present one; with its own key by default."""
        with self.running.store.read() as reader:
            raw = reader.meta.get(BIRTH_KEY)
        assert raw is not None, "it is a member"
        own = changes.decode_birth(raw)
        return msgspec.structs.replace(own, public_key=public_key or own.public_key, nonce=nonce)

    def batch(self, listed: Iterable[tuple[Header, bytes]], previous: bytes = NO_HASH) -> bytes:
        """Return the frame of one actor's changes, signed with this liar's key, whoever the actor is."""
        return CODEC.encode(signed_by(self.identity, self.running.workspace, listed, previous))


def signed_by(
    signer: Signer, workspace: bytes, listed: Iterable[tuple[Header, bytes]], previous: bytes = NO_HASH
) -> Changes:
    """Return one actor's changes, chained to each other and signed with a key, whoever the actor is."""
    head, raws, last = previous, [], None
    for header, body in listed:
        last = msgspec.structs.replace(header, previous=head)
        raw = changes.encode_header(last)
        raws.append((raw, body))
        head = changes.hash_change(head, changes.hash_header(raw))
    assert last is not None, "there is something to tell"
    signature = signer.sign(changes.signed_message(workspace, last.actor, last.seq, head))
    return Changes(tuple(raws), (SignedHead(last.actor, last.seq, signature, b""),))


def header_of(
    actor: bytes,
    seq: int,
    body: bytes,
    *,
    deps: tuple[Dep, ...] = (),
    operations: int = 1,
    wall_ms: int = 0,
    birth: Birth | None = None,
    level: int = changes.LEVEL,
    more: Ext = exts.NONE,
) -> Header:
    """
    Return the header of a change. The previous hash is filled in when it is chained, and the parts of a long body as well.

    Args:
        actor, seq, body, deps, operations, wall_ms, birth, level: The fields.
        more: Further entries of its ext.
    """
    parts = tuple(map(changes.hash_part, parts_of(body)))
    content = changes.hash_parts(parts) if parts else changes.hash_part(body)
    ext = tuple(sorted((*changes.header_ext(wall_ms, birth=birth, parts=parts), *more)))
    return Header(level, actor, seq, deps, operations, len(body), content, NO_HASH, ext)


def parts_of(body: bytes) -> list[bytes]:
    """Return the parts of a body; none if it fits into one part."""
    size = limits.PART_BYTES_MAX
    return [body[at : at + size] for at in range(0, len(body), size)] if len(body) > size else []


def large_header(actor: bytes, seq: int, parts: tuple[bytes, ...]) -> Header:
    """Return the header of a change whose body consists of full parts, of which only the hashes are known."""
    size = limits.PART_BYTES_MAX * len(parts)
    ext = changes.header_ext(0, parts=parts)
    return Header(changes.LEVEL, actor, seq, (), 1, size, changes.hash_parts(parts), NO_HASH, ext)


def body_of(operations: Sequence[Sequence[Any]]) -> bytes:
    """Return the body of operations, each given as an array: a code, a kind, an id, and so on."""
    encoded = [_encode(list(each)) for each in operations]
    return b"".join(len(each).to_bytes(4, "big") + each for each in encoded)


def liar_of(sim: Simulation, draws: Draws) -> Liar | None:
    """Return a liar that is awake; one joins if there is none yet."""
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
    """Let a liar write something honest; return the task."""
    word = sim.book.word()
    return liar.act(lambda engine: engine.create_task(Task(title=word, description=word)))


def equivocate(sim: Simulation, draws: Draws) -> None:
    """A liar makes two changes under one dot, both well signed, and tells each to a part of the others."""
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
    sim.book.forked.add((head.actor, head.seq + 1))  # all dots from here on may differ until the two copies talk
    honest = sim.honest()
    for listener, other in ((liar, twin), (twin, liar)):
        listener.told["equivocation"] += 1
        heard = honest[::2] if listener is liar else honest[1::2]
        paths: list[tuple[SimulatedDevice, SimulatedDevice]] = [(listener, other)]
        paths += [p for device in honest if device not in heard for p in ((listener, device), (device, listener))]
        cut(sim, paths, draws.seconds("for", *APART_S), "told apart")
    same = draws.chance("but for the reason", 30)
    words = [sim.book.word()] * 2 if same else [sim.book.word(), sim.book.word()]
    types = not same and draws.chance("into one text", 50)

    def speak() -> None:
        for face, word in zip((liar, twin), words, strict=True):
            if not sim.is_healing:
                face.act(lambda engine, face=face, word=word: _say(engine, face, word, types=types))  # type: ignore[misc]

    sim.later(draws.seconds("until all listen", 0, 2 * AGAIN_S), speak)


def _say(engine: StorageEngine, face: Liar, word: str, *, types: bool) -> None:
    head = face.chain()
    if head is None:
        return  # an earlier lie was proved meanwhile, so it began another life, in which there is nothing to fork yet
    task_id = values.uuid8("equivocation", f"{head.actor.hex()}:{head.seq}")
    task = Task(id=task_id, title=word, description="0 " if types else None)
    engine.transact(lambda tx: tx.create_task(task), reason=face.name)
    if types:
        engine.edit_text(task_id, "description", [(0, 0, f"{word} ")])


ACTIONS: Final = (Mishap("equivocate", "liars", 1, equivocate),)
