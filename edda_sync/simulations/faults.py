"""What goes wrong with networks, processes, disks and clocks. Each function is an action of the tape."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from edda_sync.simulations.device import SimulatedDevice
from edda_sync.simulations.disk import Fault, Image
from edda_sync.simulations.simulator import Simulation
from edda_sync.simulations.tape import Draws
from edda_sync.simulations.workload import write
from edda_sync.words.model import Task

FOR_S: Final = (0.2, 300.0)  # how long a fault lasts
YEARS_S: Final = 10 * 366 * 86_400
COPIES_MAX: Final = 2


@dataclass(frozen=True, slots=True)
class Mishap:
    """An action that causes a fault. Its public fields are those of :class:`edda_sync.simulations.protocols.Action`."""

    name: str
    group: str
    weight: int
    do: Callable[[Simulation, Draws], None]

    def __call__(self, sim: Simulation, draws: Draws) -> None:
        """Cause the fault."""
        self.do(sim, draws)


# --- the network ------------------------------------------------------------------------------------------------------


def cut(sim: Simulation, paths: list[tuple[SimulatedDevice, SimulatedDevice]], duration_s: float, what: str) -> None:
    """Cut paths for a while."""
    names = sim.network.cut(paths)
    sim.note(what, None, paths=names, seconds=duration_s)
    sim.for_a_while(duration_s, lambda: _mend(sim, names))


def _mend(sim: Simulation, names: list[tuple[str, str]]) -> None:
    sim.note("mended", None, paths=names)
    sim.network.mend(names)


def partition(sim: Simulation, draws: Draws) -> None:
    """The devices fall into two groups that do not hear each other."""
    side = [draws.draw("side", 2) for _ in sim.devices]
    paths = [(a, b) for i, a in enumerate(sim.devices) for j, b in enumerate(sim.devices) if side[i] != side[j]]
    cut(sim, paths, draws.seconds("for", *FOR_S), "partition")


def isolate(sim: Simulation, draws: Draws) -> None:
    """One device hears nobody, and nobody hears it."""
    one = draws.pick("device", sim.devices)
    others = [device for device in sim.devices if device is not one]
    cut(sim, [p for o in others for p in ((one, o), (o, one))], draws.seconds("for", *FOR_S), "isolated")


def one_way(sim: Simulation, draws: Draws) -> None:
    """One direction between two devices is cut."""
    one = draws.pick("from", sim.devices)
    others = [device for device in sim.devices if device is not one]
    if others:
        cut(sim, [(one, draws.pick("to", others))], draws.seconds("for", *FOR_S), "one way")


def flap(sim: Simulation, draws: Draws) -> None:
    """A device's network comes and goes."""
    one = draws.pick("device", sim.devices)
    paths = [p for o in sim.devices if o is not one for p in ((one, o), (o, one))]
    at = 0.0
    for _ in range(2 + draws.draw("times", 6)):
        down, up = draws.seconds("down", 0.01, 5), draws.seconds("up", 0.01, 5)
        sim.later(at, lambda down=down: None if sim.is_healing else cut(sim, paths, down, "flap"))  # type: ignore[misc]
        at += down + up


def half_open(sim: Simulation, draws: Draws) -> None:
    """A link ends for one side, and the other does not hear of it."""
    device = draws.pick("device", sim.devices)
    links = sim.network.links_of(device)
    if links:
        device.disconnected_silently(draws.pick("link", links))


# --- processes --------------------------------------------------------------------------------------------------------


def crash(sim: Simulation, draws: Draws) -> None:
    """Power fails at one of the next points of a device: before or after a commit, or before an effect."""
    device = draws.pick("device", sim.devices)
    if device.is_up:
        device.lose_power_after(draws.draw("points", 30))


def kill(sim: Simulation, draws: Draws) -> None:
    """A process is killed, or power fails, or a machine is shut down; it starts again after a while."""
    device = draws.pick("device", sim.devices)
    power, lost = draws.chance("power", 50), draws.draw("sidecar", 4)
    device.crash(power=power, sidecar_writes=lost, in_order=draws.chance("in order", 30))
    sim.later(draws.seconds("for", *FOR_S), lambda: None if device.is_up else sim.boot(device))


def sleep(sim: Simulation, draws: Draws) -> None:
    """A lid is closed, and opened again."""
    device = draws.pick("device", sim.devices)
    device.sleep()
    sim.for_a_while(draws.seconds("for", *FOR_S), device.wake)


def slow(sim: Simulation, draws: Draws) -> None:
    """A device takes its time over every frame."""
    device = draws.pick("device", sim.devices)
    device.inbox.pace_s = draws.seconds("pace", 0.01, 3)
    duration_s = draws.seconds("for", *FOR_S)
    sim.note("slow", device, pace=device.inbox.pace_s, seconds=duration_s)
    sim.for_a_while(duration_s, device.inbox.hurry)


