"""The storage engine: the specification's interface, on both stores."""

from __future__ import annotations

import datetime
import inspect
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

import edda_sync as edda
from edda_sync.crdt.keys import key_of
from edda_sync.engine.engine import StorageEngine
from edda_sync.store.seams import StoreWriter, Unapplied
from edda_sync.testing import devices
from edda_sync.words import values
from edda_sync.words.errors import (
    CorruptError,
    InvalidValueError,
    NotAStoreError,
    NotFoundError,
    UsageError,
)

NOWHERE = "0192f0c1-0000-7000-8000-00000000dead"
SPECIFIED = (
    "initialize", "create_task", "update_task", "delete_task", "get_task", "query_tasks", "create_document",
    "update_document", "delete_document", "get_document", "query_documents", "begin_transaction", "close",
)  # fmt: skip


class Clock:
    """A wall clock that moves a second at each look."""

    def __init__(self) -> None:
        self.s = 1_800_000_000.0

    def __call__(self) -> float:
        self.s += 1
        return self.s


@pytest.fixture(params=["memory", "sqlite"])
def store(request: pytest.FixtureRequest) -> Iterator[StorageEngine]:
    with devices(1, backend=request.param, now=Clock()) as (engine,):
        yield engine


def task_of(store: StorageEngine, task_id: str) -> edda.Task:
    task = store.get_task(task_id)
    assert task is not None
    return task


def document_of(store: StorageEngine, document_id: str) -> edda.Document:
    document = store.get_document(document_id)
    assert document is not None
    return document


def test_the_engine_has_every_operation_of_the_specification_with_a_docstring() -> None:
    for name in SPECIFIED:
        assert inspect.getdoc(getattr(StorageEngine, name)), name


# --- tasks ------------------------------------------------------------------------------------------------------------


def test_a_task_is_read_back_as_it_was_written(store: StorageEngine) -> None:
    parent = store.create_task(edda.Task(title="Parent"))
    task_id = store.create_task(
        edda.Task(
            title="Größe prüfen",
            description="line one\nline two 🙂",
            status="in_progress",
            priority=0,
            due_date="2027-01-02T03:04:05Z",
            parent_id=parent,
            metadata={"n": 3, "big": 2**53 + 1, "deep": {"list": [1, None, "ä"]}},
            agent_context={"model": "x"},
            tags={"work", "Über"},
        )
    )
    task = task_of(store, task_id)
    assert (task.title, task.description, task.status, task.priority) == (
        "Größe prüfen",
        "line one\nline two 🙂",
        "in_progress",
        0,
    )
    assert (task.due_date, task.parent_id) == ("2027-01-02T03:04:05.000Z", parent)
    assert task.metadata == {"n": 3, "big": 2**53 + 1, "deep": {"list": [1, None, "ä"]}}
    assert type(task.metadata["n"]) is int
    assert task.agent_context == {"model": "x"}
    assert task.tags == {"work", "Über"}
    assert task.created_at == task.updated_at
    assert task.completed_at is None


def test_an_unset_field_of_a_new_task_has_its_default(store: StorageEngine) -> None:
    task = task_of(store, store.create_task(edda.Task(title="Plain")))
    assert (task.status, task.priority) == ("open", 2)
    assert task.description is task.due_date is task.parent_id is task.completed_at is None
    assert task.metadata == task.agent_context == {}
    assert task.tags == set()


def test_an_update_writes_the_fields_that_are_set_and_none_clears_one(store: StorageEngine) -> None:
    task_id = store.create_task(
        edda.Task(title="Old", description="words", due_date=datetime.date(2027, 1, 1), priority=1)
    )
    store.update_task(edda.Task(id=task_id, title="New", description=None, due_date=None))
    task = task_of(store, task_id)
    assert (task.title, task.description, task.due_date, task.priority) == ("New", None, None, 1)
    assert task.updated_at > task.created_at


