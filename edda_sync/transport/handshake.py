"""
The pairing handshake: how two devices prove to each other that they hold the same short code, and then trade secrets.

**Theory.** The code holds 8 secret digits (26.6 bits). SPAKE2 (Abdalla and Pointcheval, CT-RSA 2005; RFC 9382) turns
them into a strong key on both sides, and tells whoever listens or plays one of the sides nothing, except whether *one*
guess was right. The talk runs inside TLS 1.3; only the inviter shows a certificate, which is its device record::

    joiner                                                       inviter
      | hello      version, SPAKE2 message A                        |
      |------------------------------------------------------------>|
      |                                      SPAKE2 message B       | answer
      |<------------------------------------------------------------|
      | proof      HMAC, sealed device record                       |    one guess: a wrong proof kills the code
      |------------------------------------------------------------>|
      |                                      HMAC                   | proved    then the caller makes it a member
      |<------------------------------------------------------------|
      |                                      sealed welcome         | welcome
      |<------------------------------------------------------------|
      | received   HMAC                                             |
      |------------------------------------------------------------>|

Every key is HKDF-SHA256 (RFC 5869) of the SPAKE2 key, salted with the *transcript*: the hash of the certificate as that
side saw it and of the first two frames. A key has one label and one use, so the AEAD (RFC 8439) needs no nonces. The
proofs cover the transcript and the joiner's record, the last one the welcome too.

**Attack model.** On the network is somebody who reads, changes, drops and injects, and knows all but the digits.
  - Guessing: the joiner proves first; what the inviter sent until then fits every code. Who breaks off earlier has
    learnt nothing and leaves the code open; a wrong proof spends it. So one code is one guess, 1 in 10^8.
  - In the middle, with a certificate of their own: the transcripts differ, and the proof is wrong. Handing SPAKE2 on
    untouched gains nothing: record and welcome are sealed end to end.
  - Playing the inviter: one guess for each time that a person types the code.
  - Reflection, replay: the sides have different roles, identities and labels; each attempt has a new SPAKE2 secret.
  - Timing: ``spake2`` is pure Python and not constant-time; a code is used once, and answers come after a fixed time.
  - Denial: anybody on the LAN can spend a code with a wrong guess. The person hears why, and asks for a new one.

What lives here: frames, keys and the two machines. They take frames and ``now``, return effects, and know no sockets,
clocks or dice. Codes and connections are in ``pairing``; the record and the welcome are the callers' own bytes.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from hashlib import sha256
from typing import Annotated, ClassVar, Literal

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from spake2 import SPAKE2_A, SPAKE2_B, SPAKEError
from spake2.ed25519_basic import NotOnCurve

from edda_sync.words.errors import EddaError, LimitError, PairingError, RemoteMismatchError, RemoteProtocolError
from edda_sync.words.limits import PAIRING_FRAME_BYTES_MAX, PAIRING_GUESSES_MAX, PAIRING_WINDOW_S, PROTOCOL_VERSION

PURPOSE = b"edda-sync pairing 1 "
IDENTITIES = (PURPOSE + b"joiner", PURPOSE + b"inviter")  # SPAKE2's idA and idB
NONCE = bytes(12)  # each key seals one message only

assert PAIRING_GUESSES_MAX == 1, "the inviter's table spends a code at its first wrong proof"

Reason = Literal["wrong", "used", "expired", "closed", "broken"]
SENTENCES: Mapping[Reason, str] = {
    "wrong": "the code was wrong, or somebody stands between the two devices",
    "used": "this code was already used",
    "expired": f"this code has expired, since one is open for {PAIRING_WINDOW_S // 60} minutes",
    "closed": "no invitation is open there",
    "broken": "the two devices lost each other before they were done",
}


# --- frames -----------------------------------------------------------------------------------------------------------

_Point = Annotated[bytes, msgspec.Meta(min_length=33, max_length=33)]  # SPAKE2's side byte and an Ed25519 point
_Mac = Annotated[bytes, msgspec.Meta(min_length=32, max_length=32)]


class _Frame(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag=str.lower):
    pass


class Hello(_Frame, frozen=True):
    """The joiner opens an attempt."""

    version: int
    message: _Point


class Answer(_Frame, frozen=True):
    """The inviter's half of SPAKE2; it depends on the digits, but says nothing about them."""

    message: _Point


