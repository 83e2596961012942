"""
Schedules of who is held apart: a chain forks, newcomers begin with segments of either branch, and links last.

Act one links, cuts, writes, and lets one copy of the forked device come and the other go. Act two takes that device away and
links the others in a line. What links there are stay, so that no first hello judges anything anew: all are proved equal, and
nothing is held apart. ``pytest --hypothesis-profile=thorough`` runs thousands.
"""

from __future__ import annotations

import itertools
import random
from itertools import pairwise
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from edda_sync.engine.engine import StorageEngine
from edda_sync.testing import replica_of
from tests.sync.copies import Copier, add, assert_equal, copier, meet_all
from tests.sync.network import Network, name_of, repeatable_devices
from tests.sync.newcomers import begin_with_segment

SEGMENTS_END_S = 400.0  # by when a log that nobody brings was given up


class Schedule:
    """Two devices, one with a copy, and newcomers; drawn from one source of randomness."""

    def __init__(self, engines: tuple[StorageEngine, ...], copy: Copier, draw: random.Random) -> None:
        first, second, forked, *newcomers = engines
        self.draw, self.lasting = draw, [first, second, *newcomers]
        for each in (first, second, forked):
            add(f"of {name_of(each)}")(each)
        meet_all((first, second, forked))
        self.copies = [forked, copy(forked)]
        for each in self.copies:
            for _ in range(draw.randrange(3)):
                self._write(each)
        for each in newcomers:
            if draw.randrange(10) < 7:
                begin_with_segment(draw.choice(self.copies), each)
        self.network = Network(*self.lasting, forked)

    @property
    def _present(self) -> list[StorageEngine]:
        return [*self.lasting, self.copies[0]]

    def break_things(self) -> None:
        for _ in range(self.draw.randrange(10, 60)):
            what = self.draw.randrange(100)
            if what < 20:
                self._toggle(*self.draw.sample(self._present, 2))
            elif what < 35:
                engine = self.draw.choice(self._present)
                self._write(engine)
                self.network.committed(engine)
            elif what < 45:
                self._swap()
            elif what < 80:
                for _ in range(self.draw.randrange(1, 12)):
                    self.network.deliver_any(self.draw)
            elif what < 90:
                self.network.move_time()
            else:
                self.network.run_for(self.draw.choice([1, 20, 70]))
            assert not self.network.errors, self.network.errors

    def end(self) -> None:
        self._leave()
        self.draw.shuffle(self.lasting)
        for one, other in pairwise(self.lasting):
            if not self.network.are_linked(one, other):
                self.network.connect(one, other)
        self.network.run_for(SEGMENTS_END_S)
        self.network.run()

    def _write(self, engine: StorageEngine) -> None:
        add(f"task {self.draw.randrange(99)}")(engine)

    def _toggle(self, one: StorageEngine, other: StorageEngine) -> None:
        if not self.network.are_linked(one, other):
            self.network.connect(one, other)
        elif not self.draw.randrange(3):
            self.network.cut(one, other)

    def _swap(self) -> None:
        """Let the other copy come."""
        self._leave()
        self.copies.reverse()
        self.network.replicas[name_of(self.copies[0])] = replica_of(self.copies[0])

    def _leave(self) -> None:
        for each in self.lasting:
            if self.network.are_linked(each, self.copies[0]):
                self.network.cut(each, self.copies[0])


@settings(max_examples=settings().max_examples // 3)  # each is a long schedule
@given(draw=st.randoms(use_true_random=False), newcomers=st.integers(1, 2))
def test_whatever_comes_first_nothing_stays_apart_once_all_could_hear_of_it(
    draw: random.Random, newcomers: int
) -> None:
    moments = itertools.count(1_800_000_000)
    clock = lambda: float(next(moments))  # noqa: E731
    with repeatable_devices(3, clock, newcomers=newcomers) as engines, copier(Path("nowhere")) as copy:
        schedule = Schedule(engines, copy, draw)
        schedule.break_things()
        schedule.end()
        for each in schedule.lasting:
            told = schedule.network.replicas[name_of(each)].progress()
            assert set(told) == {
                name_of(other) for other in schedule.lasting if schedule.network.are_linked(each, other)
            }
            for progress in told.values():
                assert progress.proved
                assert progress.apart == frozenset()
        assert_equal(schedule.lasting)
