"""The scrub: what is damaged after it was written is found, named and made anew (counterexample 13)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import edda_sync as edda
from edda_sync import values
from edda_sync.crdt.entity import bucket_of
from edda_sync.engine import StorageEngine


@pytest.fixture
def store(tmp_path: Path) -> Iterator[StorageEngine]:
    with edda.open(tmp_path / "home") as engine:
        yield engine


def damage(store: StorageEngine, statement: str, *parameters: object) -> None:
    """Change a stored byte behind the engine's back."""

    def work(tx: Any) -> None:
        tx._execute(statement, parameters)

    store.store.transact(work)


def test_a_store_as_it_was_written_is_sound(store: StorageEngine) -> None:
    parent = store.create_task(edda.Task(title="Parent", tags={"work"}, description="text"))
    child = store.create_task(edda.Task(title="Child", parent_id=parent))
    document = store.create_document(edda.Document(title="Notes", content="content"))
    with store.begin_transaction() as tx:
        tx.link(child, document)
    store.edit_text(document, "content", [(0, 0, "more ")])
    store.delete_task(parent)
    assert store.scrub() == ([], None)


def test_a_flipped_bit_in_a_row_is_found_although_the_stored_digest_never_changed(store: StorageEngine) -> None:
    task = store.create_task(edda.Task(title="Buy milk"))
    before = store.digest()
    damage(store, "UPDATE tasks SET title = 'Buy silk' WHERE id = ?", task)
    assert store.digest() == before
    found, _ = store.scrub()
    assert [each.what for each in found] == [f"task {task}"]
    assert found[0].bucket == bucket_of(values.id_bytes("id", task))
    store.rebuild()
    assert store.scrub() == ([], None)
    read = store.get_task(task)
    assert read is not None
    assert read.title == "Buy milk"
    assert store.digest() == before


@pytest.mark.parametrize(
    ("statement", "what"),
    [
        ("UPDATE entities SET hash = zeroblob(16) WHERE hex(key) LIKE '00%'", "task"),
        ("UPDATE entities SET hidden = 1 WHERE hex(key) LIKE '00%'", "task"),
        ("UPDATE entities SET state = x'00' WHERE hex(key) LIKE '00%'", "task"),
        ("DELETE FROM entity_tags", "task"),
        ("DELETE FROM task_documents", "task"),
        ("UPDATE digest_tail SET added = zeroblob(18)", "bucket"),
        ("INSERT INTO tags VALUES ('x', 'x', NULL, NULL, '')", "the number of tags"),
    ],
)
def test_each_kind_of_damage_is_found_and_mended_from_the_log(store: StorageEngine, statement: str, what: str) -> None:
    task = store.create_task(edda.Task(title="Buy milk", tags={"home"}))
    document = store.create_document(edda.Document(title="List"))
    with store.begin_transaction() as tx:
        tx.link(task, document)
    before = store.digest()
    damage(store, statement)
    found, _ = store.scrub()
    assert any(each.what.startswith(what) for each in found), found
    store.rebuild()
    assert store.scrub() == ([], None)
    assert store.digest() == before


def test_a_slice_says_where_to_go_on_and_the_last_one_looks_at_the_sums(store: StorageEngine) -> None:
    tasks = [store.create_task(edda.Task(title=f"Task {number}")) for number in range(10)]
    damage(store, "UPDATE tasks SET title = 'other' WHERE id = ?", tasks[7])
    after: bytes | None = b""
    found, slices = [], 0
    while after is not None:
        damaged, after = store.scrub(after, 3)
        found += damaged
        slices += 1
    assert slices >= 4
    assert [each.what for each in found] == [f"task {tasks[7]}"]
