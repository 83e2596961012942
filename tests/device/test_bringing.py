from __future__ import annotations

import contextlib
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import edda_sync as edda
from edda_sync.device import bringing
from edda_sync.engine.engine import StorageEngine
from edda_sync.files.chunks import name_of
from edda_sync.words import limits
from edda_sync.words.model import Item, as_json
from edda_sync.workspace.welcome import Welcome

HOST = "127.0.0.1"
PATIENCE_S = 90.0
OF_ANOTHER_WORKSPACE = Welcome(bytes(16), ((bytes(32), bytes(32)),), {}, 0, (bytes(16), 1, bytes(32)))


def everything(store: StorageEngine) -> dict[str, list[tuple[object, ...]]]:
    """All rows, without the times that a new change has of its own."""
    kept = {"tasks": (0, 1, 2, 3, 4, 5, 7, 8, 9, 10, 11), "documents": (0, 1, 2, 3, 4, 5, 8, 9)}
    tables = {name: [tuple(row[at] for at in columns) for row in store.table(name)] for name, columns in kept.items()}
    tables["tags"] = [tuple(row[:4]) for row in store.table("tags")]
    tables["task_documents"] = [tuple(row[:3]) for row in store.table("task_documents")]
    tables["entity_tags"] = [tuple(row[:3]) for row in store.table("entity_tags")]
    return tables


def told(item: Item) -> dict[str, object]:
    """What is told about an item, except when it was last written."""
    return {name: value for name, value in as_json(item).items() if name not in ("updated_at", "version")}


def test_all_that_a_store_shows_comes_along_under_the_same_ids(tmp_path: Path) -> None:
    with edda.open(tmp_path / "old") as old, edda.open(tmp_path / "new") as new:
        with old.begin_transaction() as tx:
            child = tx.create_task(edda.Task(title="Child"))
            parent = tx.create_task(edda.Task(title="Parent", description="Words", due_date="2026-03-01"))
            tx.update_task(edda.Task(id=child, parent_id=parent, status="done", metadata={"a": [1, None]}))
            note = tx.create_document(edda.Document(title="Note", content="# Note\n", agent_context={"x": 1}))
            tx.add_tag(note, "Home", "document")
            tx.create_tag("Home", "#ff8800", "What is at home")
            tx.link(child, note, "reference")
        doomed = old.create_task(edda.Task(title="Deleted"))
        old.delete_task(doomed)
        old.edit_text(note, "content", [(7, 0, "More.\n")])
        assert bringing.bring(old, new) == bringing.Brought(2, 1, 0, 1)
        assert everything(new) == everything(old)
        assert new.get_task(doomed) is None


def test_what_is_attached_comes_along_as_far_as_it_is_here(tmp_path: Path) -> None:
    with edda.open(tmp_path / "old") as old, edda.open(tmp_path / "new") as new:
        with old.begin_transaction() as tx:
            shown = tx.create_document(edda.Document(title="Shown"))
            deleted = tx.create_document(edda.Document(title="Deleted"))
            for document in (shown, deleted):
                tx.attach(document, io.BytesIO(b"content"), name="a", content_type="text/x-mine")
            tx.attach(shown, io.BytesIO(b"gone"), name="b")
        old.delete_document(deleted)
        old.reading.files.lose({name_of(b"gone")})
        assert bringing.bring(old, new) == bringing.Brought(0, 1, 0, 1, lost=1)
        new.restore_document(deleted)
        for document in (shown, deleted):
            (found,) = new.attachments(document)
            assert (found.name, found.content_type, found.here) == ("a", "text/x-mine", True)
            assert new.open_attachment(document, "a").read() == b"content"


def test_a_large_store_comes_along_in_transactions_that_are_no_longer_than_those_of_an_import(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "BULK_ITEMS_MAX", 3)
    monkeypatch.setattr(limits, "CHANGE_OPERATIONS_MAX", 6)  # each with a tag, or restored and changed
    with edda.open(tmp_path / "old") as old, edda.open(tmp_path / "new") as new:
        note = old.create_document(edda.Document(title="Note"))
        parent = None
        for number in range(10):
            parent = old.create_task(edda.Task(title="T", parent_id=parent or edda.UNSET, tags={f"tag {number}"}))
            with old.begin_transaction() as tx:
                tx.link(parent, note)
        doomed = [old.create_task(edda.Task(title="Deleted")) for _ in range(7)]
        for task in doomed:
            old.delete_task(task)
        changes = new.counts()["changes"]
        assert bringing.bring(old, new) == bringing.Brought(10, 1, 0, 7)
        assert new.counts()["changes"] == changes + 4 + 4 + 3 + 4
        assert everything(new) == everything(old)
        assert {each.id for each in new.trash("task")} == set(doomed)


