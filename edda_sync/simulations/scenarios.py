"""
Scenarios: what people fear will happen to their tasks, as short stories that the simulator acts out.

Each is a function that schedules what happens and returns when the first act is over. All checkers watch, as they do in
any run; in the end everything is healed, and all devices must prove themselves equal.

    edda simulate --scenario island --html island.html
    python -m edda_sync.simulations.documents        # draws all of them into docs/simulations/
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from edda_sync.engine.engine import StorageEngine
from edda_sync.simulations import comebacks, faults
from edda_sync.simulations.catalogue import CHECKERS
from edda_sync.simulations.checker import Checker
from edda_sync.simulations.protocols import Recorder
from edda_sync.simulations.simulator import Simulation
from edda_sync.simulations.story import adds, changes, does, known, notes, parts, renames, tags, types
from edda_sync.simulations.tape import Profile, Tape
from edda_sync.words.model import Task

MINUTE: Final = 60.0
HOUR: Final = 3_600.0
DAY: Final = 86_400.0
YEAR: Final = 365 * DAY
SEED: Final = 12  # of the network's delays: any would do

Script = Callable[[Simulation], float]


# --- the stories ------------------------------------------------------------------------------------------------------


def island(sim: Simulation) -> float:
    """The laptop spends a week on an island without a network, while phone and tablet stay at home.

    Both sides rename the same task and type into the same note. Nothing is lost: the text is merged, one title is shown
    and the other one is kept beside it.
    """
    laptop, phone, tablet = sim.devices
    adds(sim, 10, phone, "Pack the tent")
    notes(sim, 20, phone, "Trip", "Ferry at nine. ")
    parts(sim, MINUTE, ((laptop,), (phone, tablet)), 7 * DAY)
    renames(sim, DAY, laptop, "Pack the tent", "Pack the big tent")
    renames(sim, 2 * DAY, tablet, "Pack the tent", "Pack both tents")
    adds(sim, 3 * DAY, phone, "Buy rope")
    types(sim, 4 * DAY, laptop, "Trip", "Bring a map. ")
    types(sim, 5 * DAY, phone, "Trip", "Feed the cat. ", first=True)
    changes(sim, 6 * DAY, laptop, "marks it done", "Pack the tent", status="done")
    return 7 * DAY + 5 * MINUTE


def long_absence(sim: Simulation) -> float:
    """A phone lies in a drawer for two years, with edits that it never sent.

    Meanwhile the others rename, finish and delete. When it is charged again its edits arrive: the deleted task that it
    had worked on comes back, since nobody who deleted it had seen that work.
    """
    laptop, phone, tablet = sim.devices
    for at_s, name in ((10, "Paint the fence"), (14, "Sell the bike"), (18, "Learn to juggle")):
        adds(sim, at_s, laptop, name)
    parts(sim, MINUTE, ((phone,), (laptop, tablet)), 2 * YEAR)
    renames(sim, HOUR, phone, "Sell the bike", "Sell the red bike")
    adds(sim, 2 * HOUR, phone, "Call the dentist")
    sim.at(3 * HOUR, phone.sleep)
    does(sim, 30 * DAY, tablet, "deletes “Sell the bike”", lambda e: e.delete_task(known("Sell the bike")))
    changes(sim, 200 * DAY, laptop, "finishes the fence", "Paint the fence", status="done")
    adds(sim, 400 * DAY, tablet, "Paint the shed")
    renames(sim, 600 * DAY, laptop, "Learn to juggle", "Juggle five balls")
    sim.at(2 * YEAR + MINUTE, phone.wake)
    return 2 * YEAR + 5 * MINUTE


def split_brain(sim: Simulation) -> float:
    """Four devices fall into two halves for a day, and both halves edit the same two tasks.

    Titles and states conflict, one half adds a tag that the other removes, and each half puts one task under the other:
    together that is a ring. All devices end with the same answer, and without a ring.
    """
    laptop, phone, tablet, desktop = sim.devices
    adds(sim, 10, laptop, "House", tags={"later"})
    adds(sim, 15, laptop, "Roof")
    parts(sim, MINUTE, ((laptop, phone), (tablet, desktop)), DAY)
    renames(sim, HOUR, laptop, "House", "Old house")
    renames(sim, 2 * HOUR, desktop, "House", "New house")
    changes(sim, 4 * HOUR, phone, "puts Roof under House", "Roof", parent_id=known("House"))
    changes(sim, 5 * HOUR, tablet, "puts House under Roof", "House", parent_id=known("Roof"))
    changes(sim, 8 * HOUR, laptop, "Roof is done", "Roof", status="done")
    changes(sim, 9 * HOUR, tablet, "Roof is blocked", "Roof", status="blocked")
    tags(sim, 12 * HOUR, phone, "House", "later", off=True)
    tags(sim, 13 * HOUR, desktop, "House", "urgent")
    return DAY + 5 * MINUTE


def put_back_laptop(sim: Simulation) -> float:
    """A backup of last week's folder is put back on the laptop, which then goes on writing.

    It would give its next changes the numbers of last week, which other devices already know with other contents. It
    notices this, takes a new name for its writes, and gets back from the phone what it had forgotten.
    """
    laptop, phone = sim.devices
    adds(sim, 10, laptop, "Monday’s plan")
    kept: list[Any] = []
    does(sim, HOUR, laptop, "backs up its folder", lambda _: kept.append(laptop.disk.image()))
    adds(sim, 2 * DAY, laptop, "Wednesday’s plan")
    adds(sim, 4 * DAY, laptop, "Friday’s plan")
    sim.at(7 * DAY, lambda: faults.restore_image(sim, laptop, kept[0], copied=True))
    adds(sim, 7 * DAY + 0.4, laptop, "Next Monday’s plan")
    adds(sim, 7 * DAY + HOUR, phone, "Call Ida")
    return 7 * DAY + 2 * HOUR


def agent_storm(sim: Simulation) -> float:
    """Three agents rewrite the same four tasks together, again and again, while a person types.

    Each writes one word into all four in one transaction, all three at once. Nobody ever sees two words mixed, and the
    person's text is not held up.
    """
    *agents, desktop = sim.devices
    names = [f"Step {number}" for number in range(1, 5)]
    plan = [known(name) for name in names]
    sim.book.sets.append(plan)

    def make(engine: StorageEngine) -> None:
        engine.transact(lambda tx: [tx.create_task(Task(id=each, title="Plan")) for each in plan], agent="planner")

    does(sim, 5, agents[0], "makes a set of four tasks", make, words="Plan")
    notes(sim, 8, desktop, "Diary", "Today. ")
    for turn in range(24):
        word = f"plan{turn + 1}"

        def rewrite(engine: StorageEngine, word: str = word) -> None:
            with engine.begin_transaction(agent="planner") as tx:
                for each in plan:
                    tx.update_task(Task(id=each, title=word))

        at_s = 12 + 2 * (turn // 3)  # three at a time: none of them has heard of the others
        does(sim, at_s, agents[turn % 3], f"writes “{word}”", rewrite, words=word)
    for number, word in enumerate(("It", "rained", "and", "we", "stayed", "in", "to", "read")):
        types(sim, 12.3 + 2.1 * number, desktop, "Diary", f"{word} ")
    return 40


def copied_laptop(sim: Simulation) -> float:
    """Somebody copies the laptop's folder to a new machine, and keeps using both.

    Two machines now have one key and one history. Each takes a name of its own before it writes, so that both may go
    on, and both and the phone end up with everything.
    """
    laptop, phone = sim.devices
    adds(sim, 10, laptop, "Write the talk")

    def copy() -> None:
        twin = faults.live_twice(sim, laptop)
        adds(sim, 22, twin, "Book a train")
        renames(sim, 34, twin, "Write the talk", "Write the long talk")

    sim.at(15, copy)
    adds(sim, 22.01, laptop, "Print the badge")
    adds(sim, 28, phone, "Buy a charger")
    renames(sim, 42, laptop, "Write the talk", "Write the short talk")
    return 50


def clock_from_2036(sim: Simulation) -> float:
    """A phone believes that it is 2036, nine years ahead of the laptop.

    When both write at once, the phone's value is shown, and the laptop's value is kept. But a later edit beats what it
    saw, whatever the clocks say: the laptop need not wait nine years.
    """
    laptop, phone = sim.devices
    adds(sim, 10, laptop, "Water the plants")

    def set_clock() -> None:
        phone.skew_s = 9 * YEAR
        sim.note("clock", phone, skew=phone.skew_s)

    sim.at(30, set_clock)
    renames(sim, MINUTE, phone, "Water the plants", "Water the roses")
    renames(sim, HOUR, laptop, "Water the plants", "Water the palms")
    parts(sim, 2 * HOUR, ((laptop,), (phone,)), HOUR)
    changes(sim, 2.3 * HOUR, phone, "priority 1", "Water the plants", priority=1)
    changes(sim, 2.6 * HOUR, laptop, "priority 3", "Water the plants", priority=3)
    return 4 * HOUR


def full_disk(sim: Simulation) -> float:
    """The phone's disk is full for a minute: it can neither save nor receive.

    It refuses what it cannot save, and says so. When there is room again it gets what it missed; nothing is there in
    part.
    """
    laptop, phone = sim.devices
    adds(sim, 10, phone, "Empty the bin")

    def fill() -> None:
        phone.disk.full = True
        sim.note("disk full", phone, seconds=MINUTE)
        sim.for_a_while(MINUTE, lambda: setattr(phone.disk, "full", False))

    sim.at(20, fill)
    adds(sim, 30, phone, "Film the cat")
    adds(sim, 40, laptop, "Buy a bigger card")
    adds(sim, 60, laptop, "Delete old films")
    adds(sim, 100, phone, "Film the dog")
    return 110


def night_train(sim: Simulation) -> float:
    """A laptop writes on a night train whose network comes and goes, and drops a fifth of all packets.

    A phone at home writes into the same text. Every letter arrives once, in its place.
    """
    laptop, phone = sim.devices
    for path in (sim.network.path(laptop, phone), sim.network.path(phone, laptop)):
        path.latency_ms, path.jitter_ms, path.loss = 80, 100, 20
    notes(sim, 5, phone, "Story", "It was dark. ")
    for number in range(8):
        parts(sim, 12 + 15 * number, ((laptop,), (phone,)), 3 + 5 * (number % 3))
    for number, words in enumerate(("The train", "left late", "with one", "lamp lit", "and no", "driver at", "all")):
        types(sim, 10 + 17 * number, laptop, "Story", f"{words} ")
    for number, words in enumerate(("Night.", "Rain.", "Fog.")):
        types(sim, 30 + 35 * number, phone, "Story", f"{words} ", first=True)
    return 150


def power_cut(sim: Simulation) -> float:
    """The laptop loses power twice while it saves: once just before the disk has it, once just after.

    The first edit leaves no trace, and nobody was told that it was safe. The second one is there when the laptop is
    back, although nobody was told.
    """
    laptop, phone = sim.devices
    adds(sim, 10, laptop, "Do the taxes")
    sim.at(HOUR, lambda: laptop.lose_power_after(0))
    adds(sim, HOUR, laptop, "Lost at once")
    sim.at(2 * HOUR, lambda: laptop.lose_power_after(1))
    adds(sim, 2 * HOUR, laptop, "Saved just in time")
    adds(sim, 3 * HOUR, phone, "Buy a battery")
    return 4 * HOUR


def lost_phone(sim: Simulation) -> float:
    """A phone is lost with a note that it had not sent; a new one takes its place.

    Months later the lost one turns up under a seat, and delivers its note.
    """
    laptop, phone = sim.devices
    adds(sim, 10, laptop, "Renew the passport")
    adds(sim, 20, phone, "Thank Aunt Jo")
    parts(sim, MINUTE, ((phone,), (laptop,)), 10 * MINUTE)
    adds(sim, 2 * MINUTE, phone, "Locker 17")
    sim.at(4 * MINUTE, lambda: phone.crash(power=True))

    def replace() -> None:
        new = sim.add_device()
        changes(sim, 2 * DAY, new, "marks Passport done", "Renew the passport", status="done")

    sim.at(DAY, replace)
    sim.at(120 * DAY, lambda: sim.boot(phone))
    return 120 * DAY + HOUR


def delete_or_keep(sim: Simulation) -> float:
    """One person deletes a finished project, while another one is offline and still adds to it.

    A deletion hides what its author had seen, and no more: the project comes back with the new work.
    """
    laptop, phone, tablet = sim.devices
    adds(sim, 10, laptop, "Garden")
    adds(sim, 15, laptop, "Plant beans", parent_id=known("Garden"))
    adds(sim, 20, laptop, "Rake leaves", parent_id=known("Garden"))
    parts(sim, MINUTE, ((tablet,), (laptop, phone)), 2 * DAY)

    def delete(engine: StorageEngine) -> None:
        with engine.begin_transaction() as tx:
            for name in ("Plant beans", "Rake leaves", "Garden"):
                tx.delete_task(known(name))

    does(sim, DAY, phone, "deletes the project", delete)
    renames(sim, DAY + 6 * HOUR, tablet, "Garden", "Big garden")
    adds(sim, DAY + 9 * HOUR, tablet, "Sow grass", parent_id=known("Garden"))
    return 2 * DAY + 5 * MINUTE


# --- all of them ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Scenario:
    """
    A story that the simulator can act out; run what :meth:`simulation` returns.

    Attributes:
        name: What the command line calls it.
        title: What a picture calls it.
        devices: How many there are at the start.
        script: Schedules what happens.
        real_keys: Whether devices sign with Ed25519, as backups need.
    """

    name: str
    title: str
    devices: int
    script: Script
    real_keys: bool = False

    @property
    def story(self) -> str:
        """What happens, and what people see in the end."""
        return " ".join((self.script.__doc__ or "").split())

    @property
    def profile(self) -> Profile:
        """What kind of run it is: one whose only faults are the story's."""
        return Profile(self.devices, "memory", frozenset(), real_keys=self.real_keys, lawless=0)

    def simulation(self, recorder: Recorder | None = None, *checkers: type[Checker]) -> Simulation:
        """
        Return a run of it.

        Args:
            recorder: Who listens.
            checkers: What must hold beside what always must.
        """
        watching = (*CHECKERS, *checkers)
        tape = Tape(SEED, backend="memory")
        return Simulation(tape, (), watching, recorder=recorder, script=self.script, profile=self.profile)


