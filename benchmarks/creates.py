"""Single creates, each durable before the next: by one writer, and by eight at once, who share commits."""

from __future__ import annotations

import statistics
import threading
from collections.abc import Iterator
from functools import partial

import edda_sync as edda
from benchmarks.measure import Figure, Options, Raw, Row, Source, a_raw_store, a_store, rate, raw_rows, seconds

ROUNDS = 15  # the three take turns, so that a slow moment of the machine strikes all of them
CREATES = 200
WRITERS = 8


def run(options: Options) -> Iterator[Figure]:
    source = Source()
    raw_s, one_s, eight_s = [], [], []
    with a_store(options) as store, a_raw_store(options) as raw:
        for _ in range(ROUNDS):
            raw_s.append(seconds(partial(insert_each, raw, raw_rows(source.tasks(CREATES)))) / CREATES)
            one_s.append(seconds(partial(create_each, store, source.tasks(CREATES))) / CREATES)
            shares = [source.tasks(CREATES // WRITERS) for _ in range(WRITERS)]
            eight_s.append(seconds(partial(create_at_once, store, shares)) / CREATES)
    ratio = statistics.median(theirs / ours for theirs, ours in zip(raw_s, one_s, strict=True))
    gain = statistics.median(one / eight for one, eight in zip(one_s, eight_s, strict=True))
    raw_rate, one_rate, eight_rate = (1 / statistics.median(each) for each in (raw_s, one_s, eight_s))
    yield Figure("durable creates, 1 writer", "0.5 of raw", rate(one_rate), rate(raw_rate), ratio, ratio >= 0.5)
    yield Figure(
        f"durable creates, {WRITERS} writers", "3 x one writer", f"{rate(eight_rate)} ({gain:.1f} x)", rate(raw_rate),
        eight_rate / raw_rate, gain >= 3,
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