def test_keys_of_metadata_are_changed_and_removed_one_by_one(store: StorageEngine) -> None:
    task_id = store.create_task(edda.Task(title="T", metadata={"keep": 1, "change": 1, "drop": 1, "null": None}))
    task = task_of(store, task_id)
    assert task.metadata == {"keep": 1, "change": 1, "drop": 1, "null": None}
    task.metadata["change"] = {"b": 1, "a": 2}
    del task.metadata["drop"]
    task.metadata["new"] = False
    store.update_task(task)
    assert task_of(store, task_id).metadata == {"keep": 1, "change": {"b": 1, "a": 2}, "null": None, "new": False}
    (row,) = store.table("tasks")
    assert row[10] == '{"change":{"a":2,"b":1},"keep":1,"new":false,"null":null}'


def test_tags_of_a_task_that_was_read_are_added_and_taken_off(store: StorageEngine) -> None:
    task_id = store.create_task(edda.Task(title="T", tags={"a", "b"}))
    task = task_of(store, task_id)
    task.tags = {"b", "c"}
    store.update_task(task)
    assert task_of(store, task_id).tags == {"b", "c"}
    assert [tag.name for tag in store.tags()] == ["a", "b", "c"]


def test_an_object_may_be_changed_and_written_back_again_and_again(store: StorageEngine) -> None:
    task = task_of(store, store.create_task(edda.Task(title="1", description="a")))
    for number in range(2, 5):
        task.title = str(number)
        task.description = (task.description or "") + "a"
        store.update_task(task)
    read = task_of(store, task.id)
    assert (read.title, read.description) == ("4", "aaaa")


def test_writing_an_unchanged_object_back_makes_no_change(store: StorageEngine) -> None:
    task_id = store.create_task(edda.Task(title="T", description="d", status="done", tags={"a"}, metadata={"k": 1}))
    before = store.counts(), store.digest(), task_of(store, task_id)
    store.update_task(task_of(store, task_id))
    assert (store.counts(), store.digest(), task_of(store, task_id)) == before


def test_a_finished_task_has_a_time_and_loses_it_when_it_is_opened_again(store: StorageEngine) -> None:
    task_id = store.create_task(edda.Task(title="T"))
    store.update_task(edda.Task(id=task_id, status="done"))
    done = task_of(store, task_id)
    assert done.completed_at == done.updated_at
    done.title = "renamed"
    store.update_task(done)
    assert task_of(store, task_id).completed_at == done.completed_at
    store.update_task(edda.Task(id=task_id, status="open"))
    assert task_of(store, task_id).completed_at is None


def test_an_import_may_set_when_a_task_was_made_and_done(store: StorageEngine) -> None:
    made, done = "2020-01-01T00:00:00.000Z", "2021-01-01T00:00:00.000Z"
    task_id = store.create_task(edda.Task(title="T", created_at=made, status="done", completed_at=done))
    task = task_of(store, task_id)
    assert (task.created_at, task.completed_at) == (made, done)


def test_a_deleted_task_is_in_the_trash_until_it_is_restored(store: StorageEngine) -> None:
    task_id = store.create_task(edda.Task(title="T", description="d", tags={"a"}))
    store.edit_text(task_id, "description", [(1, 0, "!")])
    before = task_of(store, task_id)
    store.delete_task(task_id)
    assert store.get_task(task_id) is None
    assert store.query_tasks(edda.TaskQuery()) == []
    assert [(item.id, item.title) for item in store.trash("task")] == [(task_id, "T")]
    with pytest.raises(NotFoundError):
        store.delete_task(task_id)
    with pytest.raises(NotFoundError):
        store.update_task(edda.Task(id=task_id, title="x"))
    store.restore_task(task_id)
    assert task_of(store, task_id) == before
    assert store.trash("task") == []


def test_a_document_with_the_id_of_a_task_is_a_separate_item(store: StorageEngine) -> None:
    one = store.create_task(edda.Task(title="T", tags={"a"}))
    other = store.create_document(edda.Document(title="Other"))
    with store.begin_transaction() as tx:
        tx.link(one, other)
    with pytest.raises(NotFoundError):
        store.resolve("document", one)
    store.create_document(edda.Document(id=one, title="D", tags={"a"}))
    assert store.resolve("document", one) == store.resolve("task", one[-8:]) == one
    store.delete_document(one)
    assert task_of(store, one).tags == {"a"}
    assert [link.document_id for link in store.links(task_id=one)] == [other]
    assert [item.title for item in store.trash("document")] == ["D"]
    assert store.trash("task") == []
    assert store.reading.scrub() == ([], None)


