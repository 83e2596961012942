from __future__ import annotations

from pathlib import Path

import pytest

import edda_sync as edda
from edda_sync.store.memory.store import MemoryStore


def test_a_reader_that_has_ended_shows_nothing_more() -> None:
    store = MemoryStore()
    with store.read() as reader:
        pass
    with pytest.raises(KeyError):
        reader.meta.get("name")


def test_tables_are_copied_only_while_somebody_reads() -> None:
    store = MemoryStore()
    store.transact(lambda tx: tx.meta.set("name", b"1"))
    tables = store.transact(lambda tx: tx.journal.tables)
    first = tables["meta"]
    store.transact(lambda tx: tx.meta.set("name", b"2"))
    assert tables["meta"] is first
    with store.read() as reader:
        store.transact(lambda tx: tx.meta.set("name", b"3"))
        second = tables["meta"]
        assert second is not first
        store.transact(lambda tx: tx.meta.set("name", b"4"))
        assert tables["meta"] is second
        assert reader.meta.get("name") == b"2"
    store.transact(lambda tx: tx.meta.set("name", b"5"))
    assert tables["meta"] is second


def test_an_engine_over_it_does_everything_and_leaves_nothing_on_disk(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with edda.open(home, edda.StorageConfig(backend="memory", name="laptop")) as store:
        task_id = store.create_task(edda.Task(title="t", description="words", tags={"work"}))
        store.edit_text(task_id, "description", [(5, 0, " more")])
        document_id = store.create_document(edda.Document(title="d"))
        with store.begin_transaction(agent="claude") as tx:
            tx.link(task_id, document_id)
            assert [task.id for task in tx.query_tasks(edda.TaskQuery(tags=["work"]))] == [task_id]
            tx.update_task(edda.Task(id=task_id, status="done"))
        assert [task.description for task in store.query_tasks(edda.TaskQuery(text="more"))] == ["words more"]
        assert [member.name for member in store.members()] == ["laptop"]
        digest = store.digest()
        store.rebuild()
        assert store.digest() == digest
        store.delete_task(task_id)
        assert store.counts() == {"tasks": 0, "documents": 1, "tags": 1, "hidden": 1, "changes": 6}
    assert list(tmp_path.iterdir()) == []
    with edda.open(home, edda.StorageConfig(backend="memory")) as another:
        assert another.counts()["changes"] == 1
