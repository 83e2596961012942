"""The write side: an engine has one, which is loaded at its first use."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import edda_sync as edda
from edda_sync.engine.engine import StorageEngine
from edda_sync.engine.transaction import Transaction
from edda_sync.testing import devices
from edda_sync.words.errors import ConflictError, InvalidValueError

THREADS = 4


@pytest.fixture
def hasty_threads() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("hasty_threads")
def test_threads_that_need_it_at_once_share_one(tmp_path: Path) -> None:
    barrier = threading.Barrier(THREADS)

    def first(engine: StorageEngine) -> int:
        barrier.wait()
        return id(engine.ledger)

    with ThreadPoolExecutor(THREADS) as pool:
        for _ in range(50):
            engine = StorageEngine(tmp_path)
            assert len(set(pool.map(first, [engine] * THREADS))) == 1


def test_work_is_done_again_when_something_that_it_read_has_changed() -> None:
    with devices(1) as (store,):
        task = store.create_task(edda.Task(title="T", priority=1))
        tries = []

        def work(tx: Transaction) -> None:
            tries.append(tx.get_task(task))
            if len(tries) == 1:
                store.update_task(edda.Task(id=task, priority=3))
            tx.update_task(edda.Task(id=task, priority=2))

        store.transact(work, agent="planner", reason="tidy up")
        assert len(tries) == 2
        tries.clear()
        with pytest.raises(ConflictError):
            store.transact(work, retries=0)


@pytest.mark.parametrize(("agent", "reason"), [("", None), (None, "two\nlines")])
def test_agent_and_reason_are_lines(agent: str | None, reason: str | None) -> None:
    with devices(1) as (store,), pytest.raises(InvalidValueError):
        store.begin_transaction(agent, reason)
