"""Watched queries beside changes of which none matters to them: what they take of a core."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import edda_sync as edda
from benchmarks.measure import Figure, Options, Source, a_folder
from edda_sync.engine.engine import StorageEngine

QUERIES: Final = 1_000
CHANGES: Final = 3_000
A_SECOND: Final = 1_000
A_COMMIT: Final = 10
AIM_SHARE: Final = 0.2
PATIENCE_S: Final = 60.0


def run(options: Options) -> Iterator[Figure]:
    with a_folder(options) as folder:
        config = edda.StorageConfig(state_path=folder / "state")
        with edda.open(Path(folder) / "home", config) as store:
            with store.begin_transaction() as tx:
                for task in Source().tasks(1_000):
                    tx.create_task(task)
            parents = [task.id for task in store.query_tasks(edda.TaskQuery(limit=100))]
            _write(store)  # warm
            alone_s = _write(store)
            watches = [store.watch(query) for query in _queries(parents)]
            for watch in watches:
                assert watch.wait(PATIENCE_S) is not None, "each tells its first result"
            beside_s = _write(store)
            assert [watch for watch in watches if watch.take() is not None] == [], "none of the changes matters"
    share = (beside_s - alone_s) / CHANGES * A_SECOND
    yield Figure(
        f"{QUERIES:,} watched queries beside {A_SECOND:,} changes a second (ten a commit): of a core",
        f"{AIM_SHARE:.0%}", f"{share:.1%}", reached=share < AIM_SHARE, cpu_s=share,
    )  # fmt: skip


def _queries(parents: list[str]) -> Iterator[edda.TaskQuery | edda.DocumentQuery]:
    for number in range(QUERIES // 5):
        yield edda.TaskQuery(status="open", tags=f"watched {number}", limit=50)
        yield edda.TaskQuery(parent=parents[number % len(parents)])
        yield edda.TaskQuery(status="open", where={"metadata.project": f"watched {number}"})
        yield edda.TaskQuery(under=parents[number % len(parents)], order="title", limit=20)
        yield edda.DocumentQuery(doc_type=f"watched {number}")


def _write(store: StorageEngine) -> float:
    """Create tasks, ten in a commit, and return the CPU time of this process in seconds."""
    begun, cpu = time.perf_counter(), time.process_time()
    for number in range(0, CHANGES, A_COMMIT):
        with store.begin_transaction() as tx:
            for each in range(number, number + A_COMMIT):
                tx.create_task(edda.Task(title=f"Task {each}", tags={"other"}, metadata={"project": "other"}))
        ahead = begun + number / A_SECOND - time.perf_counter()
        if ahead > 0:
            time.sleep(ahead)
    time.sleep(0.2)  # what was written last is looked at, too
    return time.process_time() - cpu
