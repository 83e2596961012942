"""Each lie is really told, and honest devices do what they promise: they stay sound, and become equal without the liar."""

from __future__ import annotations

import itertools
import tempfile
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from edda_sync.simulations import liars, lies, moods, strange
from edda_sync.simulations.branches import forks_between
from edda_sync.simulations.catalogue import CHECKERS
from edda_sync.simulations.device import SimulatedDevice
from edda_sync.simulations.liars import Liar
from edda_sync.simulations.protocols import Action, Verdict
from edda_sync.simulations.simulator import Simulation
from edda_sync.simulations.tape import Profile, Tape
from edda_sync.simulations.workload import write
from edda_sync.words.errors import EddaError, RemoteMismatchError, RemoteProtocolError
from edda_sync.words.model import Task

CALM = Profile(devices=3, backend="memory", groups=frozenset(), real_keys=False, lawless=0)
LIES = {action.name: action for action in (*lies.ACTIONS, *moods.ACTIONS, *liars.ACTIONS, *strange.ACTIONS)}
TOLD_AT_S = tuple(range(20, 60, 4))


class Ear:
    """Hears what honest devices said of it all."""

    def __init__(self) -> None:
        self.noted: list[tuple[str, str, dict[str, Any]]] = []

    def note(self, now: float, what: str, device: str, facts: Mapping[str, Any]) -> None:
        self.noted.append((what, device, dict(facts)))

    def frame(self, sent: float, arrived: float, sender: str, receiver: str, frame: bytes) -> None:
        pass

    def changed(self, now: float, device: SimulatedDevice) -> None:
        pass

    def troubles(self) -> set[str]:
        """The errors over which somebody honest left the liar."""
        return {facts["why"] for what, device, facts in self.noted if what == "trouble" and "liar" not in device}


def decent_work(sim: Simulation) -> None:
    """Let each honest device add a task."""
    for device in sim.honest():
        made = write(sim, device, lambda engine, word: engine.create_task(Task(title=word, description=word)))
        if made is not None:
            sim.book.tasks.append(made)


def told(name: str, seed: int, **changed: Any) -> tuple[Simulation, Verdict, Ear]:
    """Let one thing go wrong again and again, in a run of people who add tasks."""
    ear = Ear()

    def script(sim: Simulation) -> float:
        sim.at(5, lambda: decent_work(sim))
        action: Action = LIES[name]
        for number, at_s in enumerate(TOLD_AT_S):
            sim.at(at_s, lambda number=number: action(sim, sim.tape.source(f"lie {number}")))  # type: ignore[misc]
            sim.at(at_s + 1, lambda: decent_work(sim))
        return 90

    sim = Simulation(Tape(seed), (), CHECKERS, recorder=ear, script=script, profile=replace(CALM, **changed))
    with tempfile.TemporaryDirectory() as folder:
        sim.folder = Path(folder)
        return sim, sim.run(), ear


def counted(sim: Simulation) -> Counter[str]:
    return sum((each.told for each in sim.devices if isinstance(each, Liar)), Counter())


REFUSALS: dict[str, set[type[EddaError]]] = {
    "garbage": {RemoteProtocolError},
    "forge": {RemoteProtocolError},
    "half": {RemoteProtocolError},
    "chatter": {RemoteProtocolError, RemoteMismatchError},
    "contradict": {RemoteProtocolError, RemoteMismatchError},
    "replay": {RemoteProtocolError},
    "depend": {RemoteProtocolError},  # who asks for the same again and again, and not who is merely ahead
}
"""What honest devices leave a liar over, that does nothing but tell this lie."""


@pytest.mark.parametrize("name", ["garbage", "replay", "forge", "depend", "half", "chatter"])
def test_a_lie_is_told_and_those_who_hear_it_become_equal_without_the_liar(name: str) -> None:
    heard: set[str] = set()
    for seed in range(3):
        sim, verdict, ear = told(name, seed)
        assert verdict.violation is None, f"{verdict.violation}\n{verdict.trace}"
        assert counted(sim)[name] >= len(TOLD_AT_S)
        heard |= ear.troubles()
    assert heard >= {error.__name__ for error in REFUSALS.get(name, set())}
    if name not in REFUSALS:
        assert not heard  # nobody leaves whoever is merely ahead of what it depends on


@pytest.mark.parametrize("name", ["withhold", "claim", "misprove", "contradict"])
def test_a_mood_changes_what_a_liar_says_and_nobody_else_is_the_worse_for_it(name: str) -> None:
    times = 0
    heard: set[str] = set()
    for seed in range(6):
        sim, verdict, ear = told(name, seed)
        assert verdict.violation is None, f"{verdict.violation}\n{verdict.trace}"
        times += counted(sim)[name]
        heard |= ear.troubles()
    assert times >= 6
    assert heard >= {error.__name__ for error in REFUSALS.get(name, set())}


