"""Helpers for tests of pairing: both sides, and a wire between them on which a test can change each frame."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256

from edda_sync.transport.pairing.inviter import Inviter
from edda_sync.transport.pairing.joiner import Joiner
from edda_sync.transport.pairing.machine import Send, Verified, Welcomed

PASSWORD = b"1234567890"
CERTIFICATE = b"the inviter's certificate"
RECORD = b"laptop: certificate and name"
WELCOME = b"members and keys"


def dice(seed: str) -> Callable[[int], bytes]:
    """A random source that repeats, so that a failing example can be run again."""
    drawn = iter(range(1_000))

    def draw(count: int) -> bytes:
        wanted = b"".join(sha256(f"{seed}/{next(drawn)}".encode()).digest() for _ in range(count // 32 + 1))
        return wanted[:count]

    return draw


@dataclass
class Pair:
    """Both machines and a wire on which a test can change each frame; ``frames`` holds what was sent."""

    joiner_password: bytes = PASSWORD
    inviter_password: bytes = PASSWORD
    certificate_shown: bytes = CERTIFICATE
    record: bytes = RECORD
    welcome: bytes = WELCOME
    change: Callable[[int, bytes], bytes] = field(default=lambda _, frame: frame)
    now: float = 0.0

    def __post_init__(self) -> None:
        self.inviter = Inviter(self.inviter_password, CERTIFICATE, dice("inviter"), now=0.0)
        self.joiner = Joiner(self.joiner_password, self.record, self.certificate_shown, dice("joiner"))
        self.frames: list[bytes] = []
        self.verified: bytes | None = None
        self.welcomed: bytes | None = None

    def run(self) -> Pair:
        """Carry frames until no machine sends any; errors of a machine come out."""
        to_inviter = list(self.joiner.start())
        while to_inviter:
            to_joiner = []
            for effect in to_inviter:
                match effect:
                    case Send(frame):
                        to_joiner += self.inviter.receive(self._carry(frame), self.now)
                    case Welcomed(welcome):
                        self.welcomed = welcome
            to_inviter = []
            for effect in to_joiner:
                match effect:
                    case Send(frame):
                        to_inviter += self.joiner.receive(self._carry(frame))
                    case Verified(record):
                        self.verified = record
                        for answer in self.inviter.welcome(self.welcome):
                            assert isinstance(answer, Send)
                            to_inviter += self.joiner.receive(self._carry(answer.frame))
        return self

    def _carry(self, frame: bytes) -> bytes:
        self.frames.append(frame)
        return self.change(len(self.frames) - 1, frame)


FRAMES = Pair().run().frames
NAMES = ("hello", "answer", "proof", "proved", "welcome", "received")


def stop_at(wanted: int) -> Callable[[int, bytes], bytes]:
    def change(index: int, frame: bytes) -> bytes:
        if index == wanted:
            raise ConnectionResetError
        return frame

    return change