# --- clocks -----------------------------------------------------------------------------------------------------------


def set_clock(sim: Simulation, draws: Draws) -> None:
    """A clock jumps, by up to ten years either way, and stays there."""
    device = draws.pick("device", sim.devices)
    size = draws.pick("size", (1, 60, 3_600, 86_400, YEARS_S))
    device.skew_s = draws.seconds("skew", -size, size)
    sim.note("clock", device, skew=device.skew_s)


# --- disks ------------------------------------------------------------------------------------------------------------


def fail_disk(sim: Simulation, draws: Draws) -> None:
    """One of the next writes of a device fails."""
    device = draws.pick("device", sim.devices)
    device.disk.faults.append(draws.pick("fault", tuple(Fault)))


def fill_disk(sim: Simulation, draws: Draws) -> None:
    """A disk is full for a while."""
    device = draws.pick("device", sim.devices)
    device.disk.full = True
    duration_s = draws.seconds("for", *FOR_S)
    sim.note("disk full", device, seconds=duration_s)
    sim.for_a_while(duration_s, lambda: setattr(device.disk, "full", False))


def put_back(sim: Simulation, draws: Draws) -> None:
    """Somebody keeps a copy of a device's folder, and puts it back later, perhaps twice."""
    device = draws.pick("device", sim.devices)
    image = device.disk.image()
    copied = draws.chance("copied", 50)

    def add_task(when: str) -> None:
        if draws.chance(when, 50):  # the device writes before it has met a peer
            write(sim, device, lambda engine, word: engine.create_task(Task(title=word)))

    def restore() -> None:
        if sim.is_healing or not device.honest:
            return
        add_task("until then")
        restore_image(sim, device, image, copied=copied)
        add_task("at once")

    def restore_again() -> None:
        restore()
        if device.honest and draws.chance("works once it has met its peers", 60):
            sim.later(draws.seconds("met", 5, 60), lambda: None if sim.is_healing else add_task("now"))

    later = draws.seconds("later", 1, 300)
    sim.later(later, restore)
    if draws.chance("again", 40):
        sim.later(later + draws.seconds("again after", 1, 300), restore_again)


def restore_image(sim: Simulation, device: SimulatedDevice, image: Image, *, copied: bool) -> None:
    """Stop a device, put an image of its folder back, and start it. The sidecar is stored elsewhere, and stays."""
    device.crash(power=False)
    device.disk.put_back(image, sidecar=False, copied=copied)
    device.remedy = None  # if its store was lost, it has one again, and needs no backup
    sim.put_back(device)
    sim.boot(device)


def copy_device(sim: Simulation, draws: Draws) -> None:
    """Somebody copies a device's folder to another machine, and both stay in use."""
    device = draws.pick("device", sim.honest())
    if sum(each.id == device.id for each in sim.devices) <= COPIES_MAX:
        live_twice(sim, device)


def live_twice(sim: Simulation, device: SimulatedDevice) -> SimulatedDevice:
    """Copy a device's folder, with its key, to another machine, and start it there."""
    return sim.add(copy_of(sim, device, "copy"), member=True)


def copy_of(sim: Simulation, device: SimulatedDevice, what: str, *, sidecar: bool = False) -> SimulatedDevice:
    """
    Return another machine with a copy of a device's folder and its key.

    Args:
        sim: The simulation.
        device: The device.
        what: What to call it, after its original; the second one gets a number.
        sidecar: Whether the whole machine is copied, so that its files are the same ones.
    """
    copies = sum(each.id == device.id for each in sim.devices) - 1
    name = first = f"{device.name}'s {what}"
    while copies or any(each.name == name for each in sim.devices):  # one may be a device of its own by now
        copies, name = 0, f"{first} {max(copies + 1, 2)}" if name == first else f"{name}, again"
    copy = SimulatedDevice(sim, name, device.identity, device.keys, sim.folder_of(name))
    copy.disk.put_back(device.disk.image(), sidecar=sidecar, copied=not sidecar)
    copy.chunks.copy(device.chunks)
    return copy


ACTIONS: Final = (
    Mishap("partition", "partitions", 3, partition),
    Mishap("isolate", "partitions", 3, isolate),
    Mishap("one way", "one-way", 3, one_way),
    Mishap("flap", "flapping", 2, flap),
    Mishap("half-open", "half-open", 3, half_open),
    Mishap("crash", "crashes", 5, crash),
    Mishap("kill", "crashes", 3, kill),
    Mishap("sleep", "sleep", 3, sleep),
    Mishap("slow", "slow", 2, slow),
    Mishap("set clock", "clocks", 3, set_clock),
    Mishap("fail disk", "disks", 4, fail_disk),
    Mishap("fill disk", "disks", 2, fill_disk),
    Mishap("put back", "put back", 2, put_back),
    Mishap("copy", "copies", 1, copy_device),
)
