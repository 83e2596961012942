"""Evidence names the device that did something, and no other; and no device is told evidence that it already has."""

from __future__ import annotations

from collections import defaultdict

from edda_sync.changes import forkproof
from edda_sync.changes.chains import PROOF, Chains, name_of_proof
from edda_sync.changes.change import decode_birth
from edda_sync.crdt.frontier import covers, join
from edda_sync.simulations.checker import Checker
from edda_sync.simulations.device import SimulatedDevice
from edda_sync.simulations.ending import shown
from edda_sync.simulations.frames import message_of
from edda_sync.simulations.simulator import Simulation
from edda_sync.sync.messages import Behind, Evidence, Heads, Hello, Known
from edda_sync.sync.provisional import forged_by
from edda_sync.sync.telling import short
from edda_sync.words.errors import RemoteError
from edda_sync.workspace import closing


class Innocent(Checker):
    """No honest device is accused of having forked its chain, forged a segment or ended a life, unless it did."""

    number = 10

    def __init__(self, sim: Simulation) -> None:
        super().__init__(sim)
        self._seen: dict[str, int] = {}  # how many pieces of evidence each device held

    def changed(self, device: SimulatedDevice) -> None:
        """Check new evidence, and the device that is named as a forger."""
        honest = {each.identity.public_key: each for each in self.sim.honest()}
        with device.running.store.read() as reader:
            pieces, forger = list(reader.evidence.all().values()), forged_by(reader)
        if forger in honest:
            self.fail(device, f"says that {honest[forger].name} forged a segment")
        if len(pieces) != self._seen.get(device.name, 0):
            self._seen[device.name] = len(pieces)
            for piece in pieces:
                self._check(device, piece, honest)

    def _check(self, device: SimulatedDevice, piece: bytes, honest: dict[bytes, SimulatedDevice]) -> None:
        if piece[:1] == PROOF:
            proof = forkproof.decode(piece[1:])
            named = honest.get(decode_birth(proof.birth).public_key)
            if named is not None and all(actor != proof.actor for actor, _ in self.sim.book.forked):
                self.fail(device, f"says that {named.name} forked its chain at {shown((proof.actor, proof.seq))}")
            return
        end = closing.decode(piece[1:])
        key = decode_birth(end.birth).public_key
        message = closing.signed_message(device.running.workspace, end.actor, end.seq, end.hash)
        if key in honest and not self.sim.keys.verify(key, end.signature, message):
            self.fail(device, f"says that {honest[key].name} ended its life {end.actor.hex()[:8]}")


class ClosedIsHeld(Checker):
    """No device holds a closing of a change that it lacks: no peer would take it, and the two would never be equal."""

    number = 18

    def __init__(self, sim: Simulation) -> None:
        super().__init__(sim)
        self._seen: dict[str, tuple[list[bytes], dict[bytes, int]]] = {}  # the evidence and heads of each device

    def changed(self, device: SimulatedDevice) -> None:
        """Look for the change of each closing, unless a segment stands for it."""
        with device.running.store.read() as reader:
            held = list(reader.evidence.names()), {each.actor: each.seq for each in reader.log.heads().values()}
            if held == self._seen.get(device.name) or reader.segments.merged():
                return
            self._seen[device.name] = held
            chains = Chains(reader)
            for end in closing.held(reader):
                if chains.find(end.actor, end.seq, end.hash) is None:
                    self.fail(device, f"holds a closing of {shown((end.actor, end.seq))}, and not that change")


class OnlyNews(Checker):
    """
    Within one session, no device is told what it has already said or received in that session.

    This concerns evidence that it has named or brought, and the heads of a segment in repeated questions for its log.
    """

    number = 20

    def __init__(self, sim: Simulation) -> None:
        super().__init__(sim)
        self._named: defaultdict[tuple[str, str, int], set[bytes]] = defaultdict(
            set
        )  # by both ends and link: the evidence that was named
        self._came: defaultdict[tuple[str, str, int], list[Hello | Heads | Known | Evidence]] = defaultdict(list)
        self._pages: defaultdict[tuple[str, str, int], set[bytes]] = defaultdict(set)  # pages, until the last one
        self._asked: dict[tuple[str, str, int], Behind] = {}  # by both ends and link: the last question
        self._asks: dict[tuple[str, str, int], Behind] = {}  # a question whose pages are being sent

    def received(self, sender: SimulatedDevice, device: SimulatedDevice, frame: bytes) -> None:
        """Note what a device names and brings; it counts once the frame was processed."""
        try:
            message = message_of(frame)
        except RemoteError:
            return
        if isinstance(message, Hello | Heads | Known | Evidence):
            self._came[sender.name, device.name, device.links[sender.id].number].append(message)

    def _named_by(self, sender: SimulatedDevice, device: SimulatedDevice) -> set[bytes]:
        """Return what a device has named, once its last page is here, and what it has brought."""
        session = sender.name, device.name, device.links[sender.id].number
        is_taking = device.replica is not None and device.replica.is_taking(sender.id)
        for message in [] if is_taking else self._came.pop(session, []):
            if isinstance(message, Evidence):
                self._named[session] |= set(map(_name_of, message.items))
                continue
            self._pages[session] |= set(message.evidence)
            if not message.more:
                self._named[session] = self._pages.pop(session)
        return self._named[session]

    def sent(self, device: SimulatedDevice, receiver: SimulatedDevice, frame: bytes) -> None:
        """Compare a frame with what its receiver has named."""
        message = message_of(frame)
        if isinstance(message, Evidence):
            if not self._named_by(receiver, device).isdisjoint(map(_name_of, message.items)):
                self.fail(device, f"told {receiver.name} evidence that it has")
        elif isinstance(message, Behind):
            self._look_at(message, device, receiver)

    def _look_at(self, page: Behind, device: SimulatedDevice, receiver: SimulatedDevice) -> None:
        """Compare a question for the log behind a segment with the one before: only the first may name the heads."""
        session = device.name, receiver.name, device.links[receiver.id].number
        begun = self._asks.pop(session, Behind((), ()))
        asked = Behind(begun.held + page.held, begun.upto + page.upto)
        if page.more:
            self._asks[session] = asked
            return
        before = self._asked.get(session)
        if before is None or asked.upto:
            if before is not None and before.upto == asked.upto and covers(dict(asked.held), dict(before.held)):
                self.fail(device, f"named the heads of its segment to {receiver.name} again")
            self._asked[session] = asked
        else:
            held = join(dict(before.held), dict(asked.held))
            self._asked[session] = Behind(tuple(sorted(held.items())), before.upto)


def _name_of(piece: bytes) -> bytes:
    """Return the short name of a piece of evidence; empty if it is malformed."""
    try:
        if piece[:1] == PROOF:
            return short(name_of_proof(forkproof.decode(piece[1:])))
        return short(closing.name_of(closing.decode(piece[1:])))
    except RemoteError:
        return b""
