"""Many lives: a liar begins hundreds of lives of its device's store with one past, each well formed and signed."""

from __future__ import annotations

from typing import Final

from edda_sync.simulations.faults import Mishap
from edda_sync.simulations.liars import CODEC, Liar, header_of, liar_of, signed_by
from edda_sync.simulations.lies import a_nonce, actor_of, task_body
from edda_sync.simulations.simulator import Simulation
from edda_sync.simulations.tape import Draws
from edda_sync.sync.messages import Changes

LIVES: Final = (3, 40, 300)


def many_lives(sim: Simulation, draws: Draws) -> None:
    """A liar begins many lives of its store with one past, up to 300, and writes one change in each."""
    liar = liar_of(sim, draws)
    if liar is None or liar.told["many lives"]:
        return  # further lives would be taken, but slowly
    count = draws.pick("lives", LIVES)
    if sim.profile.tight and count > LIVES[0]:
        count = LIVES[-1]  # more than may be taken at once
    sim.note("lives", liar, count=count)
    frame = CODEC.encode(_changes(sim, draws, liar, count))
    liar.tell("many lives", lambda _: [frame])


def _changes(sim: Simulation, draws: Draws, liar: Liar, count: int) -> Changes:
    body, births = task_body(sim, liar), [liar.birth(a_nonce(draws)) for _ in range(count)]
    made = [
        signed_by(liar.identity, liar.running.workspace, [(header_of(actor_of(birth), 1, body, birth=birth), body)])
        for birth in births
    ]
    return Changes(
        tuple(change for each in made for change in each.changes), tuple(head for each in made for head in each.heads)
    )


ACTIONS: Final = (Mishap("many lives", "liars", 1, many_lives),)
