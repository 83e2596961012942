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


def titles(store: StorageEngine, **asked: object) -> list[str]:
    return [each.title for each in store.query_tasks(edda.TaskQuery(order="title", **asked))]  # type: ignore[arg-type]


def test_what_holds_some_words_can_be_left_out(store: StorageEngine) -> None:
    assert titles(store, no_text="b") == ["a", "c", "d"]
    assert titles(store, no_text=["b", "c"]) == ["a", "d"]
    assert titles(store, no_text='"of d"') == ["a", "b", "c"]
    assert titles(store, no_text="words of c") == ["a", "b", "d"], "all of one text must occur"
    assert titles(store, no_text="wor*") == []
    assert titles(store, text="words", no_text="a", limit=2) == ["b", "c"]
    assert store.count(edda.TaskQuery(no_text="b")) == 3
    a = store.query_tasks(edda.TaskQuery(text="a"))[0]
    store.edit_text(a.id, "description", [(0, 0, "b ")])  # the full-text index does not have it yet
    assert titles(store, no_text="b") == ["c", "d"]
    with store.begin_transaction() as tx:
        tx.create_task(edda.Task(title="bb"))
        tx.create_task(edda.Task(title="b b"))
        assert [each.title for each in tx.query_tasks(edda.TaskQuery(order="title", no_text="b"))] == ["bb", "c", "d"]


def test_the_most_urgent_and_the_latest_may_leave_out_words_too(store: StorageEngine) -> None:
    urgent = edda.TaskQuery(status=("open", "in_progress"), no_text="a", limit=2)
    assert [each.title for each in store.query_tasks(urgent)] == ["b", "c"]
    latest = edda.TaskQuery(order="created_at", descending=True, no_text="d", limit=9)
    assert {each.title for each in store.query_tasks(latest)} == {"a", "b", "c"}


def test_nothing_to_leave_out_is_no_text(store: StorageEngine) -> None:
    for none in ("", "...", ["b", ""]):
        with pytest.raises(edda.errors.InvalidValueError, match="no_text"):
            titles(store, no_text=none)
