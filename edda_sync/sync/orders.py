"""Orders: what a steward tells its runner to do, and what the runner reports back."""

from __future__ import annotations

from collections.abc import Sequence
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
    """What a device does as long as it runs, in words for a person."""

    TELLING = "telling peers of commits"
    PASSING_ON = "passing on what peers sent"
    TICKING = "timers of sessions"
    LOOKING = "watching the store"
    MEETING = "looking for members"
    DOUBTING = "noting that something here is damaged"
    MENDING = "mending"
    FETCHING = "asking peers for what rotted"
    COMPARING = "comparing again"
    SAVING = "saving proofs"
    SCRUBBING = "scrubbing"


@dataclass(frozen=True, slots=True)
class Order:
    """
    Carry out a duty once; then report ``done`` or ``failed``.

    Args:
        duty: The duty. Some are events of the replica (``steward.EVENTS``). ``TELLING`` reports what was :class:`Written`
            before it ran, and ``LOOKING`` what is written now. ``MEETING`` reads again who is a member, and ``SAVING``
            writes down which peers are proved equal.
    """

    duty: Duty


@dataclass(frozen=True, slots=True)
class Mend(Order):
    """Fold the entities with these keys from the log again; all entities if ``keys`` is None."""

    keys: tuple[bytes, ...] | None


@dataclass(frozen=True, slots=True)
class Scrub(Order):
    """Check whether what is stored after ``after`` is intact, up to ``limit`` entities; report :class:`Scrubbed`."""

    after: bytes
    limit: int


@dataclass(frozen=True, slots=True)
class Tell:
    """Tell a person what is wrong with this device, or that it is right again."""

    text: str


@dataclass(frozen=True, slots=True)
class End:
    """End the device: its store's file was taken away, so nothing that is written to it could be found again."""

    error: StorageError


class Written(NamedTuple):
    """
    The end of a log.

    Attributes:
        position: The position of the newest entry, by any author.
        own: The last change that this device itself made, in any process.
    """

    position: int
    own: Dot


class Scrubbed(NamedTuple):
    """
    The result of a scrub.

    Attributes:
        found: What is damaged, and can be folded again.
        following: Where the next scrub begins; None at the end.
        entities: How many entities there are in all.
        lost: In sentences for a person, what is damaged and cannot be folded again.
    """

    found: list[Damage]
    following: bytes | None
    entities: int
    lost: Sequence[str] = ()


Report = Written | Scrubbed | None