class Proof(_Frame, frozen=True):
    """The joiner knows the code; its device record is inside."""

    mac: _Mac
    record: bytes


class Proved(_Frame, frozen=True):
    """The inviter knows it too."""

    mac: _Mac


class Welcome(_Frame, frozen=True):
    """What the new member needs."""

    welcome: bytes


class Received(_Frame, frozen=True):
    """The joiner has it."""

    mac: _Mac


class Refused(_Frame, frozen=True):
    """The inviter ends the attempt; a hint for the person, proved by nothing."""

    reason: Reason


_AnyFrame = Hello | Answer | Proof | Proved | Welcome | Received | Refused
_DECODER: msgspec.msgpack.Decoder[_AnyFrame] = msgspec.msgpack.Decoder(_AnyFrame)


def _encode(frame: _Frame) -> bytes:
    encoded = msgspec.msgpack.encode(frame)
    if len(encoded) > PAIRING_FRAME_BYTES_MAX:
        raise LimitError("The bytes that pairing carries at once", len(encoded), PAIRING_FRAME_BYTES_MAX)
    return encoded


def _decode(frame: bytes) -> _AnyFrame:
    if len(frame) > PAIRING_FRAME_BYTES_MAX:
        raise RemoteProtocolError(f"a pairing frame of {len(frame):,} bytes")
    try:
        decoded = _DECODER.decode(frame)
    except (ValueError, RecursionError) as error:
        raise RemoteProtocolError("a malformed pairing frame") from error
    if msgspec.msgpack.encode(decoded) != frame:
        raise RemoteProtocolError("a pairing frame that is not in its one encoding")
    return decoded


def refusal(error: EddaError) -> bytes:
    """The frame that tells a joiner why its attempt ended."""
    for reason, sentence in SENTENCES.items():
        if isinstance(error, PairingError) and error.reason == sentence:
            return _encode(Refused(reason))
    return _encode(Refused("broken"))


# --- keys -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Agreement:
    """What both sides hold after SPAKE2, equal only if code, certificate and both messages were equal."""

    key: bytes = field(repr=False)
    transcript: bytes

    @classmethod
    def reached(cls, spake: SPAKE2_A | SPAKE2_B, message: bytes, *transcript: bytes) -> _Agreement:
        try:
            key = spake.finish(message)
        except (SPAKEError, NotOnCurve, ValueError) as error:
            raise RemoteProtocolError("a SPAKE2 message that is no point of its group") from error
        return cls(key, sha256(PURPOSE + _hashes(transcript)).digest())

    def derived(self, label: bytes) -> bytes:
        return HKDF(SHA256(), 32, salt=self.transcript, info=PURPOSE + label).derive(self.key)

    def mac(self, label: bytes, *covered: bytes) -> bytes:
        return hmac.digest(self.derived(label), self.transcript + _hashes(covered), "sha256")

    def sealed(self, label: bytes, content: bytes) -> bytes:
        return ChaCha20Poly1305(self.derived(label)).encrypt(NONCE, content, None)

    def opened(self, label: bytes, sealed: bytes) -> bytes | None:
        try:
            return ChaCha20Poly1305(self.derived(label)).decrypt(NONCE, sealed, None)
        except InvalidTag:
            return None


def _hashes(parts: tuple[bytes, ...]) -> bytes:
    return b"".join(sha256(part).digest() for part in parts)  # of fixed length, so that no two lists look alike


# --- machines ---------------------------------------------------------------------------------------------------------


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

    OPEN = auto()  # inviter: anybody may knock
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


class _Machine:
    table: ClassVar[Mapping[tuple[State, Event], State]]
    state: State

    def _expect(self, event: Event) -> None:
        if (self.state, event) not in self.table:
            raise RemoteProtocolError(f"a pairing frame out of turn, when {self.state.name.lower()}")

    def _advance(self, event: Event) -> None:
        self._expect(event)
        self.state = self.table[self.state, event]


