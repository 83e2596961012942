"""
Doubles: a machine that is cloned while it runs, a copy that becomes a device of its own, and a disk that is rolled back.

Each function is an action that only plays have.
"""

from __future__ import annotations

import io
from collections.abc import Iterable
from typing import Final

from edda_sync.backup import bundle
from edda_sync.backup.source import Source
from edda_sync.changes.change import decode_birth
from edda_sync.engine.engine import StorageEngine
from edda_sync.engine.separating import separate
from edda_sync.simulations.device import SimulatedDevice
from edda_sync.simulations.disk import PowerCut
from edda_sync.simulations.faults import COPIES_MAX, Mishap, copy_of, cut, restore_image
from edda_sync.simulations.restores import DEVICES_MAX, attempt, bring, take_backup
from edda_sync.simulations.simulator import Simulation
from edda_sync.simulations.tape import ONLY_IN_PLAYS, Draws
from edda_sync.simulations.workload import write
from edda_sync.transport.identity import Identity
from edda_sync.words.errors import LimitError, StorageError, UsageError
from edda_sync.words.model import Task
from edda_sync.workspace.actor import actor_of
from edda_sync.workspace.keys import BIRTH_KEY

POINTS: Final = 6  # at one of which power fails while a copy becomes a device of its own
TOLD_S: Final = 20.0  # from a split until somebody carries a bundle


def clone(sim: Simulation, draws: Draws) -> None:
    """A whole machine is cloned while it runs, with its sidecar, and both go on: neither can know this by itself."""
    devices = [each for each in sim.honest() if each.is_up]
    if devices and len(sim.devices) < DEVICES_MAX:
        device = draws.pick("device", devices)
        if sum(each.id == device.id for each in sim.devices) <= COPIES_MAX:
            twin = clone_machine(sim, device, restarted=draws.chance("restarted", 50))
            for each in (device, twin) if draws.chance("both write", 60) else ():
                write(sim, each, lambda engine, word: engine.create_task(Task(title=word)))


def clone_machine(sim: Simulation, device: SimulatedDevice, *, restarted: bool = True) -> SimulatedDevice:
    """
    Clone a machine, and start the clone.

    Args:
        sim: The simulation.
        device: The machine; it runs.
        restarted: Whether the clone starts anew, and not from the memory of its original.
    """
    with device.running.store.read() as reader:
        head = reader.log.heads().get(actor_of(reader))
    twin = copy_of(sim, device, "clone", sidecar=True)
    twin.disk.machine, twin.disk.inode = device.disk.machine, device.disk.inode
    twin.disk.boots = device.disk.boots + restarted
    twin.proofs.put_back(device.proofs.image(), sidecar=False, copied=False)
    if head is not None:
        sim.book.forked.add((head.actor, head.seq + 1))
    sim.note("cloned", device)
    return sim.add(twin, member=True)


def split(sim: Simulation, draws: Draws) -> None:
    """A copy that runs beside its original becomes a device of its own; power may fail meanwhile."""
    ids = [each.id for each in sim.honest()]
    twins = [each for each in sim.honest() if each.is_up and ids.count(each.id) > 1]
    if twins:
        fails = draws.chance("power fails", 30)
        split_off(sim, draws.pick("device", twins), draws.draw("points", POINTS) if fails else None)


def split_off(sim: Simulation, device: SimulatedDevice, power_fails_after: int | None = None) -> None:
    """
    Make a copy a device of its own, as `edda split` does.

    Args:
        sim: The simulation.
        device: The copy; it runs.
        power_fails_after: At how many points from now its power fails; None if it does not.
    """
    sim.note("does", device, action="split")
    new, original = sim.backups.new_identity(), device.id
    device.crash(power=False, in_order=True)
    if power_fails_after is not None:
        device.lose_power_after(power_fails_after)
    with sim.watch(device):
        try:
            separate(device.make_engine(), f"{device.name}, apart", new)
        except (LimitError, UsageError, StorageError) as error:
            sim.note("cannot", device, action="split", why=type(error).__name__)
        except PowerCut:
            sim.note("power fails", device)
    device.lose_no_power()
    device.disk.lose_power()
    _go_on(device, new)
    sim.boot(device)
    sim.network.join(device)
    if device.id != original:
        sim.later(TOLD_S, lambda: carry_bundle(sim, device))


def _go_on(device: SimulatedDevice, new: Identity) -> None:
    """Use the identity with which the store goes on, as ``engine.own`` does when it finds both in the folder."""
    engine = device.make_engine()
    with engine.store.read() as reader:
        birth = reader.meta.get(BIRTH_KEY)
    device.disk.close()
    device.engine = None
    if birth is not None and decode_birth(birth).public_key == new.public_key:
        device.identity, device.id = device.keys.of(new), new.device


def carry_bundle(sim: Simulation, device: SimulatedDevice) -> None:
    """Carry a bundle from a device to all that do not know it, as a person does after a split, until all have taken it."""
    strangers = [each for each in sim.honest() if each is not device and not each.trusts(device)]
    awake = [each for each in strangers if each.is_awake]
    if device.is_awake and awake:
        _carry(sim, device, awake)
    if any(not each.trusts(device) for each in strangers):  # it sleeps, or its disk is full
        sim.later(TOLD_S, lambda: carry_bundle(sim, device))


def _carry(sim: Simulation, device: SimulatedDevice, strangers: Iterable[SimulatedDevice]) -> None:
    file = io.BytesIO()

    def export(engine: StorageEngine) -> None:
        source = Source(engine)
        bundle.write(file, source.packing, source.objects, ())

    def take(engine: StorageEngine) -> None:
        source = Source(engine)
        file.seek(0)
        bundle.take(file, source.objects, source.unpacking, "a bundle")

    attempt(sim, device, "export a bundle", export)
    for each in strangers if file.getbuffer().nbytes else ():
        attempt(sim, each, "import a bundle", take)
        each.act(lambda _, each=each: each.meet())  # type: ignore[misc]


def roll_back(sim: Simulation, draws: Draws) -> None:
    """A device that meets nobody writes and backs up; then an older image of its disk is put back, and it backs up again."""
    devices = [each for each in sim.honest() if each.is_awake]
    if not devices:
        return
    device, alone_s = draws.pick("device", devices), draws.seconds("alone for", 6, 60)
    image, proofs = device.disk.image(), device.proofs.image()
    others = [each for each in sim.devices if each is not device]
    cut(sim, [path for other in others for path in ((device, other), (other, device))], alone_s, "alone")
    whole, brings = draws.chance("proofs too", 50), draws.chance("brings back", 60)

    def work() -> None:
        if not sim.is_healing and device.is_awake:
            write(sim, device, lambda engine, word: engine.create_task(Task(title=word)))
            take_backup(sim, device)

    def restore() -> None:
        if sim.is_healing or not device.is_up:
            return
        device.crash(power=False)
        if whole:
            device.proofs.put_back(proofs, sidecar=False, copied=False)
        restore_image(sim, device, image, copied=True)
        work()
        if brings:
            bring(sim, device, exactly=False, back=1)

    work()
    sim.later(alone_s / 2, restore)


ACTIONS: Final = (
    Mishap("roll back", ONLY_IN_PLAYS, 1, roll_back),
    Mishap("clone", ONLY_IN_PLAYS, 1, clone),
    Mishap("split", ONLY_IN_PLAYS, 1, split),
)