_ALL: Final = (
    Scenario("island", "A week on an island", 3, island),
    Scenario("long-absence", "Two years in a drawer", 3, long_absence),
    Scenario("split-brain", "Two halves of a day", 4, split_brain),
    Scenario("put-back-laptop", "Last week’s backup is put back", 2, put_back_laptop),
    Scenario("agent-storm", "Three agents and a diary", 4, agent_storm),
    Scenario("copied-laptop", "One folder lives twice", 2, copied_laptop),
    Scenario("clock-from-2036", "A phone from 2036", 2, clock_from_2036),
    Scenario("full-disk", "No room on the phone", 2, full_disk),
    Scenario("night-train", "Writing on the night train", 2, night_train),
    Scenario("power-cut", "Two power cuts", 2, power_cut),
    Scenario("lost-phone", "Lost and found", 2, lost_phone),
    Scenario("delete-or-keep", "Deleted here, wanted there", 3, delete_or_keep),
    Scenario("restored-laptop", "The laptop’s disk dies", 2, comebacks.restored_laptop, real_keys=True),
    Scenario("cloned-vm", "One machine runs twice", 2, comebacks.cloned_vm, real_keys=True),
    Scenario("rolled-back-disk", "A disk goes back a week", 2, comebacks.rolled_back_disk, real_keys=True),
)
SCENARIOS: Final = {scenario.name: scenario for scenario in _ALL}
