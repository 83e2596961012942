"""The states of a session, and the events that may come in each."""

from __future__ import annotations

from enum import Enum
from typing import Final


class State(Enum):
    """The state of a session."""

    OPENING = "opening"
    READING = "reading"
    OPEN = "open"
    CLOSED = "closed"


class Event(Enum):
    """What can come from the peer."""

    HELLO = "hello"
    PAGE = "page"
    DATA = "data"
    OFFER = "offer"
    ACK = "ack"
    CELLS = "cells"
    FETCH = "fetch"
    FILES = "files"
    GOODBYE = "goodbye"


TRANSITIONS: Final[dict[tuple[State, Event], State]] = {
    (State.OPENING, Event.HELLO): State.OPEN,  # or READING, while more of it is to come
    (State.OPENING, Event.GOODBYE): State.CLOSED,
    (State.READING, Event.PAGE): State.OPEN,  # or READING
    (State.READING, Event.GOODBYE): State.CLOSED,
    (State.OPEN, Event.HELLO): State.OPEN,  # a fork was proved, so names have changed
    (State.OPEN, Event.DATA): State.OPEN,
    (State.OPEN, Event.OFFER): State.OPEN,
    (State.OPEN, Event.ACK): State.OPEN,
    (State.OPEN, Event.CELLS): State.OPEN,
    (State.OPEN, Event.FETCH): State.OPEN,
    (State.OPEN, Event.FILES): State.OPEN,
    (State.OPEN, Event.GOODBYE): State.CLOSED,
}
