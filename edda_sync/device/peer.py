"""A peer: what a device knows about where another member is, and how often it calls there because of mere hints."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Final

from edda_sync.device.allowance import Allowance
from edda_sync.transport.interfaces import Endpoint
from edda_sync.transport.link import Link
from edda_sync.transport.packets import Packets
from edda_sync.words import limits

_EARLIER_KEPT: Final = 4  # earlier addresses that are kept beside new ones


@dataclass(slots=True)
class Peer:
    """
    What is known about where a member is.

    Attributes:
        endpoints: Its possible addresses, best first.
        link: The open link; None when there is none.
        error: Why the last try failed, for a person.
        failures: How many tries in a row failed.
        is_failing: Whether sessions with it end over a fault, on either side.
        is_unsteady: Whether the last link ended too soon, or over a fault; then hints about its address do not hurry a try.
        refused: How many links in a row it ended in favour of another one, when this device had no other.
        hung_up: Whether it closed the last call on seeing our certificate. A device that is ending does so too, once.
        hurry: Whether to end the pause before the next try.
        packets: How large packets to it may be.
        known: Addresses where it was met, or that a person named; at other ones, only hints say that it is there.
        hinted_dials: How often an address that only a hint names may be called.
        hinted_hurries: How often a hint may end a pause.
    """

    device: str
    endpoints: list[Endpoint] = field(default_factory=list)
    link: Link | None = None
    error: str = ""
    failures: int = 0
    is_failing: bool = False
    is_unsteady: bool = False
    refused: int = 0
    hung_up: bool = False
    hurry: bool = False
    packets: Packets = field(default_factory=Packets)
    nudge: asyncio.Event = field(default_factory=asyncio.Event)
    keeper: asyncio.Task[None] | None = None
    known: list[Endpoint] = field(default_factory=list)
    hinted_dials: Allowance = field(default_factory=lambda: Allowance(limits.HINTED_DIALS_MAX, limits.HINTS_WINDOW_S))
    hinted_hurries: Allowance = field(
        default_factory=lambda: Allowance(limits.HINTED_HURRIES_MAX, limits.HINTS_WINDOW_S)
    )

    def note(self, endpoints: list[Endpoint], *, known: bool) -> None:
        """Note addresses where it may be, and keep some of the earlier ones, first of all those where it was met."""
        if known:
            self.known = (endpoints + [each for each in self.known if each not in endpoints])[: limits.ADDRESSES_MAX]
        rest = sorted(
            (each for each in self.endpoints if each not in endpoints), key=lambda each: each not in self.known
        )
        self.endpoints = endpoints + rest[:_EARLIER_KEPT]

    def may_call(self, endpoint: Endpoint, now_s: float) -> bool:
        """Return whether an address may be called now: a stranger can send hints as often as it likes."""
        return endpoint in self.known or self.hinted_dials.take(now_s)
