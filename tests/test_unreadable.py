"""What rotted on disk ends no listing, no check and no proof: it is named by its key, and made anew from the log."""

from __future__ import annotations

import pytest

import edda_sync as edda
from edda_sync.engine import doctor
from edda_sync.engine.engine import StorageEngine
from edda_sync.store.sqlite.store import SqliteStore
from edda_sync.testing import devices, sync

ROT = {
    "the states of texts": ("UPDATE texts SET state = x'00'",),
    "the states of texts whose rows are not up to date": (
        "UPDATE texts SET state = x'00'",
        "INSERT OR IGNORE INTO stale SELECT entity FROM texts",
    ),
    "the latest edits of texts": (
        "UPDATE text_tail SET edit = x'c1' WHERE length(edit) > 0",
        "INSERT OR IGNORE INTO stale SELECT entity FROM text_tail",
    ),
    "documents": ("UPDATE entities SET state = x'00' WHERE substr(key, 1, 1) = x'01'",),
    "documents whose rows are not up to date": (
        "UPDATE entities SET state = x'00' WHERE substr(key, 1, 1) = x'01'",
        "INSERT OR IGNORE INTO stale SELECT entity FROM texts",
    ),
}


def write(a: StorageEngine, b: StorageEngine) -> None:
    """Three texts that were edited: one has a conflict, one is in the trash, and one was replaced."""
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
    """Spoil a store while nobody has it open; return it, opened again."""
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
def test_what_cannot_be_read_ends_no_listing_and_is_made_anew(what: str) -> None:
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
            found, following = spoiled.scrub(limit=1_000)
            keys = [each.key for each in found if each.key is not None]
            assert keys
            assert following is None
            spoiled.refold(keys)
            assert all(each.sound for each in doctor.check(spoiled))
            assert [len(spoiled.trash("document")), len(spoiled.conflicts())] == [1, 2]
            sync(spoiled, b)
