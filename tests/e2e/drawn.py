"""
A drawer of networks: from a seed, how three devices are joined, how good their cables and clocks are, and what happens.

    plan = draw(7)        # the same plan each time; tests/e2e/networks.py makes it with real processes

A plan only asks what its network can give: who is behind a router is the one who calls, and whose address is named by
others keeps it. So after the last event each two devices must be linked again, whatever was drawn.
"""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final, Literal

from tests.e2e.wire import Faults

DEVICES: Final = 3

Shape = Literal["switch", "scoped", "two switches", "nat", "routed", "container"]
SHAPES: Final[tuple[Shape, ...]] = ("switch", "nat", "scoped", "container", "two switches", "routed")
"""How the devices are joined: one switch; one switch, and no addresses but IPv6 link-local ones; two switches at a time; the
first device behind a router that hides its address, or that does not; or in a container on the second device's machine."""
CALLERS: Final[dict[Shape, tuple[tuple[int, int], ...]]] = {
    "nat": ((0, 1), (0, 2)),
    "routed": ((0, 1), (0, 2)),
    "container": ((0, 2),),
}
"""Who has to be told whose address, because multicast does not get there; all others find each other."""

What = Literal["pull", "carrier", "silence", "readdress", "suspend", "kill", "deaf", "router"]
WHATS: Final[tuple[What, ...]] = ("pull", "carrier", "silence", "readdress", "suspend", "kill", "deaf", "router")
"""What happens to a device: its interface goes down; its cable is pulled at the far end; nothing passes, and nothing shows
it; its address changes; it sleeps; it is killed. And to all: the switch loses multicast; the router starts anew."""

Hazard = Literal["clocks", "narrow"]
HAZARDS: Final[tuple[Hazard, ...]] = ("clocks", "narrow")
"""Clocks that are wrong; and a router that lets no large packets pass, and does not say so."""

_MINUTE, _HOUR, _DAY = 60, 3_600, 86_400
CLOCKS_S: Final = (20 * _MINUTE, 90 * _MINUTE, 3 * _HOUR, _DAY, 90 * _DAY, 14 * 365 * _DAY)
GOOD: Final = Faults()
PAUSE_S: Final = 0.1  # between two events of one device


@dataclass(frozen=True, slots=True)
class Event:
    """
    Something that happens.

    Attributes:
        at_s, lasts_s: When it begins, in seconds after all were equal, and how long it lasts.
        who: The device.
        cable: The device's cable, if it has two.
        writer: Another device, which writes meanwhile.
    """

    at_s: float
    lasts_s: float
    what: What
    who: int
    cable: int
    writer: int

    @property
    def end_s(self) -> float:
        """When it is over."""
        return self.at_s + self.lasts_s

    @property
    def concerns(self) -> int | None:
        """The device that it happens to; None if it happens to the network. What concerns one comes one after another."""
        return None if self.what in ("deaf", "router") else self.who

    def __str__(self) -> str:
        to = "" if self.concerns is None else f" {self.who}"
        return f"{self.what}{to} at {self.at_s:.1f}-{self.end_s:.1f} s"


@dataclass(frozen=True, slots=True)
class Plan:
    """
    A network, and what happens in it.

    Attributes:
        seed: Draws the same plan again.
        shape: How the devices are joined.
        is_narrow: Whether the router loses large packets without a word.
        clocks_s: How far each device's clock is off.
        cables: How bad each device's cable is.
        events: In the order in which they begin.
    """

    seed: int
    shape: Shape
    is_narrow: bool
    clocks_s: tuple[int, ...]
    cables: tuple[Faults, ...]
    events: tuple[Event, ...]

    @property
    def kind(self) -> str:
        """The shape, and the hazards."""
        return ", ".join(
            [self.shape, *(["narrow"] if self.is_narrow else []), *(["clocks"] if any(self.clocks_s) else [])]
        )

    @property
    def end_s(self) -> float:
        """When the last event is over."""
        return max(event.end_s for event in self.events)

    def __str__(self) -> str:
        bad = [f"cable of {who}: {faults}" for who, faults in enumerate(self.cables) if faults != GOOD]
        clocks = [f"clocks {', '.join(f'{each:+,} s' for each in self.clocks_s)}"] if any(self.clocks_s) else []
        return "; ".join([self.kind, *clocks, *bad, *map(str, self.events)])


def draw(seed: int, *, whole: bool = True, hazards: Iterable[Hazard] = HAZARDS) -> Plan:
    """
    Draw a plan.

    Args:
        seed: Seeds that follow each other have all shapes in turn.
        whole: Whether it is as long as in a campaign; otherwise fewer and shorter events.
        hazards: The hazards that may be drawn; without one, a seed's plan is otherwise the same.
    """
    rng = random.Random(f"network {seed}")
    shape = SHAPES[seed % len(SHAPES)]
    wrong, narrow = rng.random() < 0.3, rng.random() < 0.5
    clocks_s = tuple(rng.choice((-1, 1)) * rng.choice(CLOCKS_S) if rng.random() < 0.6 else 0 for _ in range(DEVICES))
    cables = tuple(_cable(rng) for _ in range(DEVICES))
    return Plan(
        seed,
        shape,
        narrow and shape in ("nat", "routed") and "narrow" in hazards,
        clocks_s if wrong and "clocks" in hazards else (0,) * DEVICES,
        cables,
        tuple(_events(rng, shape, whole=whole)),
    )


def _cable(rng: random.Random) -> Faults:
    """Most cables are good."""
    faults = rng.choice(
        (
            Faults(loss_percent=rng.uniform(1, 10)),
            Faults(delay_ms=rng.uniform(20, 150), jitter_ms=rng.uniform(0, 20)),
            Faults(delay_ms=20, rate_kbit=rng.uniform(256, 2_000)),
            Faults(loss_percent=3, delay_ms=60, jitter_ms=40, reorder_percent=10, duplicate_percent=1),
        )
    )
    return faults if rng.random() < 0.2 else GOOD


def _events(rng: random.Random, shape: Shape, *, whole: bool) -> list[Event]:
    """Draw events. Those of one device, or of the network, come one after another; others may overlap."""
    count = rng.randint(4, 7) if whole else 3
    longest_s = 6.0 if whole else 1.5
    busy_s: dict[int | None, float] = {}
    events, at_s = [], 0.0
    for _ in range(count):
        what, who = rng.choice(whats(shape)), rng.randrange(DEVICES)
        while what == "readdress" and who in named(shape):
            who = rng.randrange(DEVICES)
        at_s += rng.uniform(0.0, longest_s / 2)
        lasts_s = rng.uniform(0.2, longest_s)
        writer = rng.choice([each for each in range(DEVICES) if each != who])
        cable = rng.randrange(2) if shape == "two switches" else 0
        event = Event(at_s, lasts_s, what, who, cable, writer)
        at_s = max(at_s, busy_s.get(event.concerns, 0.0))
        events.append(replace(event, at_s=at_s))
        busy_s[event.concerns] = at_s + lasts_s + PAUSE_S
    return events


def whats(shape: Shape) -> list[What]:
    """Return what can happen in a network of this shape."""
    return [what for what in WHATS if what != "router" or shape in ("nat", "routed")]


def named(shape: Shape) -> set[int]:
    """Return the devices whose addresses others were told: they keep them, since nobody would find the new ones."""
    return {target for _, target in CALLERS.get(shape, ())}
