"""The simulation, as the network and the endings see it; ``simulator.Simulation`` is one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from edda_sync.simulations.book import Book
from edda_sync.simulations.links import Host
from edda_sync.simulations.tape import Tape


class Driver(Protocol):
    """Time, chance, the devices and the book of one run."""

    is_over: bool
    is_healing: bool
    tape: Tape
    book: Book

    @property
    def now(self) -> float:
        """Virtual time, in seconds since the run began."""
        ...

    @property
    def devices(self) -> Sequence[Host]:
        """All devices, with the liars."""
        ...

    def honest(self) -> Sequence[Host]:
        """Return the devices that must fulfil the invariants."""
        ...

    def at(self, due: float, work: Callable[[], object]) -> None:
        """Plan an event for a time."""
        ...

    def later(self, delay_s: float, work: Callable[[], object]) -> None:
        """Plan an event after a delay."""
        ...

    def note(self, what: str, device: Host | None, **facts: Any) -> None:
        """Record what happens."""
        ...


class Witness:
    """Whether a call at a device was acknowledged."""

    def __init__(self, device: Host) -> None:
        self.device = device
        self.is_acknowledged = False

    def acknowledged(self) -> None:
        """Note that the call returned."""
        self.is_acknowledged = True
