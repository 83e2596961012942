"""Evidence: it names whoever did something, and nobody else."""

from __future__ import annotations

from edda_sync.crdt import closing, forkproof
from edda_sync.crdt.chains import PROOF
from edda_sync.crdt.change import decode_birth
from edda_sync.sync.behind import forged_by
from simulations.checker import Checker
from simulations.device import SimulatedDevice
from simulations.ending import shown
from simulations.simulator import Simulation


class Innocent(Checker):
    """No honest device is said to have forked its chain, forged a segment or ended a life, unless it did."""

    number = 10

    def __init__(self, sim: Simulation) -> None:
        super().__init__(sim)
        self._seen: dict[str, int] = {}  # how much evidence each device held

    def changed(self, device: SimulatedDevice) -> None:
        """Look at what is new of the evidence, and at who is named as a forger."""
        honest = {each.identity.public_key: each for each in self.sim.honest()}
        with device.running.store.read() as reader:
            pieces, forger = list(reader.evidence().values()), forged_by(reader)
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
