from __future__ import annotations

import pytest

from edda_sync.simulations import ending, simulator
from edda_sync.simulations.simulator import Simulation
from edda_sync.simulations.tape import Tape
from edda_sync.words.model import Task
from tests.simulations.lying import CALM


def test_a_run_ends_only_when_all_devices_hold_the_same_and_have_proved_it() -> None:
    seen: list[bool] = []

    def script(sim: Simulation) -> float:
        laptop, *others = sim.devices
        sim.at(5, lambda: seen.append(ending.is_over(sim)))
        for other in others:
            sim.at(6, lambda other=other: sim.network.cut([(laptop, other), (other, laptop)]))  # type: ignore[misc]
        sim.at(7, lambda: laptop.act(lambda engine: engine.create_task(Task(title=sim.book.word()))))
        sim.at(9, lambda: seen.append(ending.is_over(sim)))
        return 10

    sim = Simulation(Tape(2, calm=True), (), (), script=script, profile=CALM)
    assert sim.run().violation is None
    assert seen == [True, False]


def test_a_run_that_does_not_end_says_who_lacks_what(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(simulator, "EQUAL_WITHIN_S", 5.0)
    monkeypatch.setattr("edda_sync.simulations.network.Network.heal", lambda _: None)

    def script(sim: Simulation) -> float:
        laptop, *others = sim.devices
        for other in others:
            sim.at(5, lambda other=other: sim.network.cut([(laptop, other), (other, laptop)]))  # type: ignore[misc]
        sim.at(6, lambda: laptop.act(lambda engine: engine.create_task(Task(title=sim.book.word()))))
        return 8

    violation = Simulation(Tape(2, calm=True), (), (), script=script, profile=CALM).run().violation
    assert violation is not None
    assert violation.number == 18
    assert violation.device != "laptop"
    assert violation.text.startswith("lacks ")


def test_a_dot_is_shown_in_a_short_form() -> None:
    assert ending.shown((b"\xab" * 16, 7)) == "abababab:7"
