"""Newcomers: whatever members wrote, each store can serve a newcomer."""

from __future__ import annotations

from edda_sync.changes import early
from edda_sync.changes.chains import PROOF, keep_proof
from edda_sync.changes.forkproof import decode as decode_proof
from edda_sync.crdt.frontier import Frontier
from edda_sync.fold.texts import Texts
from edda_sync.ledger.ledger import Ledger
from edda_sync.simulations.checker import Checker
from edda_sync.simulations.checkers.convergence import TABLES, rows_of
from edda_sync.simulations.checkers.meaning import THOROUGH_ONE_IN
from edda_sync.simulations.device import SimulatedDevice
from edda_sync.store.memory.store import MemoryStore
from edda_sync.store.seams import StoreReader, StoreWriter
from edda_sync.sync.exchange import Exchange
from edda_sync.sync.making import MadeSegment, forget_made
from edda_sync.sync.messages import Snapshot
from edda_sync.words.errors import EddaError
from edda_sync.workspace import closing
from edda_sync.workspace.keys import WORKSPACE_KEY


class Served(Checker):
    """A newcomer takes the segment of a device, or its log if it gives no segment, and then shows what the device shows."""

    number = 24

    def ended(self) -> None:
        """Let a newcomer begin with what one device gives; in a thorough run, with what each device gives, in both ways."""
        draws = self.sim.tape.source("newcomers")
        devices = self.sim.honest()
        one, thorough = draws.pick("device", devices), draws.draw("thorough", THOROUGH_ONE_IN) == 0
        for device in devices if thorough else [one]:
            assert device.replica is not None, "everyone is up in the second act"
            giver = device.replica.exchange
            with device.running.store.read() as reader:
                believes, gives_log = bool(reader.segments.merged()), not early.is_pending(reader)
            if not believes:
                device.running.store.transact(forget_made)  # it may be outdated
            made = giver.making.given({})
            try:
                if made is not None:
                    newcomer = self._by_segment(device, giver, made)
                    if not believes:
                        self._compare(device, "a segment", newcomer)
                if gives_log and not believes and (made is None or thorough):
                    self._compare(device, "the log", self._by_log(device, giver))
            except EddaError as error:
                self.fail(device, f"cannot serve a newcomer: {error}")

    def _newcomer(self, device: SimulatedDevice) -> Exchange:
        """Return the exchange of a newcomer to a device's workspace, with an empty store."""
        store = MemoryStore()
        store.transact(lambda tx: tx.meta.set(WORKSPACE_KEY, device.running.workspace))
        return Exchange(store, Ledger(Texts()), device.identity, device.keys.verify, device.wall_s, bytes)

    def _by_segment(self, device: SimulatedDevice, giver: Exchange, made: MadeSegment) -> Exchange:
        newcomer = self._newcomer(device)
        for number in range(made.parts):
            data = giver.making.part(made.hash, number)
            if data is None:
                self.fail(device, "offers a segment of which it has not all parts")
            else:
                newcomer.merging.take(Snapshot(made.hash, made.parts, number, data))
        return newcomer

    def _by_log(self, device: SimulatedDevice, giver: Exchange) -> Exchange:
        newcomer = self._newcomer(device)
        with device.running.store.read() as reader:
            evidence = list(reader.evidence.all().values())

        def learn(tx: StoreWriter) -> None:
            for piece in evidence:
                if piece[:1] == PROOF:
                    keep_proof(tx, decode_proof(piece[1:]))
                else:
                    closing.keep(tx, closing.decode(piece[1:]))

        newcomer.store.transact(learn)
        positions, known = giver.giving.missing({}), Frontier()
        while positions and (given := giver.giving.batch(positions, known)) is not None:
            while newcomer.taking.take(given.message).more:
                pass
            number = 0
            while given.large is not None and (part := giver.giving.part(given.large, number)) is not None:
                newcomer.taking.take_part(part)
                number += 1
            known = given.frontier
        return newcomer

    def _compare(self, device: SimulatedDevice, given: str, newcomer: Exchange) -> None:
        def heads(reader: StoreReader) -> list[tuple[bytes, bytes]]:
            return sorted((head.actor, head.hash) for head in reader.log.heads().values())

        content = newcomer.proof().content
        with newcomer.store.read() as reader, device.running.store.read() as other:
            if heads(reader) != heads(other):
                self.fail(device, f"a newcomer with {given} of it lacks changes")
            expected, found = rows_of(device), {name: reader.tables.all(name) for name in TABLES}
            for name in TABLES:
                if found[name] != expected[name]:
                    self.fail(device, f"{name} read otherwise to a newcomer with {given} of it")
            if content != other.index.digest().to_bytes(16, "big"):
                self.fail(device, f"what is not shown is otherwise to a newcomer with {given} of it")