def test_the_child_of_a_deleted_parent_stays_and_finds_its_parent_again(store: StorageEngine) -> None:
    parent = store.create_task(edda.Task(title="Parent"))
    child = store.create_task(edda.Task(title="Child", parent_id=parent))
    store.delete_task(parent)
    assert task_of(store, child).parent_id is None
    store.restore_task(parent)
    assert task_of(store, child).parent_id == parent


def test_a_task_is_never_part_of_itself(store: StorageEngine) -> None:
    top = store.create_task(edda.Task(title="top"))
    below = store.create_task(edda.Task(title="below", parent_id=top))
    for child, parent in ((top, top), (top, below)):
        with pytest.raises(InvalidValueError, match="part of itself"):
            store.update_task(edda.Task(id=child, parent_id=parent))
    assert task_of(store, top).parent_id is None


@pytest.mark.parametrize(
    "bad",
    [
        {"title": ""},
        {"title": "x" * 501},
        {"title": "two\nlines"},
        {"title": 5},
        {"title": "T", "status": "started"},
        {"title": "T", "priority": 5},
        {"title": "T", "priority": True},
        {"title": "T", "due_date": "tomorrow"},
        {"title": "T", "parent_id": "short"},
        {"title": "T", "description": "\ud800"},
        {"title": "T", "metadata": {"k": float("nan")}},
        {"title": "T", "metadata": {"k": object()}},
        {"title": "T", "metadata": [1]},
        {"title": "T", "tags": "work"},
        {"title": "T", "tags": {""}},
        {"title": "T", "id": "nonsense"},
    ],
)
def test_an_unacceptable_value_writes_nothing(store: StorageEngine, bad: dict[str, object]) -> None:
    before = store.counts(), store.digest()
    with pytest.raises(InvalidValueError):
        store.create_task(edda.Task(**bad))  # type: ignore[arg-type]
    assert (store.counts(), store.digest()) == before


def test_a_missing_item_is_not_found(store: StorageEngine) -> None:
    assert store.get_task(NOWHERE) is None
    assert store.get_document(NOWHERE) is None
    for call in (
        lambda: store.update_task(edda.Task(id=NOWHERE, title="x")),
        lambda: store.delete_task(NOWHERE),
        lambda: store.restore_task(NOWHERE),
        lambda: store.edit_text(NOWHERE, "content", [(0, 0, "x")]),
        lambda: store.create_task(edda.Task(title="x", parent_id=NOWHERE)),
    ):
        with pytest.raises(NotFoundError) as caught:
            call()
        assert caught.value.reference == NOWHERE


def test_a_title_or_an_id_that_is_missing_is_asked_for(store: StorageEngine) -> None:
    for call in (
        lambda: store.create_task(edda.Task()),
        lambda: store.create_document(edda.Document(content="x")),
        lambda: store.update_task(edda.Task(title="x")),
    ):
        with pytest.raises(InvalidValueError, match="missing"):
            call()


def test_an_id_is_used_once_for_each_kind(store: StorageEngine) -> None:
    task_id = store.create_task(edda.Task(title="T"))
    store.create_document(edda.Document(id=task_id, title="D"))
    with pytest.raises(InvalidValueError):
        store.create_task(edda.Task(id=task_id, title="again"))
    with pytest.raises(InvalidValueError):
        store.create_document(edda.Document(id=task_id, title="again"))
    assert (task_of(store, task_id).title, document_of(store, task_id).title) == ("T", "D")


# --- documents --------------------------------------------------------------------------------------------------------


def test_a_document_is_read_back_as_it_was_written_and_its_version_changes_with_it(store: StorageEngine) -> None:
    document_id = store.create_document(
        edda.Document(title="Plan", content="# Plan", doc_type="spec", metadata={"a": 1}, tags={"work"})
    )
    document = document_of(store, document_id)
    assert (document.title, document.content, document.doc_type, document.content_type) == (
        "Plan",
        "# Plan",
        "spec",
        "text/markdown",
    )
    assert (document.metadata, document.tags) == ({"a": 1}, {"work"})
    store.edit_text(document_id, "content", [(6, 0, "!")])
    edited = document_of(store, document_id)
    assert edited.content == "# Plan!"
    assert edited.version != document.version
    assert edited.updated_at > document.updated_at


