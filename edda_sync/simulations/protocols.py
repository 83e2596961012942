"""The interfaces of a simulation: what it is given, what it tells recorders, and what it returns."""

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
    """Listens to what happens, for a picture or a trace."""

    def note(self, now: float, what: str, device: str, facts: Mapping[str, Any]) -> None:
        """Note something that happened at a device."""
        ...

    def frame(self, sent: float, arrived: float, sender: str, receiver: str, frame: bytes) -> None:
        """Note a frame that was delivered."""
        ...

    def changed(self, now: float, device: SimulatedDevice) -> None:
        """Look at an honest device whose store was written to, or that has just started."""
        ...


class Action(Protocol):
    """Something that can happen in the first act."""

    @property
    def name(self) -> str:
        """The name of the action on the tape."""
        ...

    @property
    def group(self) -> str:
        """The concern of the action. A run has all actions of a concern, or none."""
        ...

    @property
    def weight(self) -> int:
        """How often the action is drawn."""
        ...

    def __call__(self, sim: Simulation, draws: Draws) -> None:
        """Do it."""
        ...


@dataclass(slots=True)
class Verdict:
    """
    The result of a run.

    Attributes:
        violation: The invariant that does not hold; None when all hold.
        digest: A digest of everything that happened, equal for equal tapes on any machine.
        virtual_s: The simulated time.
        events: The number of events.
        changes: The number of changes that were made.
        profile: The kind of run.
        trace: The traceback, if the product raised an exception.
        planned: The events of the tape.
        taken: Those of them that happened.
        is_busy: Whether the run was busy with attached files.
    """

    seed: int
    profile: Profile
    violation: Violation | None = None
    digest: str = ""
    virtual_s: float = 0.0
    events: int = 0
    changes: int = 0
    trace: str = ""
    is_busy: bool = False
    planned: list[Event] = field(default_factory=list)
    taken: list[Event] = field(default_factory=list)
