"""A user's program: each public call of a store and of its transactions, for mypy --strict and ``test_library``."""

from __future__ import annotations

import contextlib
import datetime
import io
from pathlib import Path

import edda_sync as edda

TODAY = datetime.date(2026, 12, 1)


def program(folder: Path) -> None:
    """Use all that a store offers to a program."""
    with edda.open(folder, edda.StorageConfig(name="laptop")) as store:
        task, document = tasks(store), documents(store)
        together(store, task, document)
        looking(store, task, document)
        taking_back(store, task)


def tasks(store: edda.StorageEngine) -> edda.TaskId:
    """Make, change, find and remove tasks."""
    made = store.create_task(edda.Task(title="Buy milk", due_date=TODAY, tags={"home"}, metadata={"effort": 2}))
    other = store.create_task(edda.Task(title="Old", parent_id=made))
    read = store.get_task(made)
    assert read is not None
    read.due_date, read.description = datetime.datetime(2026, 12, 1, 18), "Two litres."
    store.update_task(read)
    store.edit_text(made, "description", [(0, 3, "Three")])
    store.delete_task(other)
    assert [item.title for item in store.trash("task")] == ["Old"]
    store.restore_task(other)
    query = edda.TaskQuery(
        status=("open", "in_progress"), tags="home", due_before=TODAY + datetime.timedelta(2), limit=9
    )
    (found,) = store.query_tasks(query)
    assert found.description == "Three litres."
    assert len(store.query_tasks()) == store.count(edda.TaskQuery()) == 2
    assert store.query_tasks(edda.TaskQuery(after=edda.cursor(edda.TaskQuery(), store.query_tasks()[0]))) != []
    shown: edda.Found = edda.found_in(found, "litres")
    assert shown.body is not None
    return made


def documents(store: edda.StorageEngine) -> edda.DocumentId:
    """Make, change, find and remove documents."""
    made = store.create_document(edda.Document(title="Notes", content="# Notes"))
    read = store.get_document(made)
    assert read is not None
    read.content = "# Notes on milk"
    store.update_document(read)
    store.delete_document(made)
    store.restore_document(made)
    assert len(store.query_documents()) == len(store.query_documents(edda.DocumentQuery(text="milk"))) == 1
    assert store.resolve("document", made[-6:]) == store.resolve("document", "Notes") == made
    return made


def together(store: edda.StorageEngine, task: edda.TaskId, document: edda.DocumentId) -> None:
    """Do several things in one transaction."""
    with store.begin_transaction(agent="claude", reason="weekly review") as tx:
        tx.create_tag("errand", color="#ff8800")
        tx.add_tag(task, "errand")
        tx.remove_tag(task, "home")
        tx.delete_tag("home")
        tx.link(task, document)
        attachment = tx.attach(document, io.BytesIO(b"milk"), name="list.txt")
        tx.edit_text(document, "content", [(0, 1, "##")])
        assert [each.id for each in tx.query_tasks(edda.TaskQuery(tags=["errand"]))] == [task]
        assert len(tx.query_documents()) == 1
    assert tx.state is edda.TransactionState.COMMITTED
    with store.open_attachment(document, attachment) as file:
        assert file.read() == b"milk"
    store.transact(lambda tx: tx.rename_tag("errand", "shop"))
    gone = store.begin_transaction()
    gone.delete_task(gone.create_task(edda.Task(title="Never")))
    gone.delete_document(gone.create_document(edda.Document(title="Never")))
    gone.rollback()
    store.transact(lambda tx: tx.unlink(task, document))
    store.transact(lambda tx: tx.detach(document, "list.txt"))
    again = store.begin_transaction()
    again.restore_task(task)
    again.restore_document(document)
    read, note = again.get_task(task), again.get_document(document)
    assert read is not None
    assert note is not None
    read.priority = 0
    again.update_task(read)
    again.update_document(note)
    assert (again.commit() is not None, len(again.id), len(again.operations)) == (True, 36, 2)


def looking(store: edda.StorageEngine, task: edda.TaskId, document: edda.DocumentId) -> None:
    """Look at what else a store knows."""
    tags: list[edda.Tag] = store.tags()
    links: list[edda.Link] = store.links(task_id=task)
    conflicts: list[edda.Conflict] = store.conflicts()
    members: list[edda.Member] = store.members()
    files: list[edda.Attachment] = store.attachments(document)
    assert ([each.name for each in tags], links, conflicts, files) == (["shop"], [], [], [])
    assert [each.name for each in members] == [store.name]
    index: edda.IndexConfig = store.indexes.create("effort", ["metadata.effort"], edda.IndexType.BTREE)
    assert index in store.indexes.list()
    assert store.indexes.clashes() == []
    store.indexes.drop("effort")
    figures: edda.StorageMetrics = store.metrics()
    assert figures.task_count == store.counts()["tasks"] == len(store.table("tasks")) == 2
    with store.watch(edda.MOST_URGENT) as watch:
        change: edda.QueryChange = next(iter(watch))
        assert {item.id for item in change.added} >= {task}
    with store.watch_conflicts() as news:
        assert next(iter(news)).added == []
    tables = store.sql()
    assert tables.execute("SELECT count(*) FROM tasks").fetchone() == (2,)
    tables.close()
    assert len(store.digest()) == 32
    assert (store.waiting(), store.refused()) == (0, 0)


def taking_back(store: edda.StorageEngine, task: edda.TaskId) -> None:
    """Look back, and take changes back."""
    history: edda.History = store.history(task, limit=5)
    last: edda.Done = history.changes[0]
    undone: edda.Undone = store.undo(last.dot, reason="a slip")
    assert undone.items[0].id == task
    store.revert("claude", TODAY - datetime.timedelta(9_999), dry_run=True)
    then = store.as_of("task", task, datetime.datetime.now().astimezone())
    assert then is not None
    assert then.title == "Buy milk"
    assert len(store.version("task", task)) == 12
    assert store.text_at("task", task, store.version("task", task)) == "Three litres."
    with contextlib.suppress(AttributeError):
        assert edda.Tsk  # type: ignore[attr-defined]  # a slip is seen
    with contextlib.suppress(edda.errors.InvalidValueError):
        store.get_task("milk")
        raise AssertionError("this is no id")
