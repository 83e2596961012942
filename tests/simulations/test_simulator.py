"""The simulator: the same seed does the same anywhere, both acts are played, and what fails can be repeated."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from edda_sync.simulations.book import Fate
from edda_sync.simulations.catalogue import ACTIONS, CHECKERS
from edda_sync.simulations.checker import Checker
from edda_sync.simulations.device import SimulatedDevice
from edda_sync.simulations.disk import Fault
from edda_sync.simulations.protocols import Verdict
from edda_sync.simulations.runs import run
from edda_sync.simulations.seeds import tapes
from edda_sync.simulations.simulator import Simulation
from edda_sync.simulations.tape import Profile, Tape
from edda_sync.simulations.violation import Violation
from edda_sync.words.model import Task

ROOT = Path(__file__).parents[2]
FIRST = 10
BLOCKS = 8
SEEDS, SEEDS_WHOLE = 3, 12  # seeds in each block
SHORT = (2, 16, 14, 21)  # runs that take little time, the last three with attached files
LONG = frozenset((173167, 461328, 464527, 465406, 466475, 920097, 1381368))  # seeds of seeds.txt


class Notes:
    """Keeps what was noted."""

    def __init__(self) -> None:
        self.all: list[tuple[float, str, str, dict[str, Any]]] = []
        self.frames = 0

    def note(self, now: float, what: str, device: str, facts: Mapping[str, Any]) -> None:
        self.all.append((now, what, device, dict(facts)))

    def frame(self, sent: float, arrived: float, sender: str, receiver: str, frame: bytes) -> None:
        assert sent <= arrived
        self.frames += 1

    def changed(self, now: float, device: SimulatedDevice) -> None:
        pass

    def named(self, what: str) -> list[tuple[float, str]]:
        return [(now, device) for now, each, device, _ in self.all if each == what]


def calm(devices: int = 2, backend: str = "memory") -> Profile:
    return Profile(devices=devices, backend=backend, groups=frozenset(), real_keys=False, lawless=0)


def play(
    script: Callable[[Simulation], float], *, devices: int = 2, checkers: tuple[type[Checker], ...] = tuple(CHECKERS)
) -> tuple[Verdict, Notes]:
    notes = Notes()
    tape = Tape(0, calm=True)
    simulation = Simulation(tape, (), checkers, recorder=notes, script=script, profile=calm(devices))
    simulation.book.words["milk"] = Fate.DOUBTFUL
    return simulation.run(), notes


@pytest.mark.parametrize("block", range(BLOCKS))
def test_seeds_pass(block: int, whole: bool) -> None:
    seeds = SEEDS_WHOLE if whole else SEEDS
    for seed in range(FIRST + block * seeds, FIRST + (block + 1) * seeds):
        verdict = run(Tape(seed))
        assert verdict.violation is None, f"edda simulate --seed {seed} --shrink: {verdict.violation}\n{verdict.trace}"


@pytest.mark.parametrize("at", range(len(tapes())))
def test_runs_that_failed_once_pass(at: int, whole: bool) -> None:
    tape = tapes()[at]
    if tape.seed in LONG and not whole:
        pytest.skip("it takes seconds, as much as all short ones together; --whole runs it")
    verdict = run(tape)
    assert verdict.violation is None, f"line {at + 1} of seeds.txt: {verdict.violation}\n{verdict.trace}"


@pytest.mark.parametrize("backend", ["memory", "sqlite"])
def test_the_same_seed_does_the_same_in_a_process_with_another_hash_seed(backend: str) -> None:
    code = (
        "import sys; from edda_sync.simulations.runs import run; from edda_sync.simulations.tape import Tape;"
        f"print(*(run(Tape(seed, backend={backend!r})).digest for seed in {SHORT[:2]}))"
    )
    printed = []
    for hash_seed in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(ROOT)}
        done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
        printed.append(done.stdout.split())
    here = [run(Tape(seed, backend=backend)).digest for seed in SHORT[:2]]
    assert printed == [here, here]
    assert len(set(here)) == 2


def test_both_stores_see_the_same_frames_and_end_alike() -> None:
    for seed in SHORT:
        memory, sqlite = (run(Tape(seed, backend=backend)) for backend in ("memory", "sqlite"))
        assert (memory.digest, memory.events) == (sqlite.digest, sqlite.events)


def test_a_run_ends_with_everybody_proved_equal() -> None:
    def script(sim: Simulation) -> float:
        sim.at(1, lambda: sim.devices[0].act(lambda engine: engine.create_task(Task(title="milk"))))
        return 3

    verdict, notes = play(script, devices=3)
    assert verdict.violation is None
    assert {device for _, device in notes.named("equal")} == {"laptop", "phone", "tablet"}


def test_the_second_act_ends_every_fault() -> None:
    def script(sim: Simulation) -> float:
        laptop, phone = sim.devices
        sim.network.cut([(laptop, phone), (phone, laptop)])
        phone.sleep()
        laptop.disk.full = True
        return 100

    verdict, notes = play(script)
    assert verdict.violation is None
    assert notes.named("heal")[0][0] == pytest.approx(100)
    assert notes.named("wake")


def test_a_power_failure_at_any_point_loses_nothing_acknowledged() -> None:
    for points in range(4):

        def script(sim: Simulation, points: int = points) -> float:
            laptop, _ = sim.devices

            def edit() -> None:
                laptop.lose_power_after(points)
                laptop.act(lambda engine: engine.create_task(Task(title="milk")))

            sim.at(2, edit)
            return 90

        verdict, notes = play(script)
        assert verdict.violation is None
        assert len(notes.named("crash")) == 1
        assert len(notes.named("boot")) == 3


def test_a_transaction_that_a_failed_sync_kept_still_reaches_the_others() -> None:
    def script(sim: Simulation) -> float:
        laptop, phone = sim.devices

        def edit() -> None:
            laptop.disk.faults.append(Fault.SYNC_KEPT)
            laptop.act(lambda engine: engine.create_task(Task(title="milk")))

        sim.at(2, edit)
        sim.at(4, lambda: titles.append([row[1] for row in phone.running.table("tasks")]))
        return 5

    titles: list[list[str]] = []
    verdict, notes = play(script)
    assert verdict.violation is None
    assert notes.named("refused") == [(2.0, "laptop")]
    assert titles == [["milk"]]


def test_an_error_that_the_product_raises_is_a_violation_that_says_where() -> None:
    def script(sim: Simulation) -> float:
        def fail() -> None:
            with sim.watch(sim.devices[1]):
                raise KeyError("a defect")

        sim.at(1, fail)
        return 2

    verdict, _ = play(script)
    assert verdict.violation is not None
    assert (verdict.violation.number, verdict.violation.device) == (0, "phone")
    assert "a defect" in verdict.trace


def test_devices_that_never_meet_again_violate_the_promise_of_progress(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edda_sync.simulations.network.Network.heal", lambda _network: None)

    def script(sim: Simulation) -> float:
        laptop, phone = sim.devices
        sim.network.cut([(laptop, phone), (phone, laptop)])
        laptop.act(lambda engine: engine.create_task(Task(title="milk")))
        return 1

    verdict, _ = play(script)
    assert verdict.violation is not None
    assert verdict.violation.number == 18
    assert "60 s after all was healed" in str(verdict.violation)


def test_a_checker_that_fails_ends_the_run() -> None:
    class Never(Checker):
        number = 99

        def acknowledged(self, device: SimulatedDevice, own: object) -> None:
            self.fail(device, "somebody wrote")

    def script(sim: Simulation) -> float:
        sim.at(1, lambda: sim.devices[0].act(lambda engine: engine.create_task(Task(title="milk"))))
        return 2

    verdict, _ = play(script, checkers=(Never,))
    assert isinstance(verdict.violation, Violation)
    assert str(verdict.violation) == "invariant 99 does not hold at laptop: somebody wrote"


def test_each_action_has_a_name_of_its_own() -> None:
    names = [action.name for action in ACTIONS]
    assert len(set(names)) == len(names)
    assert all(action.weight > 0 for action in ACTIONS)
