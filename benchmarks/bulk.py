"""Bulk creates with full text, in transactions of 1,000 and in one; and what they take on disk."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import edda_sync as edda
from benchmarks.measure import (
    TRANSACTION,
    Figure,
    Options,
    Raw,
    Row,
    Source,
    a_raw_store,
    a_store,
    fill,
    megabytes,
    rate,
    raw_rows,
    seconds,
    size_of,
    spent,
)  # fmt: skip

AIM = 20_000  # a second
LARGEST = 10_000  # tasks in one transaction: with their tags, half of what a change may have


def run(options: Options) -> Iterator[Figure]:
    tasks = Source().tasks(options.tasks)
    rows = raw_rows(tasks)
    on_disk = 0
    for name, size in ((f"{TRANSACTION:,} a transaction", TRANSACTION), ("one transaction", min(len(tasks), LARGEST))):
        with a_raw_store(options) as raw:
            raw_rate = len(rows) / seconds(partial(insert, raw, rows, size))
        with a_store(options) as store:
            ours = spent(partial(create, store, tasks, size))
            store.close()  # which empties the journal into the file
            on_disk = size_of(store.home)
        ours_rate = len(tasks) / ours.wall_s
        yield Figure(
            f"bulk create of {len(tasks):,}, {name}, with full text", f"{AIM:,} /s", rate(ours_rate), rate(raw_rate),
            ours_rate / raw_rate, ours_rate >= AIM, ours.wall_s, ours.cpu_s,
        )  # fmt: skip
    text = sum(len(task.title) + len(task.description or "") for task in tasks)
    yield Figure(
        "their log, tables and full text on disk", "", megabytes(on_disk), f"{megabytes(text)} of text", amount=on_disk
    )


def insert(raw: Raw, rows: list[tuple[Row, list[Row]]], size: int) -> None:
    for at in range(0, len(rows), size):
        raw.insert(rows[at : at + size])


def create(store: edda.StorageEngine, tasks: list[edda.Task], size: int) -> None:
    fill(store, tasks, size)
    store.reading.index_texts()
