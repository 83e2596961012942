"""Stories about backups and copies: a lost laptop, a cloned machine, and a disk that is rolled back."""

from __future__ import annotations

from typing import Any, Final

from edda_sync.simulations import doubles, faults, restores
from edda_sync.simulations.device import SimulatedDevice
from edda_sync.simulations.simulator import Simulation
from edda_sync.simulations.story import adds, does, renames

MINUTE: Final = 60.0
HOUR: Final = 3_600.0
DAY: Final = 86_400.0


def backs_up(sim: Simulation, at_s: float, device: SimulatedDevice) -> None:
    """Let somebody make a backup."""
    sim.at(at_s, lambda: restores.take_backup(sim, device))


def restored_laptop(sim: Simulation) -> float:
    """The laptop backs up every day, and on Friday its disk dies; only its identity was kept, on a stick.

    A new disk is filled from Thursday’s backup. The laptop takes a new name for its writes, and gets back from the phone
    what it had written since; what it had told nobody after the last backup is all that is lost.
    """
    laptop, phone = sim.devices
    adds(sim, 10, laptop, "Monday’s plan")
    backs_up(sim, HOUR, laptop)
    adds(sim, 3 * DAY, laptop, "Thursday’s plan")
    backs_up(sim, 3 * DAY + HOUR, laptop)
    adds(sim, 3 * DAY + 2 * HOUR, laptop, "Thursday night’s plan")
    sim.at(4 * DAY, lambda: restores.lose(sim, laptop, proof=True))
    renames(sim, 4 * DAY + MINUTE, phone, "Monday’s plan", "Monday’s plan, done")
    sim.at(4 * DAY + HOUR, lambda: sim.boot(laptop))
    adds(sim, 4 * DAY + HOUR + 0.2, laptop, "Next week’s plan")
    backs_up(sim, 4 * DAY + 2 * HOUR, laptop)
    return 4 * DAY + 3 * HOUR


def cloned_vm(sim: Simulation) -> float:
    """A virtual machine is cloned while it runs, and both go on writing under one name, with other contents.

    The phone sees both, proves it, and gives each branch a name of its own. One command makes the clone a device of its own,
    and from then on the two sync with each other.
    """
    laptop, phone = sim.devices
    adds(sim, 10, laptop, "Write the talk")
    clones: list[SimulatedDevice] = []

    def clone() -> None:
        clones.append(doubles.clone_machine(sim, laptop))
        adds(sim, 20, clones[0], "Book a train")
        adds(sim, 45, clones[0], "Reserve a seat")

    sim.at(15, clone)
    adds(sim, 20.01, laptop, "Print the badge")
    adds(sim, 25, phone, "Buy a charger")
    sim.at(35, lambda: doubles.split_off(sim, clones[0]))
    adds(sim, 60, laptop, "Thank the host")
    return 70


def rolled_back_disk(sim: Simulation) -> float:
    """The phone’s disk is rolled back by a week, while its backups are newer than that.

    It goes on under a new name, its next backup is whole, and what only a backup knew is brought back from there: the same
    changes under their own names, and nothing twice.
    """
    phone, laptop = sim.devices[1], sim.devices[0]
    adds(sim, 10, phone, "Call Ida")
    kept: list[Any] = []
    does(sim, HOUR, phone, "keeps a copy of its disk", lambda _: kept.append(phone.disk.image()))
    sim.at(DAY, laptop.sleep)
    adds(sim, 2 * DAY, phone, "Call Ben")
    backs_up(sim, 3 * DAY, phone)
    sim.at(7 * DAY, lambda: faults.restore_image(sim, phone, kept[0], copied=True))
    adds(sim, 7 * DAY + 0.2, phone, "Call Eve")
    backs_up(sim, 7 * DAY + MINUTE, phone)
    sim.at(7 * DAY + HOUR, lambda: restores.bring(sim, phone, exactly=False, back=1))
    sim.at(7 * DAY + 2 * HOUR, laptop.wake)
    return 7 * DAY + 3 * HOUR
