"""Damage on disk ends no listing, no check and no proof: it is named by its key, and mended from the log."""

from __future__ import annotations

from pathlib import Path

import pytest

import edda_sync as edda
from edda_sync.engine import doctor
from edda_sync.engine.engine import StorageEngine
from edda_sync.store.sqlite.store import SqliteStore
from edda_sync.testing import devices, sync
from edda_sync.words.query import TASK_ORDERS

ROT = {
    "the states of texts": ("UPDATE _texts SET state = x'00'",),
    "the states of texts whose rows are not up to date": (
        "UPDATE _texts SET state = x'00'",
        "INSERT OR IGNORE INTO _stale SELECT entity FROM _texts",
    ),
    "the latest edits of texts": (
        "UPDATE _text_tail SET edit = x'c1' WHERE length(edit) > 0",
        "INSERT OR IGNORE INTO _stale SELECT entity FROM _text_tail",
    ),
    "documents": ("UPDATE _entities SET state = x'00' WHERE substr(key, 1, 1) = x'01'",),
    "documents whose rows are not up to date": (
        "UPDATE _entities SET state = x'00' WHERE substr(key, 1, 1) = x'01'",
        "INSERT OR IGNORE INTO _stale SELECT entity FROM _texts",
    ),
}


def write(a: StorageEngine, b: StorageEngine) -> None:
    """Three edited texts: one has a conflict, one is in the trash, and one was replaced."""
    shown, hidden, replaced = (a.create_document(edda.Document(title=title, content="words")) for title in "abc")
    for document in (shown, hidden, replaced):
        a.edit_text(document, "content", [(0, 0, "some ")])
    sync(a, b)
    a.delete_document(hidden)
    a.update_document(edda.Document(id=replaced, content=None))
    b.edit_text(replaced, "content", [(0, 0, "more ")])
    a.update_document(edda.Document(id=shown, title="one"))
    b.update_document(edda.Document(id=shown, title="other"))
    sync(a, b)
    a.edit_text(shown, "content", [(0, 0, "and ")])


def rot(engine: StorageEngine, statements: tuple[str, ...]) -> StorageEngine:
    """Damage a closed store, open it again and return it."""
    home, config = engine.home, engine.config
    assert isinstance(engine.store, SqliteStore)
    connection = engine.store.connect()
    for statement in statements:
        connection.execute(statement)
    connection.close()
    engine.close()
    opened = StorageEngine(home)
    opened.open_store(config)
    return opened


@pytest.mark.parametrize("what", ROT)
def test_an_unreadable_item_ends_no_listing_and_is_made_anew(what: str) -> None:
    with devices(2) as (a, b):
        write(a, b)
        sync(a, b)
        with rot(a, ROT[what]) as spoiled:
            assert len(spoiled.query_documents(edda.DocumentQuery())) == 2
            spoiled.query_documents(edda.DocumentQuery(text="words"))
            spoiled.trash("document")
            spoiled.conflicts()
            assert len(spoiled.members()) == 2
            assert len(spoiled.table("documents")) == 2
            assert not all(each.sound for each in doctor.check(spoiled))
            spoiled.create_task(edda.Task(title="goes on"))
            found, following = spoiled.reading.scrub(limit=1_000)
            keys = [each.key for each in found if each.key is not None]
            assert keys
            assert following is None
            spoiled.refold(keys)
            assert all(each.sound for each in doctor.check(spoiled))
            assert [len(spoiled.trash("document")), len(spoiled.conflicts())] == [1, 2]
            sync(spoiled, b)


FOREIGN = {
    "a status that only a newer version knows": ("status", "paused"),
    "a title without a word": ("title", ""),
    "a priority out of bounds": ("priority", 7),
    "a priority that is text": ("priority", "high"),
    "a due date that is none": ("due_date", "tomorrow"),
    "a time that is none": ("created_at", "yesterday"),
    "metadata that is no JSON": ("metadata", "{"),
    "metadata that is no object": ("agent_context", "[1]"),
    "a text of bytes": ("description", b"\xff"),
    "a title of bytes": ("title", b"\xff"),
}


@pytest.mark.parametrize("what", FOREIGN)
def test_a_value_that_another_program_wrote_into_a_row_is_not_shown_and_ends_no_listing(
    what: str, tmp_path: Path
) -> None:
    column, value = FOREIGN[what]
    with edda.open(tmp_path / "home") as engine:
        tasks = [engine.create_task(edda.Task(title=title, description="words")) for title in ("one", "two")]
        first = engine.get_task(tasks[0])
        before = getattr(first, column)
        assert isinstance(engine.store, SqliteStore)
        connection = engine.store.connect()
        connection.execute(f"UPDATE tasks SET {column} = ? WHERE id = ?", (value, tasks[0]))
        connection.close()
        assert len(engine.query_tasks(edda.TaskQuery())) == 2
        for order in (each for each in TASK_ORDERS if each not in ("relevance", "distance")):
            assert len(engine.query_tasks(edda.TaskQuery(order=order, limit=2))) == 2
        with engine.begin_transaction() as tx:
            tx.create_task(edda.Task(title="three"))
            assert len(tx.query_tasks(edda.TaskQuery())) == 3
        read = engine.get_task(tasks[0])
        assert read is not None
        assert getattr(read, column) == before
        read.tags.add("home")
        engine.update_task(read)
        again = engine.get_task(tasks[0])
        assert again is not None
        assert again.tags == {"home"}
        assert all(each.sound for each in doctor.check(engine))
