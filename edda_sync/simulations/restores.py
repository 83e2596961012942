"""
Backups, restores and splits: what people do with them, and what goes wrong at the place where they lie.

Each function is an action that only plays have. The product does all of it; what is here chooses when, and what a person
would try next if something fails.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final, TypeVar

from edda_sync.backup import recovery
from edda_sync.backup.entering import Entered, enter, newest
from edda_sync.backup.manifest import Manifest, encode
from edda_sync.backup.recovering import refill
from edda_sync.engine.engine import StorageEngine
from edda_sync.simulations.backups import NOTHING
from edda_sync.simulations.device import SimulatedDevice
from edda_sync.simulations.disk import PowerCut
from edda_sync.simulations.faults import FOR_S, Mishap
from edda_sync.simulations.place import Answer
from edda_sync.simulations.simulator import Simulation, card_of
from edda_sync.simulations.tape import ONLY_IN_PLAYS, Draws
from edda_sync.words.errors import (
    BackupError,
    ClashError,
    ConflictError,
    InvalidValueError,
    LimitError,
    NotFoundError,
    StorageError,
    TargetError,
    UsageError,
)

T = TypeVar("T")
AGAIN_S: Final = 30.0  # until somebody tries again to restore
POINTS: Final = 40  # at one of which power fails during a backup or restore
DEVICES_MAX: Final = 6

_CANNOT: Final = (BackupError, ClashError, UsageError, LimitError, NotFoundError, ConflictError, InvalidValueError)


# --- backups ----------------------------------------------------------------------------------------------------------


def back_up(sim: Simulation, draws: Draws) -> None:
    """Somebody makes a backup, which proves itself and lets old ones go; power may fail meanwhile."""
    device = _awake(sim, draws)
    if device is not None:
        if draws.chance("power fails", 15):
            device.lose_power_after(draws.draw("points", POINTS))
        take_backup(sim, device)


def take_backup(sim: Simulation, device: SimulatedDevice) -> Manifest | None:
    """Make a backup of a device; return its manifest, or None if it could not be made."""

    def work(engine: StorageEngine) -> Manifest:
        seen = sim.backups.seen(sim, device, engine)
        manifest = sim.backups.manager(device, engine).back_up().manifest
        sim.backups.made[encode(manifest)] = seen
        sim.tell("backed_up", device, manifest)
        return manifest

    return attempt(sim, device, "back up", work)


def verify(sim: Simulation, draws: Draws) -> None:
    """Somebody verifies the backups of a device."""
    device = _awake(sim, draws)
    if device is None:
        return

    def work(engine: StorageEngine) -> None:
        manager = sim.backups.manager(device, engine)
        own = [each.manifest for each in manager.repository.own() if each.manifest is not None]
        for manifest, error in manager.verify(own):
            sim.tell("verified", device, manifest, error)

    attempt(sim, device, "verify", work)


def forget_proof(sim: Simulation, draws: Draws) -> None:
    """The store that proves a device's backups is lost."""
    device = draws.pick("device", sim.honest())
    sim.note("forgets the proof", device)
    device.proofs.close()
    device.proofs.put_back(NOTHING, sidecar=False, copied=False)


def make_code(sim: Simulation, draws: Draws) -> None:
    """Somebody makes a recovery code, in place of the one before."""
    device = _awake(sim, draws)
    if device is not None:
        code = sim.backups.new_code()
        attempt(sim, device, "make a code", lambda engine: recovery.make(engine, code))


# --- a store that is lost ---------------------------------------------------------------------------------------------


