"""A part of a segment that nobody asked for: of a segment that the liar really has, or of none."""

from __future__ import annotations

from typing import Final

from edda_sync.simulations.liars import FAR, Liar
from edda_sync.simulations.lies import Frames, lie, say
from edda_sync.simulations.simulator import Simulation
from edda_sync.simulations.tape import Draws
from edda_sync.sync.messages import Offer, Snapshot


def impose(sim: Simulation, draws: Draws, liar: Liar) -> Frames:
    """It sends a part of a segment that nobody asked for, or offers one that is out of bounds."""
    del sim
    made = liar.act(lambda _: _made(liar))
    name, parts, data = made or (bytes(32), 1, b"no segment")
    says: tuple[Snapshot | Offer, ...] = (
        Snapshot(name, parts, parts - 1, data),
        Snapshot(bytes(32), 2, 0, b"of nothing"),
        Snapshot(bytes(32), 1 << 40, FAR, b""),
        Offer(bytes(32), 1 << 40),
        Offer(bytes(32), 0),
    )
    return say(draws.pick("segment", says))


def _made(liar: Liar) -> tuple[bytes, int, bytes] | None:
    """Return name and number of parts of a segment that a liar serves, and its last part."""
    if liar.replica is None:
        return None
    making = liar.replica.exchange.making
    made = making.given({})
    return None if made is None else (made.hash, made.parts, making.part(made.hash, made.parts - 1) or b"")


ACTIONS: Final = (lie("impose", impose),)
