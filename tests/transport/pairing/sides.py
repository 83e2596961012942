"""Helpers for tests of pairing: both sides, and a wire between them on which a test can change each frame."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256

from edda_sync.transport.pairing.inviter import Inviter
from edda_sync.transport.pairing.joiner import Joiner
from edda_sync.transport.pairing.machine import Confirmed, Entered, Send, Verified

PASSWORD = b"1234567890"
CERTIFICATE = b"the inviter's certificate"
RECORD = b"laptop: certificate and name"
WELCOME = b"members"
ADMISSION = b"keys"


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
    admission: bytes = ADMISSION
    change: Callable[[int, bytes], bytes] = field(default=lambda _, frame: frame)
    now: float = 0.0

    def __post_init__(self) -> None:
        self.inviter = Inviter(self.inviter_password, CERTIFICATE, dice("inviter"), now=0.0)
        self.joiner = Joiner(self.joiner_password, self.record, self.certificate_shown, dice("joiner"))
        self.frames: list[bytes] = []
        self.verified: bytes | None = None
        self.is_let_in = False
        self.entered: Entered | None = None

    def run(self) -> Pair:
        """Carry frames until no machine sends any; errors of a machine come out."""
        to_inviter = deque(self.joiner.start())
        while to_inviter:
            effect = to_inviter.popleft()
            if isinstance(effect, Entered):
                self.entered = effect
                continue
            assert isinstance(effect, Send)
            to_joiner = deque(self.inviter.receive(self._carry(effect.frame), self.now))
            while to_joiner:
                match to_joiner.popleft():
                    case Send(frame):
                        to_inviter += self.joiner.receive(self._carry(frame))
                    case Verified(record):
                        self.verified = record
                        to_joiner += self.inviter.welcome(self.welcome)
                    case Confirmed():
                        self.is_let_in = True
                        to_joiner += self.inviter.admitted(self.admission)
        return self

    def _carry(self, frame: bytes) -> bytes:
        self.frames.append(frame)
        return self.change(len(self.frames) - 1, frame)


FRAMES = Pair().run().frames
NAMES = ("hello", "answer", "proof", "proved", "welcome", "received", "admitted")


def stop_at(wanted: int) -> Callable[[int, bytes], bytes]:
    def change(index: int, frame: bytes) -> bytes:
        if index == wanted:
            raise ConnectionResetError
        return frame

    return change
