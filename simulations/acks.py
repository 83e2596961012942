"""A lie about what was dealt with: a liar acknowledges frames that it was never sent, or the same ones again."""

from __future__ import annotations

from typing import Final

from edda_sync.sync.messages import Ack
from simulations.liars import FAR, Liar
from simulations.lies import Frames, lie, say
from simulations.simulator import Simulation
from simulations.tape import Draws


def acknowledge(sim: Simulation, draws: Draws, liar: Liar) -> Frames:
    """It acknowledges frames that were never sent, or less than it acknowledged before."""
    del sim, liar
    frames = draws.pick("frames", (1 << 40, FAR, 1, 0))
    return say(Ack((), frames, draws.chance("again", 30), b"", 0))


ACTIONS: Final = (lie("acknowledge", acknowledge),)
