"""The scrub: damage after writing is found, named and mended (counterexample 13)."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import edda_sync as edda
from edda_sync.crdt.keys import key_of
from edda_sync.crdt.records import device_entity
from edda_sync.engine.engine import StorageEngine
from edda_sync.fold.fold import Fold
from edda_sync.fold.scrub import scrub_entities
from edda_sync.fold.texts import Texts
from edda_sync.store.composed import ComposedReader
from edda_sync.testing import devices, sync
from edda_sync.words import values
from edda_sync.words.errors import LostStatesError


@pytest.fixture
def store(tmp_path: Path) -> Iterator[StorageEngine]:
    with edda.open(tmp_path / "home") as engine:
        yield engine


def damage(store: StorageEngine, statement: str, *parameters: object) -> None:
    """Change a stored byte behind the engine's back."""

    def work(tx: Any) -> None:
        tx._sql.execute(statement, parameters)
        tx._forget_known()  # recent writes are in memory as well, and sound there

    store.store.transact(work)


def test_an_untouched_store_is_sound(store: StorageEngine) -> None:
    parent = store.create_task(edda.Task(title="Parent", tags={"work"}, description="text"))
    child = store.create_task(edda.Task(title="Child", parent_id=parent))
    document = store.create_document(edda.Document(title="Notes", content="content"))
    with store.begin_transaction() as tx:
        tx.link(child, document)
    store.edit_text(document, "content", [(0, 0, "more ")])
    store.delete_task(parent)
    assert store.reading.scrub() == ([], None)


def test_a_flipped_bit_in_a_row_is_found_although_the_stored_digest_is_unchanged(store: StorageEngine) -> None:
    task = store.create_task(edda.Task(title="Buy milk"))
    before = store.digest()
    damage(store, "UPDATE tasks SET title = 'Buy silk' WHERE id = ?", task)
    assert store.digest() == before
    found, _ = store.reading.scrub()
    assert [each.what for each in found] == [f"task {task}"]
    assert found[0].key == key_of("task", values.id_bytes("id", task))
    store.refold([found[0].key])
    assert store.reading.scrub() == ([], None)
    read = store.get_task(task)
    assert read is not None
    assert read.title == "Buy milk"
    assert store.digest() == before


@pytest.mark.parametrize(
    ("statement", "what"),
    [
        ("UPDATE _entities SET hash = zeroblob(32) WHERE hex(key) LIKE '00%'", "task"),
        ("UPDATE _entities SET hidden = 1 WHERE hex(key) LIKE '00%'", "task"),
        ("UPDATE _entities SET state = x'00' WHERE hex(key) LIKE '00%'", "task"),
        ("UPDATE _entities SET state = x'00' WHERE hex(key) LIKE '01%'", "document"),
        ("UPDATE _entities SET state = x'00' WHERE hex(key) LIKE '02%'", "tag"),
        ("UPDATE _entities SET state = x'00' WHERE hex(key) LIKE '03%'", "device"),
        ("UPDATE _entities SET state = x'00' WHERE hex(key) LIKE '04%'", "workspace"),
        ("UPDATE tasks SET priority = 0", "task"),
        ("UPDATE documents SET content = 'other'", "document"),
        ("UPDATE tags SET color = 'red'", "tag"),
        ("DELETE FROM entity_tags", "task"),
        ("DELETE FROM task_documents", "task"),
        ("UPDATE _texts SET state = x'00'", ""),
        ("DELETE FROM _texts", ""),
        ("UPDATE _summary SET digest = zeroblob(16)", "the digest"),
        ("INSERT INTO tags VALUES ('x', 'x', NULL, NULL, '')", "the number of tags"),
    ],
)
def test_each_kind_of_damage_is_found_and_mended_from_the_log(tmp_path: Path, statement: str, what: str) -> None:
    with edda.open(tmp_path / "home") as store:
        task = store.create_task(edda.Task(title="Buy milk", tags={"home"}))
        document = store.create_document(edda.Document(title="List", content="words"))
        with store.begin_transaction() as tx:
            tx.link(task, document)
        store.edit_text(document, "content", [(0, 0, "more ")])
        before, tables = store.digest(), {name: store.table(name) for name in TABLES}
        damage(store, statement)
    with edda.open(tmp_path / "home") as store:  # nothing of it is in memory
        found, _ = store.reading.scrub()
        assert any(each.what.startswith(what) for each in found), found
        keys = [each.key for each in found if each.key is not None]
        if len(keys) == len(found):
            store.refold(keys)
        else:
            store.rebuild()
        assert store.reading.scrub() == ([], None)
        assert store.digest() == before
        assert {name: store.table(name) for name in TABLES} == tables


