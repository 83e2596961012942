"""Rows that are written by column, step by step, equal those that a rebuild writes whole, also with edited texts."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import edda_sync as edda
from edda_sync import testing

TABLES = ("tasks", "documents", "tags", "entity_tags", "task_documents")

what = st.sampled_from((
    "title", "text", "words", "status", "tags", "parent", "link", "unlink", "delete", "restore", "metadata", "paper", "red",
))  # fmt: skip
steps = st.lists(st.tuples(what, st.integers(0, 2), st.integers(0, 3)), min_size=1, max_size=4)


def do(tx: Any, ids: list[str], what: str, which: int, value: int) -> None:
    task = ids[which]
    if what == "title":
        tx.update_task(edda.Task(id=task, title=f"title {value}"))
    elif what == "text":
        tx.edit_text(task, "description", [(0, 0, f"{value} ")])
    elif what == "words":
        tx.update_task(edda.Task(id=task, description=f"word {value}"))
    elif what == "status":
        tx.update_task(edda.Task(id=task, status=("open", "done", "blocked", "cancelled")[value]))
    elif what == "tags":
        tx.update_task(edda.Task(id=task, tags={"red", "blue"} if value % 2 else {"red"}))
    elif what == "parent":
        tx.update_task(edda.Task(id=task, parent_id=None if value == which or value > 2 else ids[value]))
    elif what == "link":
        tx.link(task, ids[3], f"kind {value}")
    elif what == "unlink":
        tx.unlink(task, ids[3])
    elif what == "paper":
        (tx.delete_document if value % 2 else tx.restore_document)(ids[3])
    elif what == "red":
        (tx.delete_tag if value % 2 else tx.create_tag)("red")
    elif what == "delete":
        tx.delete_task(task)
    elif what == "restore":
        tx.restore_task(task)
    else:
        tx.update_task(edda.Task(id=task, metadata={"key": value}))


def tables(store: edda.StorageEngine) -> dict[str, list[Any]]:
    with store.snapshot() as reader:
        return {name: reader.tables.all(name) for name in TABLES}


@settings(max_examples=50)
@given(st.lists(steps, min_size=1, max_size=6))
def test_rows_shown_step_by_step_equal_those_of_a_rebuild(transactions: list[list[tuple[str, int, int]]]) -> None:
    with testing.devices(1) as (store,):
        ids = [store.create_task(edda.Task(title=f"task {n}", description="words")) for n in range(3)]
        ids.append(store.create_document(edda.Document(title="paper", content="words")))
        for steps in transactions:
            tx = store.begin_transaction()
            try:
                with tx:
                    for step in steps:
                        do(tx, ids, *step)
            except (edda.EddaError, ValueError):
                continue  # it was refused as a whole: what it names is in the trash, or would be part of itself
        shown = tables(store)
        store.rebuild()
        assert tables(store) == shown


@pytest.mark.parametrize("first", ["text", "title"])
def test_a_text_and_a_title_of_one_change_are_both_shown(first: str) -> None:
    with testing.devices(1) as (store,):
        task = store.create_task(edda.Task(title="one", description="words"))
        store.edit_text(task, "description", [(0, 0, "other ")])
        with store.begin_transaction() as tx:
            for step in (first, "title" if first == "text" else "text"):
                do(tx, [task], step, 0, 1)
        found = store.get_task(task)
        assert found is not None
        assert (found.title, found.description) == ("title 1", "1 other words")


def test_a_title_that_is_written_while_a_row_waits_for_its_text_takes_the_text_along() -> None:
    with testing.devices(1) as (store,):
        task = store.create_task(edda.Task(title="one", description="words"))
        store.edit_text(task, "description", [(0, 0, "other ")])
        with store.store.read() as reader:
            assert reader.index.stale()
        store.update_task(edda.Task(id=task, title="two"))
        with store.store.read() as reader:
            assert not reader.index.stale()
            assert reader.tables.all("tasks")[0][1:3] == ("two", "other words")
