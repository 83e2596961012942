"""Matching: rows that read differently from their stored form are found, ordered and cut by what they read."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import edda_sync as edda
from edda_sync.engine.engine import StorageEngine
from edda_sync.engine.matching import matching, with_rows
from edda_sync.testing import devices
from edda_sync.words.query import plan


@pytest.fixture(params=["memory", "sqlite"])
def store(request: pytest.FixtureRequest) -> Iterator[StorageEngine]:
    with devices(1, backend=request.param) as (engine,):
        for number, title in enumerate("abcd"):
            engine.create_task(edda.Task(title=title, description=f"words of {title}", priority=number))
        yield engine


def test_a_row_that_reads_differently_enters_the_page_or_leaves_it(store: StorageEngine) -> None:
    urgent = plan(edda.TaskQuery(order="title", priority=[0, 1], limit=2))
    with store.store.read() as reader:
        a, b, c, d = reader.tables.rows(plan(edda.TaskQuery(order="title")))
        assert with_rows(reader, urgent, {}) == [a, b]
        out, into = (*a[:4], 4, *a[5:]), (*d[:4], 0, *d[5:])
        assert with_rows(reader, urgent, {a[0]: out}) == [b]
        assert with_rows(reader, urgent, {a[0]: out, d[0]: into}) == [b, into]
        renamed = (c[0], "A", *c[2:4], 1, *c[5:])
        assert with_rows(reader, urgent, {c[0]: renamed}) in ([renamed, a], [a, renamed])


def test_words_are_found_in_rows_that_are_not_indexed_yet(store: StorageEngine) -> None:
    words = plan(edda.TaskQuery(text="words of c"))
    with store.store.read() as reader:
        assert [row[1] for row in matching(reader, words)] == ["c"]
    store.reading.index_texts()
    with store.store.read() as reader:
        assert [row[1] for row in matching(reader, words)] == ["c"]
