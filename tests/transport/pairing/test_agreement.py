from __future__ import annotations

import msgspec
import pytest

from edda_sync.transport.pairing.frames import SENTENCES
from edda_sync.transport.pairing.joiner import Joiner
from edda_sync.transport.pairing.machine import State
from edda_sync.words.errors import (
    PairingError,
    RemoteProtocolError,
)
from tests.transport.pairing.sides import CERTIFICATE, FRAMES, PASSWORD, RECORD, WELCOME, Pair, dice


def test_neither_record_nor_welcome_nor_code_crosses_the_wire_in_clear() -> None:
    wire = b"".join(FRAMES)
    for secret in (RECORD, WELCOME, PASSWORD, PASSWORD[2:]):
        assert secret not in wire


def test_a_different_nameplate_is_a_wrong_code() -> None:
    with pytest.raises(PairingError):
        Pair(joiner_password=b"9934567890").run()


def test_somebody_in_the_middle_with_another_certificate_gets_neither_record_nor_welcome() -> None:
    pair = Pair(certificate_shown=b"the certificate of somebody else")
    with pytest.raises(PairingError) as caught:
        pair.run()
    assert caught.value.reason == SENTENCES["wrong"]
    assert (pair.verified, pair.entered) == (None, None)
    assert pair.inviter.state is State.SPENT


def test_a_hello_sent_back_to_its_sender_is_no_answer() -> None:
    pair = Pair()
    (hello,) = pair.joiner.start()
    with pytest.raises(RemoteProtocolError):
        pair.joiner.receive(hello.frame)  # type: ignore[union-attr]
    message = msgspec.msgpack.decode(hello.frame)[2]  # type: ignore[union-attr]
    for side in (b"A", b"B"):
        with pytest.raises(RemoteProtocolError, match="point"):
            pair.joiner.receive(msgspec.msgpack.encode(["answer", side + message[1:]]))
        pair.joiner = Joiner(PASSWORD, RECORD, CERTIFICATE, dice("joiner"))
        pair.joiner.start()
