from __future__ import annotations

from edda_sync.simulations.births import _changes
from edda_sync.simulations.liars import Liar
from edda_sync.simulations.simulator import Simulation
from edda_sync.simulations.tape import Tape
from edda_sync.sync.messages import Changes
from tests.simulations.lying import CALM


def test_each_of_many_lives_begins_under_its_own_name_with_a_signed_head() -> None:
    made: list[Changes] = []

    def script(sim: Simulation) -> float:
        def look() -> None:
            liar = sim.add_device(Liar)
            assert isinstance(liar, Liar)
            made.append(_changes(sim, sim.tape.source("lives"), liar, 20))

        sim.at(5, look)
        return 10

    assert Simulation(Tape(0), (), (), script=script, profile=CALM).run().violation is None
    (message,) = made
    assert len(message.changes) == len(message.heads) == 20
    assert len({head.actor for head in message.heads}) == 20
    assert len({head.signature for head in message.heads}) == 20