class Inviter(_Machine):
    """
    One invitation, over as many connections as it takes, one attempt at a time.

    Give each frame of the connection whose turn it is to :meth:`receive`; call :meth:`dropped` when it ends early.

    Invariants:
      1. A wrong proof spends the code for ever.
      2. Nothing that depends on the digits and can be checked leaves before the joiner has proved that it knows them.
      3. The welcome leaves only after both proofs.
      4. After its window a code opens nothing; a joiner that proved itself in time is let in to the end.

    Args:
        password: The digits that the person reads out.
        certificate: What this device shows in TLS, DER.
        random_bytes: A secure source for SPAKE2.
        now: Monotonic time in seconds.
        window_s: How long the code is good for.
    """

    table: ClassVar[Mapping[tuple[State, Event], State]] = {
        (State.OPEN, Event.HELLO): State.ANSWERED,
        (State.OPEN, Event.DROPPED): State.OPEN,
        (State.OPEN, Event.TIME_UP): State.EXPIRED,
        (State.ANSWERED, Event.RIGHT): State.VERIFIED,
        (State.ANSWERED, Event.WRONG): State.SPENT,
        (State.ANSWERED, Event.DROPPED): State.OPEN,
        (State.ANSWERED, Event.TIME_UP): State.EXPIRED,
        (State.VERIFIED, Event.WELCOME): State.WELCOMED,
        (State.VERIFIED, Event.DROPPED): State.SPENT,
        (State.WELCOMED, Event.RECEIVED): State.DONE,
        (State.WELCOMED, Event.DROPPED): State.SPENT,
    }

    def __init__(
        self,
        password: bytes,
        certificate: bytes,
        random_bytes: Callable[[int], bytes],
        *,
        now: float,
        window_s: float = PAIRING_WINDOW_S,
    ) -> None:
        self.state = State.OPEN
        self._password, self._certificate, self._random_bytes = password, certificate, random_bytes
        self._deadline = now + window_s
        self._agreement = _Agreement(b"", b"")
        self._record = self._welcome = b""

    def receive(self, frame: bytes, now: float) -> list[Effect]:
        """
        Take one whole frame of the attempt.

        Carry out the effects in order. After :class:`Verified` nothing may be received before :meth:`welcome`.

        Args:
            frame: At most ``PAIRING_FRAME_BYTES_MAX`` bytes.
            now: Monotonic time in seconds.

        Raises:
            PairingError: The code is wrong, used or expired; send :func:`refusal` of it and close.
            RemoteProtocolError: The joiner broke the protocol; close, and call :meth:`dropped`.
            RemoteMismatchError: The joiner speaks another version; the same.
        """
        if now >= self._deadline:
            self.time_up()
        if self.state is State.EXPIRED:
            raise PairingError(SENTENCES["expired"])
        if self.state in (State.SPENT, State.DONE):
            raise PairingError(SENTENCES["used"])
        decoded = _decode(frame)
        match decoded:
            case Hello():
                return self._answer(decoded, frame)
            case Proof():
                return self._judge(decoded)
            case Received():
                self._finish(decoded)
                return []
            case _:
                raise RemoteProtocolError("a pairing frame that only an inviter sends")

    def welcome(self, welcome: bytes) -> list[Effect]:
        """
        Let the verified joiner in; wait for its last frame, then :attr:`state` is ``DONE``.

        Args:
            welcome: Whatever a new member needs.

        Raises:
            LimitError: The welcome does not fit a frame.
        """
        frame = _encode(Welcome(self._agreement.sealed(b"welcome", welcome)))
        self._advance(Event.WELCOME)
        self._welcome = welcome
        return [Send(frame)]

    def dropped(self) -> None:
        """The attempt's connection ended early: the code stays open if the joiner had proved nothing."""
        self._advance(Event.DROPPED)

    def time_up(self) -> None:
        """The window has passed: the state is ``EXPIRED``, unless the joiner had proved itself before."""
        if (self.state, Event.TIME_UP) in self.table:
            self._advance(Event.TIME_UP)

    def _answer(self, hello: Hello, frame: bytes) -> list[Effect]:
        self._expect(Event.HELLO)
        if hello.version != PROTOCOL_VERSION:
            raise RemoteMismatchError(f"it pairs by version {hello.version}, and this one by {PROTOCOL_VERSION}")
        spake = SPAKE2_B(self._password, *IDENTITIES, entropy_f=self._random_bytes)  # each attempt has its own secret
        answer = _encode(Answer(spake.start()))
        self._agreement = _Agreement.reached(spake, hello.message, self._certificate, frame, answer)
        self._advance(Event.HELLO)
        return [Send(answer)]

    def _judge(self, proof: Proof) -> list[Effect]:
        self._expect(Event.RIGHT)
        agreement = self._agreement
        record = agreement.opened(b"record", proof.record)
        if record is None or not hmac.compare_digest(proof.mac, agreement.mac(b"joiner", record)):
            self._advance(Event.WRONG)
            raise PairingError(SENTENCES["wrong"])
        self._advance(Event.RIGHT)
        self._record = record
        return [Send(_encode(Proved(agreement.mac(b"inviter", record)))), Verified(record)]

    def _finish(self, received: Received) -> None:
        self._expect(Event.RECEIVED)
        if not hmac.compare_digest(received.mac, self._agreement.mac(b"received", self._record, self._welcome)):
            raise RemoteProtocolError("a receipt for another welcome")
        self._advance(Event.RECEIVED)


