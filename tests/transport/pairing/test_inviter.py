from __future__ import annotations

import msgspec
import pytest

from edda_sync.transport.pairing.frames import SENTENCES, Hello
from edda_sync.transport.pairing.machine import Confirmed, Entered, State, Verified
from edda_sync.words.errors import (
    PairingError,
    RemoteMismatchError,
    RemoteProtocolError,
)
from edda_sync.words.limits import PAIRING_WINDOW_S
from tests.transport.pairing.sides import ADMISSION, FRAMES, NAMES, RECORD, WELCOME, Pair, stop_at


def test_the_verified_record_comes_before_any_welcome_exists() -> None:
    pair = Pair()
    (hello,) = pair.joiner.start()
    (answer,) = pair.inviter.receive(hello.frame, 0)  # type: ignore[union-attr]
    (proof,) = pair.joiner.receive(answer.frame)  # type: ignore[union-attr]
    with pytest.raises(RemoteProtocolError, match="out of turn"):
        pair.inviter.welcome(WELCOME)
    _, verified = pair.inviter.receive(proof.frame, 0)  # type: ignore[union-attr]
    assert verified == Verified(RECORD)
    assert pair.inviter.state is State.VERIFIED


def test_a_spent_code_is_reported_as_used_even_to_the_right_joiner() -> None:
    spent = Pair(joiner_password=b"0000000000")
    with pytest.raises(PairingError):
        spent.run()
    done = Pair().run()
    for pair in (spent, done):
        with pytest.raises(PairingError) as caught:
            pair.inviter.receive(FRAMES[0], 1.0)
        assert caught.value.reason == SENTENCES["used"]


@pytest.mark.parametrize("frames_before", [0, 1])
def test_a_code_expires_while_nobody_has_proved_anything(frames_before: int) -> None:
    pair = Pair()
    for frame in FRAMES[:frames_before]:
        pair.inviter.receive(frame, 0.0)
    with pytest.raises(PairingError) as caught:
        pair.inviter.receive(FRAMES[2 * frames_before], PAIRING_WINDOW_S)
    assert caught.value.reason == SENTENCES["expired"]
    assert pair.inviter.state is State.EXPIRED
    with pytest.raises(PairingError) as again:
        pair.inviter.receive(FRAMES[0], 0.0)  # a clock that goes back opens nothing
    assert again.value.reason == SENTENCES["expired"]


def test_the_last_moment_of_the_window_still_counts() -> None:
    assert Pair(now=PAIRING_WINDOW_S - 0.001).run().entered == Entered(WELCOME, ADMISSION)


def test_a_joiner_that_proved_itself_in_time_is_let_in_even_after_the_window() -> None:
    pair = Pair()

    def late(index: int, frame: bytes) -> bytes:
        pair.now = PAIRING_WINDOW_S * 2 if NAMES[index] == "received" else 0.0
        if NAMES[index] == "received":
            pair.inviter.time_up()
        return frame

    pair.change = late
    pair.run()
    assert pair.inviter.state is State.DONE


def test_an_attempt_that_breaks_off_before_its_proof_leaves_the_code_open() -> None:
    pair = Pair()
    pair.inviter.receive(FRAMES[0], 0.0)
    pair.inviter.dropped()
    assert pair.inviter.state is State.OPEN
    assert pair.run().entered == Entered(WELCOME, ADMISSION)


@pytest.mark.parametrize("lost", ["proved", "welcome", "received"])
def test_an_attempt_that_breaks_off_after_its_proof_spends_the_code_and_lets_nobody_in(lost: str) -> None:
    pair = Pair(change=stop_at(NAMES.index(lost)))
    with pytest.raises(ConnectionResetError):
        pair.run()
    pair.inviter.dropped()
    assert pair.inviter.state is State.SPENT
    assert not pair.is_let_in


def test_nobody_is_let_in_and_told_a_secret_before_it_has_confirmed_its_welcome() -> None:
    pair = Pair(change=stop_at(NAMES.index("received")))
    with pytest.raises(ConnectionResetError):
        pair.run()
    with pytest.raises(RemoteProtocolError, match="out of turn"):
        pair.inviter.admitted(ADMISSION)
    assert pair.inviter.receive(pair.frames[-1], 0.0) == [Confirmed()]
    pair.inviter.admitted(ADMISSION)
    assert pair.inviter.state is State.DONE


def test_a_device_that_cannot_be_let_in_after_all_spends_the_code() -> None:
    pair = Pair(change=stop_at(NAMES.index("received")))
    with pytest.raises(ConnectionResetError):
        pair.run()
    pair.inviter.receive(pair.frames[-1], 0.0)
    pair.inviter.dropped()
    assert pair.inviter.state is State.SPENT


def test_an_old_proof_does_not_open_a_new_attempt() -> None:
    pair = Pair()
    pair.inviter.receive(FRAMES[0], 0.0)
    pair.inviter.dropped()
    pair.inviter.receive(FRAMES[0], 0.0)  # the same hello, and still another SPAKE2 secret at this end
    with pytest.raises(PairingError):
        pair.inviter.receive(FRAMES[2], 0.0)
    assert pair.inviter.state is State.SPENT


def test_a_joiner_of_another_version_gets_the_reason() -> None:
    pair = Pair()
    hello = msgspec.structs.replace(msgspec.msgpack.decode(FRAMES[0], type=Hello), version=1)
    with pytest.raises(RemoteMismatchError, match="version 1, and this one by 2"):
        pair.inviter.receive(msgspec.msgpack.encode(hello), 0.0)
    assert pair.inviter.state is State.OPEN