def lose_store(sim: Simulation, draws: Draws) -> None:
    """A device's disk fails for good. Its identity was kept, and opens its backups: it is restored from the last one."""
    at_place = {seen.maker for seen in sim.backups.made.values()}
    devices = [each for each in sim.honest() if each.is_up and each.id in at_place]
    if not devices or len([each for each in sim.honest() if each.remedy is None]) < 2:
        return
    device = draws.pick("device", devices)
    if sum(each.id == device.id for each in sim.devices) > 1:
        return  # its twin has everything
    if sim.backups.place.harmed and not _is_founding_kept(sim, device):
        return
    lose(sim, device, proof=draws.chance("proof", 50))
    if draws.chance("power fails", 20):
        device.lose_power_after(draws.draw("points", POINTS))

    def try_again() -> None:
        if not device.is_up and not sim.is_healing:
            sim.boot(device)
            sim.later(AGAIN_S, try_again)

    sim.later(draws.seconds("for", *FOR_S), try_again)


def _is_founding_kept(sim: Simulation, lost: SimulatedDevice | None = None) -> bool:
    """
    Tell whether the change that founded the workspace is on the disk of a device that is not lost.

    Without that change nobody is a member of anything, so if only a backup holds it, the place must not harm that.
    """
    founding = next(iter(sim.book.hashes.values()))  # it is the first that was written
    others = [each for each in sim.honest() if each is not lost and each.remedy is None]
    return any(founding in sim.book.held.get(each.name, ()) for each in others)


def lose(sim: Simulation, device: SimulatedDevice, *, proof: bool) -> None:
    """Lose a device's store, and perhaps the one that proves its backups; its next start restores it."""
    device.crash(power=True)
    sim.note("lost", device)
    device.disk.put_back(NOTHING, sidecar=False, copied=True)
    if proof:
        device.proofs.put_back(NOTHING, sidecar=False, copied=False)
    device.remedy = lambda: restore(sim, device)


def restore(sim: Simulation, device: SimulatedDevice) -> None:
    """Restore a device whose store is lost, and start it. If no backup can be opened, it joins again as it is."""
    try:
        done = _restored(sim, device)
        if not done and not _joined_again(sim, device):
            return
    except TargetError as error:
        sim.note("no restore", device, why=type(error).__name__)
        return
    device.remedy = None
    sim.put_back(device)
    sim.boot(device)
    sim.tell("restored", device, done)


def _restored(sim: Simulation, device: SimulatedDevice) -> Manifest | None:
    """Fill a device's disk from the newest backup that can be read; return it, or None if there is none."""
    try:
        entered = enter(sim.backups.place.reached(device.point), device.identity)
    except PowerCut:
        raise TargetError("place", "power failed", "try again") from None
    except TargetError:
        raise
    except BackupError as error:
        sim.note("no entrance", device, why=type(error).__name__)
        return None
    for each, backup in _candidates(device, entered):
        if _fill(sim, device, lambda engine: refill(engine, each, backup, device.identity)):  # noqa: B023 - it runs now
            sim.note("restored", device, number=backup.number)
            return backup
    return None


def _candidates(device: SimulatedDevice, entered: list[Entered]) -> Iterator[tuple[Entered, Manifest]]:
    """Yield the backups that a person would try: the newest, and then, of the same device, those before it."""
    try:
        first, last = newest(entered, device.id)
    except BackupError:
        return
    yield first, last
    for backup in reversed(first.backups):
        if backup.device == last.device and backup.number < last.number:
            yield first, backup


def _fill(sim: Simulation, device: SimulatedDevice, work: Callable[[StorageEngine], object]) -> bool:
    """Make an empty store on a device's disk and fill it; if that fails, nothing is left of it."""
    with sim.watch(device):
        engine = device.make_engine()
        sim.filed.filing(engine, device.chunks)  # attached files that come back go to this disk
        try:
            work(engine)
        except (TargetError, StorageError, PowerCut) as error:  # it is tried again
            _discard(device)
            raise TargetError("place", type(error).__name__, "try again") from None
        except BackupError as error:
            sim.note("no restore", device, why=type(error).__name__)
            _discard(device)
            return False
        device.lose_no_power()
        device.disk.close()
        device.engine = None
    return True