TABLES = ("tasks", "documents", "tags", "entity_tags", "task_documents")


def listed(store: StorageEngine) -> dict[str, list[str]]:
    """All that an engine lists of what is stored."""
    return {
        "members": sorted(member.device for member in store.members()),
        "task trash": sorted(item.id for item in store.trash("task")),
        "document trash": sorted(item.id for item in store.trash("document")),
        "conflicts": sorted(each.id for each in store.conflicts()),
    }


def test_an_entity_that_cannot_be_read_ends_no_list_of_the_others() -> None:
    with devices(3, backend="sqlite") as (laptop, phone, tablet):
        tasks = [laptop.create_task(edda.Task(title=f"task {number}", tags={"a", "b"})) for number in range(4)]
        documents = [laptop.create_document(edda.Document(title=f"document {number}")) for number in range(4)]
        sync(laptop, phone)
        for device, title in ((laptop, "one"), (phone, "other")):
            for number in (0, 1):
                device.update_task(edda.Task(id=tasks[number], title=title))
                device.update_document(edda.Document(id=documents[number], title=title))
        sync(laptop, phone)
        for number in (2, 3):
            laptop.delete_task(tasks[number])
            laptop.delete_document(documents[number])
        whole, before = listed(laptop), laptop.digest()
        assert [len(some) for some in whole.values()] == [3, 2, 2, 4]
        entities = [("task", tasks[2], "task trash"), ("document", documents[3], "document trash")]
        entities += [("task", tasks[0], "conflicts"), ("document", documents[1], "conflicts")]
        rotten = [(key_of(kind, values.id_bytes("id", item)), name, item) for kind, item, name in entities]
        rotten += [(key_of("device", device_entity(tablet.identity.public_key)), "members", tablet.identity.device)]
        rotten += [(key_of("tag", values.id_bytes("id", values.tag_id("a"))), "", "")]
        for key, name, item in rotten:
            damage(laptop, "UPDATE _entities SET state = zeroblob(length(state)) WHERE key = ?", key)
            left = {each: [i for i in some if (each, i) != (name, item)] for each, some in whole.items()}
            assert listed(laptop) == left
            assert key in [each.key for each in laptop.reading.scrub()[0]]
            laptop.refold([key])
            assert listed(laptop) == whole
            assert laptop.reading.scrub() == ([], None)
            assert laptop.digest() == before


def test_a_slice_says_where_to_go_on_and_the_last_one_looks_at_the_sums(store: StorageEngine) -> None:
    tasks = [store.create_task(edda.Task(title=f"Task {number}")) for number in range(10)]
    damage(store, "UPDATE tasks SET title = 'other' WHERE id = ?", tasks[7])
    after: bytes | None = b""
    found, slices = [], 0
    while after is not None:
        damaged, after = store.reading.scrub(after, 3)
        found += damaged
        slices += 1
    assert slices >= 4
    assert [each.what for each in found] == [f"task {tasks[7]}"]


def test_where_rocksdb_has_lost_texts_no_entity_is_called_damaged(store: StorageEngine) -> None:
    document = store.create_document(edda.Document(title="Notes", content="content"))
    store.edit_text(document, "content", [(0, 0, "more ")])
    store.digest()  # which writes what waits for the text

    class Lost:
        """States of which the texts cannot be read."""

        def __init__(self, states: Any) -> None:
            self.get, self.scan = states.get, states.scan

        def text(self, *_of: object, **_named: object) -> None:
            raise LostStatesError("edda.rocks", "a block is damaged")

    with store.store.read() as reader:
        lost = dataclasses.replace(ComposedReader.of(reader), states=Lost(reader.states))  # type: ignore[arg-type]
        with pytest.raises(LostStatesError):
            scrub_entities(lost, b"", 100)
        with pytest.raises(LostStatesError):
            Fold(lost, Texts()).is_readable(next(reader.states.scan("document")).key)
