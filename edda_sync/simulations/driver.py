"""What network and endings see of the simulation that drives them; ``simulator.Simulation`` is one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from edda_sync.simulations.book import Book
from edda_sync.simulations.links import Host
from edda_sync.simulations.tape import Tape


class Driver(Protocol):
    """Time, chance, the devices and the book of one run."""

    is_over: bool
    tape: Tape
    book: Book

    @property
    def now(self) -> float:
        """Virtual time, in seconds since the run began."""
        ...

    @property
    def devices(self) -> Sequence[Host]:
        """All devices, liars too."""
        ...

    def honest(self) -> Sequence[Host]:
        """Return the devices whose state matters."""
        ...

    def at(self, due: float, work: Callable[[], object]) -> None:
        """Let something happen at a time."""
        ...

    def later(self, delay_s: float, work: Callable[[], object]) -> None:
        """Let something happen after a while."""
        ...

    def note(self, what: str, device: Host | None, **facts: Any) -> None:
        """Take down what happens."""
        ...
