"""What a simulation is handed, what it tells whoever listens, and what it returns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from edda_sync.simulations.tape import Draws, Event, Profile
from edda_sync.simulations.violation import Violation

if TYPE_CHECKING:
    from edda_sync.simulations.device import SimulatedDevice
    from edda_sync.simulations.simulator import Simulation


class Recorder(Protocol):
    """Who listens to what happens, for a picture or a trace."""

    def note(self, now: float, what: str, device: str, facts: Mapping[str, Any]) -> None:
        """Take note of something at a device."""
        ...

    def frame(self, sent: float, arrived: float, sender: str, receiver: str, frame: bytes) -> None:
        """Take note of a frame that was delivered."""
        ...

    def changed(self, now: float, device: SimulatedDevice) -> None:
        """Look at an honest device whose store was written to, or that has just started."""
        ...


class Action(Protocol):
    """Something that can happen in the first act."""

    @property
    def name(self) -> str:
        """What the tape calls it."""
        ...

    @property
    def group(self) -> str:
        """The concern that it belongs to: a run has all of a group, or none."""
        ...

    @property
    def weight(self) -> int:
        """How often it is drawn."""
        ...

    def __call__(self, sim: Simulation, draws: Draws) -> None:
        """Do it."""
        ...


@dataclass(slots=True)
class Verdict:
    """
    What a run showed.

    Attributes:
        violation: What does not hold; None when all does.
        digest: Of everything that happened: equal for equal tapes, anywhere.
        virtual_s: How much simulated time passed.
        events: How many events there were.
        changes: How many changes were made.
        profile: What kind of run it was.
        trace: Where in the code, if the product raised.
        planned: The events of the tape.
        taken: Those of them that happened.
    """

    seed: int
    profile: Profile
    violation: Violation | None = None
    digest: str = ""
    virtual_s: float = 0.0
    events: int = 0
    changes: int = 0
    trace: str = ""
    planned: list[Event] = field(default_factory=list)
    taken: list[Event] = field(default_factory=list)
