"""Links between two simulated devices, and a device as the rest of the simulator sees it."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Protocol, Self

from edda_sync.engine.engine import StorageEngine
from edda_sync.sync.replica import Replica
from edda_sync.words.errors import EddaError


class Host(Protocol):
    """A device, as the network, the book and the endings see it; ``device.SimulatedDevice`` is one."""

    name: str
    id: str
    honest: bool
    replica: Replica | None
    last_error: EddaError | None

    @property
    def links(self) -> Mapping[str, Link]:
        """The links that it considers open, by the id of the peer."""
        ...

    @property
    def is_awake(self) -> bool:
        """Whether it runs and does not sleep."""
        ...

    @property
    def running(self) -> StorageEngine:
        """The engine of a running device."""
        ...

    def has_link(self, other: Self) -> bool:
        """Tell whether this device has a link to exactly that device (and not to a copy of it), as far as it knows."""
        ...

    def trusts(self, other: Self) -> bool:
        """Tell whether another device is a member, as far as this one knows."""
        ...

    def connected(self, link: Link) -> None:
        """Begin a session over a new link."""
        ...

    def disconnected(self, link: Link) -> None:
        """Note that a link is gone."""
        ...

    def received(self, link: Link, sender: Self, frame: bytes, sent: float) -> None:
        """Receive a frame."""
        ...


class Link:
    """A connection of two devices."""

    __slots__ = ("alive", "arrival", "ends", "frames_left", "held", "ids", "made_s", "number")

    def __init__(self, number: int, first: Host, second: Host, made_s: float = 0.0) -> None:
        self.number, self.made_s = number, made_s
        self.ends = (first, second)
        self.ids = (first.id, second.id)  # of the ends, when it was made: one may become another device
        self.alive = [True, True]  # whether each end considers it open
        self.arrival = [0.0, 0.0]  # when the last frame to each end arrives
        # What a cut path holds back for each end, and when it was sent.
        self.held: tuple[deque[tuple[bytes, float]], ...] = (deque(), deque())
        self.frames_left: int | None = None  # how many frames until it breaks; None if it does not

    def side_of(self, device: Host) -> int:
        """Return the number of a device's end."""
        return 0 if self.ends[0] is device else 1

    def peer_of(self, device: Host) -> str:
        """Return the id under which a device knows the other end."""
        return self.ids[1 - self.side_of(device)]

    def other(self, device: Host) -> Host:
        """Return the device at the other end."""
        return self.ends[1 - self.side_of(device)]
