"""Backups hold what they say, give it back, and cost nobody a change."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from edda_sync.backup.comparing import How, differences
from edda_sync.backup.manifest import Manifest, encode
from edda_sync.backup.repository import Repository
from edda_sync.backup.sealed import Kind, Objects
from edda_sync.crdt.frontier import covers
from edda_sync.engine.engine import StorageEngine
from edda_sync.segments import run as runs
from edda_sync.simulations.backups import ProofDisk
from edda_sync.simulations.checker import Checker
from edda_sync.simulations.device import SimulatedDevice
from edda_sync.simulations.ending import shown
from edda_sync.sync.exchange import Exchange
from edda_sync.sync.unpacking import Unpacking
from edda_sync.transport.identity import verify
from edda_sync.words.errors import BackupError, RemoteError, UsageError
from edda_sync.workspace.keys import WORKSPACE_KEY
from edda_sync.workspace.members import ring

if TYPE_CHECKING:
    from edda_sync.simulations.backups import Seen
    from edda_sync.simulations.simulator import Simulation


class BackedUp(Checker):
    """
    An acknowledged backup holds all that the store held; while the place keeps it, it restores to just that. What verifies
    and restores says the truth about it, and a restore brings all of it back, as new changes where the store lives on.
    """

    number = 13

    def __init__(self, sim: Simulation) -> None:
        super().__init__(sim)
        self._whole: dict[bytes, str] = {}  # by the bytes of a manifest: the digest of what it restores to

    # --- what devices say ---------------------------------------------------------------------------------------------

    def backed_up(self, device: SimulatedDevice, manifest: Manifest) -> None:
        """Compare what a backup says with what the store held, and restore it."""
        seen = self._seen(manifest)
        if {name: seq for name, seq, _ in manifest.heads} != seen.frontier:
            self.fail(device, f"backup {manifest.number} says another frontier than the store had")
        if manifest.content and manifest.content.hex() != seen.digest:
            self.fail(device, f"backup {manifest.number} says another content than the store had")
        if not self._is_there(device, manifest):
            self.fail(device, f"backup {manifest.number} was acknowledged, and is not at the place")
        if any(name in self._vanished() for name in self._named(manifest)):
            self.fail(device, f"backup {manifest.number} was acknowledged, and the place had lost something of it")
        self._check(device, manifest)

    def verified(self, device: SimulatedDevice, manifest: Manifest, error: BackupError | None) -> None:
        """Compare a verdict with what lies at the place."""
        is_whole = not self._harmed(manifest)
        if is_whole and error is not None and not (self.sim.filed.is_on and self.sim.backups.place.harmed):
            self.fail(device, f"says that backup {manifest.number} does not hold, and it does: {error}")
        if not is_whole and error is None:
            self.fail(device, f"says that backup {manifest.number} holds, and something of it is damaged or gone")

    def restored(self, device: SimulatedDevice, manifest: Manifest | None) -> None:
        """Look for everything that the backup held in the log of a device that was made anew from it."""
        if manifest is None:
            self._check_nothing_was_there(device)
            return
        seen = self.sim.backups.made.get(encode(manifest))
        held = self.sim.book.held[device.name]
        self._check_it_is_the_newest(device, manifest)
        for digest, dot in {} if seen is None else seen.held.items():
            if digest not in held:
                self.fail(device, f"was restored from backup {manifest.number}, and lacks {shown(dot)}, which is in it")

    def brought_back(
        self, device: SimulatedDevice, manifest: Manifest, restored: StorageEngine, *, exactly: bool
    ) -> None:
        """Compare a living store with a backup that was restored into it, and look for the changes of the backup."""
        ours = device.running.frontier()
        if any(ours.get(name, 0) < seq for name, seq, _ in manifest.heads) and not self.sim.book.forked:
            self.fail(device, f"restored backup {manifest.number}, and lacks changes that are in it")
        for each in differences(restored, device.running):
            if exactly or each.how in (How.DELETED, How.MISSING):
                what = f"{each.kind} {each.id[-6:]} is {each.how.value} {each.fields}"
                self.fail(device, f"restored backup {manifest.number}, and {what}")

    def ended(self) -> None:
        """Restore every backup that is still there, and look for the last one of each device."""
        devices = {device.id: device for device in self.sim.honest()}
        last: dict[str, Manifest] = {}
        for encoded, seen in self.sim.backups.made.items():
            manifest = self.sim.backups.decoded(encoded)
            if seen.maker in devices and manifest.number >= getattr(last.get(seen.maker), "number", 0):
                last[seen.maker] = manifest
        for name, manifest in last.items():
            if not self._is_there_or_a_later(devices[name], manifest) and not self.sim.backups.place.harmed:
                self.fail(devices[name], f"its last backup, {manifest.number}, is not at the place any more")
        for device in self.sim.honest():
            for found in self._repository(device).own():
                if found.manifest is not None:
                    self._check(device, found.manifest)
        if self.sim.backups.place.objects:
            for device in self.sim.honest():
                self._back_up(device)

    def _back_up(self, device: SimulatedDevice) -> None:
        """Make a backup: nothing may prevent it once all was healed."""

        def work(engine: StorageEngine) -> Manifest | None:
            seen = self.sim.backups.seen(self.sim, device, engine)
            try:
                manifest = self.sim.backups.manager(device, engine).back_up().manifest
            except (BackupError, UsageError) as error:
                if device.is_proved:
                    self.fail(device, f"can make no backup after all was healed: {error}")
                return None
            self.sim.backups.made[encode(manifest)] = seen
            return manifest

        made = device.act(work)
        if made is not None:
            self.backed_up(device, made)

    # --- inside -------------------------------------------------------------------------------------------------------

    def _seen(self, manifest: Manifest) -> Seen:
        return self.sim.backups.made[encode(manifest)]

    def _check(self, device: SimulatedDevice, manifest: Manifest) -> None:
        """Restore a backup, unless the place has harmed it, and compare with what was in the store, or else what it says."""
        if self._harmed(manifest):
            return
        seen = self.sim.backups.made.get(encode(manifest))
        try:
            frontier, digest = self._content(device, manifest)
        except (BackupError, RemoteError) as error:
            self.fail(device, f"backup {manifest.number} cannot be restored: {error}")
        says = {name: seq for name, seq, _ in manifest.heads}, manifest.content.hex()
        expected = says if seen is None else (seen.frontier, seen.digest)
        if frontier != expected[0]:
            self.fail(device, f"backup {manifest.number} restores to another frontier than it was made of")
        if expected[1] and digest != expected[1]:
            self.fail(device, f"backup {manifest.number} restores to another content than it was made of")

    def _content(self, device: SimulatedDevice, manifest: Manifest) -> tuple[dict[bytes, int], str]:
        """Return the frontier and digest of an empty store that takes what a backup names."""
        repository = self._repository(device)
        engine = ProofDisk(device, kept=False).open()
        workspace = device.running.workspace
        engine.store.transact(lambda tx: tx.meta.set(WORKSPACE_KEY, workspace))
        exchange = Exchange(engine.store, engine.ledger, engine.identity, verify, device.wall_s, bytes)
        unpacking = Unpacking(exchange, workspace, verify)
        try:
            for ref in manifest.runs:
                unpacking.take(runs.read([repository.get(Kind.RUN, ref)]))
            return engine.frontier(), engine.digest()
        finally:
            engine.close()

    def _repository(self, device: SimulatedDevice) -> Repository:
        """Return what lies at the place, as a reader sees it whom no fault concerns."""
        engine = device.running
        with engine.store.read() as reader:
            known = ring(reader)
        quiet = self.sim.backups.place.quiet()
        return Repository(quiet, Objects(known), known, engine.workspace, device.id)

    def _is_there(self, device: SimulatedDevice, manifest: Manifest) -> bool:
        return any(each.manifest == manifest for each in self._repository(device).own())

    def _is_there_or_a_later(self, device: SimulatedDevice, manifest: Manifest) -> bool:
        """Tell whether a backup lies at the place, or one that took its place just before power failed."""
        later = [each.manifest for each in self._repository(device).own() if each.manifest is not None]
        return any(each == manifest or each.number > manifest.number for each in later)

    def _harmed(self, manifest: Manifest) -> bool:
        """Tell whether the place has lost or damaged something of a backup."""
        harmed = {key.rpartition("/")[2] for key in self.sim.backups.place.harmed}
        return any(name in harmed for name in self._named(manifest))

    def _vanished(self) -> set[str]:
        place = self.sim.backups.place
        return {key.rpartition("/")[2] for key in place.harmed if key not in place.objects}

    def _named(self, manifest: Manifest) -> Iterator[str]:
        """Yield the names of the objects of a backup."""
        for ref in manifest.objects:
            yield ref.object.hex()

    def _check_it_is_the_newest(self, device: SimulatedDevice, manifest: Manifest) -> None:
        """Check that a whole backup which holds all of a device's other ones was not passed over, whatever clocks said."""
        ours = {name: seq for name, seq, _ in manifest.heads}
        for encoded, seen in self.sim.backups.made.items():
            other = self.sim.backups.decoded(encoded)
            more = seen.frontier != ours and covers(seen.frontier, ours)
            is_sound = seen.maker == manifest.device and not self.sim.backups.place.harmed
            if more and is_sound and self._is_there(device, other):
                self.fail(device, f"was restored from backup {manifest.number}, and {other.number} holds more")

    def _check_nothing_was_there(self, device: SimulatedDevice) -> None:
        """Check that a device which found no backup of itself had none that its identity opens."""
        place, backups = self.sim.backups.place, self.sim.backups
        for encoded, seen in backups.made.items():
            manifest = backups.decoded(encoded)
            is_of_it = (
                seen.maker == device.id and manifest.heads
            )  # before its first sync a device has nothing, and no keys
            if is_of_it and not place.harmed and self._is_there(device, manifest):
                self.fail(device, f"could not be restored, although its backup {manifest.number} is whole")
