"""Inflow: frames that expand a lot are taken as fast as a peer may bring them, in order."""

from __future__ import annotations

import pytest

from edda_sync.sync.inflow import Inflow
from edda_sync.sync.rates import Rates
from edda_sync.sync.timers import Timers
from edda_sync.sync.wire import Codec
from edda_sync.words import limits
from edda_sync.words.errors import RemoteProtocolError


class Sized(Codec):
    """Tells how much a frame expands by its first letter: a capital letter fills a window."""

    @staticmethod
    def excess(frame: bytes) -> int:
        return limits.EXPANDED_BYTES_MAX if frame[:1].isupper() else 0


class Bench:
    """An inflow, whether what comes was asked for or is held, and whether an earlier frame is not processed completely."""

    def __init__(self) -> None:
        self.timers = Timers()
        self.is_asked_for = self.is_busy = self.is_held = False
        self.inflow = Inflow(
            Sized(), Rates(), self.timers, lambda: self.is_busy, lambda: self.is_held, lambda: self.is_asked_for
        )

    def waits(self, *frames: bytes, now: float = 0.0) -> list[bool]:
        return [self.inflow.waits(frame, "peer", now) for frame in frames]


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_frames_that_stay_as_large_as_they_are_never_wait(bench: Bench) -> None:
    assert bench.waits(*[b"small"] * 1_000) == [False] * 1_000
    assert bench.timers.next() is None


def test_what_comes_after_a_frame_that_waits_waits_too_and_keeps_its_order(bench: Bench) -> None:
    assert bench.waits(b"First", b"Second", b"third", b"Fourth") == [False, True, True, True]
    assert bench.timers.next() == limits.EXPANDED_WINDOW_S
    assert list(bench.inflow.ready(limits.EXPANDED_WINDOW_S - 0.1)) == []
    assert list(bench.inflow.ready(limits.EXPANDED_WINDOW_S)) == [b"Second", b"third"]
    assert list(bench.inflow.ready(2 * limits.EXPANDED_WINDOW_S)) == [b"Fourth"]
    assert bench.waits(b"fifth", now=2 * limits.EXPANDED_WINDOW_S) == [False]


def test_what_was_asked_for_does_not_wait(bench: Bench) -> None:
    bench.is_asked_for = True
    assert bench.waits(b"First", b"Second", b"Third") == [False, False, False]


def test_no_more_waits_than_may_be_under_way(bench: Bench) -> None:
    frame = b"L" + bytes(limits.FRAME_BYTES_MAX - 1)
    bench.waits(frame)
    bench.waits(*[frame] * (limits.WINDOW_BYTES_MAX // limits.FRAME_BYTES_MAX + 1))
    with pytest.raises(RemoteProtocolError, match="more data than may be under way"):
        bench.waits(b"one byte more")


def test_what_was_taken_makes_room_for_more(bench: Bench) -> None:
    frame = b"L" + bytes(limits.FRAME_BYTES_MAX - 1)
    bench.waits(frame)
    for window in range(1, limits.WINDOW_BYTES_MAX // limits.FRAME_BYTES_MAX + 4):
        now = (window - 1) * limits.EXPANDED_WINDOW_S
        assert bench.waits(frame, now=now) == [True]
        assert list(bench.inflow.ready(now + limits.EXPANDED_WINDOW_S)) == [frame]


def test_what_comes_while_a_frame_is_not_taken_whole_waits_for_that(bench: Bench) -> None:
    bench.is_busy = True
    assert bench.waits(b"first", b"second") == [True, True]
    assert list(bench.inflow.ready(0.0)) == []
    bench.is_busy = False
    assert bench.waits(b"third") == [True], "in their order"
    taken = []
    for frame in bench.inflow.ready(0.0):
        taken.append(frame)
        bench.is_busy = frame == b"second"
    assert taken == [b"first", b"second"]
    bench.is_busy = False
    assert list(bench.inflow.ready(0.0)) == [b"third"]


def test_all_that_is_said_after_a_batch_waits_for_it_and_only_data_waits_to_be_expanded(bench: Bench) -> None:
    assert bench.waits(b"First", b"Second") == [False, True]
    assert not bench.inflow.waits(b"ack", "peer", 0.0, is_data=False)
    bench.is_busy = True
    assert bench.inflow.waits(b"an ack", "peer", 0.0, is_data=False)
    bench.is_busy = False
    assert bench.inflow.waits(b"another", "peer", 0.0, is_data=False), "it was said after that one"
    assert list(bench.inflow.ready(limits.EXPANDED_WINDOW_S)) == [b"Second", b"an ack", b"another"]
    assert not bench.inflow.waits(b"one more", "peer", limits.EXPANDED_WINDOW_S, is_data=False)


def test_while_data_is_held_it_waits_and_so_does_what_is_said_after_it(bench: Bench) -> None:
    bench.is_held = True
    assert not bench.inflow.waits(b"an ack", "peer", 0.0, is_data=False), "it is said of nothing that waits"
    assert bench.waits(b"first", b"second") == [True, True]
    assert bench.inflow.waits(b"another", "peer", 0.0, is_data=False)
    assert list(bench.inflow.ready(0.0)) == []
    bench.is_held = False
    assert list(bench.inflow.ready(0.0)) == [b"first", b"second", b"another"]