def _discard(device: SimulatedDevice) -> None:
    device.lose_no_power()
    device.disk.close()
    device.proofs.lose_power()
    device.disk.put_back(NOTHING, sidecar=False, copied=True)
    device.engine = None


def _joined_again(sim: Simulation, device: SimulatedDevice) -> bool:
    """Pair a device that has only its identity with another one, as `edda join` does; tell whether one let it in."""
    inviter = next((each for each in sim.honest() if each.is_awake and each.is_proved), None)
    welcome = None if inviter is None else inviter.act(lambda member: member.welcome(card_of(device)))
    if welcome is None:
        return False
    sim.note("joins again", device)
    return _fill(sim, device, lambda engine: engine.adopt(welcome))


def recover(sim: Simulation, draws: Draws) -> None:
    """A device is not at hand. On a new machine, the recovery code opens the newest backup; later the old one is back."""
    if not sim.backups.codes or len(sim.devices) >= DEVICES_MAX:
        return
    code, identity = sim.backups.codes[-1], sim.backups.new_identity()
    name = f"machine {len(sim.devices)}"
    device = SimulatedDevice(sim, name, identity, sim.keys, sim.folder_of(name))
    away = draws.pick("away", sim.honest())
    if len([each for each in sim.honest() if each.is_up]) > 1:
        away.crash(power=True)
        sim.later(draws.seconds("for", *FOR_S), lambda: None if away.is_up else sim.boot(away))
    try:
        entered = enter(sim.backups.place.reached(device.point), code.identity)
        each, backup = newest(entered)
        filled = _fill(sim, device, lambda engine: refill(engine, each, backup, code, device.identity))
    except BackupError as error:
        sim.note("no recovery", device, why=type(error).__name__)
        return
    if filled:
        sim.note("recovered", device, number=backup.number)
        sim.add(device, member=True)
        sim.tell("restored", device, backup)


# --- a store that lives on --------------------------------------------------------------------------------------------


def bring_back(sim: Simulation, draws: Draws) -> None:
    """Somebody brings back from a backup what is missing, or in the trash."""
    _bring(sim, draws, exactly=False)


def make_true(sim: Simulation, draws: Draws) -> None:
    """Somebody makes a backup the truth: everything gets the values that it had then."""
    _bring(sim, draws, exactly=True)


def _bring(sim: Simulation, draws: Draws, *, exactly: bool) -> None:
    device = _awake(sim, draws)
    if device is not None:
        which = draws.draw("which", 3)
        bring(sim, device, exactly=exactly, back=which)


def bring(sim: Simulation, device: SimulatedDevice, *, exactly: bool, back: int = 0) -> None:
    """
    Restore a backup into a device's living store.

    Args:
        sim: The simulation.
        device: The device.
        exactly: Whether the backup becomes the truth.
        back: Which backup: 0 for the newest one, 1 for the one before it, and so on.
    """

    def work(engine: StorageEngine) -> None:
        manager = sim.backups.manager(device, engine)
        own = [each.manifest for each in manager.repository.own() if each.manifest is not None]
        if not own:
            return
        manifest = own[-1 - min(back, len(own) - 1)]
        with manager.restored(manifest) as restored:
            if exactly:
                manager.make_true(manifest, restored)
            else:
                manager.bring_back(manifest, restored, [each for each in manager.compare(restored) if each.now is None])
            sim.tell("brought_back", device, manifest, restored, exactly=exactly)

    attempt(sim, device, "make a backup the truth" if exactly else "bring back what is missing", work)


# --- the place --------------------------------------------------------------------------------------------------------


def place_away(sim: Simulation, draws: Draws) -> None:
    """The place with the backups is away for a while: a drive is unplugged, or a server does not answer."""
    place = sim.backups.place
    place.away = True
    sim.note("place away", None)
    sim.for_a_while(draws.seconds("for", *FOR_S), lambda: setattr(place, "away", False))


