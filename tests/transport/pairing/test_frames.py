from __future__ import annotations

import os

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edda_sync.transport.pairing.frames import SENTENCES, Refused, refusal
from edda_sync.transport.pairing.joiner import Joiner
from edda_sync.transport.pairing.machine import State
from edda_sync.words.errors import (
    LimitError,
    PairingError,
    RemoteProtocolError,
)
from edda_sync.words.limits import PAIRING_FRAME_BYTES_MAX
from tests.transport.pairing.sides import CERTIFICATE, FRAMES, PASSWORD, RECORD, Pair


def test_the_reasons_are_seven_different_sentences_that_cross_the_wire() -> None:
    assert len(set(SENTENCES.values())) == len(SENTENCES) == 7
    for sentence in SENTENCES.values():
        joiner = Joiner(PASSWORD, RECORD, CERTIFICATE, os.urandom)
        joiner.start()
        with pytest.raises(PairingError) as caught:
            joiner.receive(refusal(PairingError(sentence)))
        assert caught.value.reason == sentence


def test_an_error_without_a_sentence_is_refused_as_broken() -> None:
    assert refusal(RemoteProtocolError("x")) == refusal(PairingError(SENTENCES["broken"]))
    assert refusal(RemoteProtocolError("x")) == msgspec.msgpack.encode(Refused("broken"))


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200))
def test_garbage_is_an_error_on_both_sides_and_costs_the_code_nothing(garbage: bytes) -> None:
    pair = Pair()
    pair.joiner.start()
    with pytest.raises(RemoteProtocolError):
        pair.joiner.receive(garbage)
    with pytest.raises(RemoteProtocolError):
        pair.inviter.receive(garbage, 0.0)
    pair.inviter.dropped()
    assert pair.inviter.state is State.OPEN


def test_a_frame_longer_than_its_limit_is_refused_unread() -> None:
    with pytest.raises(RemoteProtocolError, match=f"{PAIRING_FRAME_BYTES_MAX + 1:,} bytes"):
        Pair().inviter.receive(bytes(PAIRING_FRAME_BYTES_MAX + 1), 0.0)


def test_a_frame_in_a_second_encoding_is_refused() -> None:
    version, message = msgspec.msgpack.decode(FRAMES[0])[1:]
    longer = b"\xdc\x00\x03" + b"".join(msgspec.msgpack.encode(part) for part in ("hello", version, message))
    assert msgspec.msgpack.decode(longer) == msgspec.msgpack.decode(FRAMES[0])
    with pytest.raises(RemoteProtocolError, match="one encoding"):
        Pair().inviter.receive(longer, 0.0)


@pytest.mark.parametrize("field_name", ["record", "welcome", "admission"])
def test_content_that_does_not_fit_into_a_frame_is_refused_before_it_is_sent(field_name: str) -> None:
    largest = PAIRING_FRAME_BYTES_MAX - 100
    assert Pair(**{field_name: bytes(largest)}).run().inviter.state is State.DONE  # type: ignore[arg-type]
    pair = Pair(**{field_name: bytes(PAIRING_FRAME_BYTES_MAX)})  # type: ignore[arg-type]
    with pytest.raises(LimitError):
        pair.run()
    assert pair.entered is None
