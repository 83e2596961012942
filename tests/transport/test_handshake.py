from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from hashlib import sha256

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edda_sync.transport.handshake import (
    SENTENCES,
    Hello,
    Inviter,
    Joiner,
    Refused,
    Send,
    State,
    Verified,
    Welcomed,
    refusal,
)
from edda_sync.words.errors import (
    EddaError,
    LimitError,
    PairingError,
    RemoteError,
    RemoteMismatchError,
    RemoteProtocolError,
)
from edda_sync.words.limits import PAIRING_FRAME_BYTES_MAX, PAIRING_WINDOW_S

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
    """Both machines and a wire that lets a test change each frame; ``frames`` holds what was sent."""

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
        """Carry frames until nothing is left to say; what a machine raises comes out."""
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


def test_two_devices_with_the_same_code_trade_record_and_welcome() -> None:
    pair = Pair().run()
    assert (pair.verified, pair.welcomed) == (RECORD, WELCOME)
    assert (pair.inviter.state, pair.joiner.state) == (State.DONE, State.DONE)
    assert len(pair.frames) == len(NAMES)


def test_neither_record_nor_welcome_nor_code_crosses_the_wire_in_clear() -> None:
    wire = b"".join(FRAMES)
    for secret in (RECORD, WELCOME, PASSWORD, PASSWORD[2:]):
        assert secret not in wire


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


@pytest.mark.parametrize("side", ["joiner_password", "inviter_password"])
def test_a_wrong_code_on_either_side_ends_both_and_spends_the_code(side: str) -> None:
    pair = Pair(**{side: b"1234567891"})  # type: ignore[arg-type]
    with pytest.raises(PairingError) as caught:
        pair.run()
    assert caught.value.reason == SENTENCES["wrong"]
    assert pair.inviter.state is State.SPENT
    assert pair.verified is pair.welcomed is None
    with pytest.raises(PairingError) as told:
        pair.joiner.receive(refusal(caught.value))
    assert told.value.reason == SENTENCES["wrong"]
    assert pair.joiner.state is State.FAILED


def test_a_nameplate_that_differs_is_a_wrong_code() -> None:
    with pytest.raises(PairingError):
        Pair(joiner_password=b"9934567890").run()


def test_somebody_in_the_middle_with_another_certificate_gets_neither_record_nor_welcome() -> None:
    pair = Pair(certificate_shown=b"the certificate of somebody else")
    with pytest.raises(PairingError) as caught:
        pair.run()
    assert caught.value.reason == SENTENCES["wrong"]
    assert pair.verified is pair.welcomed is None
    assert pair.inviter.state is State.SPENT


def test_a_spent_code_says_that_it_was_used_even_to_the_right_one() -> None:
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
    assert Pair(now=PAIRING_WINDOW_S - 0.001).run().welcomed == WELCOME


def test_a_joiner_that_proved_itself_in_time_is_let_in_after_the_window() -> None:
    pair = Pair()

    def late(index: int, frame: bytes) -> bytes:
        pair.now = PAIRING_WINDOW_S * 2 if NAMES[index] == "received" else 0.0
        if NAMES[index] == "received":
            pair.inviter.time_up()
        return frame

    pair.change = late
    pair.run()
    assert pair.inviter.state is State.DONE


def test_the_reasons_are_five_different_sentences_that_cross_the_wire() -> None:
    assert len(set(SENTENCES.values())) == len(SENTENCES) == 5
    for sentence in SENTENCES.values():
        joiner = Joiner(PASSWORD, RECORD, CERTIFICATE, os.urandom)
        joiner.start()
        with pytest.raises(PairingError) as caught:
            joiner.receive(refusal(PairingError(sentence)))
        assert caught.value.reason == sentence


def test_an_error_without_a_sentence_is_refused_as_broken() -> None:
    assert refusal(RemoteProtocolError("x")) == refusal(PairingError(SENTENCES["broken"]))
    assert refusal(RemoteProtocolError("x")) == msgspec.msgpack.encode(Refused("broken"))


def test_an_attempt_that_breaks_off_before_its_proof_leaves_the_code_open() -> None:
    pair = Pair()
    pair.inviter.receive(FRAMES[0], 0.0)
    pair.inviter.dropped()
    assert pair.inviter.state is State.OPEN
    assert pair.run().welcomed == WELCOME


@pytest.mark.parametrize("frames_before", [2, 3])
def test_an_attempt_that_breaks_off_after_its_proof_spends_the_code(frames_before: int) -> None:
    pair = Pair(change=stop_at(NAMES.index("proved") + frames_before - 2))
    with pytest.raises(ConnectionResetError):
        pair.run()
    pair.inviter.dropped()
    assert pair.inviter.state is State.SPENT


def stop_at(wanted: int) -> Callable[[int, bytes], bytes]:
    def change(index: int, frame: bytes) -> bytes:
        if index == wanted:
            raise ConnectionResetError
        return frame

    return change


