"""What a steward orders its runner to do, and what the runner reports of it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NamedTuple

from edda_sync.crdt.frontier import Dot
from edda_sync.fold.scrub import Damage
from edda_sync.words.errors import StorageError

TALKING: Final = "talking with peers"
TAKING: Final = "taking in what peers send"
ASKED: Final = "what a program asks of its store"


class Duty(StrEnum):
    """What a device does for as long as it runs, in the words that a person reads."""

    TELLING = "telling of commits"
    PASSING_ON = "passing on what peers sent"
    TICKING = "timers of talks"
    LOOKING = "watching the store"
    MEETING = "looking for members"
    DOUBTING = "calling nobody equal while something here is damaged"
    MENDING = "mending"
    FETCHING = "asking peers for what rotted"
    COMPARING = "comparing anew"
    SAVING = "saving proofs"
    SCRUBBING = "scrubbing"


@dataclass(frozen=True, slots=True)
class Order:
    """
    Carry out a duty once, and report its end with ``done`` or ``failed``.

    Args:
        duty: Some are events of the replica (``steward.EVENTS``); ``TELLING`` reports what was :class:`Written` before it,
            and ``LOOKING`` what is written now. ``MEETING`` reads anew who is a member, and ``SAVING`` writes down which
            peers are proved equal.
    """

    duty: Duty


@dataclass(frozen=True, slots=True)
class Mend(Order):
    """Fold entities anew from the log, by their keys; all of them where ``keys`` is None."""

    keys: tuple[bytes, ...] | None


@dataclass(frozen=True, slots=True)
class Scrub(Order):
    """Look whether so many stored entities behind ``after`` are what was written; report :class:`Scrubbed`."""

    after: bytes
    limit: int


@dataclass(frozen=True, slots=True)
class Tell:
    """Tell a person what is wrong with this device, or what was."""

    text: str


@dataclass(frozen=True, slots=True)
class End:
    """End the device: its store's file was taken away, and nobody would find what is written to it."""

    error: StorageError


class Written(NamedTuple):
    """
    What a log ends with.

    Attributes:
        position: Of its newest entry, whoever made that.
        own: The last change that this device itself made, in whichever process.
    """

    position: int
    own: Dot


class Scrubbed(NamedTuple):
    """
    What a scrub found.

    Attributes:
        found: What is not what was written.
        following: Where to go on; None at the end.
        entities: How many there are in all.
    """

    found: list[Damage]
    following: bytes | None
    entities: int


Report = Written | Scrubbed | None
