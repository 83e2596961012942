"""
An exception at any step of a commit leaves no trace: in memory, on disk, with listeners or with peers.

A commit is run once to see which functions of the store, the fold, the ledger and the engine it calls until it is durable.
Then each of these raises, one after another, at its first call.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

import edda_sync as edda
from edda_sync.engine.engine import StorageEngine
from edda_sync.engine.transaction import TransactionState
from edda_sync.store.feed import Changed
from edda_sync.testing import devices, sync
from edda_sync.words.config import CacheConfig
from tests.costs import never_idle

ROOT = Path(edda.__file__).parent
PARTS = tuple(str(ROOT / part) for part in ("store", "fold", "ledger", "engine"))
DURABLE = {"SqliteWriter.commit", "MemoryStore.submit"}  # when this returns, what was written is there
AFTER = {"SqliteStatesWriter.committed"}  # when this is called, too
TABLES = ("tasks", "documents", "tags", "entity_tags", "task_documents")


class PlantedError(Exception):
    """What a step raises."""


class Steps:
    """Notes the functions that a commit calls until it is durable, and lets one of them raise."""

    def __init__(self, raising: str | None = None) -> None:
        self.called: dict[str, None] = {}
        self.has_raised = False
        self._raising = raising
        self._is_durable = False

    def __call__(self, frame: FrameType, event: str, _: Any) -> None:
        code = frame.f_code
        if not code.co_filename.startswith(PARTS):
            return
        if event == "return" and code.co_qualname in DURABLE:
            self._is_durable = True
        if event == "call" and code.co_qualname in AFTER:
            self._is_durable = True
        if event != "call" or self._is_durable:
            return
        name = f"{Path(code.co_filename).relative_to(ROOT)} {code.co_qualname}"
        self.called[name] = None
        if name == self._raising and not self.has_raised:
            self.has_raised = True
            raise PlantedError(name)


Deed = Callable[[edda.Transaction, dict[str, str], int], object]
DEEDS: dict[str, Deed] = {
    "CreateTask": lambda tx, ids, n: tx.create_task(
        edda.Task(title=f"made {n}", description="words", tags={"work", f"new {n}"}, parent_id=ids["parent"])
    ),
    "UpdateTask": lambda tx, ids, n: tx.update_task(
        edda.Task(id=ids["task"], title=f"title {n}", description=f"other words {n}", status="done", metadata={"k": n})
    ),
    "DeleteTask": lambda tx, ids, _: tx.delete_task(ids["task"]),
    "CreateDocument": lambda tx, _, n: tx.create_document(
        edda.Document(title=f"made {n}", content="words", tags={"work"})
    ),
    "UpdateDocument": lambda tx, ids, n: tx.update_document(
        edda.Document(id=ids["document"], title=f"t {n}", content=f"c {n}")
    ),
    "DeleteDocument": lambda tx, ids, _: tx.delete_document(ids["document"]),
    "Attach": lambda tx, ids, n: tx.attach(ids["document"], io.BytesIO(b"content %d" % n), name="a"),
}


def prepared(store: StorageEngine) -> dict[str, str]:
    """Make what the deeds are about, with an edited text, a link and a subtask."""
    ids = {"parent": store.create_task(edda.Task(title="parent"))}
    ids["task"] = store.create_task(
        edda.Task(title="task", description="some words", parent_id=ids["parent"], tags={"work"})
    )
    store.create_task(edda.Task(title="child", parent_id=ids["task"]))
    ids["document"] = store.create_document(edda.Document(title="document", content="a text"))
    with store.begin_transaction() as tx:
        tx.link(ids["task"], ids["document"])
        tx.edit_text(ids["task"], "description", [(0, 4, "few")])
        tx.edit_text(ids["document"], "content", [(0, 1, "the")])
    return ids


def everything(store: StorageEngine, ids: dict[str, str]) -> tuple[object, ...]:
    """What is on disk and what readers see, through the cache as well."""
    tables = tuple(tuple(store.table(name)) for name in TABLES)
    read = store.get_task(ids["task"]), store.get_document(ids["document"]), store.get_task(ids["parent"])
    files = tuple(store.reading.files.chunks.names()), tuple(store.attachments(ids["document"]))
    return store.digest(), tables, store.counts(), store.frontier(), store.waiting(), store.conflicts(), read, files


def committed(store: StorageEngine, deed: Deed, ids: dict[str, str], number: int, steps: Steps) -> edda.Transaction:
    tx = store.begin_transaction()
    deed(tx, ids, number)
    sys.setprofile(steps)
    try:
        tx.commit()
    except PlantedError:
        pass
    finally:
        sys.setprofile(None)
    return tx


@pytest.fixture
def pair() -> Iterator[tuple[StorageEngine, StorageEngine]]:
    with devices(2) as (laptop, phone):
        yield laptop, phone


@pytest.mark.parametrize("kind", DEEDS)
def test_an_exception_at_any_step_of_a_commit_leaves_no_trace(
    pair: tuple[StorageEngine, StorageEngine], kind: str
) -> None:
    made, phone = pair
    config = edda.StorageConfig(state_path=made.config.state_path, cache_config=CacheConfig(max_size=1_000_000))
    made.close()
    with never_idle(), edda.open(made.home, config) as laptop:
        ids, deed = prepared(laptop), DEEDS[kind]
        noted = Steps()
        committed(laptop, deed, ids, 0, noted)
        assert len(noted.called) > 40
        heard: list[Changed] = []
        laptop.ledger.feed.listen(heard.append)
        watch = laptop.watch(edda.TaskQuery())
        failed = 0
        ids = prepared(laptop)
        before = everything(laptop, ids)
        for number, step in enumerate(noted.called, 1):
            if "Delete" in kind and laptop.get_task(ids["task"]) is None:
                ids = prepared(laptop)
            heard.clear()
            steps = Steps(step)
            tx = committed(laptop, deed, ids, number, steps)
            if tx.state is TransactionState.COMMITTED:  # this commit needed no such step, or could do without it
                ids = prepared(laptop)
                before = everything(laptop, ids)
                continue
            failed += 1
            if tx.state is TransactionState.ACTIVE:  # it raised before anything was tried
                tx.rollback()
            assert tx.state in (TransactionState.ABORTED, TransactionState.ROLLED_BACK), step
            assert tx.dot is None, step
            assert not [each for each in heard if each.positions], step
            assert everything(laptop, ids) == before, step
        assert failed > len(noted.called) / 2
        laptop.update_task(edda.Task(id=ids["parent"], title="goes on"))
        watch.close()
        sync(laptop, phone)
        assert phone.digest() == laptop.digest()
        assert phone.frontier() == laptop.frontier()
        log = laptop.digest()
        laptop.rebuild()
        assert laptop.digest() == log
    made.initialize(made.config)
