"""
Schedules: three to five devices, frames that arrive in any order between links, and links that are cut and made again.

In act one, things break, and honest devices must never accuse each other. In act two, everything is healed, and all must be
equal and have proved it. ``pytest --hypothesis-profile=thorough`` runs thousands of schedules.
"""

from __future__ import annotations

import itertools
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import edda_sync as edda
from edda_sync.engine.engine import StorageEngine
from edda_sync.words import limits
from tests.sync.network import Network, name_of, repeatable_devices
from tests.sync.newcomers import BY_SEGMENT

STEPS_MAX = 20_000


class Schedule:
    """One life of a network, drawn from one source of randomness."""

    def __init__(self, engines: tuple[StorageEngine, ...], draw: random.Random) -> None:
        self.engines, self.draw = engines, draw
        self.network = Network(*engines)
        self.tasks: list[str] = []

    def break_things(self) -> None:
        for _ in range(self.draw.randint(30, 150)):
            what = self.draw.randrange(100)
            if what < 18:
                self._write(self.draw.choice(self.engines))
            elif what < 28:
                self._toggle(*self.draw.sample(self.engines, 2))
            elif what < 36:
                self.network.move_time()
            else:
                self.network.deliver_any(self.draw)
            assert not self.network.errors, self.network.errors
            assert not self.network.differs, "equal frontiers, another content"

    def _write(self, engine: StorageEngine) -> None:
        known = [task for task in self.tasks if engine.get_task(task) is not None]
        what = self.draw.randrange(10)
        if what < 5 and known:
            engine.edit_text(self.draw.choice(known), "description", [(0, 0, self.draw.choice("abc"))])
        elif what < 9:
            self.tasks.append(engine.create_task(edda.Task(title="small", description="x")))
        else:
            with engine.begin_transaction() as tx:
                for number in range(10):
                    self.tasks.append(tx.create_task(edda.Task(title=f"of many {number}", description="y" * 100)))
        if self.draw.randrange(5):
            self.network.committed(engine)

    def _toggle(self, first: StorageEngine, second: StorageEngine) -> None:
        if self.network.are_linked(first, second):
            self.network.cut(first, second)
        else:
            self.network.connect(first, second)

    def heal(self) -> None:
        order = list(self.engines)
        self.draw.shuffle(order)
        for first, second in itertools.pairwise(order):
            if not self.network.are_linked(first, second):
                self.network.connect(first, second)
        for engine in self.engines:
            self.network.committed(engine)
        for _ in range(STEPS_MAX):
            if not self.network.deliver_any(self.draw) and not self.network.step():
                break
        else:
            raise AssertionError(f"still talking after {STEPS_MAX} steps")

    def check(self) -> None:
        first = self.engines[0]
        for engine in self.engines:
            assert engine.frontier() == first.frontier()
            assert engine.digest() == first.digest()
            assert engine.table("tasks") == first.table("tasks")
            assert engine.waiting() == 0
        for one, other in itertools.permutations(self.engines, 2):
            if self.network.are_linked(one, other):
                assert (name_of(one), name_of(other)) in self.network.proved
                progress = self.network.replicas[name_of(one)].progress()[name_of(other)]
                assert (progress.proved, progress.behind, progress.ahead) == (True, 0, 0)


@settings(max_examples=settings().max_examples // 3)  # each is a long schedule
@given(
    draw=st.randoms(use_true_random=False),
    count=st.integers(3, 5),
    batch=st.sampled_from([300, 1_000, limits.BATCH_BYTES_MAX]),
    window=st.sampled_from([500, 4_000, limits.WINDOW_BYTES_MAX]),
    part=st.sampled_from([600, limits.PART_BYTES_MAX]),
    snapshot=st.sampled_from([BY_SEGMENT, limits.SEGMENT_SAVES_US_MIN]),
)
def test_whatever_the_network_does_devices_end_equal_once_it_heals(
    draw: random.Random, count: int, batch: int, window: int, part: int, snapshot: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(limits, "BATCH_BYTES_MAX", batch)
        patch.setattr(limits, "WINDOW_BYTES_MAX", window)
        patch.setattr(limits, "PART_BYTES_MAX", part)
        patch.setattr(limits, "SEGMENT_SAVES_US_MIN", snapshot)
        moments = itertools.count(1_800_000_000)
        with repeatable_devices(count, lambda: float(next(moments))) as engines:
            schedule = Schedule(engines, draw)
            schedule.break_things()
            schedule.heal()
            assert not schedule.network.errors, schedule.network.errors
            assert not schedule.network.differs
            schedule.check()