@pytest.mark.parametrize("backend", ["memory", "sqlite"])
def test_what_a_liar_really_made_is_kept_by_everybody_and_blocks_nothing(backend: str) -> None:
    made: Counter[str] = Counter()
    for seed in range(4 if backend == "memory" else 1):
        sim, verdict, _ = told("nonsense", seed, backend=backend)
        assert verdict.violation is None, f"{verdict.violation}\n{verdict.trace}"
        made += counted(sim)
    assert {*strange.NONSENSE} <= {*made} or backend == "sqlite"


def ends(name: str, seed: int, look: Callable[[Simulation], None], **changed: Any) -> Simulation:
    """Play a run, and look at its devices before they are gone."""
    seen: list[Simulation] = []

    class Look(CHECKERS[0]):  # type: ignore[misc,valid-type]
        def ended(self) -> None:
            look(self.sim)
            seen.append(self.sim)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(f"{__name__}.CHECKERS", (*CHECKERS, Look))
        sim, verdict, _ = told(name, seed, **changed)
    assert verdict.violation is None, f"{verdict.violation}\n{verdict.trace}"
    assert seen == [sim]
    return sim


def proofs(device: SimulatedDevice) -> int:
    """How many forks a device has a proof of."""
    with device.running.store.read() as reader:
        return len(reader.evidence())


def test_two_changes_under_one_name_are_proved_and_end_as_two_lives_everywhere() -> None:
    proved = 0

    def look(sim: Simulation) -> None:
        nonlocal proved
        honest = sim.honest()
        for one, other in itertools.combinations(honest, 2):
            assert forks_between(one, other) == []
            assert one.running.digest() == other.running.digest()
            assert proofs(one) == proofs(other)
        proved += proofs(honest[0])

    for seed in range(4):
        sim = ends("equivocate", seed, look)
        assert counted(sim)["equivocation"] == 2
        assert sim.book.forked
    assert proved


def test_a_machine_that_was_put_back_forks_and_all_devices_end_equal() -> None:
    forked = 0

    def look(sim: Simulation) -> None:
        nonlocal forked
        forked += any(proofs(device) for device in sim.honest())

    for seed in range(4):
        ends("put machine back", seed, look)
    assert forked


def test_a_fork_is_no_excuse_to_hold_two_changes_under_another_name() -> None:
    """The book knows who was forked: nobody else's names may differ."""
    sim = ends("equivocate", 0, lambda _: None)
    actor, seq = min(sim.book.forked)
    assert sim.book.is_forked((actor, seq))
    assert sim.book.is_forked((actor, seq + 5))
    assert not sim.book.is_forked((actor, seq - 1))
    assert not sim.book.is_forked((bytes((actor[0] ^ 1, *actor[1:])), seq))


def test_operations_of_a_newer_version_are_kept_passed_on_and_counted_and_what_follows_arrives() -> None:
    def look(sim: Simulation) -> None:
        first, *others = sim.honest()
        assert first.running.waiting() >= len(TOLD_AT_S)
        written = len(sim.honest()) * (1 + len(TOLD_AT_S))
        assert len(first.running.table("tasks")) == written + len(TOLD_AT_S)  # and what is known of the newer ones
        for other in others:
            assert other.running.frontier() == first.running.frontier()
            assert other.running.digest() == first.running.digest()
            assert other.running.waiting() == first.running.waiting()

    ends("newer version", 0, look)


@pytest.fixture(params=["memory", "sqlite"])
def backend(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


def test_what_rots_on_a_disk_is_found_and_made_anew(backend: str) -> None:
    rotted = rebuilt = 0
    for seed in range(3):
        _, verdict, ear = told("rot", seed, backend=backend)
        assert verdict.violation is None, f"{verdict.violation}\n{verdict.trace}"
        names = {device for what, device, _ in ear.noted if what == "rot"}
        rotted += len(names)
        rebuilt += len(names & {device for what, device, _ in ear.noted if what == "rebuild"})
    assert rotted
    assert rebuilt


def test_a_liar_is_silent_in_the_second_act() -> None:
    _, verdict, ear = told("chatter", 1)
    assert verdict.violation is None
    after = ear.noted[[what for what, _, _ in ear.noted].index("heal") :]
    assert ("crash", "liar") in [(what, device) for what, device, _ in after]
    assert not [what for what, device, _ in after if device == "liar" and what in ("boot", "link", "equal")]
