"""An inbox: a slow device takes one frame after another, a fast one takes each at once, and a pace may end."""

from __future__ import annotations

from collections.abc import Callable

from edda_sync.simulations.inbox import Inbox


class Bench:
    """An inbox on a clock that is moved by hand."""

    def __init__(self) -> None:
        self.now = 0.0
        self.taken: list[tuple[float, str]] = []
        self._due: list[tuple[float, Callable[[], None]]] = []
        self.inbox = Inbox(lambda delay_s, work: self._due.append((self.now + delay_s, work)), lambda deal: deal())

    def add(self, *names: str) -> None:
        for name in names:
            self.inbox.add(lambda name=name: self.taken.append((self.now, name)))  # type: ignore[misc]

    def run(self) -> None:
        """Let all that is due happen, in order."""
        while self._due:
            self._due.sort(key=lambda each: each[0])
            self.now, work = self._due.pop(0)
            work()


def test_a_fast_device_takes_each_frame_at_once() -> None:
    bench = Bench()
    bench.add("one", "two")
    assert bench.taken == [(0.0, "one"), (0.0, "two")]


def test_a_slow_device_takes_one_frame_after_another_at_its_own_pace() -> None:
    bench = Bench()
    bench.inbox.pace_s = 2.0
    bench.add("one", "two", "three")
    assert bench.taken == []
    bench.run()
    assert bench.taken == [(2.0, "one"), (4.0, "two"), (6.0, "three")]


def test_a_device_that_is_fast_again_takes_all_that_waits_at_once_and_each_frame_once() -> None:
    bench = Bench()
    bench.inbox.pace_s = 2.0
    bench.add("one", "two")
    bench.inbox.hurry()
    assert bench.taken == [(0.0, "one"), (0.0, "two")]
    bench.run()
    bench.add("three")
    assert [name for _, name in bench.taken] == ["one", "two", "three"]


def test_frames_that_were_not_taken_when_a_process_ends_are_gone() -> None:
    bench = Bench()
    bench.inbox.pace_s = 2.0
    bench.add("one")
    bench.inbox.clear()
    bench.run()
    assert bench.taken == []
