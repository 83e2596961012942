"""What a replica asks its runner to do, in order."""

from __future__ import annotations

from dataclasses import dataclass

from edda_sync.errors import EddaError


@dataclass(frozen=True, slots=True)
class Send:
    """Send a frame to a peer, after what was sent before it."""

    peer: str
    frame: bytes


@dataclass(frozen=True, slots=True)
class Close:
    """Close the link to a peer, once what was to be sent is sent; ``error`` says why, if anything went wrong."""

    peer: str
    error: EddaError | None


@dataclass(frozen=True, slots=True)
class Applied:
    """Changes of a peer are durable here and visible."""

    peer: str
    changes: int


@dataclass(frozen=True, slots=True)
class Proved:
    """This device and a peer hold the same changes, and their digests say the same content."""

    peer: str


@dataclass(frozen=True, slots=True)
class Differs:
    """
    Equal frontiers, nothing waiting, and yet another content: these buckets differ. Rebuild the view from the log.

    A replica says it of a peer once, until the two are proved equal: a rebuild that changes nothing is the peer's damage.
    """

    peer: str
    buckets: tuple[int, ...]


Effect = Send | Close | Applied | Proved | Differs
