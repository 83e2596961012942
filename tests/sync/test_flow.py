"""How much of files is asked of one peer at a time."""

from __future__ import annotations

import pytest

from edda_sync.sync.flow import Flow
from edda_sync.words import limits

NAME = b"n" * 32
CHUNK = limits.CHUNK_BYTES


class Wire:
    """A link with a rate and a delay, and a flow that always has something to ask for."""

    def __init__(self, flow: Flow, rate: float, delay_s: float = 0.0) -> None:
        self.flow, self.rate, self.delay_s = flow, rate, delay_s
        self.now = self._free_s = 0.0
        self.waits = list[float]()
        self._under_way = list[tuple[float, int, float]]()
        self._at = self._came = 0

    def run(self, duration_s: float) -> float:
        """Let it run, and return how many bytes came in a second."""
        end, before = self.now + duration_s, self._came
        while self.now < end:
            while size := self.flow.room(CHUNK):
                self.flow.asked(NAME, self._at, size, self.now)
                self._free_s = max(self._free_s, self.now + self.delay_s) + size / self.rate
                self._under_way.append((self._free_s, self._at, self.now))
                self._at += size
            self.now, at, asked_s = self._under_way.pop(0)
            self.waits.append(self.now - asked_s)
            self._came += self.flow.answered(NAME, at, self.now) or 0
        return (self._came - before) / duration_s


@pytest.mark.parametrize(("rate", "delay_s"), [(3e6, 0.001), (8e6, 0.02), (2e5, 0.0)])
def test_what_is_under_way_arrives_in_about_a_tenth_of_a_second_or_is_the_least(rate: float, delay_s: float) -> None:
    wire = Wire(Flow(), rate, delay_s)
    wire.run(3)
    came = wire.run(10)
    assert came > 0.8 * rate  # and the link is used
    least_s = limits.FILE_WINDOW_BYTES_MIN / rate
    assert max(wire.waits[len(wire.waits) // 2 :]) < delay_s + max(2 * limits.FILE_WINDOW_S, 2 * least_s)


def test_a_fast_link_is_asked_for_as_much_as_may_be() -> None:
    flow = Flow()
    Wire(flow, 1e9, 0.0005).run(1)
    assert flow.window == limits.FILE_WINDOW_BYTES_MAX
    assert flow.room(CHUNK) == limits.FILE_SLICE_BYTES_MAX


def test_a_link_that_becomes_slow_is_asked_for_less_at_once() -> None:
    wire = Wire(Flow(), 1e9, 0.0005)
    wire.run(1)
    wire.rate = 1e6
    wire.run(5)
    assert wire.flow.window < 2 * 1e6 * limits.FILE_WINDOW_S


def test_no_more_questions_are_open_than_may_be_and_no_more_bytes_than_the_window() -> None:
    flow = Flow()
    for number in range(limits.FILE_ASKS_MAX):
        assert flow.room(10) == 10
        flow.asked(b"%032d" % number, 0, 10, 0.0)
    assert flow.room(10) == 0
    flow = Flow()
    while size := flow.room(CHUNK):
        flow.asked(NAME, flow.size, size, 0.0)
    assert flow.size == limits.FILE_WINDOW_BYTES_MIN


def test_an_answer_that_was_not_asked_for_is_none() -> None:
    flow = Flow()
    flow.asked(NAME, 0, 10, 0.0)
    assert flow.answered(NAME, 1, 0.0) is None
    assert not flow.lacked(b"o" * 32, 0.0)
    assert flow.answered(NAME, 0, 0.0) == 10
    assert flow.answered(NAME, 0, 0.0) is None


def test_one_word_that_a_chunk_lacks_answers_all_that_was_asked_of_it() -> None:
    flow = Flow()
    flow.asked(NAME, 0, 10, 0.0)
    flow.asked(NAME, 10, 10, 0.0)
    flow.asked(b"o" * 32, 0, 5, 0.0)
    assert flow.awaits(NAME)
    assert flow.lacked(NAME, 1.0)
    assert (flow.awaits(NAME), flow.size) == (False, 5)


def test_a_peer_is_waited_for_as_long_as_it_answers_anything() -> None:
    flow = Flow()
    assert flow.silent_at() is None
    flow.asked(NAME, 0, 10, 5.0)
    flow.asked(NAME, 10, 10, 6.0)
    assert flow.silent_at() == 5.0 + limits.FILE_ANSWER_S
    flow.answered(NAME, 0, 20.0)
    assert flow.silent_at() == 20.0 + limits.FILE_ANSWER_S
    flow.answered(NAME, 10, 21.0)
    assert flow.silent_at() is None