class Joiner(_Machine):
    """
    One attempt to join: send :meth:`start`, then give every frame to :meth:`receive` until it says :class:`Welcomed`.

    Args:
        password: The digits that the person typed.
        record: Who this device is, for the inviter's caller.
        certificate: What the other end showed in TLS, DER.
        random_bytes: A secure source for SPAKE2.
    """

    table: ClassVar[Mapping[tuple[State, Event], State]] = {
        (State.IDLE, Event.START): State.ASKED,
        (State.ASKED, Event.ANSWER): State.PROVING,
        (State.ASKED, Event.REFUSED): State.FAILED,
        (State.PROVING, Event.RIGHT): State.ADMITTED,
        (State.PROVING, Event.WRONG): State.FAILED,
        (State.PROVING, Event.REFUSED): State.FAILED,
        (State.ADMITTED, Event.WELCOME): State.DONE,
        (State.ADMITTED, Event.REFUSED): State.FAILED,
    }

    def __init__(
        self, password: bytes, record: bytes, certificate: bytes, random_bytes: Callable[[int], bytes]
    ) -> None:
        self.state = State.IDLE
        self._record, self._certificate = record, certificate
        self._spake = SPAKE2_A(password, *IDENTITIES, entropy_f=random_bytes)
        self._agreement = _Agreement(b"", b"")
        self._hello = b""

    def start(self) -> list[Effect]:
        """Open the attempt."""
        self._advance(Event.START)
        self._hello = _encode(Hello(PROTOCOL_VERSION, self._spake.start()))
        return [Send(self._hello)]

    def receive(self, frame: bytes) -> list[Effect]:
        """
        Take one whole frame; carry out the effects in order.

        Raises:
            PairingError: The inviter refused, or did not know the code itself.
            RemoteProtocolError: The other end broke the protocol; close the connection.
            LimitError: This device's record does not fit a frame.
        """
        decoded = _decode(frame)
        match decoded:
            case Answer():
                return self._prove(decoded, frame)
            case Proved():
                self._expect(Event.RIGHT)
                if not hmac.compare_digest(decoded.mac, self._agreement.mac(b"inviter", self._record)):
                    self._advance(Event.WRONG)
                    raise PairingError(SENTENCES["wrong"])
                self._advance(Event.RIGHT)
                return []
            case Welcome():
                return self._enter(decoded)
            case Refused():
                self._advance(Event.REFUSED)
                raise PairingError(SENTENCES[decoded.reason])
            case _:
                raise RemoteProtocolError("a pairing frame that only a joiner sends")

    def _prove(self, answer: Answer, frame: bytes) -> list[Effect]:
        self._expect(Event.ANSWER)
        agreement = _Agreement.reached(self._spake, answer.message, self._certificate, self._hello, frame)
        proof = _encode(Proof(agreement.mac(b"joiner", self._record), agreement.sealed(b"record", self._record)))
        self._agreement = agreement
        self._advance(Event.ANSWER)
        return [Send(proof)]

    def _enter(self, frame: Welcome) -> list[Effect]:
        self._expect(Event.WELCOME)
        welcome = self._agreement.opened(b"welcome", frame.welcome)
        if welcome is None:
            raise RemoteProtocolError("a welcome that was changed on its way")
        self._advance(Event.WELCOME)
        received = _encode(Received(self._agreement.mac(b"received", self._record, welcome)))
        return [Send(received), Welcomed(welcome)]