class EndedError(Exception):
    """What brings a store along is ended."""


class Ending:
    """A store that ends whoever writes into it more than so many transactions."""

    def __init__(self, store: StorageEngine, transactions: int) -> None:
        self._store, self._left = store, transactions

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def transact(self, work: Callable[[edda.Transaction], Any], reason: str) -> Any:
        """Write, unless it is time to end."""
        if self._left == 0:
            raise EndedError
        self._left -= 1
        return self._store.transact(work, reason=reason)


def test_whenever_bringing_along_is_ended_nothing_is_shown_that_was_in_the_trash(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "BULK_ITEMS_MAX", 3)
    with edda.open(tmp_path / "old") as old:
        kept = old.create_task(edda.Task(title="Kept"))
        parents = [old.create_task(edda.Task(title="Deleted")) for _ in range(3)]
        below = [old.create_task(edda.Task(title="Below", parent_id=parent)) for parent in parents]
        for task in (*below, *parents):
            old.delete_task(task)
        for number in range(6):
            with edda.open(tmp_path / f"new {number}") as new:
                ending: Any = Ending(new, number)
                with contextlib.suppress(EndedError):
                    bringing.bring(old, ending)
                assert {task.id for task in new.query_tasks(edda.TaskQuery())} <= {kept}
        assert {task.id: task.parent_id for task in items_of(tmp_path / "new 5")} == {
            **dict.fromkeys(parents), **dict(zip(below, parents, strict=True))
        }  # fmt: skip


def items_of(home: Path) -> list[edda.Task]:
    """The tasks in the trash of a store."""
    with edda.open(home) as store:
        return [item for item in store.trash("task") if isinstance(item, edda.Task)]


def test_what_the_workspace_knows_already_stays_as_it_is_there(tmp_path: Path) -> None:
    with edda.open(tmp_path / "old") as old, edda.open(tmp_path / "new") as new:
        task_id = old.create_task(edda.Task(title="As it was here", description="Old words"))
        trashed = old.create_task(edda.Task(title="Wanted here", description="Deleted there", tags={"x"}))
        note = old.create_document(edda.Document(title="Note", content="Here"))
        new.create_task(edda.Task(id=task_id, title="As it is there"))
        new.create_task(edda.Task(id=trashed, title="Not wanted", description="There"))
        new.delete_task(trashed)
        new.create_document(edda.Document(id=note, title="Note", content="There"))
        new.delete_document(note)
        assert bringing.bring(old, new) == bringing.Brought(1, 1, 1)
        found = new.get_task(task_id)
        assert found is not None
        assert found.title == "As it is there"
        back, text = new.get_task(trashed), new.get_document(note)
        assert back is not None
        assert text is not None
        assert (back.title, back.description, back.tags) == ("Wanted here", "Deleted there", {"x"})
        assert text.content == "Here"
        assert bringing.bring(old, new) == bringing.Brought(0, 0, 3)  # a second time has no effect


def test_what_is_in_the_trash_comes_along_and_can_be_restored(tmp_path: Path) -> None:
    with edda.open(tmp_path / "old") as old, edda.open(tmp_path / "new") as new:
        above = old.create_task(edda.Task(title="Stays"))
        parent = old.create_task(edda.Task(title="Parent", description="Words", parent_id=above, tags={"home"}))
        child = old.create_task(edda.Task(title="Child", parent_id=parent))
        note = old.create_document(edda.Document(title="Note", content="# Note\n"))
        for each in (parent, child):
            old.delete_task(each)
        old.delete_document(note)
        assert bringing.bring(old, new) == bringing.Brought(1, 0, 0, 3)
        assert [task.id for task in new.query_tasks(edda.TaskQuery())] == [above]
        for kind in ("task", "document"):
            assert [told(item) for item in new.trash(kind)] == [told(item) for item in old.trash(kind)]
        for each in (parent, child):
            new.restore_task(each)
        back = new.get_task(parent)
        assert back is not None
        assert (back.title, back.description, back.parent_id, back.tags) == ("Parent", "Words", above, {"home"})
        assert bringing.bring(old, new) == bringing.Brought(0, 0, 1, 0)


def test_what_was_deleted_under_a_task_that_is_in_no_store_any_more_has_no_parent_there(tmp_path: Path) -> None:
    with edda.open(tmp_path / "old") as old, edda.open(tmp_path / "new") as new:
        parent = old.create_task(edda.Task(title="Parent"))
        child = old.create_task(edda.Task(title="Child", parent_id=parent))
        new.create_task(edda.Task(id=parent, title="Parent"))
        new.delete_task(parent)
        for each in (child, parent):
            old.delete_task(each)
        assert bringing.bring(old, new).trash == 1
        assert {item.title for item in new.trash("task")} == {"Parent", "Child"}
