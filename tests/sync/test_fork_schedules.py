"""
Schedules of copies: devices and copies of them write, meet and are copied again, in any order; then all meet.

In act one, no two devices that hold the same changes and evidence may differ. In act two, all must be equal, each must fold
its log to what it shows, and nothing that an honest store wrote may be refused. ``pytest --hypothesis-profile=thorough``
runs thousands of schedules.
"""

from __future__ import annotations

import itertools
import random
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

import edda_sync as edda
from edda_sync.engine.engine import StorageEngine
from tests.sync.copies import Copier, assert_equal, can_talk, copier, meet_all, talk
from tests.sync.network import repeatable_devices

COPIES_MAX = 4
WORDS = ("", "a", "bc", "déf🙂")


class Schedule:
    """One life of some devices and their copies, drawn from one source of randomness."""

    def __init__(self, engines: tuple[StorageEngine, ...], copy: Copier, draw: random.Random) -> None:
        self.engines, self.copy, self.draw = list(engines), copy, draw
        self.copies = 0
        self.task = engines[0].create_task(edda.Task(title="shared", description="one two three"))
        self.note = engines[0].create_document(edda.Document(title="note", content="some words here"))
        self.tasks = [self.task]
        meet_all(self.engines, 1)

    def run(self, steps: int) -> None:
        for _ in range(steps):
            engine, what = self.draw.choice(self.engines), self.draw.randrange(100)
            if what < 10 and self.copies < COPIES_MAX:
                self.copies += 1
                self.engines.append(self.copy(engine))
            elif what < 35:
                other = self.draw.choice(self.engines)
                if can_talk(engine, other):
                    assert talk(engine, other).differs == []
            elif what < 70:
                self._type(engine)
            else:
                self._do(engine)

    def _type(self, engine: StorageEngine) -> None:
        task = engine.get_task(self.task)
        if task is None:
            return
        text, what = task.description or "", self.draw.randrange(5)
        if what == 0:  # the same rewrite on all devices
            task.description = text.replace("o", "0", 1)
            engine.update_task(task)
        elif what == 1:
            task.description = text[: len(text) // 2] + "RE" + text[len(text) // 2 :]
            engine.update_task(task)
        else:
            at = self.draw.randint(0, len(text))
            deleted = self.draw.randint(0, min(3, len(text) - at))
            engine.edit_text(self.task, "description", [(at, deleted, self.draw.choice(WORDS))])

    def _do(self, engine: StorageEngine) -> None:
        what, which = self.draw.randrange(6), self.draw.choice(self.tasks)
        task, note = engine.get_task(which), engine.get_document(self.note)
        if what == 0 and note is not None:
            note.content = self.draw.choice([None, "some words here", "other"])
            engine.update_document(note)
        elif what == 1 and note is not None:
            engine.edit_text(self.note, "content", [(0, 0, "z")])
        elif what == 2 and task is not None:
            engine.delete_task(which)
        elif what == 3:
            parent = self.task if engine.get_task(self.task) is not None else None
            made = edda.Task(title="more", tags={self.draw.choice(["red", "blue"])}, parent_id=parent)
            self.tasks.append(engine.create_task(made))
        elif what == 4 and task is not None:
            task.title, task.priority = f"title {self.draw.randrange(9)}", self.draw.randrange(4)
            engine.update_task(task)
        elif task is None and which == self.task:
            engine.restore_task(which)


@settings(max_examples=settings().max_examples // 3)  # each is a long schedule
@given(draw=st.randoms(use_true_random=False), steps=st.integers(5, 45))
def test_whatever_copies_of_a_store_do_all_devices_end_equal(draw: random.Random, steps: int) -> None:
    moments = itertools.count(1_800_000_000)
    with repeatable_devices(3, lambda: float(next(moments))) as engines, copier(Path("nowhere")) as copy:
        schedule = Schedule(engines, copy, draw)
        schedule.run(steps)
        meet_all(schedule.engines, 3)
        assert_equal(schedule.engines)
        assert {engine.refused() for engine in schedule.engines} == {0}
        assert {engine.waiting() for engine in schedule.engines} == {0}
