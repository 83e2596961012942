"""The inviter: the side that shows a certificate, and lets in the device that proves that it knows the code."""

from __future__ import annotations

import hmac
from collections.abc import Callable, Mapping
from typing import ClassVar

from spake2 import SPAKE2_B

from edda_sync.transport.pairing.agreement import IDENTITIES, Agreement
from edda_sync.transport.pairing.frames import (
    SENTENCES,
    Admitted,
    Answer,
    Hello,
    Proof,
    Proved,
    Received,
    Welcome,
    decode,
    encode,
)
from edda_sync.transport.pairing.machine import Confirmed, Effect, Event, Machine, Send, State, Verified
from edda_sync.words.errors import PairingError, RemoteMismatchError, RemoteProtocolError
from edda_sync.words.limits import PAIRING_GUESSES_MAX, PAIRING_VERSION, PAIRING_WINDOW_S

assert PAIRING_GUESSES_MAX == 1, "the inviter's table spends a code at its first wrong proof"


class Inviter(Machine):
    """
    One invitation: it serves many connections, one attempt at a time.

    Pass each frame of the current connection to :meth:`receive`. Call :meth:`dropped` if the connection ends early.

    Invariants:
      1. A wrong proof uses up the code for good.
      2. Nothing that depends on the digits and can be checked is sent before the joiner has proved that it knows them.
      3. The welcome is sent only after both proofs.
      4. Nobody is let in, and told a secret, before it has confirmed the welcome. Who confirmed it and then is lost may have
         been let in; nobody else may.
      5. After its window a code is invalid; a joiner that proved itself in time may still finish.

    Args:
        password: The digits that the person reads out.
        certificate: This device's certificate, DER.
        random_bytes: A secure source for SPAKE2.
        now: Monotonic time in seconds.
        window_s: How long the code is valid.
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
        (State.WELCOMED, Event.RECEIVED): State.CONFIRMED,
        (State.WELCOMED, Event.DROPPED): State.SPENT,
        (State.CONFIRMED, Event.ADMITTED): State.DONE,
        (State.CONFIRMED, Event.DROPPED): State.SPENT,
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
        self._agreement = Agreement(b"", b"")
        self._record = self._welcome = b""

    def receive(self, frame: bytes, now: float) -> list[Effect]:
        """
        Take one whole frame of the attempt.

        Carry out the effects in order. After :class:`Verified`, call :meth:`welcome` before the next frame is taken, and
        after :class:`Confirmed` :meth:`admitted`.

        Args:
            frame: At most ``PAIRING_FRAME_BYTES_MAX`` bytes.
            now: Monotonic time in seconds.

        Raises:
            PairingError: The code is wrong, used or expired; send its :func:`refusal` and close the connection.
            RemoteProtocolError: The joiner broke the protocol; close the connection, and call :meth:`dropped`.
            RemoteMismatchError: The joiner speaks another version; do the same.
        """
        if now >= self._deadline:
            self.time_up()
        if self.state is State.EXPIRED:
            raise PairingError(SENTENCES["expired"])
        if self.state in (State.SPENT, State.DONE):
            raise PairingError(SENTENCES["used"])
        decoded = decode(frame)
        match decoded:
            case Hello():
                return self._answer(decoded, frame)
            case Proof():
                return self._judge(decoded)
            case Received():
                return self._confirmed(decoded)
            case _:
                raise RemoteProtocolError("a pairing frame that only an inviter sends")

    def welcome(self, welcome: bytes) -> list[Effect]:
        """
        Welcome the verified joiner.

        Args:
            welcome: What a new member needs, and that is no secret.

        Raises:
            LimitError: The welcome does not fit into a frame.
        """
        frame = encode(Welcome(self._agreement.sealed(b"welcome", welcome)))
        self.advance(Event.WELCOME)
        self._welcome = welcome
        return [Send(frame)]

    def admitted(self, admission: bytes) -> list[Effect]:
        """
        Tell the joiner that it was let in; :attr:`state` is ``DONE``.

        Args:
            admission: The rest of what it needs.
        """
        frame = encode(Admitted(self._agreement.sealed(b"admitted", admission)))
        self.advance(Event.ADMITTED)
        return [Send(frame)]

    def dropped(self) -> None:
        """Note that the attempt's connection ended early. The code stays valid unless the joiner proved itself."""
        self.advance(Event.DROPPED)

    def time_up(self) -> None:
        """Note that the window has passed: the state is ``EXPIRED``, unless the joiner proved itself before."""
        if (self.state, Event.TIME_UP) in self.table:
            self.advance(Event.TIME_UP)

    def _answer(self, hello: Hello, frame: bytes) -> list[Effect]:
        self.expect(Event.HELLO)
        if hello.version != PAIRING_VERSION:
            raise RemoteMismatchError(f"it pairs by version {hello.version}, and this one by {PAIRING_VERSION}")
        spake = SPAKE2_B(self._password, *IDENTITIES, entropy_f=self._random_bytes)  # each attempt has its own secret
        answer = encode(Answer(spake.start()))
        self._agreement = Agreement.reached(spake, hello.message, self._certificate, frame, answer)
        self.advance(Event.HELLO)
        return [Send(answer)]

    def _judge(self, proof: Proof) -> list[Effect]:
        self.expect(Event.RIGHT)
        agreement = self._agreement
        record = agreement.opened(b"record", proof.record)
        if record is None or not hmac.compare_digest(proof.mac, agreement.mac(b"joiner", record)):
            self.advance(Event.WRONG)
            raise PairingError(SENTENCES["wrong"])
        self.advance(Event.RIGHT)
        self._record = record
        return [Send(encode(Proved(agreement.mac(b"inviter", record)))), Verified(record)]

    def _confirmed(self, received: Received) -> list[Effect]:
        self.expect(Event.RECEIVED)
        if not hmac.compare_digest(received.mac, self._agreement.mac(b"received", self._record, self._welcome)):
            raise RemoteProtocolError("a receipt for another welcome")
        self.advance(Event.RECEIVED)
        return [Confirmed()]
