"""Links, writes and parts of large changes are really broken off midway, leave no trace, and all ends well."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import pytest

from edda_sync.simulations import midway
from edda_sync.simulations.book import Fate
from edda_sync.simulations.catalogue import CHECKERS
from edda_sync.simulations.device import SimulatedDevice
from edda_sync.simulations.liars import Liar
from edda_sync.simulations.protocols import Verdict
from edda_sync.simulations.runs import run, tightened
from edda_sync.simulations.seeds import line_of, tape_of
from edda_sync.simulations.simulator import Simulation
from edda_sync.simulations.tape import Event, Profile, Tape
from edda_sync.simulations.workload import write
from edda_sync.words.errors import RemoteProtocolError
from edda_sync.words.model import Task

DO = {action.name: action for action in midway.ACTIONS}


class Notes:
    """Counts what was noted, and the troubles of each kind."""

    def __init__(self) -> None:
        self.count: Counter[str] = Counter()
        self.troubles: Counter[str] = Counter()

    def note(self, now: float, what: str, device: str, facts: Mapping[str, Any]) -> None:
        self.count[what] += 1
        self.troubles[str(facts.get("why"))] += what == "trouble"

    def frame(self, sent: float, arrived: float, sender: str, receiver: str, frame: bytes) -> None:
        pass

    def changed(self, now: float, device: SimulatedDevice) -> None:
        pass


def acted(action: str, seed: int = 1, backend: str = "memory") -> tuple[Verdict, Notes]:
    """People import files that travel in parts, and something is broken off again and again."""
    profile = Profile(3, backend, frozenset(), real_keys=False, lawless=0, tight=True)
    names = ["import", "add document", "write set"]
    for _ in range(6):
        names += [action, "import", "edit task", "type", action, "add task"]
    notes = Notes()
    return run(Tape(seed, fixed=(profile, [Event(n, 3.0 * n, name) for n, name in enumerate(names)])), notes), notes


@pytest.mark.parametrize("backend", ["memory", "sqlite"])
def test_links_break_in_the_middle_of_a_transfer_and_everything_arrives(backend: str) -> None:
    verdict, notes = acted("break off", backend=backend)
    assert verdict.violation is None, f"{verdict.violation}\n{verdict.trace}"
    assert notes.count["broken off"] > 3


@pytest.mark.parametrize("backend", ["memory", "sqlite"])
def test_writes_are_interrupted_and_the_process_goes_on(backend: str) -> None:
    verdict, notes = acted("interrupt", backend=backend)
    assert verdict.violation is None, f"{verdict.violation}\n{verdict.trace}"
    assert notes.count["interrupt"] == 12


def test_an_interrupted_write_is_not_written_and_the_next_one_works_as_usual() -> None:
    def script(sim: Simulation) -> float:
        laptop = sim.devices[0]

        def work() -> None:
            laptop.disk.interrupted = True
            for _ in range(2):
                write(sim, laptop, lambda engine, word: engine.create_task(Task(title=word)))

        sim.at(2, work)
        sim.at(4, lambda: seen.append([row[1] for row in sim.devices[1].running.table("tasks")]))
        return 5

    seen: list[list[str]] = []
    profile = Profile(2, "memory", frozenset(), real_keys=False, lawless=0)
    sim = Simulation(Tape(1, calm=True), (), CHECKERS, script=script, profile=profile)
    verdict = sim.run()
    assert verdict.violation is None, f"{verdict.violation}\n{verdict.trace}"
    assert sim.book.words == {"w1": Fate.REFUSED, "w2": Fate.ACKNOWLEDGED}
    assert seen == [["w2"]]


def test_parts_that_are_not_those_announced_are_refused_by_everybody() -> None:
    notes, told = Notes(), 0
    for seed in range(4):

        def script(sim: Simulation) -> float:
            for number, at_s in enumerate((10, 20, 30)):
                draws = sim.tape.source(f"spoil {number}")
                sim.at(at_s, lambda draws=draws: DO["spoil"](sim, draws))  # type: ignore[misc]
            return 60

        profile = Profile(3, "memory", frozenset(), real_keys=False, lawless=0, tight=True)
        sim = Simulation(Tape(seed), (), CHECKERS, recorder=notes, script=script, profile=profile)
        with tightened():
            verdict = sim.run()
        assert verdict.violation is None, f"{verdict.violation}\n{verdict.trace}"
        told += sum(each.told["spoil"] for each in sim.devices if isinstance(each, Liar))
    assert told
    assert notes.troubles[RemoteProtocolError.__name__]


def test_a_line_of_seeds_says_that_devices_stood_in_a_line() -> None:
    profile = Profile(4, "memory", frozenset(), real_keys=False, lawless=0, tight=True, line=True)
    tape = Tape(7, fixed=(profile, [Event(0, 1.5, "add task")]))
    line = line_of(tape, run(tape))
    assert line == "7 devices=4 backend=memory tight line 0@1.500 add task"
    assert tape_of(line).profile(()) == profile


def test_a_device_that_comes_back_finds_only_the_newcomer_that_was_let_in_meanwhile() -> None:
    profile = Profile(3, "memory", frozenset(), real_keys=False, lawless=0, tight=True)
    names = {0: "add task", 3: "add task", 6: "edit task", 9: "type", 12: "relieve", 200: "edit task"}
    events = [Event(number, at_s, name) for number, (at_s, name) in enumerate(names.items())]
    notes = Notes()
    verdict = run(Tape(1, calm=True, fixed=(profile, events)), notes)
    assert verdict.violation is None, f"{verdict.violation}\n{verdict.trace}"
    assert (notes.count["away"], notes.count["sleep"], notes.count["wake"]) == (1, 2, 2)
    assert notes.count["boot"] == 4
