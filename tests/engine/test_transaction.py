"""Transactions: whole or not at all, reading what they wrote, refused when what they saw has changed."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

import edda_sync as edda
from edda_sync.engine.engine import StorageEngine
from edda_sync.testing import devices, sync
from edda_sync.words import limits, values
from edda_sync.words.errors import ConflictError, InvalidValueError, LimitError, NotFoundError, UsageError
from edda_sync.words.operations import (
    CreateDocument,
    CreateTask,
    DeleteDocument,
    DeleteTask,
    UpdateDocument,
    UpdateTask,
)

NOWHERE = "0192f0c1-0000-7000-8000-00000000dead"
State = edda.TransactionState


@pytest.fixture(params=["memory", "sqlite"])
def store(request: pytest.FixtureRequest) -> Iterator[StorageEngine]:
    with devices(1, backend=request.param) as (engine,):
        yield engine


def task_of(store: StorageEngine | edda.Transaction, task_id: str) -> edda.Task:
    task = store.get_task(task_id)
    assert task is not None
    return task


def titles(store: StorageEngine | edda.Transaction, query: edda.TaskQuery = edda.TaskQuery(order="title")) -> list[str]:  # noqa: B008 - frozen
    return [task.title for task in store.query_tasks(query)]


# --- states -----------------------------------------------------------------------------------------------------------


def test_a_transaction_is_active_then_committed_and_becomes_visible_whole(store: StorageEngine) -> None:
    with store.begin_transaction(agent="claude", reason="weekly review") as tx:
        began = tx.state
        task_id = tx.create_task(edda.Task(title="T"))
        document_id = tx.create_document(edda.Document(title="D", content="words"))
        tx.link(task_id, document_id)
        tx.add_tag(task_id, "work")
        assert store.get_task(task_id) is None
    assert (began, tx.state) == (State.ACTIVE, State.COMMITTED)
    assert tx.dot is not None
    assert store.frontier() == dict([tx.dot])
    assert task_of(store, task_id).tags == {"work"}
    assert [link.document_id for link in store.links(task_id=task_id)] == [document_id]


def test_a_transaction_rolls_back_by_hand_or_when_an_exception_leaves_it(store: StorageEngine) -> None:
    before = store.counts(), store.digest()
    tx = store.begin_transaction()
    tx.create_task(edda.Task(title="T"))
    tx.rollback()
    assert tx.state is State.ROLLED_BACK

    def fails() -> None:
        with store.begin_transaction() as failing:
            failing.create_task(edda.Task(title="T"))
            failing.create_tag("work")
            raise KeyError("something else")

    with pytest.raises(KeyError):
        fails()
    assert (store.counts(), store.digest()) == before


def test_a_commit_that_fails_aborts_and_leaves_nothing(store: StorageEngine) -> None:
    before = store.counts(), store.digest()
    tx = store.begin_transaction()
    tx.create_task(edda.Task(title="T", tags={"work"}))
    tx.delete_task(NOWHERE)
    with pytest.raises(NotFoundError):
        tx.commit()
    assert tx.state is State.ABORTED
    assert tx.dot is None
    assert (store.counts(), store.digest()) == before


@pytest.mark.parametrize("end", [edda.Transaction.commit, edda.Transaction.rollback])
def test_an_ended_transaction_does_nothing_more(
    store: StorageEngine, end: Callable[[edda.Transaction], object]
) -> None:
    tx = store.begin_transaction()
    end(tx)
    for call in (
        tx.commit,
        tx.rollback,
        lambda: tx.create_task(edda.Task(title="T")),
        lambda: tx.get_task(NOWHERE),
        lambda: tx.query_tasks(edda.TaskQuery()),
        lambda: tx.add_tag(NOWHERE, "work"),
    ):
        with pytest.raises(UsageError, match="begin another"):
            call()


def test_an_empty_transaction_makes_no_change(store: StorageEngine) -> None:
    before = store.counts()
    with store.begin_transaction() as tx:
        assert tx.query_tasks(edda.TaskQuery()) == []
    assert (tx.state, tx.dot) == (State.COMMITTED, None)
    assert store.counts() == before


def test_a_bad_value_is_refused_when_it_is_given_and_the_rest_may_go_on(store: StorageEngine) -> None:
    with store.begin_transaction() as tx:
        tx.create_task(edda.Task(title="good"))
        with pytest.raises(InvalidValueError):
            tx.create_task(edda.Task(title="bad", priority=9))
        with pytest.raises(InvalidValueError):
            tx.edit_text(NOWHERE, "title", [(0, 0, "x")])
    assert titles(store) == ["good"]


def test_agent_and_reason_must_be_one_line_each(store: StorageEngine) -> None:
    for agent, reason in (("", None), ("two\nlines", None), ("claude", "x" * (limits.REASON_CODE_POINTS_MAX + 1))):
        with pytest.raises(InvalidValueError):
            store.begin_transaction(agent=agent, reason=reason)


def test_more_operations_than_one_change_may_have_are_refused_whole(
    store: StorageEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "CHANGE_OPERATIONS_MAX", 5)
    before = store.digest()
    tx = store.begin_transaction()
    for number in range(6):
        tx.create_task(edda.Task(title=str(number)))
    with pytest.raises(LimitError) as caught:
        tx.commit()
    assert (caught.value.size, caught.value.limit) == (6, 5)
    assert store.digest() == before


# --- reading your own writes ------------------------------------------------------------------------------------------


def test_a_transaction_reads_what_it_wrote(store: StorageEngine) -> None:
    task_id = store.create_task(edda.Task(title="old", description="one two", tags={"a"}, metadata={"k": 1}))
    with store.begin_transaction() as tx:
        task = task_of(tx, task_id)
        task.title, task.status, task.tags, task.metadata = "new", "done", {"b"}, {"k": 2, "l": 3}
        tx.update_task(task)
        tx.edit_text(task_id, "description", [(0, 3, "ONE")])
        tx.add_tag(task_id, "c")
        tx.remove_tag(task_id, "B")
        seen = task_of(tx, task_id)
        assert (seen.title, seen.status, seen.description) == ("new", "done", "ONE two")
        assert (seen.tags, seen.metadata) == ({"c"}, {"k": 2, "l": 3})
        created = tx.create_document(edda.Document(title="D", content="a"))
        tx.edit_text(created, "content", [(1, 0, "b")])
        document = tx.get_document(created)
        assert document is not None
        assert document.content == "ab"
        document.content = "abc"
        tx.update_document(document)
        tx.delete_task(task_id)
        assert tx.get_task(task_id) is None
        tx.restore_task(task_id)
    after = task_of(store, task_id)
    assert (after.title, after.description, after.tags) == ("new", "ONE two", {"c"})
    read = store.get_document(created)
    assert read is not None
    assert read.content == "abc"


@pytest.mark.parametrize("touched_first", [False, True])
def test_an_item_deleted_and_brought_back_in_one_transaction_exists(store: StorageEngine, touched_first: bool) -> None:
    task_id, other = (store.create_task(edda.Task(title=title, tags={"work", "home"})) for title in ("T", "other"))
    with store.begin_transaction() as tx:
        if touched_first:
            tx.update_task(edda.Task(id=task_id, title="touched", tags={"work", "home"}))
        tx.delete_task(task_id)
        tx.restore_task(task_id)
        tx.delete_tag("work")
        tx.delete_tag("home")
        tx.add_tag(other, "work")
        tx.create_tag("home")
    assert task_of(store, task_id).tags == task_of(store, other).tags == {"work", "home"}
    with store.begin_transaction() as tx:
        tx.delete_task(task_id)
        tx.update_task(edda.Task(id=other, title="T"))
    assert [task.id for task in store.query_tasks(edda.TaskQuery())] == [other]


def test_a_deleted_task_is_not_brought_back_by_an_update(store: StorageEngine) -> None:
    task_id = store.create_task(edda.Task(title="T"))
    tx = store.begin_transaction()
    tx.delete_task(task_id)
    tx.update_task(edda.Task(id=task_id, title="again"))
    with pytest.raises(NotFoundError):
        tx.commit()
    assert titles(store) == ["T"]


def test_a_task_from_the_trash_is_read_with_its_edited_text_and_its_tags(store: StorageEngine) -> None:
    parent = store.create_task(edda.Task(title="Parent"))
    task_id = store.create_task(edda.Task(title="T", description="words", tags={"a"}, parent_id=parent))
    store.edit_text(task_id, "description", [(0, 0, "some ")])
    store.delete_task(task_id)
    with store.begin_transaction() as tx:
        assert tx.get_task(task_id) is None
        tx.restore_task(task_id)
        task = task_of(tx, task_id)
        assert (task.description, task.tags, task.parent_id) == ("some words", {"a"}, parent)
        task.description = "some more words"
        tx.update_task(task)
    assert task_of(store, task_id).description == "some more words"


def test_a_task_and_a_document_of_one_id_are_written_and_read_apart(store: StorageEngine) -> None:
    one = store.create_task(edda.Task(title="T", description="of the task"))
    with store.begin_transaction() as tx:
        assert tx.get_document(one) is None
        tx.create_document(edda.Document(id=one, title="D", content="of the document"))
        tx.edit_text(one, "content", [(0, 0, "words ")])
        tx.update_task(edda.Task(id=one, title="T2"))
        tx.link(one, one)
        assert (task_of(tx, one).title, task_of(tx, one).description) == ("T2", "of the task")
        assert [document.title for document in tx.query_documents(edda.DocumentQuery())] == ["D"]
        assert titles(tx) == ["T2"]
    with store.begin_transaction() as tx:
        tx.delete_task(one)
        assert tx.get_task(one) is None
        document = tx.get_document(one)
        assert document is not None
        assert document.content == "words of the document"
    assert store.get_document(one) is not None
    with store.begin_transaction() as tx:
        tx.delete_document(one)
        tx.restore_task(one)
        assert task_of(tx, one).title == "T2"
        assert tx.get_document(one) is None
    assert titles(store) == ["T2"]
    assert [item.id for item in store.trash("document")] == [one]
    assert store.trash("task") == []


def test_a_change_of_a_document_is_no_conflict_with_the_task_of_its_id(store: StorageEngine) -> None:
    one = store.create_task(edda.Task(title="T"))
    tx = store.begin_transaction()
    task = task_of(tx, one)
    store.create_document(edda.Document(id=one, title="D"))
    task.title = "T2"
    tx.update_task(task)
    tx.commit()
    assert titles(store) == ["T2"]


def test_queries_see_pending_writes_in_their_order_and_page(store: StorageEngine) -> None:
    ids = {title: store.create_task(edda.Task(title=title, priority=1)) for title in ("b", "d", "f")}
    pages = [edda.TaskQuery(order="title", limit=2, offset=offset) for offset in (0, 2, 4)]
    with store.begin_transaction() as tx:
        tx.create_task(edda.Task(title="a", priority=1))
        tx.create_task(edda.Task(title="e", priority=0))
        tx.update_task(edda.Task(id=ids["b"], title="z", priority=4))
        tx.delete_task(ids["f"])
        assert titles(tx) == ["a", "d", "e", "z"]
        assert [titles(tx, page) for page in pages] == [["a", "d"], ["e", "z"], []]
        assert titles(tx, edda.TaskQuery(order="title", descending=True, limit=1)) == ["z"]
        assert titles(tx, edda.TaskQuery(priority=1, order="title")) == ["a", "d"]
        assert titles(tx, edda.MOST_URGENT)[0] == "e"
        assert titles(tx, edda.TaskQuery(text="z")) == ["z"]
        assert titles(tx, edda.TaskQuery(text="b")) == []
    assert titles(store) == ["a", "d", "e", "z"]


def test_queries_see_tags_and_links_of_the_transaction(store: StorageEngine) -> None:
    task_id = store.create_task(edda.Task(title="T"))
    document_id = store.create_document(edda.Document(title="D"))
    with store.begin_transaction() as tx:
        tx.add_tag(task_id, "work")
        tx.add_tag(document_id, "work", kind="document")
        assert titles(tx, edda.TaskQuery(tags=("WORK",))) == ["T"]
        assert [d.title for d in tx.query_documents(edda.DocumentQuery(tags=("work",)))] == ["D"]


def test_a_child_may_be_made_with_its_parent(store: StorageEngine) -> None:
    with store.begin_transaction() as tx:
        parent = tx.create_task(edda.Task(title="Parent"))
        child = tx.create_task(edda.Task(title="Child", parent_id=parent))
        assert task_of(tx, child).parent_id == parent
        assert titles(tx, edda.TaskQuery(parent=parent)) == ["Child"]
    assert task_of(store, child).parent_id == parent


def test_a_transaction_reads_one_fixed_state(store: StorageEngine) -> None:
    task_id = store.create_task(edda.Task(title="before"))
    tx = store.begin_transaction()
    assert titles(tx) == ["before"]
    store.update_task(edda.Task(id=task_id, title="after"))
    store.create_task(edda.Task(title="another"))
    assert titles(tx) == ["before"]
    assert task_of(tx, task_id).title == "before"
    tx.rollback()
    assert titles(store) == ["after", "another"]


# --- conflicts --------------------------------------------------------------------------------------------------------


def reads(tx: edda.Transaction, task_id: str) -> None:
    tx.get_task(task_id)
    tx.create_task(edda.Task(title="because of what was read"))


def finds(tx: edda.Transaction, task_id: str) -> None:
    tx.query_tasks(edda.TaskQuery())
    tx.create_task(edda.Task(title="because of what was found"))


def updates(tx: edda.Transaction, task_id: str) -> None:
    tx.update_task(edda.Task(id=task_id, title="mine"))


def deletes(tx: edda.Transaction, task_id: str) -> None:
    tx.delete_task(task_id)


@pytest.mark.parametrize("does", [reads, finds, updates, deletes])
@pytest.mark.parametrize("cell", ["title", "metadata.k", "existence"])
def test_a_commit_fails_if_a_cell_that_it_read_or_wrote_changed_meanwhile(
    store: StorageEngine, does: Callable[[edda.Transaction, str], None], cell: str
) -> None:
    task_id = store.create_task(edda.Task(title="start"))
    tx = store.begin_transaction()
    does(tx, task_id)
    if cell == "existence":
        store.delete_task(task_id)
    elif cell == "title":
        store.update_task(edda.Task(id=task_id, title="theirs"))
    else:
        store.update_task(edda.Task(id=task_id, metadata={"k": 1}))
    with pytest.raises(ConflictError) as caught:
        tx.commit()
    assert caught.value.cells == [(task_id, cell)]
    assert tx.state is State.ABORTED
    assert "because of what" not in " ".join(titles(store))


def test_cells_that_were_neither_read_nor_written_may_change(store: StorageEngine) -> None:
    mine, other = (store.create_task(edda.Task(title=title)) for title in ("mine", "other"))
    tx = store.begin_transaction()
    tx.update_task(edda.Task(id=mine, title="changed"))
    store.update_task(edda.Task(id=other, title="changed too"))
    tx.commit()
    assert titles(store) == ["changed", "changed too"]


def test_texts_merge_instead_of_conflicting(store: StorageEngine) -> None:
    task_id = store.create_task(edda.Task(title="T", description="one two three"))
    tx = store.begin_transaction()
    task = task_of(tx, task_id)
    task.description = "ONE two three"
    tx.update_task(task)
    tx.edit_text(task_id, "description", [(13, 0, "!")])
    store.edit_text(task_id, "description", [(4, 3, "2")])
    tx.commit()
    assert task_of(store, task_id).description == "ONE 2 three!"


def test_a_change_that_sync_brings_meanwhile_counts_as_any_other() -> None:
    with devices(2) as (laptop, phone):
        task_id = laptop.create_task(edda.Task(title="start"))
        sync(laptop, phone)
        tx = laptop.begin_transaction()
        task = task_of(tx, task_id)
        task.priority = 0
        tx.update_task(task)
        phone.update_task(edda.Task(id=task_id, status="done"))
        sync(laptop, phone)
        with pytest.raises(ConflictError):
            tx.commit()
        assert task_of(laptop, task_id).status == "done"


def test_an_object_of_a_failed_transaction_can_be_written_again(store: StorageEngine) -> None:
    task = task_of(store, store.create_task(edda.Task(title="start", description="words")))
    task.title, task.description = "changed", "more words"
    tx = store.begin_transaction()
    tx.update_task(task)
    tx.rollback()
    store.update_task(task)
    read = task_of(store, task.id)
    assert (read.title, read.description) == ("changed", "more words")


# --- tags -------------------------------------------------------------------------------------------------------------


def test_a_tag_is_renamed_on_all_items_that_carry_it_in_one_change(store: StorageEngine) -> None:
    first, second = (store.create_task(edda.Task(title=title, tags={"old"})) for title in "ab")
    document = store.create_document(edda.Document(title="D", tags={"old"}))
    with store.begin_transaction() as tx:
        tx.create_tag("old", color="red", description="what it is for")
    before = store.counts()["changes"]
    with store.begin_transaction() as tx:
        tx.rename_tag("OLD", "new")
    assert store.counts()["changes"] == before + 1
    assert [(tag.name, tag.color, tag.description) for tag in store.tags()] == [("new", "red", "what it is for")]
    assert task_of(store, first).tags == task_of(store, second).tags == {"new"}
    read = store.get_document(document)
    assert read is not None
    assert read.tags == {"new"}
    with store.begin_transaction() as tx:
        tx.rename_tag("new", "NEW")
    assert [tag.name for tag in store.tags()] == ["NEW"]


def test_a_tag_that_is_not_there_can_neither_be_renamed_nor_deleted(store: StorageEngine) -> None:
    with store.begin_transaction() as tx:
        for call in (lambda: tx.rename_tag("none", "some"), lambda: tx.delete_tag("none")):
            with pytest.raises(NotFoundError) as caught:
                call()
            assert (caught.value.kind, caught.value.reference) == ("tag", "none")


def test_links_need_both_ends(store: StorageEngine) -> None:
    task_id = store.create_task(edda.Task(title="T"))
    for task, document in ((task_id, NOWHERE), (NOWHERE, task_id), (task_id, task_id)):
        tx = store.begin_transaction()
        tx.link(task, document)
        with pytest.raises(NotFoundError):
            tx.commit()
    assert store.links() == []


def test_the_six_operations_are_listed_as_they_were_asked_for(store: StorageEngine) -> None:
    with store.begin_transaction() as tx:
        task = tx.create_task(edda.Task(title="a", priority=1, tags={"work"}, metadata={"k": 1}, description="words"))
        change = edda.Task(id=task, title="b", tags={"home"})
        tx.update_task(change)
        change.tags.add("later")
        note = tx.create_document(edda.Document(title="d", content="text"))
        tx.update_document(edda.Document(id=note, doc_type="spec"))
        tx.add_tag(task, "more")
        tx.delete_document(note)
        tx.delete_task(task)
        assert tx.operations == [
            CreateTask(
                edda.Task(
                    id=task, title="a", status="open", priority=1, tags={"work"}, metadata={"k": 1}, description="words"
                )
            ),
            UpdateTask(edda.Task(id=task, title="b", tags={"home"})),
            CreateDocument(
                edda.Document(id=note, title="d", content="text", content_type="text/markdown", doc_type="note")
            ),
            UpdateDocument(edda.Document(id=note, doc_type="spec")),
            DeleteDocument(note),
            DeleteTask(task),
        ]
        assert len(tx.drafts) > len(tx.operations)


def test_each_transaction_has_an_id_of_its_own(store: StorageEngine) -> None:
    one, other = store.begin_transaction(), store.begin_transaction()
    assert one.id == one.id != other.id
    assert values.id_text(values.id_bytes("id", one.id)) == one.id
    one.rollback()
    other.rollback()
    assert (one.state, len(State)) == (State.ROLLED_BACK, 4)
