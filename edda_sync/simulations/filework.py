"""
What people, disks, links and liars do with attached files, in the runs that are busy with them.

It happens beside the tape, with choices from sources of its own: one for the plan, and one for each thing that happens. So a
run that is not busy with files is as it was before there were any.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Final

from edda_sync.crdt.attachments import decode
from edda_sync.engine import scrubbing
from edda_sync.engine.engine import StorageEngine
from edda_sync.simulations import filed
from edda_sync.simulations.demands import demand
from edda_sync.simulations.device import SimulatedDevice
from edda_sync.simulations.disk import Interrupted
from edda_sync.simulations.faults import Mishap
from edda_sync.simulations.filelies import LIES
from edda_sync.simulations.protocols import Action
from edda_sync.simulations.simulator import Simulation
from edda_sync.simulations.tape import Draws
from edda_sync.simulations.workload import Work, write
from edda_sync.words import limits
from edda_sync.words.errors import ConflictError, InvalidValueError, NotFoundError
from edda_sync.words.model import Document

COUNTS: Final = (4, 8, 12, 20)  # of what happens in a run
LIAR_PERCENT: Final = 30  # runs in which a liar has to do with files
FIRST_S: Final = 2.0  # until the first file is attached
SPAN_S_MIN: Final = 20.0
CONTENTS: Final = 4  # beginnings of files: some are attached several times
SIZES: Final = (0, 30, 170, 200, 500, 700, 900, 2_400)  # bytes; some do not come by themselves
HOT: Final = 2  # documents that most files are attached to
SOON_S: Final = (0.0, 3.0)
FRAMES_MAX: Final = 12  # of a talk, until it breaks off
POINTS_MAX: Final = 14  # at which power may fail
DAY_S: Final = limits.FILE_GRACE_S + 3_600.0
_REFUSED: Final = (NotFoundError, ConflictError, InvalidValueError, Interrupted)


def attach(sim: Simulation, draws: Draws, device: SimulatedDevice) -> None:
    """Somebody attaches a file to a document."""
    documents = sim.book.documents
    if not documents:
        made = write(sim, device, lambda engine, word: engine.create_document(Document(title=word)))
        documents += [] if made is None else [made]
        if made is None:
            return
    document = draws.pick("document", documents[:HOT] if draws.chance("hot", 70) else documents)
    data = filed.content(draws.draw("which", CONTENTS), draws.pick("size", SIZES))

    def work(engine: StorageEngine) -> None:
        with suppress(*_REFUSED):  # the document is not on this device, or was deleted meanwhile
            sim.filed.attach(engine, document, data)

    device.act(work)


def detach(sim: Simulation, draws: Draws, device: SimulatedDevice) -> None:
    """Somebody takes a file off a document."""

    def work(engine: StorageEngine) -> None:
        with suppress(*_REFUSED):  # somebody else was faster
            found = [(each, document) for document in sim.book.documents for each in engine.attachments(document)]
            if found:
                attachment, document = draws.pick("attachment", found)
                engine.transact(lambda tx: tx.detach(document, attachment.id))

    device.act(work)


def fetch(sim: Simulation, draws: Draws, device: SimulatedDevice) -> None:
    """Somebody asks for all files that are not here, whatever their size."""
    del sim, draws
    with device.running.store.read() as reader:
        files = {decode(each.record).file for _, each in reader.attachments.scan()}
        lacking = sorted(file for file in files if not reader.attachments.holds(file.root))
    demand(device, lacking)


def check_files(sim: Simulation, draws: Draws, device: SimulatedDevice) -> None:
    """A device reads all its chunks, as it does in the background; perhaps a day passes before, and it cleans up."""
    del sim
    later_s = DAY_S if draws.chance("a day later", 50) else 0.0
    device.skew_s += later_s
    device.act(lambda engine: scrubbing.scrub(engine, scrubbing.CHUNKS, 1))
    device.skew_s -= later_s


def spoil_chunk(sim: Simulation, draws: Draws) -> None:
    """A part of a file rots on a disk, or vanishes from it."""
    kept = [device for device in sim.honest() if device.chunks.packed]
    if not kept:
        return
    device = draws.pick("device", kept)
    name = draws.pick("chunk", sorted(device.chunks.packed))
    sim.note("chunk spoiled", device, name=name.hex()[:8])
    if draws.chance("vanishes", 50):
        device.chunks.vanish(name)
    else:
        device.chunks.rot(name)


def tear(sim: Simulation, draws: Draws) -> None:
    """Somebody attaches a file, and a link breaks while it is on its way."""
    device = _who(sim, draws)
    if device is None:
        return
    attach(sim, draws, device)
    for link in sim.network.links_of(device):
        link.frames_left = draws.draw("frames", FRAMES_MAX)


def leave(sim: Simulation, draws: Draws) -> None:
    """Somebody attaches a file, and the device that gives it sleeps before all of it has come."""
    device = _who(sim, draws)
    if device is None:
        return
    attach(sim, draws, device)
    asleep_s = draws.seconds("asleep for", 5, 120)

    def go() -> None:
        if not sim.is_healing:
            device.sleep()
            sim.for_a_while(asleep_s, device.wake)

    sim.later(draws.seconds("after", *SOON_S), go)


def crash_midway(sim: Simulation, draws: Draws) -> None:
    """Power fails while somebody attaches a file, or while what came of one is written."""
    device = _who(sim, draws)
    if device is None:
        return
    device.lose_power_after(draws.draw("points", POINTS_MAX))
    if draws.chance("attaches", 70):
        attach(sim, draws, device)


def drag(sim: Simulation, draws: Draws) -> None:
    """A device takes its time over each frame, as over a slow link, while a file is on its way."""
    device = _who(sim, draws)
    if device is None:
        return
    device.inbox.pace_s = draws.seconds("pace", 0.05, 4)
    sim.for_a_while(draws.seconds("for", 5, 120), device.inbox.hurry)
    attach(sim, draws, draws.pick("who", [each for each in sim.honest() if each.is_awake] or [device]))


def _who(sim: Simulation, draws: Draws) -> SimulatedDevice | None:
    awake = [device for device in sim.honest() if device.is_awake]
    return draws.pick("device", awake) if awake else None


HAPPENINGS: Final[tuple[Action, ...]] = (
    Work("attach", "files", 6, attach),
    Work("detach", "files", 2, detach),
    Work("fetch", "files", 3, fetch),
    Work("check files", "files", 3, check_files),
    Mishap("spoil chunk", "files", 3, spoil_chunk),
    Mishap("tear", "files", 3, tear),
    Mishap("leave", "files", 2, leave),
    Mishap("crash midway", "files", 4, crash_midway),
    Mishap("drag", "files", 2, drag),
)


def plan(sim: Simulation) -> None:
    """Plan what happens with files, if the run is busy with them."""
    if sim.filed.is_busy:
        sim.later(0.0, lambda: _plan(sim))  # when it is known how long the tape is


def _plan(sim: Simulation) -> None:
    last_s = sim.planned[-1].at_s if sim.planned else 0.0
    draws = sim.tape.source("files")
    among = [each for each in HAPPENINGS for _ in range(each.weight)]
    if draws.chance("liar", LIAR_PERCENT):
        among += [each for each in LIES for _ in range(2)]
    span_s = max(last_s, SPAN_S_MIN)
    sim.at(FIRST_S, lambda: _happen(sim, HAPPENINGS[0], 0))
    for number in range(1, draws.pick("count", COUNTS)):
        action, at_s = draws.pick("what", among), draws.seconds("when", FIRST_S, span_s)
        sim.at(at_s, lambda action=action, number=number: _happen(sim, action, number))  # type: ignore[misc]


def _happen(sim: Simulation, action: Action, number: int) -> None:
    if not sim.is_healing:
        sim.note("files", None, number=number, action=action.name)
        action(sim, sim.tape.source(f"files {number}"))
