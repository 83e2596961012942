"""The machine of either side: its states, what can happen to it, and the effects that it asks for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import ClassVar

from edda_sync.words.errors import RemoteProtocolError


@dataclass(frozen=True, slots=True)
class Send:
    """Write this frame to the connection."""

    frame: bytes


@dataclass(frozen=True, slots=True)
class Verified:
    """The joiner knew the code: make it a member, then call :meth:`Inviter.welcome`."""

    record: bytes


@dataclass(frozen=True, slots=True)
class Welcomed:
    """The inviter knew the code and let this device in."""

    welcome: bytes


Effect = Send | Verified | Welcomed


class State(Enum):
    """Where a side stands."""

    OPEN = auto()  # inviter: anybody may call
    ANSWERED = auto()  # inviter: an attempt runs, nothing is proved
    VERIFIED = auto()  # inviter: the joiner knew the code, the caller makes it a member
    WELCOMED = auto()  # inviter: the welcome is on its way
    SPENT = auto()  # inviter: the code opens nothing any more
    EXPIRED = auto()  # inviter: nobody came in time
    IDLE = auto()  # joiner: nothing sent
    ASKED = auto()  # joiner: hello sent
    PROVING = auto()  # joiner: proof sent
    ADMITTED = auto()  # joiner: the inviter knew the code, its welcome is awaited
    FAILED = auto()  # joiner: type the code again, or ask for another
    DONE = auto()  # both


class Event(Enum):
    """What can happen to a side."""

    HELLO = auto()
    RIGHT = auto()
    WRONG = auto()
    WELCOME = auto()
    RECEIVED = auto()
    DROPPED = auto()
    TIME_UP = auto()
    START = auto()
    ANSWER = auto()
    REFUSED = auto()


class Machine:
    """One side: a table says what may happen in each state, and what follows."""

    table: ClassVar[Mapping[tuple[State, Event], State]]
    state: State

    def expect(self, event: Event) -> None:
        """Raise :class:`RemoteProtocolError` when this may not happen now."""
        if (self.state, event) not in self.table:
            raise RemoteProtocolError(f"a pairing frame out of turn, when {self.state.name.lower()}")

    def advance(self, event: Event) -> None:
        """Go on to the state that follows; raise as :meth:`expect`."""
        self.expect(event)
        self.state = self.table[self.state, event]