def place_cut_off(sim: Simulation, draws: Draws) -> None:
    """After some more calls, the place does not answer; what was being written may be there, or a part, or come later."""
    place = sim.backups.place
    place.calls_left, place.answer = draws.draw("calls", POINTS), draws.pick("answer", tuple(Answer))
    place.late_s = draws.seconds("late", 0, 60)
    sim.note("place cut off", None, calls=place.calls_left, answer=place.answer.name)
    sim.for_a_while(draws.seconds("for", *FOR_S), lambda: setattr(place, "calls_left", None))


def place_full(sim: Simulation, draws: Draws) -> None:
    """There is no room at the place for a while."""
    place = sim.backups.place
    place.full = True
    sim.note("place full", None)
    sim.for_a_while(draws.seconds("for", *FOR_S), lambda: setattr(place, "full", False))


def place_loses(sim: Simulation, draws: Draws) -> None:
    """An object at the place vanishes, or a bit of it flips."""
    place = sim.backups.place
    keys = [key for key, held in place.objects.items() if held.sound]
    if not keys or not _is_founding_kept(sim):
        return
    key = draws.pick("key", keys)
    if draws.chance("vanishes", 50):
        place.lose(key)
    else:
        place.damage(key, draws.draw("at", 1 << 16))
    sim.note("place loses", None, which=keys.index(key))


def place_shared(sim: Simulation, draws: Draws) -> None:
    """While one device makes a backup, another one makes one at the same place; perhaps a day passes meanwhile."""
    awake = [device for device in sim.honest() if device.is_awake]
    if len({device.id for device in awake}) < 2:
        return
    one = draws.pick("one", awake)
    other = draws.pick("other", [device for device in awake if device.id != one.id])
    place, calls, passes = sim.backups.place, draws.draw("calls", POINTS), draws.chance("a day passes", 40)

    def meanwhile() -> None:
        if passes:
            place.ahead_s += 2 * 86_400
        if other.is_awake:
            take_backup(sim, other)

    place.meanwhile = calls, meanwhile
    take_backup(sim, one)
    place.meanwhile = None


# --- inside -----------------------------------------------------------------------------------------------------------


def _awake(sim: Simulation, draws: Draws) -> SimulatedDevice | None:
    awake = [device for device in sim.honest() if device.is_awake]
    return draws.pick("device", awake) if awake else None


def attempt(sim: Simulation, device: SimulatedDevice, what: str, work: Callable[[StorageEngine], T]) -> T | None:
    """Let somebody at a device do something that the product may refuse; return what came of it, or None."""
    sim.note("does", device, action=what)

    def try_it(engine: StorageEngine) -> T | None:
        try:
            return work(engine)
        except _CANNOT as error:
            sim.note("cannot", device, action=what, why=type(error).__name__)
            return None

    return device.act(try_it)


ACTIONS: Final = (
    Mishap("back up", ONLY_IN_PLAYS, 1, back_up),
    Mishap("verify", ONLY_IN_PLAYS, 1, verify),
    Mishap("forget the proof", ONLY_IN_PLAYS, 1, forget_proof),
    Mishap("make a code", ONLY_IN_PLAYS, 1, make_code),
    Mishap("lose a store", ONLY_IN_PLAYS, 1, lose_store),
    Mishap("recover", ONLY_IN_PLAYS, 1, recover),
    Mishap("bring back", ONLY_IN_PLAYS, 1, bring_back),
    Mishap("make true", ONLY_IN_PLAYS, 1, make_true),
    Mishap("place away", ONLY_IN_PLAYS, 1, place_away),
    Mishap("place cut off", ONLY_IN_PLAYS, 1, place_cut_off),
    Mishap("place full", ONLY_IN_PLAYS, 1, place_full),
    Mishap("place loses", ONLY_IN_PLAYS, 1, place_loses),
    Mishap("place shared", ONLY_IN_PLAYS, 1, place_shared),
)
