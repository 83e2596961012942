"""
Interruptions: a link that breaks between two frames, a write that is interrupted before its end, a large change whose parts
differ from those announced, and devices that leave before others are back.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import msgspec

from edda_sync.engine.engine import StorageEngine
from edda_sync.simulations import workload
from edda_sync.simulations.device import SimulatedDevice
from edda_sync.simulations.faults import Mishap, cut, restore_image
from edda_sync.simulations.liars import Liar
from edda_sync.simulations.moods import mood
from edda_sync.simulations.simulator import Simulation
from edda_sync.simulations.tape import Draws
from edda_sync.sync.messages import Message, Part
from edda_sync.words.model import Task

FRAMES_MAX: Final = 16
COMPANY_MAX: Final = 5  # devices, before a newcomer joins
WORKS_MAX: Final = 5  # how often a newcomer writes before it has met a peer
LARGE_TASKS: Final = 20  # in one change: larger than one part where limits are tight, and only there

INTERRUPTED: Final[tuple[Callable[[Simulation, Draws, SimulatedDevice], None], ...]] = (
    workload.add_task,
    workload.edit_task,
    workload.tag_task,
    workload.remove_task,
    workload.type_words,
    workload.write_set,
)


def write_large(sim: Simulation, device: SimulatedDevice) -> None:
    """Let somebody create many tasks at once."""

    def make(engine: StorageEngine, word: str) -> None:
        engine.transact(lambda tx: [tx.create_task(Task(title=f"{word} {number}")) for number in range(LARGE_TASKS)])

    workload.write(sim, device, make)


def break_off(sim: Simulation, draws: Draws) -> None:
    """A link breaks after some more frames: in the middle of what is being sent, often a large change."""
    device = draws.pick("device", sim.devices)
    links = sim.network.links_of(device)
    if links:
        draws.pick("link", links).frames_left = draws.draw("frames", FRAMES_MAX)
        if device.honest and draws.chance("large", 50):
            write_large(sim, device)


def interrupt(sim: Simulation, draws: Draws) -> None:
    """Somebody interrupts a write at its very end, as Ctrl-C does: it leaves no trace, and the process goes on."""
    awake = [device for device in sim.honest() if device.is_awake]
    if awake:
        device = draws.pick("device", awake)
        sim.note("interrupt", device)
        device.disk.interrupted = True
        draws.pick("what", INTERRUPTED)(sim, draws, device)
        device.disk.interrupted = False


def relieve(sim: Simulation, draws: Draws) -> None:
    """A device is away while a newcomer joins and writes; when it is back, all have left except the newcomer."""
    company = [device for device in sim.honest() if device.is_awake]
    if len(company) < 2 or len(sim.devices) > COMPANY_MAX:
        return
    away = draws.pick("away", company[1:])  # the first one lets newcomers in
    others = [device for device in company if device is not away]
    paths = [path for device in (*others, sim.add_device()) for path in ((away, device), (device, away))]
    gone_s = draws.seconds("away for", 5, 60)
    cut(sim, paths, gone_s, "away")
    for device in (draws.pick("who", others), away):
        workload.edit_task(sim, draws, device)

    def leave() -> None:
        for device in others:
            device.sleep()
            sim.for_a_while(gone_s, device.wake)

    sim.later(gone_s * 0.9, lambda: None if sim.is_healing else leave())


def forget(sim: Simulation, draws: Draws) -> None:
    """Somebody lets in a newcomer, which writes and meets nobody; then an older copy of the inviter's folder is put back."""
    host = next((each for each in sim.honest() if each.is_awake and each.is_proved), None)
    if host is None or len(sim.devices) > COMPANY_MAX:
        return
    image, newcomer = host.disk.image(), sim.add_device()
    if newcomer not in sim.devices:
        return  # nobody could let it in
    gone_s = draws.seconds("alone for", 1, 60)
    cut(sim, [path for other in sim.devices for path in ((newcomer, other), (other, newcomer))], gone_s, "alone")
    for _ in range(1 + draws.draw("works", WORKS_MAX)):
        draws.pick("what", INTERRUPTED)(sim, draws, newcomer)

    def restore() -> None:
        if not sim.is_healing and host.honest:
            restore_image(sim, host, image, copied=draws.chance("copied", 50))

    def let_in() -> None:
        if not sim.is_healing and host.is_awake and host.is_proved and newcomer.is_awake:
            sim.let_in_again(host, newcomer)

    sim.later(draws.pick("after", (0.0, 0.0, 0.5, 5.0)), restore)  # later, others may know the newcomer
    if draws.chance("let in again", 60):
        sim.later(gone_s + draws.seconds("told after", 1, 60), let_in)


def relapse(sim: Simulation, draws: Draws) -> None:
    """
    A device writes alone and lets in a newcomer, which begins with a segment; then an older copy of its folder is put back.

    Nobody has the log behind that segment any more. The newcomer has to go on without it, and keep what it wrote.
    """
    host = next((each for each in sim.honest() if each.is_awake and each.is_proved), None)
    if host is None or len(sim.devices) > COMPANY_MAX:
        return
    image, alone_s = host.disk.image(), draws.seconds("alone for", 5, 60)
    others = [device for device in sim.devices if device is not host]
    cut(sim, [path for other in others for path in ((host, other), (other, host))], alone_s, "alone")
    for _ in range(1 + draws.draw("works", WORKS_MAX)):
        draws.pick("what", INTERRUPTED)(sim, draws, host)
    newcomer = sim.add_device()
    if newcomer not in sim.devices:
        return  # nobody could let it in
    cut(sim, [path for other in others for path in ((newcomer, other), (other, newcomer))], alone_s, "alone")

    def restore() -> None:
        if not sim.is_healing and host.honest:
            restore_image(sim, host, image, copied=draws.chance("copied", 50))

    def work() -> None:
        if not sim.is_healing and newcomer.is_awake:
            draws.pick("newcomer's", INTERRUPTED)(sim, draws, newcomer)

    sim.later(alone_s * 0.5, work)
    sim.later(draws.seconds("put back after", 0.5, 5), restore)


def spoil(draws: Draws, liar: Liar) -> Callable[[Message], Message | None]:
    """It sends other parts of a large change than were announced, of its own change or of one that it relays."""
    sim, at = liar.sim, draws.draw("at", 64)
    if sim.profile.tight:
        sim.later(draws.seconds("large", 0, 5), lambda: None if sim.is_healing else write_large(sim, liar))

    def change(message: Message) -> Message | None:
        if not isinstance(message, Part):
            return message
        data = bytearray(message.data)
        data[at % len(data)] ^= 1 + draws.draw("bits", 255)
        return msgspec.structs.replace(message, data=bytes(data))

    return change


ACTIONS: Final = (
    Mishap("break off", "flapping", 3, break_off),
    Mishap("interrupt", "crashes", 3, interrupt),
    Mishap("relieve", "joins", 2, relieve),
    Mishap("forget", "joins", 1, forget),
    Mishap("relapse", "joins", 1, relapse),
    mood("spoil", spoil),
)
