from __future__ import annotations

from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edda_sync.transport.pairing.inviter import Inviter
from edda_sync.transport.pairing.joiner import Joiner
from edda_sync.transport.pairing.machine import State
from edda_sync.words.errors import (
    PairingError,
    RemoteError,
    RemoteProtocolError,
)
from tests.transport.pairing.sides import FRAMES, NAMES, Pair, stop_at


@pytest.mark.parametrize("stopped_at", range(len(NAMES)), ids=NAMES)
def test_no_frame_is_taken_twice_or_out_of_turn(stopped_at: int) -> None:
    refused = 0
    for index in range(len(NAMES)):
        pair = Pair(change=stop_at(stopped_at))
        with pytest.raises(ConnectionResetError):
            pair.run()
        mine = (1, 3, 4, 6) if index in (1, 3, 4, 6) else (0, 2, 5)  # the frames that this frame's taker takes, in turn
        if index == next((turn for turn in mine if turn >= stopped_at), None):
            continue
        before = (pair.inviter.state, pair.joiner.state)
        take = pair.joiner.receive if mine[0] == 1 else partial(pair.inviter.receive, now=0.0)
        is_over = mine[0] == 0 and pair.inviter.state is State.DONE
        with pytest.raises(
            PairingError if is_over else RemoteProtocolError, match="used" if is_over else "out of turn"
        ):
            take(FRAMES[index])
        assert (pair.inviter.state, pair.joiner.state) == before
        refused += 1
    assert refused >= 4


def ends_in_an_error(index: int, changed: bytes) -> None:
    """Run a talk in which one frame is changed on its way, and check that the talk only ends."""
    pair = Pair(change=lambda at, frame: changed if at == index else frame)
    with pytest.raises((PairingError, RemoteError)):
        pair.run()
    assert pair.joiner.state is not State.DONE
    assert pair.entered is None
    is_last = NAMES[index] == "admitted"  # only then the joiner has confirmed its welcome, and is lost in doubt
    assert (pair.inviter.state is State.DONE, pair.joiner.state is State.HOLDING) == (
        is_last,
        index >= NAMES.index("received"),
    )
    assert pair.is_let_in == is_last
    assert pair.verified is None or NAMES[index] in ("proved", "welcome", "received", "admitted")


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


@pytest.mark.parametrize("machine", [Inviter, Joiner])
def test_every_state_of_a_table_can_be_reached_and_is_left_or_is_an_end(machine: type[Inviter | Joiner]) -> None:
    sources = {state for state, _ in machine.table}
    reached = set(machine.table.values())
    start = State.OPEN if machine is Inviter else State.IDLE
    assert sources <= reached | {start}
    assert reached - sources <= {State.DONE, State.SPENT, State.EXPIRED, State.FAILED}
