"""A simulated device carries out the steward's orders as the real one does, each a moment later."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from edda_sync.engine.engine import StorageEngine
from edda_sync.simulations.device import SimulatedDevice
from edda_sync.simulations.inbox import Inbox
from edda_sync.simulations.simulator import Simulation
from edda_sync.simulations.tape import Profile, Tape
from edda_sync.words.errors import BusyError, CorruptError
from edda_sync.words.model import Task

PROFILE = Profile(2, "memory", frozenset(), real_keys=False, lawless=0)


def simulate(script: Callable[[Simulation], float]) -> Simulation:
    """Run a script with two devices, in memory, without faults of its own."""
    sim = Simulation(Tape(1), [], [], script=script, profile=PROFILE)
    verdict = sim.run()
    assert verdict.violation is None, verdict.trace or verdict.violation
    return sim


def raising(error: Exception) -> Callable[[StorageEngine], None]:
    def work(_: StorageEngine) -> None:
        raise error

    return work


def test_damage_that_is_found_is_mended(monkeypatch: pytest.MonkeyPatch) -> None:
    rebuilt: list[float] = []
    rebuild = StorageEngine.rebuild

    def noted(engine: StorageEngine) -> int:
        rebuilt.append(1.0)
        return rebuild(engine)

    monkeypatch.setattr(StorageEngine, "rebuild", noted)

    def rot(device: SimulatedDevice) -> None:
        device.disk.rotten = True
        device.act(raising(CorruptError("task 1")))

    def script(sim: Simulation) -> float:
        sim.at(1.0, lambda: rot(sim.devices[0]))
        return 5.0

    simulate(script)
    assert len(rebuilt) == 1


def test_changes_that_a_failed_commit_left_in_the_log_still_reach_the_others() -> None:
    def fail_late(device: SimulatedDevice) -> None:
        def work(engine: StorageEngine) -> None:
            engine.writing._listeners.clear()  # its end is not told, as when the fault strikes after the commit
            engine.create_task(Task(title="Buy milk"))
            raise BusyError("edda.db")

        device.act(work)

    def script(sim: Simulation) -> float:
        sim.at(1.0, lambda: fail_late(sim.devices[0]))
        return 10.0

    sim = simulate(script)
    assert sim.devices[0].last_error is not None


def test_a_slow_device_takes_one_frame_after_another_at_its_own_pace() -> None:
    due: list[tuple[float, Callable[[], None]]] = []
    taken: list[int] = []
    inbox = Inbox(lambda delay_s, work: due.append((delay_s, work)), lambda work: work())
    inbox.add(lambda: taken.append(0))
    inbox.pace_s = 2.0
    for number in (1, 2, 3):
        inbox.add(lambda number=number: taken.append(number))  # type: ignore[misc]
    assert (taken, [delay_s for delay_s, _ in due]) == ([0], [2.0])
    due.pop()[1]()
    assert (taken, len(due)) == ([0, 1], 1)
    inbox.hurry()
    assert taken == [0, 1, 2, 3]
    due.pop()[1]()
    assert taken == [0, 1, 2, 3]


def test_events_that_make_nothing_due_earlier_set_no_alarms() -> None:
    planned: list[int] = []

    def attend_again(sim: Simulation) -> None:
        keeping = sim.devices[0].keeping
        assert keeping is not None
        before = sim.clock.planned
        for _ in range(100):
            keeping.attend()
        planned.append(sim.clock.planned - before)

    def script(sim: Simulation) -> float:
        sim.at(5.0, lambda: attend_again(sim))
        return 10.0

    simulate(script)
    assert planned[0] <= 1


def test_a_view_between_two_versions_is_not_scrubbed_and_the_scrub_ends() -> None:
    scrubbed: list[bool] = []

    def scrub(device: SimulatedDevice) -> None:
        device.is_between_levels = True
        device.scrub()
        device.is_between_levels = False
        scrubbed.append(True)

    def script(sim: Simulation) -> float:
        sim.at(1.0, lambda: scrub(sim.devices[0]))
        return 2.0

    simulate(script)
    assert scrubbed == [True]
