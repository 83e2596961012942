"""Helpers for tests of actions: a run in which one of them happens."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from edda_sync.simulations.device import SimulatedDevice
from edda_sync.simulations.tape import Event, Profile, Tape

TIMES = 4


class Notes:
    """Counts what was noted."""

    def __init__(self) -> None:
        self.count: Counter[str] = Counter()

    def note(self, now: float, what: str, device: str, facts: Mapping[str, Any]) -> None:
        self.count[what] += 1

    def frame(self, sent: float, arrived: float, sender: str, receiver: str, frame: bytes) -> None:
        pass

    def changed(self, now: float, device: SimulatedDevice) -> None:
        pass


def tape_of(action: str, backend: str) -> Tape:
    """People work, and something happens several times."""
    profile = Profile(devices=3, backend=backend, groups=frozenset(), real_keys=False, lawless=0)
    names = ["add task", "add task", "add document", "write set"]
    for _ in range(TIMES):
        names += [action, "edit task", "type", "write set", "tag task"]
    return Tape(1, fixed=(profile, [Event(number, 5.0 * number, name) for number, name in enumerate(names)]))
