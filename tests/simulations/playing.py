"""Helpers for tests of plays: a run of some devices with real keys in which actions happen one after another."""

from __future__ import annotations

from collections.abc import Sequence

from edda_sync.simulations.catalogue import ACTIONS, CHECKERS
from edda_sync.simulations.protocols import Verdict
from edda_sync.simulations.recording import Recording
from edda_sync.simulations.simulator import Simulation
from edda_sync.simulations.tape import Event, Profile, Tape

EVERY_S = 10.0


def play(actions: Sequence[str], seed: int = 1, devices: int = 3) -> tuple[Verdict, Recording, Simulation]:
    """Run actions, each some seconds after the one before."""
    profile = Profile(devices=devices, backend="memory", groups=frozenset(), real_keys=True, lawless=0)
    events = [Event(number, 5 + EVERY_S * number, action) for number, action in enumerate(actions)]
    recording = Recording()
    sim = Simulation(Tape(seed, fixed=(profile, events)), ACTIONS, CHECKERS, recorder=recording)
    return sim.run(), recording, sim


def held(verdict: Verdict) -> None:
    """Check that all held."""
    assert verdict.violation is None, f"{verdict.violation}\n{verdict.trace}"


def count(recording: Recording, what: str, action: str | None = None) -> int:
    """Return how often something was noted."""
    found = [each for each in recording.moments if each.what == what]
    return len([each for each in found if action in (None, each.facts.get("action"))])
