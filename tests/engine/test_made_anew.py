"""Made anew: what a person reads of a store that rotted is what was written, at once, and the file holds it again."""

from __future__ import annotations

import io
import logging
import subprocess
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlcipher3 import dbapi2 as sqlite

from edda_sync.engine import doctor
from edda_sync.engine.engine import StorageEngine
from edda_sync.engine.engine import open as open_store
from edda_sync.words.errors import CorruptError, DamagedRowsError
from edda_sync.words.model import Document, Task, as_json
from edda_sync.words.query import DocumentQuery, TaskQuery
from tests.mounting import mount


@dataclass
class Written:
    home: Path
    task: str
    document: str


@pytest.fixture
def written(tmp_path: Path) -> Written:
    home = tmp_path / "home"
    with open_store(home) as store:
        task = store.create_task(Task(title="a task", description="text", tags={"red", "blue"}))
        document = store.create_document(Document(title="a document", content="words", tags={"red"}))
        with store.begin_transaction() as tx:
            tx.link(task, document, "spec")
            tx.attach(document, io.BytesIO(b"content"), name="file")
        store.edit_text(document, "content", [(0, 0, "more ")])
    return Written(home, task, document)


def spoil(home: Path, *statements: str) -> None:
    with closing(sqlite.connect(str(home / "edda.db"), isolation_level=None)) as connection:
        connection.execute("PRAGMA foreign_keys = OFF")
        for statement in statements:
            assert connection.execute(statement).rowcount != 0


def reads(store: StorageEngine, written: Written) -> dict[str, Any]:
    return {
        "tasks": [as_json(each) for each in store.query_tasks(TaskQuery())],
        "tagged": [each.id for each in store.query_tasks(TaskQuery(tags="red"))],
        "documents": [as_json(each) for each in store.query_documents(DocumentQuery())],
        "task": store.get_task(written.task),
        "document": store.get_document(written.document),
        "tags": store.tags(),
        "links": store.links(),
        "attachments": store.attachments(written.document),
        "table": store.table("entity_tags"),
    }


SPOILED = [
    ("UPDATE tasks SET title = 'b task'",),
    ("UPDATE tasks SET id = 'b' || substr(id, 2)",),
    ("UPDATE documents SET content = 'wordz'",),
    ("UPDATE tasks SET title = 'b'", "DELETE FROM entity_tags", "UPDATE tags SET name = 'x' WHERE name = 'red'"),
    ("UPDATE tags SET name = 'Red' WHERE name = 'red'",),
    ("DELETE FROM entity_tags WHERE entity_type = 'task'",),
    ("UPDATE entity_tags SET tag_id = 'x' WHERE entity_type = 'task' AND rowid = 1",),
    ("UPDATE task_documents SET relationship_type = 'spek'",),
    ("DELETE FROM task_documents",),
    ("UPDATE _attachments SET created_at = 'x'",),
    ("DELETE FROM _attachments",),
    ("DELETE FROM _task_sums", "DELETE FROM _document_sums", "DELETE FROM _tag_sums"),
    ("UPDATE tasks SET title = 'b task'", "UPDATE _entities SET state = zeroblob(40) WHERE substr(key, 1, 1) = x'01'"),
]


@pytest.mark.parametrize("statements", SPOILED)
def test_what_is_read_is_what_was_written_and_the_file_is_sound_again(
    written: Written, caplog: pytest.LogCaptureFixture, statements: tuple[str, ...]
) -> None:
    with open_store(written.home) as store:
        before = reads(store, written)
    spoil(written.home, *statements)
    with caplog.at_level(logging.WARNING), open_store(written.home) as store:
        assert reads(store, written) == before
        assert reads(store, written) == before
    assert sum("made anew" in each.message for each in caplog.records) >= 1
    caplog.clear()
    with caplog.at_level(logging.WARNING), open_store(written.home) as store:
        assert reads(store, written) == before
        assert all(each.sound for each in doctor.check(store))
    assert caplog.records == []


def test_an_item_whose_row_is_gone_is_there_for_whoever_names_it(written: Written) -> None:
    spoil(written.home, "DELETE FROM tasks")
    with open_store(written.home) as store:
        found = store.get_task(written.task)
        assert found is not None
        assert found.tags == {"red", "blue"}
        assert len(store.query_tasks(TaskQuery())) == 1


def test_a_transaction_sees_and_updates_what_was_written(written: Written) -> None:
    spoil(written.home, "UPDATE tasks SET title = 'b task', description = 'tezt'")
    with open_store(written.home) as store:
        with store.begin_transaction() as tx:
            task = tx.get_task(written.task)
            assert task is not None
            assert task.title == "a task"
            task.description = "text and more"
            tx.update_task(task)
        found = store.get_task(written.task)
        assert found is not None
        assert (found.title, found.description) == ("a task", "text and more")


def test_an_index_in_which_a_row_is_lost_is_made_anew_and_shows_no_row_twice(written: Written) -> None:
    wrong = b"f" + written.task.encode()[1:]
    with open_store(written.home) as store:
        before = reads(store, written)
    flip_in_index(written.home, "sqlite_autoindex_tasks_1", written.task.encode(), wrong)
    with open_store(written.home) as store:
        assert reads(store, written) == before
        assert len(store.table("tasks")) == 1
        assert all(each.sound for each in doctor.check(store))


def flip_in_index(home: Path, index: str, text: bytes, into: bytes) -> None:
    path = home / "edda.db"
    with closing(sqlite.connect(str(path))) as connection:
        (page,) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = ?", (index,)).fetchone()
        (size,) = connection.execute("PRAGMA page_size").fetchone()
    content = bytearray(path.read_bytes())
    at = content.index(text, (page - 1) * size, page * size)
    content[at : at + len(text)] = into
    path.write_bytes(content)


def test_a_store_that_cannot_be_written_says_what_is_damaged(written: Written, tmp_path: Path) -> None:
    spoil(written.home, "UPDATE tasks SET title = 'b task'")
    there = tmp_path / "there"
    there.mkdir()
    mount("--bind", str(written.home), str(there))
    try:
        mount("-o", "remount,ro,bind", str(there))
        with open_store(there) as store:
            with pytest.raises(DamagedRowsError, match=written.task):
                store.query_tasks(TaskQuery())
            assert len(store.query_documents(DocumentQuery())) == 1
    finally:
        subprocess.run(["umount", str(there)], check=True)


def test_a_log_that_rotted_as_well_is_an_error_and_nothing_is_changed(written: Written) -> None:
    spoil(
        written.home,
        "UPDATE tasks SET title = 'b task'",
        "UPDATE _entities SET state = zeroblob(40)",
        "UPDATE _log SET body = zeroblob(20)",
    )
    with open_store(written.home) as store, pytest.raises(CorruptError):
        store.query_tasks(TaskQuery())
    with closing(sqlite.connect(str(written.home / "edda.db"))) as connection:
        assert connection.execute("SELECT title FROM tasks").fetchall() == [("b task",)]
