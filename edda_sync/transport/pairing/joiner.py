"""The joiner: the side where a person typed the code; it is the first to prove that it knows the code."""

from __future__ import annotations

import hmac
from collections.abc import Callable, Mapping
from typing import ClassVar

from spake2 import SPAKE2_A

from edda_sync.transport.pairing.agreement import IDENTITIES, Agreement
from edda_sync.transport.pairing.frames import (
    SENTENCES,
    Admitted,
    Answer,
    Hello,
    Proof,
    Proved,
    Received,
    Refused,
    Welcome,
    decode,
    encode,
)
from edda_sync.transport.pairing.machine import Effect, Entered, Event, Machine, Send, State
from edda_sync.words.errors import PairingError, RemoteProtocolError
from edda_sync.words.limits import PAIRING_VERSION


class Joiner(Machine):
    """
    One attempt to join: send :meth:`start`, then pass every frame to :meth:`receive` until it returns :class:`Entered`.

    Args:
        password: The digits that the person typed.
        record: This device's record, for the inviter.
        certificate: The certificate that the other end showed in TLS, DER.
        random_bytes: A secure source for SPAKE2.
    """

    table: ClassVar[Mapping[tuple[State, Event], State]] = {
        (State.IDLE, Event.START): State.ASKED,
        (State.ASKED, Event.ANSWER): State.PROVING,
        (State.ASKED, Event.REFUSED): State.FAILED,
        (State.PROVING, Event.RIGHT): State.KNOWN,
        (State.PROVING, Event.WRONG): State.FAILED,
        (State.PROVING, Event.REFUSED): State.FAILED,
        (State.KNOWN, Event.WELCOME): State.HOLDING,
        (State.KNOWN, Event.REFUSED): State.FAILED,
        (State.HOLDING, Event.ADMITTED): State.DONE,
        (State.HOLDING, Event.REFUSED): State.FAILED,
    }

    def __init__(
        self, password: bytes, record: bytes, certificate: bytes, random_bytes: Callable[[int], bytes]
    ) -> None:
        self.state = State.IDLE
        self._record, self._certificate = record, certificate
        self._spake = SPAKE2_A(password, *IDENTITIES, entropy_f=random_bytes)
        self._agreement = Agreement(b"", b"")
        self._hello = self._welcome = b""

    def start(self) -> list[Effect]:
        """Begin the attempt."""
        self.advance(Event.START)
        self._hello = encode(Hello(PAIRING_VERSION, self._spake.start()))
        return [Send(self._hello)]

    def receive(self, frame: bytes) -> list[Effect]:
        """
        Take one whole frame; carry out the effects in order.

        Raises:
            PairingError: The inviter refused, or did not know the code itself.
            RemoteProtocolError: The other end broke the protocol; close the connection.
            LimitError: This device's record does not fit into a frame.
        """
        decoded = decode(frame)
        match decoded:
            case Answer():
                return self._prove(decoded, frame)
            case Proved():
                self.expect(Event.RIGHT)
                if not hmac.compare_digest(decoded.mac, self._agreement.mac(b"inviter", self._record)):
                    self.advance(Event.WRONG)
                    raise PairingError(SENTENCES["wrong"])
                self.advance(Event.RIGHT)
                return []
            case Welcome():
                return self._confirm(decoded)
            case Admitted():
                return self._enter(decoded)
            case Refused():
                self.advance(Event.REFUSED)
                raise PairingError(SENTENCES[decoded.reason])
            case _:
                raise RemoteProtocolError("a pairing frame that only a joiner sends")

    def _prove(self, answer: Answer, frame: bytes) -> list[Effect]:
        self.expect(Event.ANSWER)
        agreement = Agreement.reached(self._spake, answer.message, self._certificate, self._hello, frame)
        proof = encode(Proof(agreement.mac(b"joiner", self._record), agreement.sealed(b"record", self._record)))
        self._agreement = agreement
        self.advance(Event.ANSWER)
        return [Send(proof)]

    def _confirm(self, frame: Welcome) -> list[Effect]:
        self.expect(Event.WELCOME)
        welcome = self._agreement.opened(b"welcome", frame.welcome)
        if welcome is None:
            raise RemoteProtocolError("a welcome that was changed on its way")
        self.advance(Event.WELCOME)
        self._welcome = welcome
        return [Send(encode(Received(self._agreement.mac(b"received", self._record, welcome))))]

    def _enter(self, frame: Admitted) -> list[Effect]:
        self.expect(Event.ADMITTED)
        admission = self._agreement.opened(b"admitted", frame.admission)
        if admission is None:
            raise RemoteProtocolError("an admission that was changed on its way")
        self.advance(Event.ADMITTED)
        return [Entered(self._welcome, admission)]
