"""The state machine of one side: its states, its events, and the effects that it asks for."""

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
    """The joiner knew the code: call :meth:`Inviter.welcome`."""

    record: bytes


@dataclass(frozen=True, slots=True)
class Confirmed:
    """The joiner has the welcome: make it a member, then call :meth:`Inviter.admitted`."""


@dataclass(frozen=True, slots=True)
class Entered:
    """The inviter knew the code and let this device in."""

    welcome: bytes
    admission: bytes


Effect = Send | Verified | Confirmed | Entered


class State(Enum):
    """The state of a side."""

    OPEN = auto()  # inviter: anybody may call
    ANSWERED = auto()  # inviter: an attempt runs, nothing is proved yet
    VERIFIED = auto()  # inviter: the joiner knew the code
    WELCOMED = auto()  # inviter: the welcome is under way
    CONFIRMED = auto()  # inviter: the joiner has the welcome, and the caller makes it a member
    SPENT = auto()  # inviter: the code is used up
    EXPIRED = auto()  # inviter: nobody came in time
    IDLE = auto()  # joiner: nothing sent
    ASKED = auto()  # joiner: hello sent
    PROVING = auto()  # joiner: proof sent
    KNOWN = auto()  # joiner: the inviter knew the code; waiting for the welcome
    HOLDING = auto()  # joiner: it has the welcome, and waits to be let in
    FAILED = auto()  # joiner: type the code again, or ask for another one
    DONE = auto()  # both


class Event(Enum):
    """What can happen to a side."""

    HELLO = auto()
    RIGHT = auto()
    WRONG = auto()
    WELCOME = auto()
    RECEIVED = auto()
    ADMITTED = auto()
    DROPPED = auto()
    TIME_UP = auto()
    START = auto()
    ANSWER = auto()
    REFUSED = auto()


class Machine:
    """One side: a table says which event may happen in each state, and which state follows."""

    table: ClassVar[Mapping[tuple[State, Event], State]]
    state: State

    def expect(self, event: Event) -> None:
        """Raise :class:`RemoteProtocolError` if this event may not happen now."""
        if (self.state, event) not in self.table:
            raise RemoteProtocolError(f"a pairing frame out of turn, when {self.state.name.lower()}")

    def advance(self, event: Event) -> None:
        """Go to the state that follows; raise as in :meth:`expect`."""
        self.expect(event)
        self.state = self.table[self.state, event]