def test_a_document_is_updated_deleted_and_restored(store: StorageEngine) -> None:
    document_id = store.create_document(edda.Document(title="Plan", content="one"))
    document = document_of(store, document_id)
    document.content = "one two"
    store.update_document(document)
    store.update_document(edda.Document(id=document_id, doc_type="journal"))
    store.delete_document(document_id)
    assert store.get_document(document_id) is None
    store.restore_document(document_id)
    read = document_of(store, document_id)
    assert (read.content, read.doc_type) == ("one two", "journal")


def test_a_text_edit_counts_in_code_points_one_after_another(store: StorageEngine) -> None:
    document_id = store.create_document(edda.Document(title="Plan", content="a🙂b"))
    store.edit_text(document_id, "content", [(2, 1, "ß"), (0, 1, "AA"), (4, 0, "!")])
    assert document_of(store, document_id).content == "AA🙂ß!"
    for outside in ([(6, 0, "x")], [(0, 9, "")], [(-1, 0, "x")]):
        with pytest.raises(InvalidValueError):
            store.edit_text(document_id, "content", outside)
    with pytest.raises(InvalidValueError, match="description"):
        store.edit_text(document_id, "title", [(0, 0, "x")])
    assert document_of(store, document_id).content == "AA🙂ß!"


# --- queries, tags, links, short ids ----------------------------------------------------------------------------------


def test_links_and_tags_are_made_listed_and_taken_away(store: StorageEngine) -> None:
    task_id = store.create_task(edda.Task(title="T"))
    document_id = store.create_document(edda.Document(title="D"))
    with store.begin_transaction() as tx:
        tx.link(task_id, document_id, "spec")
        tx.add_tag(document_id, "Work", kind="document")
        tx.create_tag("work", color="red")
    (link,) = store.links(task_id=task_id)
    assert (link.document_id, link.relationship_type) == (document_id, "spec")
    assert store.links(document_id=document_id) == [link]
    assert [(tag.name, tag.color) for tag in store.tags()] == [("work", "red")]
    assert document_of(store, document_id).tags == {"work"}
    assert [d.id for d in store.query_documents(edda.DocumentQuery(task=task_id))] == [document_id]
    with store.begin_transaction() as tx:
        tx.unlink(task_id, document_id)
        tx.delete_tag("WORK")
    assert store.links() == []
    assert store.tags() == []
    assert document_of(store, document_id).tags == set()


def test_waiting_and_refused_operations_are_counted_apart(store: StorageEngine) -> None:
    assert (store.waiting(), store.refused()) == (0, 0)
    key = key_of("task", values.id_bytes("id", store.create_task(edda.Task(title="T"))))
    notes = [
        Unapplied(2, 1, key, False, "newer"),
        Unapplied(2, 2, key, True, "malformed"),
        Unapplied(2, 3, key, True, ""),
    ]
    store.store.transact(lambda tx: tx.unapplied.add(notes))
    assert (store.waiting(), store.refused()) == (1, 2)


def test_rebuilding_the_view_changes_nothing(store: StorageEngine) -> None:
    task_id = store.create_task(edda.Task(title="T", description="text", tags={"a"}))
    store.edit_text(task_id, "description", [(0, 0, "the ")])
    tables = ("tasks", "documents", "tags", "entity_tags", "task_documents")
    before = [store.table(name) for name in tables], store.digest()
    assert store.rebuild() == store.counts()["changes"]
    assert ([store.table(name) for name in tables], store.digest()) == before
    store.edit_text(task_id, "description", [(8, 0, "!")])
    assert task_of(store, task_id).description == "the text!"


