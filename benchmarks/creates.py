"""Single creates, each durable before the next: by one writer, and by eight at once, who share commits."""

from __future__ import annotations

import statistics
import threading
from collections.abc import Iterator
from functools import partial

import edda_sync as edda
from benchmarks.measure import Figure, Options, Raw, Row, Source, a_raw_store, a_store, median, rate, raw_rows, spent

ROUNDS = 15  # the three take turns, so that a slow moment of the machine strikes all of them
CREATES = 200
WRITERS = 8


def run(options: Options) -> Iterator[Figure]:
    source = Source()
    raws, ones, eights = [], [], []
    with a_store(options) as store, a_raw_store(options) as raw:
        for _ in range(ROUNDS):
            raws.append(spent(partial(insert_each, raw, raw_rows(source.tasks(CREATES)))))
            ones.append(spent(partial(create_each, store, source.tasks(CREATES))))
            shares = [source.tasks(CREATES // WRITERS) for _ in range(WRITERS)]
            eights.append(spent(partial(create_at_once, store, shares)))
    ratio = statistics.median(theirs.wall_s / ours.wall_s for theirs, ours in zip(raws, ones, strict=True))
    gain = statistics.median(one.wall_s / eight.wall_s for one, eight in zip(ones, eights, strict=True))
    one, eight = median(ones), median(eights)
    raw_rate, one_rate, eight_rate = (CREATES / each.wall_s for each in (median(raws), one, eight))
    yield Figure(
        "durable creates, 1 writer", "0.5 of raw", rate(one_rate), rate(raw_rate), ratio, ratio >= 0.5,
        one.wall_s / CREATES, one.cpu_s / CREATES,
    )  # fmt: skip
    yield Figure(
        f"durable creates, {WRITERS} writers", "3 x one writer", f"{rate(eight_rate)} ({gain:.1f} x)", rate(raw_rate),
        eight_rate / raw_rate, gain >= 3, eight.wall_s / CREATES, eight.cpu_s / CREATES,
    )  # fmt: skip


def insert_each(raw: Raw, rows: list[tuple[Row, list[Row]]]) -> None:
    for row in rows:
        raw.insert([row])


def create_each(store: edda.StorageEngine, tasks: list[edda.Task]) -> None:
    for task in tasks:
        store.create_task(task)


def create_at_once(store: edda.StorageEngine, shares: list[list[edda.Task]]) -> None:
    threads = [threading.Thread(target=create_each, args=(store, share)) for share in shares]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