def test_an_old_proof_does_not_open_a_new_attempt() -> None:
    pair = Pair()
    pair.inviter.receive(FRAMES[0], 0.0)
    pair.inviter.dropped()
    pair.inviter.receive(FRAMES[0], 0.0)  # the same hello, and still another SPAKE2 secret at this end
    with pytest.raises(PairingError):
        pair.inviter.receive(FRAMES[2], 0.0)
    assert pair.inviter.state is State.SPENT


def test_a_hello_thrown_back_at_its_sender_is_no_answer() -> None:
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


def test_another_version_is_told_so() -> None:
    pair = Pair()
    hello = msgspec.structs.replace(msgspec.msgpack.decode(FRAMES[0], type=Hello), version=2)
    with pytest.raises(RemoteMismatchError, match="version 2"):
        pair.inviter.receive(msgspec.msgpack.encode(hello), 0.0)
    assert pair.inviter.state is State.OPEN


@pytest.mark.parametrize("stopped_at", range(len(NAMES)), ids=NAMES)
def test_no_frame_is_taken_twice_or_out_of_turn(stopped_at: int) -> None:
    refused = 0
    for index in range(len(NAMES)):
        pair = Pair(change=stop_at(stopped_at))
        with pytest.raises(ConnectionResetError):
            pair.run()
        mine = (1, 3, 4) if index in (1, 3, 4) else (0, 2, 5)  # the frames that this frame's taker takes, in turn
        if index == next((turn for turn in mine if turn >= stopped_at), None):
            continue
        before = (pair.inviter.state, pair.joiner.state)
        take = pair.joiner.receive if mine[0] == 1 else partial(pair.inviter.receive, now=0.0)
        with pytest.raises(RemoteProtocolError, match="out of turn"):
            take(FRAMES[index])
        assert (pair.inviter.state, pair.joiner.state) == before
        refused += 1
    assert refused >= 4


def ends_in_an_error(index: int, changed: bytes) -> None:
    """Run a talk in which one frame is changed on its way, and see that it does no more than end."""
    pair = Pair(change=lambda at, frame: changed if at == index else frame)
    with pytest.raises((PairingError, RemoteError)):
        pair.run()
    if NAMES[index] == "received":  # the one frame after the welcome
        assert pair.inviter.state is State.WELCOMED
    else:
        assert pair.inviter.state is not State.DONE
        assert pair.joiner.state is not State.DONE
        assert pair.welcomed is None
    assert pair.verified is None or NAMES[index] in ("proved", "welcome", "received")


@pytest.mark.parametrize("index", range(len(NAMES)), ids=NAMES)
def test_no_byte_of_any_frame_can_be_changed_on_its_way(index: int) -> None:
    frame = FRAMES[index]
    for place in range(len(frame)):
        bit = 1 << place % 8
        ends_in_an_error(index, frame[:place] + bytes([frame[place] ^ bit]) + frame[place + 1 :])


@settings(max_examples=60, deadline=None)
@given(index=st.integers(0, len(NAMES) - 1), data=st.data())
def test_any_frame_that_is_mangled_on_its_way_ends_in_an_error_and_never_in_a_welcome(
    index: int, data: st.DataObject
) -> None:
    original = FRAMES[index]
    start = data.draw(st.integers(0, len(original)), label="start")
    end = data.draw(st.integers(start, len(original)), label="end")
    changed = original[:start] + data.draw(st.binary(max_size=40), label="instead") + original[end:]
    if changed != original:
        ends_in_an_error(index, changed)


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


@pytest.mark.parametrize("field_name", ["record", "welcome"])
def test_what_does_not_fit_a_frame_is_refused_before_it_is_sent(field_name: str) -> None:
    largest = PAIRING_FRAME_BYTES_MAX - 100
    assert Pair(**{field_name: bytes(largest)}).run().inviter.state is State.DONE  # type: ignore[arg-type]
    pair = Pair(**{field_name: bytes(PAIRING_FRAME_BYTES_MAX)})  # type: ignore[arg-type]
    with pytest.raises(LimitError):
        pair.run()
    assert pair.welcomed is None


@pytest.mark.parametrize("machine", [Inviter, Joiner])
def test_every_state_of_a_table_can_be_reached_and_left_or_is_an_end(machine: type[Inviter | Joiner]) -> None:
    sources = {state for state, _ in machine.table}
    reached = set(machine.table.values())
    start = State.OPEN if machine is Inviter else State.IDLE
    assert sources <= reached | {start}
    assert reached - sources <= {State.DONE, State.SPENT, State.EXPIRED, State.FAILED}


def test_no_error_text_holds_the_digits() -> None:
    errors: list[EddaError] = []
    for pair in (Pair(joiner_password=b"1234567891"), Pair(certificate_shown=b"x")):
        with pytest.raises(PairingError) as caught:
            pair.run()
        errors.append(caught.value)
    assert not any("34567" in str(error) or "34567" in repr(error) for error in errors)