@pytest.mark.parametrize("fold", ["rebuild", "refold"])
def test_damage_in_the_view_is_found_and_mended_from_the_log(store: StorageEngine, fold: str) -> None:
    parent = store.create_task(edda.Task(title="Parent", tags={"a"}))
    child = store.create_task(edda.Task(title="Child", parent_id=parent))
    document_id = store.create_document(edda.Document(title="D"))
    with store.begin_transaction() as tx:
        tx.link(parent, document_id)
    keys = [key_of("task", values.id_bytes("id", parent)), key_of("document", values.id_bytes("id", document_id))]
    tables = ("tasks", "documents", "tags", "entity_tags", "task_documents")
    before = [store.table(name) for name in tables], store.digest(), store.counts()
    assert store.reading.scrub() == ([], None)

    def rot(tx: StoreWriter) -> None:
        records = tx.states.get(keys)
        tx.states.put([records[keys[0]]._replace(state=b"rotten")], {keys[0]: False})
        tx.states.put([records[keys[1]]._replace(hash=bytes(32))], {keys[1]: False})
        tx.index.add_to_digest(-int.from_bytes(records[keys[1]].hash[:16], "big"))
        if fold == "rebuild":
            tx.index.add_to_digest(1)  # which only the whole log mends

    store.store.transact(rot)
    damage, following = store.reading.scrub()
    assert following is None
    assert {each.key for each in damage} >= {*keys}
    assert (None in {each.key for each in damage}) == (fold == "rebuild")
    done = store.rebuild() if fold == "rebuild" else store.refold(keys)
    assert done == (before[2]["changes"] if fold == "rebuild" else 3)  # those that are about one of the two
    assert store.reading.scrub() == ([], None)
    assert ([store.table(name) for name in tables], store.digest(), store.counts()) == before
    assert task_of(store, child).parent_id == parent


@pytest.mark.parametrize("fold", ["rebuild", "refold"])
def test_a_damaged_change_in_the_log_is_named_and_the_view_stays_as_it_is(tmp_path: Path, fold: str) -> None:
    with edda.open(tmp_path / "home") as store:
        task_id = store.create_task(edda.Task(title="whole"))
        (actor,) = store.frontier()
        before = store.digest(), store.table("tasks")
    connection = sqlite3.connect(tmp_path / "home" / "edda.db")
    ((body,),) = connection.execute("SELECT body FROM _log WHERE seq = 2").fetchall()
    connection.execute("UPDATE _log SET body = ? WHERE seq = 2", (body.replace(b"whole", b"other"),))
    connection.commit()
    connection.close()
    with edda.open(tmp_path / "home") as store:
        with pytest.raises(CorruptError, match=f"Change 2 of the log's actor {actor.hex()}"):
            store.rebuild() if fold == "rebuild" else store.refold([key_of("task", values.id_bytes("id", task_id))])
        assert (store.digest(), store.table("tasks")) == before


# --- opening and closing ----------------------------------------------------------------------------------------------


def test_writes_are_there_when_the_store_is_opened_again(tmp_path: Path) -> None:
    with edda.open(tmp_path / "home") as store:
        task_id = store.create_task(edda.Task(title="T", description="text"))
        store.edit_text(task_id, "description", [(4, 0, "!")])
        frontier, digest, device = store.frontier(), store.digest(), store.identity.device
    with edda.open(tmp_path / "home") as store:
        assert task_of(store, task_id).description == "text!"
        assert (store.frontier(), store.digest(), store.identity.device) == (frontier, digest, device)
        store.create_task(edda.Task(title="more"))
        assert len(store.frontier()) == 1, "starting a process takes no new actor"


def test_a_closed_store_says_so_and_closing_again_is_nothing(tmp_path: Path) -> None:
    store = edda.open(tmp_path / "home")
    store.close()
    store.close()
    for call in (lambda: store.create_task(edda.Task(title="x")), store.digest, store.tags):
        with pytest.raises(UsageError, match="open it again"):
            call()


def test_a_second_opening_and_a_file_that_is_no_store_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("somebody's letter")
    with pytest.raises(NotAStoreError):
        edda.open(file)
    assert file.read_text() == "somebody's letter"
    with edda.open(tmp_path / "home") as store, pytest.raises(UsageError):
        store.initialize()


def test_threads_may_write_at_once(store: StorageEngine) -> None:
    def write(number: int) -> None:
        for _ in range(10):
            store.create_task(edda.Task(title=f"of thread {number}"))

    threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert store.counts()["tasks"] == 40
    (seq,) = store.frontier().values()
    assert seq == store.counts()["changes"]
