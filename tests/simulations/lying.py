"""Helpers for tests of liars: runs with one, and a look at them afterwards."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from edda_sync.simulations.catalogue import ACTIONS, CHECKERS
from edda_sync.simulations.device import SimulatedDevice
from edda_sync.simulations.liars import Liar
from edda_sync.simulations.protocols import Action, Verdict
from edda_sync.simulations.simulator import Simulation
from edda_sync.simulations.tape import Profile, Tape
from edda_sync.simulations.workload import write
from edda_sync.words.errors import EddaError, RemoteMismatchError, RemoteProtocolError
from edda_sync.words.model import Task

CALM = Profile(devices=3, backend="memory", groups=frozenset(), real_keys=False, lawless=0)
LIES = {action.name: action for action in ACTIONS}
TOLD_AT_S = tuple(range(20, 60, 4))


class Ear:
    """Records what honest devices said."""

    def __init__(self) -> None:
        self.noted: list[tuple[str, str, dict[str, Any]]] = []

    def note(self, now: float, what: str, device: str, facts: Mapping[str, Any]) -> None:
        self.noted.append((what, device, dict(facts)))

    def frame(self, sent: float, arrived: float, sender: str, receiver: str, frame: bytes) -> None:
        pass

    def changed(self, now: float, device: SimulatedDevice) -> None:
        pass

    def troubles(self) -> set[str]:
        """The errors for which an honest device left the liar."""
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
    "depend": {RemoteProtocolError},  # a peer that asks for the same again and again, and not one that is merely ahead
}
"""The errors for which honest devices leave a liar that only tells this lie."""


def ends(name: str, seed: int, look: Callable[[Simulation], None], **changed: Any) -> Simulation:
    """Play a run, and look at its devices before it ends."""
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


def check_harmless(name: str, counts_as: str = "", seed: int = 0) -> Ear:
    """Let a liar tell one lie again and again; check that all honest devices end equal; return what was heard."""
    sim, verdict, ear = told(name, seed)
    assert verdict.violation is None, f"{verdict.violation}\n{verdict.trace}"
    assert counted(sim)[counts_as or name] >= 1
    return ear
