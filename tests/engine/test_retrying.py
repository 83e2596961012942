from __future__ import annotations

from collections.abc import Iterator

import pytest

import edda_sync as edda
from edda_sync.engine.engine import StorageEngine
from edda_sync.testing import devices
from edda_sync.words.errors import ConflictError, NotFoundError

NOWHERE = "0192f0c1-0000-7000-8000-00000000dead"


@pytest.fixture(params=["memory", "sqlite"])
def store(request: pytest.FixtureRequest) -> Iterator[StorageEngine]:
    with devices(1, backend=request.param) as (engine,):
        yield engine


def task_of(store: StorageEngine | edda.Transaction, task_id: str) -> edda.Task:
    task = store.get_task(task_id)
    assert task is not None
    return task


def test_transact_runs_again_until_nothing_changed_meanwhile(store: StorageEngine) -> None:
    counter = store.create_task(edda.Task(title="counter", metadata={"n": 0}))
    runs = []

    def count_up(tx: edda.Transaction) -> int:
        runs.append(tx)
        task = task_of(tx, counter)
        task.metadata["n"] += 1
        tx.update_task(task)
        if len(runs) < 3:
            store.update_task(edda.Task(id=counter, metadata={"n": 10 * len(runs)}))
        return int(task.metadata["n"])

    assert store.transact(count_up) == 21
    assert len(runs) == 3
    assert task_of(store, counter).metadata == {"n": 21}


def test_transact_gives_up_after_its_retries(store: StorageEngine) -> None:
    task_id = store.create_task(edda.Task(title="0"))
    runs = []

    def hopeless(tx: edda.Transaction) -> None:
        runs.append(tx)
        tx.update_task(edda.Task(id=task_id, priority=0))
        store.update_task(edda.Task(id=task_id, title=str(len(runs))))

    with pytest.raises(ConflictError):
        store.transact(hopeless, retries=2)
    assert len(runs) == 3
    assert task_of(store, task_id).priority == 2


def test_transact_does_not_repeat_other_failures(store: StorageEngine) -> None:
    runs = []

    def fails(tx: edda.Transaction) -> None:
        runs.append(tx)
        tx.delete_task(NOWHERE)

    with pytest.raises(NotFoundError):
        store.transact(fails)
    assert len(runs) == 1
