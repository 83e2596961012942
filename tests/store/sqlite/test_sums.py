"""The sums of rows: whatever flips in a row that people see, its reader says so, and never shows it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlcipher3 import dbapi2 as sqlite

from edda_sync.engine.engine import StorageEngine
from edda_sync.engine.engine import open as open_store
from edda_sync.store.seams import StoreReader
from edda_sync.store.sqlite import sums
from edda_sync.words.errors import DamagedRowsError
from edda_sync.words.model import Document, Task
from edda_sync.words.query import DocumentQuery, TaskQuery, plan

ROWS = st.lists(st.none() | st.integers(-(2**63), 2**63 - 1) | st.text() | st.binary(), min_size=1, max_size=12)


@given(ROWS)
def test_a_sum_is_the_same_for_equal_rows_wherever_their_texts_lie_in_memory(row: list[Any]) -> None:
    again = ["".join(each) if isinstance(each, str) else each for each in row]
    assert sums.sum_of(row) == sums.sum_of(tuple(again))


def test_the_sums_that_are_in_stores_already_are_those_of_every_python() -> None:
    row = ("0199", "Æpler · 日本語", None, "open", 3, 2**40, -1, b"\x00\xff")
    assert sums.sum_of(row) == 503030627


@given(ROWS, st.data())
def test_a_flipped_bit_of_a_text_changes_the_sum(row: list[Any], data: st.DataObject) -> None:
    texts = [number for number, each in enumerate(row) if isinstance(each, str) and each]
    if not texts:
        return
    at = data.draw(st.sampled_from(texts))
    encoded = bytearray(row[at].encode())
    bit = data.draw(st.integers(0, len(encoded) * 8 - 1))
    encoded[bit // 8] ^= 1 << bit % 8
    flipped = encoded.decode(errors="replace")
    assert sums.sum_of(row) != sums.sum_of([*row[:at], flipped, *row[at + 1 :]])


# --- in a store -------------------------------------------------------------------------------------------------------


@pytest.fixture
def home(tmp_path: Path) -> Path:
    home = tmp_path / "home"
    with open_store(home) as store:
        task = store.create_task(Task(title="a task", description="text", tags={"red", "blue"}))
        document = store.create_document(Document(title="a document", content="words", tags={"red"}))
        with store.begin_transaction() as tx:
            tx.link(task, document, "spec")
    return home


def spoil(home: Path, statement: str) -> None:
    """Change a store's file as no store would, and leave no trace but the change."""
    with closing(sqlite.connect(str(home / "edda.db"), isolation_level=None)) as connection:
        connection.execute("PRAGMA foreign_keys = OFF")
        assert connection.execute(statement).rowcount > 0


def tasks(reader: StoreReader) -> list[str]:
    return [row[0] for row in reader.tables.rows(plan(TaskQuery()))]


def documents(reader: StoreReader) -> list[str]:
    return [row[0] for row in reader.tables.rows(plan(DocumentQuery()))]


def test_a_row_that_its_store_wrote_is_read_after_every_kind_of_write(home: Path) -> None:
    with open_store(home) as store:
        (task,) = store.query_tasks(TaskQuery())
        (document,) = store.query_documents(DocumentQuery())
        assert isinstance(task.id, str)
        assert isinstance(document.id, str)
        task.title, task.tags = "another", {"red", "green"}
        store.update_task(task)
        store.edit_text(task.id, "description", [(0, 0, "more ")])
        with store.begin_transaction() as tx:
            tx.rename_tag("red", "crimson")
            tx.unlink(task.id, document.id)
            tx.link(task.id, document.id, "notes")
            tx.create_tag("green", color="#00ff00")
        store.delete_document(document.id)
        reads_everything(store)
        with store.begin_transaction() as tx:
            tx.restore_document(document.id)
            tx.delete_tag("green")
        reads_everything(store)
        store.rebuild()
        reads_everything(store)


def reads_everything(store: StorageEngine) -> None:
    with store.snapshot() as reader:
        reader.edges.tags_of("task", tasks(reader))
        reader.edges.tags_of("document", documents(reader))
        reader.edges.links_of(None, None)
        for name in ("tasks", "documents", "tags", "entity_tags", "task_documents"):
            reader.tables.all(name)


READS: dict[str, Callable[[StoreReader], object]] = {
    "the tasks": tasks,
    "the documents": documents,
    "tags of tasks": lambda reader: reader.edges.tags_of("task", [row[0] for row in reader.tables.scan("tasks")]),
    "links": lambda reader: reader.edges.links_of(None, None),
    "links of a document": lambda reader: reader.edges.links_of(None, next(reader.tables.scan("documents"))[0]),
    "table tags": lambda reader: reader.tables.all("tags"),
    "table entity_tags": lambda reader: reader.tables.all("entity_tags"),
    "table task_documents": lambda reader: reader.tables.all("task_documents"),
    "a row": lambda reader: reader.tables.row("task", next(reader.tables.scan("tasks"))[0]),
}


@pytest.mark.parametrize(
    ("statement", "noticed"),
    [
        ("UPDATE tasks SET title = 'b task'", ["the tasks", "a row"]),
        ("UPDATE tasks SET priority = 3", ["the tasks", "a row"]),
        ("UPDATE tasks SET due_date = '2027-01-01'", ["the tasks", "a row"]),
        ("UPDATE documents SET content = 'wordz'", ["the documents"]),
        ("UPDATE tags SET name = 'Red' WHERE name = 'red'", ["tags of tasks", "table tags"]),
        ("UPDATE entity_tags SET created_at = 'x' WHERE entity_type = 'task'", ["tags of tasks", "table entity_tags"]),
        ("DELETE FROM entity_tags WHERE rowid = 1", ["tags of tasks", "table entity_tags"]),
        ("DELETE FROM tags WHERE name = 'blue'", ["tags of tasks"]),
        ("UPDATE task_documents SET relationship_type = 'spek'", ["links", "links of a document", "table task_documents"]),
        ("DELETE FROM task_documents", ["links", "table task_documents"]),
        ("DELETE FROM _task_sums", ["the tasks", "a row", "tags of tasks", "links", "links of a document"]),
        ("UPDATE _task_sums SET shown = x'00', tags = x'00', links = x'00'", ["the tasks", "tags of tasks", "links"]),
    ],
)  # fmt: skip
def test_whoever_reads_what_was_never_written_gets_an_error(home: Path, statement: str, noticed: list[str]) -> None:
    spoil(home, statement)
    with open_store(home) as store, store.store.read() as reader:
        for name in noticed:
            with pytest.raises(DamagedRowsError):
                READS[name](reader)


def test_what_differed_before_a_part_is_written_differs_afterwards(home: Path) -> None:
    spoil(home, "UPDATE tasks SET title = 'b task'")
    spoil(home, "UPDATE entity_tags SET created_at = 'x' WHERE entity_type = 'task' AND rowid = 1")
    with open_store(home) as store:
        with store.store.read() as reader:
            (row,) = reader.tables.scan("tasks")
        store.update_task(Task(id=row[0], priority=0, tags={"red", "blue", "green"}))
        with store.store.read() as reader:
            with pytest.raises(DamagedRowsError):
                tasks(reader)
            with pytest.raises(DamagedRowsError):
                reader.edges.tags_of("task", [row[0]])
