"""Tasks read by id with a cache and without one: all of them fit, a tenth fits, and with writes in between."""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Iterator
from typing import Final

import edda_sync as edda
from benchmarks.measure import Figure, Options, Source, a_folder
from edda_sync.engine.engine import StorageEngine
from edda_sync.words.config import CacheConfig

READS: Final = 3_000
TASKS: Final = 2_000
ROUNDS: Final = 5


def run(options: Options) -> Iterator[Figure]:
    with a_folder(options) as folder:
        state = folder / "state"
        with edda.open(folder / "home", edda.StorageConfig(state_path=state)) as plain:
            with plain.begin_transaction() as tx:
                ids = [tx.create_task(task) for task in Source().tasks(TASKS)]
            for name, size, one_in in (
                ("all fit", 64_000_000, 0),
                ("a tenth fits", 100_000, 0),
                ("all fit, a write before one read in ten", 64_000_000, 10),
            ):
                config = edda.StorageConfig(state_path=state, cache_config=CacheConfig(max_size=size))
                with edda.open(folder / "home", config) as cached:
                    for task in ids:
                        cached.get_task(task)
                    before = cached.reading.metrics().cache
                    mine = statistics.median([_read(cached, ids, one_in) for _ in range(ROUNDS)])
                    after = cached.reading.metrics().cache
                assert before is not None
                assert after is not None
                rate = (after.hits - before.hits) / (ROUNDS * (READS if not one_in else READS // 5))
                other = statistics.median([_read(plain, ids, one_in) for _ in range(ROUNDS)])
                yield Figure(
                    f"a task read by id, {name}: CPU, cached ({rate:.0%} hits) against not", "pays",
                    f"{mine * 1e6:.0f} us against {other * 1e6:.0f} us", reached=mine < other, cpu_s=mine,
                )  # fmt: skip


def _read(store: StorageEngine, ids: list[str], one_in: int) -> float:
    """Read tasks at random; return the CPU time of one read in seconds, without that of the writes."""
    chance, spent = random.Random(1), 0.0
    for number in range(READS if not one_in else READS // 5):
        if one_in and number % one_in == 0:
            store.update_task(edda.Task(id=chance.choice(ids), priority=chance.randrange(5)))
        task = chance.choice(ids)
        begun = time.thread_time()
        store.get_task(task)
        spent += time.thread_time() - begun
    return spent / (READS if not one_in else READS // 5)
