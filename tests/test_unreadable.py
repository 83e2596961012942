"""Damage on disk ends no listing, no check and no proof: it is named by its key, and mended from the log."""

from __future__ import annotations

from pathlib import Path

import pytest

import edda_sync as edda
from edda_sync.engine import doctor, standing
from edda_sync.engine.engine import StorageEngine
from edda_sync.store.sqlite.store import SqliteStore
from edda_sync.testing import devices, sync
from edda_sync.words.errors import CorruptError
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
    connection.execute("PRAGMA foreign_keys = OFF")
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


LAST = "WHERE position = (SELECT max(position) FROM _log)"
DAMAGED = {
    "the header of the last change": f"UPDATE _log SET raw = x'c1' {LAST}",
    "the header of the last change, which is text now": f"UPDATE _log SET raw = CAST('junk' AS TEXT) {LAST}",
    "the number of the last change": f"UPDATE _log SET seq = 'junk' {LAST}",
    "the header of the first change": "UPDATE _log SET raw = x'c1' WHERE position = 1",
    "the deletions of an item": "UPDATE _deletions SET open = x'00'",
    "the deletions of an item, which are a number now": "UPDATE _deletions SET open = 7",
    "the items that were deleted": "UPDATE _deletions SET entity = 'junk'",
    "a unique index": "UPDATE _unique SET record = x'c1'",
    "a unique index, which is a number now": "UPDATE _unique SET record = 7",
    "the item of a claim": "UPDATE _claims SET entity = 'junk' WHERE withheld",
    "the value of a claim": "UPDATE _claims SET value = 7 WHERE withheld",
    "the id of a task, which is missing": "UPDATE tasks SET id = NULL WHERE rowid = 1",
    "the id of a tag, which is missing": "UPDATE tags SET id = NULL",
    "the id of a tag, which is bytes now": "UPDATE tags SET id = x'ff'",
}


def write_what_is_listed(a: StorageEngine, b: StorageEngine) -> None:
    """Two tasks: one was deleted and edited at once, and both claim one value; a tag, and an edit as the last change."""
    a.indexes.create("numbers", ["metadata.number"], unique=True)
    one, other = (a.create_task(edda.Task(title=title, tags={"home"})) for title in ("one", "other"))
    sync(a, b)
    a.update_task(edda.Task(id=one, metadata={"number": 5}))
    b.update_task(edda.Task(id=other, metadata={"number": 5}))
    a.delete_task(other)
    sync(a, b)
    b.update_task(edda.Task(id=one, title="a title"))
    a.update_task(edda.Task(id=one, title="another title"))
    sync(a, b)


@pytest.mark.parametrize("what", DAMAGED)
def test_whatever_is_damaged_ends_no_listing_and_the_doctor_names_it(what: str) -> None:
    with devices(2) as (a, b):
        write_what_is_listed(a, b)
        with rot(a, (DAMAGED[what],)) as spoiled:
            assert not all(each.sound for each in doctor.check(spoiled))
            assert len(spoiled.query_tasks(edda.TaskQuery(limit=10))) == 2
            assert [each.name for each in spoiled.tags()] == ["home"]
            assert len(spoiled.history().changes) == 7
            assert "title" in {each.field for each in spoiled.conflicts()}
            spoiled.indexes.clashes()
            assert standing.status(spoiled)["tasks"] == 2


def test_a_change_that_cannot_be_read_has_its_line_in_the_history() -> None:
    with devices(2) as (a, b):
        write_what_is_listed(a, b)
        before = a.history().changes
        with rot(a, (DAMAGED["the header of the last change"],)) as spoiled:
            damaged, *others = spoiled.history().changes
            assert others == list(before[1:])
            assert damaged.dot == before[0].dot
            assert damaged.what == ("damaged on this disk: run `edda doctor`",)
            with pytest.raises(CorruptError, match="this disk"):
                spoiled.undo(damaged.dot)


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
