from __future__ import annotations

from edda_sync.simulations.accused import accuse
from edda_sync.simulations.catalogue import CHECKERS
from edda_sync.simulations.liars import CODEC, Liar
from edda_sync.simulations.simulator import Simulation
from edda_sync.simulations.tape import Tape
from edda_sync.sync.messages import Branch, Evidence, Message
from tests.simulations.lying import CALM, decent_work


def test_no_honest_device_keeps_what_a_liar_makes_up_against_somebody_else() -> None:
    made: list[Message] = []
    evidence: list[int] = []

    def script(sim: Simulation) -> float:
        def tell() -> None:
            liar = sim.devices[-1]
            assert isinstance(liar, Liar)
            said = accuse(sim.tape.source(f"accuse {sim.now}"), liar)
            made.extend(said)
            liar.tell("forge", lambda _: [CODEC.encode(message) for message in said])

        def look() -> None:
            for device in sim.honest():
                with device.running.store.read() as reader:
                    evidence.append(len(reader.evidence.all()))

        sim.at(5, lambda: decent_work(sim))
        sim.at(10, lambda: sim.add_device(Liar))
        for at_s in range(20, 80, 5):
            sim.at(at_s, tell)
        sim.at(90, look)
        return 91

    verdict = Simulation(Tape(4, calm=True), (), CHECKERS, script=script, profile=CALM).run()
    assert verdict.violation is None, f"{verdict.violation}\n{verdict.trace}"
    assert {type(message) for message in made} == {Branch, Evidence}, "all kinds were told"
    assert evidence == [0, 0, 0]
