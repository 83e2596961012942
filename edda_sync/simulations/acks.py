"""A lie about processed frames: a liar acknowledges frames that it was never sent, or the same frames again."""

from __future__ import annotations

from typing import Final

from edda_sync.simulations.liars import FAR, Liar
from edda_sync.simulations.lies import Frames, lie, say
from edda_sync.simulations.simulator import Simulation
from edda_sync.simulations.tape import Draws
from edda_sync.sync.messages import Ack


def acknowledge(sim: Simulation, draws: Draws, liar: Liar) -> Frames:
    """It acknowledges frames that were never sent, or fewer than it acknowledged before."""
    del sim, liar
    frames = draws.pick("frames", (1 << 40, FAR, 1, 0))
    return say(Ack((), frames, draws.chance("again", 30), b"", 0))


ACTIONS: Final = (lie("acknowledge", acknowledge),)
