"""Upgrades: one device after another runs a newer version, and has sessions with those that do not (``levels``)."""

from __future__ import annotations

from typing import Final

from edda_sync.simulations import levels
from edda_sync.simulations.faults import Mishap
from edda_sync.simulations.simulator import Simulation
from edda_sync.simulations.tape import Draws


def be_upgraded(sim: Simulation, draws: Draws) -> None:
    """A device runs a newer version from here on, which knows one more cell; the others are upgraded at the end."""
    levels.upgrade(sim, draws.pick("device", sim.honest()))


ACTIONS: Final = (Mishap("upgrade", "newer version", 2, be_upgraded),)
