"""A part of a segment that nobody asked for: of one that the liar really has, or of none."""

from __future__ import annotations

from typing import Final

from edda_sync.sync.messages import Offer, Snapshot
from simulations.liars import FAR, Liar
from simulations.lies import Frames, lie, say
from simulations.simulator import Simulation
from simulations.tape import Draws


def impose(sim: Simulation, draws: Draws, liar: Liar) -> Frames:
    """It sends a part of a segment that nobody asked for, or offers one that is out of bounds."""
    del sim
    made = None if liar.replica is None else liar.replica.exchange.making.given({})
    name, parts = (bytes(32), 1) if made is None else (made.hash, made.parts)
    data = None if made is None or liar.replica is None else liar.replica.exchange.making.part(name, parts - 1)
    says: tuple[Snapshot | Offer, ...] = (
        Snapshot(name, parts, parts - 1, data or b"no segment"),
        Snapshot(bytes(32), 2, 0, b"of nothing"),
        Snapshot(bytes(32), 1 << 40, FAR, b""),
        Offer(bytes(32), 1 << 40),
        Offer(bytes(32), 0),
    )
    return say(draws.pick("segment", says))


ACTIONS: Final = (lie("impose", impose),)
