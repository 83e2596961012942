"""Queries by each type of index that a person makes, against a scan of the same store; and what the indexes cost a write."""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Iterator
from typing import Final

import edda_sync as edda
from benchmarks.measure import TRANSACTION, Figure, Options, a_folder
from edda_sync.engine.engine import StorageEngine
from edda_sync.words.indexes import IndexType

ROUNDS: Final = 5
LONG: Final = "https://example.org/" + "x" * 400
Q = edda.TaskQuery
QUERIES: Final[dict[str, edda.TaskQuery]] = {
    "btree": Q(where={"metadata.effort": 77}),
    "btree, partial": Q(where={"metadata.effort": 77}, status="open"),
    "hash, of 420 characters": Q(where={"metadata.url": f"{LONG}77"}),
    "full-text": Q(where=[("metadata.notes", "contains", "word77")]),
    "spatial, within 50 km": Q(near=(52.5, 13.4), within=50_000),
    "spatial, the nearest 10": Q(near=(52.5, 13.4), limit=10),
}


def run(options: Options) -> Iterator[Figure]:
    with a_folder(options) as folder, edda.open(folder / "home") as store:
        chance = random.Random(1)
        for _ in range(0, options.tasks, TRANSACTION):
            _write(store, chance, TRANSACTION)
        scans = {name: _median(store, query) for name, query in QUERIES.items()}
        before = _write(store, chance, TRANSACTION)
        begun = time.process_time()
        store.indexes.create("effort", ["metadata.effort"])
        store.indexes.create("open-effort", ["metadata.effort"], where_clause="status = 'open'")
        store.indexes.create("url", ["metadata.url"], IndexType.HASH)
        store.indexes.create("notes", ["metadata.notes"], IndexType.FULL_TEXT)
        store.indexes.create("places", ["metadata.location"], IndexType.SPATIAL)
        made = time.process_time() - begun
        for name, query in QUERIES.items():
            indexed = _median(store, query)
            said = f"{indexed * 1e3:.2f} ms against {scans[name] * 1e3:.1f} ms"
            yield Figure(
                f"{name}: CPU by index against a scan", "pays", said, reached=indexed < scans[name], cpu_s=indexed
            )
        after = _write(store, chance, TRANSACTION)
        yield Figure("the five indexes made: CPU", "", f"{made:.2f} s", cpu_s=made)
        said = f"{after / TRANSACTION * 1e6:.0f} us against {before / TRANSACTION * 1e6:.0f} us"
        yield Figure("a task written, with them against without: CPU", "", said, cpu_s=after)


def _write(store: StorageEngine, chance: random.Random, count: int) -> float:
    begun = time.process_time()
    with store.begin_transaction() as tx:
        for _ in range(count):
            number = chance.randrange(1_000)
            metadata = {
                "effort": number, "url": f"{LONG}{number}", "notes": f"some word{number} and more",
                "location": {"lat": chance.uniform(-90, 90), "lon": chance.uniform(-180, 180)},
            }  # fmt: skip
            tx.create_task(edda.Task(title=f"Task {number}", status=chance.choice(["open", "done"]), metadata=metadata))
    return time.process_time() - begun


def _median(store: StorageEngine, query: edda.TaskQuery) -> float:
    times = []
    for _ in range(ROUNDS):
        begun = time.thread_time()
        store.query_tasks(query)
        times.append(time.thread_time() - begun)
    return statistics.median(times)
