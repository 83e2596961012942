"""Writing: what is told of a durable change, and that nothing which is told can make it look failed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import edda_sync as edda
from edda_sync.engine.engine import StorageEngine
from edda_sync.testing import devices
from edda_sync.words.errors import CallbackError, ConflictError, NotFoundError

NOWHERE = "0192f0c1-0000-7000-8000-00000000dead"
State = edda.TransactionState


class Panic(BaseException):
    """What native code raises that has a bug: no ``Exception``."""


@pytest.fixture(params=["memory", "sqlite"])
def store(request: pytest.FixtureRequest) -> Iterator[StorageEngine]:
    with devices(1, backend=request.param) as (engine,):
        yield engine


class Listener:
    """Listens to commits, and raises something."""

    def __init__(self, raised: BaseException) -> None:
        self.calls = 0
        self._raised = raised

    def __call__(self) -> None:
        self.calls += 1
        raise self._raised


def test_listeners_hear_of_each_change_once_it_is_durable(store: StorageEngine) -> None:
    heard: list[int] = []
    store.writing.on_commit(lambda: heard.append(store.counts()["tasks"]))
    task_id = store.create_task(edda.Task(title="T"))
    store.update_task(edda.Task(id=task_id, title="T"))
    with pytest.raises(NotFoundError):
        store.delete_task(NOWHERE)
    task = store.get_task(task_id)
    assert task is not None
    store.update_task(task)  # nothing to write
    assert heard == [1, 1]


# a conflict is what makes `transact` run its work again, and so write it twice
@pytest.mark.parametrize("raised", [ZeroDivisionError("a bug"), ConflictError([("x" * 36, "title")]), Panic("x.rs:1")])
def test_a_listener_that_raises_fails_no_write_and_the_others_hear_of_it(
    store: StorageEngine, caplog: pytest.LogCaptureFixture, raised: BaseException
) -> None:
    broken, heard = Listener(raised), []
    store.writing.on_commit(broken)
    store.writing.on_commit(lambda: heard.append(store.counts()["tasks"]))
    store.create_task(edda.Task(title="first"))
    store.transact(lambda tx: tx.create_task(edda.Task(title="second")))
    assert heard == [1, 2]
    assert broken.calls == 1
    assert caplog.text.count("What is committed is not told any more") == 1
    assert type(raised).__name__ in caplog.text


def test_ctrl_c_inside_a_listener_goes_up_from_a_transaction_that_is_committed(store: StorageEngine) -> None:
    store.writing.on_commit(Listener(KeyboardInterrupt()))
    tx = store.begin_transaction()
    task_id = tx.create_task(edda.Task(title="first"))
    with pytest.raises(KeyboardInterrupt):
        tx.commit()
    assert tx.state is State.COMMITTED
    assert store.frontier() == dict([tx.dot] if tx.dot is not None else [])
    assert store.get_task(task_id) is not None


def test_a_new_workspace_is_founded_whatever_a_listener_raises() -> None:
    engine = StorageEngine(Path("nowhere"))
    engine.writing.on_commit(Listener(ZeroDivisionError("a bug")))
    engine.initialize(edda.StorageConfig(backend="memory"))
    assert len(engine.members()) == 1
    engine.close()


def test_whoever_asks_for_it_is_told_of_a_listener_that_raised(store: StorageEngine) -> None:
    told: list[CallbackError] = []
    store.writing.on_commit(Listener(ZeroDivisionError("a bug")))
    store.writing.on_broken = told.append
    store.create_task(edda.Task(title="first"))
    store.create_task(edda.Task(title="second"))
    assert [type(each.raised) for each in told] == [ZeroDivisionError]


def test_a_listener_hears_nothing_once_it_is_ended(store: StorageEngine) -> None:
    heard: list[int] = []
    end = store.writing.on_commit(lambda: heard.append(1))
    store.create_task(edda.Task(title="first"))
    end()
    store.create_task(edda.Task(title="second"))
    assert heard == [1]


def test_a_listener_that_ends_itself_keeps_no_other_from_hearing(store: StorageEngine) -> None:
    heard: list[str] = []

    def once() -> None:
        heard.append("once")
        end()

    end = store.writing.on_commit(once)
    store.writing.on_commit(lambda: heard.append("always"))
    store.create_task(edda.Task(title="first"))
    store.create_task(edda.Task(title="second"))
    assert heard == ["once", "always", "always"]
