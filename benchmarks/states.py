"""States in RocksDB against states in SQLite: bulk creates, reads by key, a scan, one durable create, an opening."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import edda_sync as edda
from benchmarks.measure import Figure, Options, Source, a_folder
from edda_sync.crdt.keys import key_of
from edda_sync.store.seams import StoreReader
from edda_sync.store.sqlite.store import SqliteStore

TASKS: Final = 10_000
READS: Final = 3_000
SINGLES: Final = 100
ROUNDS: Final = 3


def run(options: Options) -> Iterator[Figure]:
    with a_folder(options) as folder:
        rounds = [(_measure(folder, "sqlite", number), _measure(folder, "rocksdb", number)) for number in range(ROUNDS)]
    for what in rounds[0][0]:
        in_sql, in_rocks = (min(each[side][what] for each in rounds) for side in (0, 1))
        yield Figure(
            f"{what}: CPU, RocksDB against SQLite", "none", f"{in_rocks * 1e6:,.1f} us", f"{in_sql * 1e6:,.1f} us",
            in_sql / in_rocks, cpu_s=in_rocks,
        )  # fmt: skip


def _measure(folder: Path, backend: str, number: int) -> dict[str, float]:
    """Return the CPU time in seconds of each kind of work, for one of it."""
    home, spent = folder / f"{backend}-{number}", dict[str, float]()
    config = edda.StorageConfig(state_path=folder / "state")
    with edda.open(home, config.changed(backend=backend)) as store:

        def fill() -> None:
            with store.begin_transaction() as tx:
                for task in Source().tasks(TASKS):
                    tx.create_task(task)

        spent["a task in bulk"] = _cpu(fill) / TASKS
        kept = store.store
        assert isinstance(kept, SqliteStore)
        kept.settle()
        with kept.read() as reader:
            spent["a state in a scan"] = _cpu(lambda: sum(1 for _ in reader.states.scan())) / TASKS
            there = [record.key for record in reader.states.scan("task")]
            random.Random(number).shuffle(there)
            missing = [key_of("task", os.urandom(16)) for _ in range(READS)]
            spent["a state by key"] = _cpu(lambda: _get(reader, there[:READS], 1)) / READS
            spent["a state by key, a hundred at once"] = _cpu(lambda: _get(reader, there[:READS], 100)) / READS
            spent["a key that is missing"] = _cpu(lambda: _get(reader, missing, 1)) / READS
        singles = list(Source().tasks(SINGLES))
        spent["a task in its own transaction"] = _cpu(lambda: [store.create_task(task) for task in singles]) / SINGLES
    spent["an opening with a list of fifty"] = _cpu(lambda: _list(home, config))
    return spent


def _get(reader: StoreReader, keys: list[bytes], at_once: int) -> None:
    for at in range(0, len(keys), at_once):
        reader.states.get(keys[at : at + at_once])


def _list(home: Path, config: edda.StorageConfig) -> None:
    with edda.open(home, config) as store:
        store.query_tasks(edda.TaskQuery(limit=50))


def _cpu(work: Callable[[], object]) -> float:
    begun = time.process_time()
    work()
    return time.process_time() - begun
