"""The record of a transaction's operations: each is as it was asked for, whatever the program does with its objects."""

from __future__ import annotations

from edda_sync.changes.drafts import Put
from edda_sync.engine.recorded import Recorded
from edda_sync.words import values
from edda_sync.words.model import Document, Task
from edda_sync.words.operations import CreateDocument, DeleteDocument, DeleteTask, UpdateDocument, UpdateTask

ID = values.uuid7(1, bytes(10))


def test_an_update_stays_as_it_was_asked_for() -> None:
    recorded, task = Recorded(), Task(id=ID, title="a", tags={"one"}, metadata={"k": 1})
    recorded.updated(task)
    task.title = "b"
    task.tags.add("two")
    task.metadata["k"] = 2
    assert recorded.listed([]) == [UpdateTask(Task(id=ID, title="a", tags={"one"}, metadata={"k": 1}))]


def test_each_kind_has_its_own_operations_in_the_order_in_which_they_came() -> None:
    recorded = Recorded()
    recorded.created(1)
    recorded.updated(Document(id=ID, title="b"))
    recorded.deleted("document", ID)
    recorded.deleted("task", ID)
    raw = values.id_bytes("id", ID)
    drafts = [Put.of("tag", raw, {"name": "work"}), Put.of("document", raw, {"title": "a", "doc_type": "note"})]
    assert recorded.listed(drafts) == [
        CreateDocument(Document(id=ID, title="a", doc_type="note")),
        UpdateDocument(Document(id=ID, title="b")),
        DeleteDocument(ID),
        DeleteTask(ID),
    ]
