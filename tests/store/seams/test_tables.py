"""What every store promises of the specification's tables and their full text."""

from __future__ import annotations

from contextlib import suppress

import pytest

from edda_sync.store.seams import Patch, Shown, StoreWriter
from edda_sync.words.errors import CorruptError, StorageError
from edda_sync.words.query import DocumentQuery, Query, TaskQuery, plan
from tests.store.samples import (
    GENESIS,
    LATER,
    TIME,
    AnyStore,
    document_row,
    entity,
    record,
    show,
    shown_document,
    shown_tag,
    shown_task,
    tag_row,
    task_row,
    text_id,
)


def test_rows_are_read_back_value_for_value(store: AnyStore) -> None:
    task = shown_task(
        1, title="日本 \U0001f642", description="line\n\0NUL\r\n", priority=0, due_date=LATER,
        metadata='{"a":1}', agent_context='{"b":"ü"}', completed_at=TIME,
    )  # fmt: skip
    document = shown_document(2, content="", version="ab")
    store.transact(lambda tx: show(tx, task, document, shown_tag(3, "ünï")))
    with store.read() as reader:
        assert reader.tables.row("task", text_id(1)) == task.row
        assert reader.tables.row("document", text_id(2)) == document.row
        assert reader.tables.row("tag", text_id(3)) == tag_row(3, "ünï")
        assert reader.tables.row("task", text_id(2)) is None
        assert type(reader.tables.row("task", text_id(1))[4]) is int  # type: ignore[index]
        assert reader.tables.all("tasks") == [task.row]
        assert reader.tables.all("documents") == [document.row]
        assert list(reader.tables.scan("tasks")) == [task.row]
        assert list(reader.tables.scan("tags")) == reader.tables.all("tags")


def test_columns_of_rows_are_written_and_no_others(store: AnyStore) -> None:
    def work(tx: StoreWriter) -> None:
        show(tx, shown_tag(5, "five"), shown_document(7, tags=(5,)))
        show(tx, shown_task(1, tags=(5,), links=(7,)), shown_task(2))
        tx.tables.index_texts()

    store.transact(work)
    patches = [
        Patch("task", text_id(1), ("status", "updated_at", "completed_at"), ("done", LATER, LATER)),
        Patch("task", text_id(2), ("status", "updated_at", "completed_at"), ("blocked", LATER, None)),
        Patch("task", text_id(1), ("priority",), (0,)),
        Patch("tag", text_id(5), ("name", "color"), ("fünf", "red")),
        Patch("document", text_id(7), ("version",), ("1",)),
    ]
    store.transact(lambda tx: tx.tables.patch(patches))
    with store.read() as reader:
        assert reader.tables.all("tasks") == [
            task_row(1, status="done", updated_at=LATER, completed_at=LATER, priority=0),
            task_row(2, status="blocked", updated_at=LATER),
        ]
        assert reader.tables.all("documents") == [document_row(7, version="1")]
        assert reader.tables.all("tags") == [(text_id(5), "fünf", "red", None, TIME)]
        assert len(reader.tables.all("entity_tags")) == 2
        assert len(reader.edges.links_of(None, None)) == 1
        assert not reader.tables.unindexed()
    store.transact(lambda tx: tx.tables.patch([]))


@pytest.mark.parametrize(("kind", "column"), [("task", "title"), ("task", "description"), ("document", "content")])
def test_a_column_of_words_is_indexed_anew(store: AnyStore, kind: str, column: str) -> None:
    def work(tx: StoreWriter) -> None:
        show(tx, shown_task(1), shown_document(1))
        tx.tables.index_texts()

    store.transact(work)
    store.transact(lambda tx: tx.tables.patch([Patch(kind, text_id(1), (column,), ("mulberry",))]))
    assert store.transact(lambda tx: tx.tables.index_texts()) == 1
    query: Query = TaskQuery(text="mulberry") if kind == "task" else DocumentQuery(text="mulberry")
    with store.read() as reader:
        assert len(reader.tables.rows(plan(query))) == 1


def test_patching_a_missing_row_is_an_error(store: AnyStore) -> None:
    store.transact(lambda tx: show(tx, shown_task(1)))
    patches = [Patch("task", text_id(1), ("title",), ("new",)), Patch("task", text_id(2), ("title",), ("none",))]
    with pytest.raises(CorruptError):
        store.transact(lambda tx: tx.tables.patch(patches))
    with store.read() as reader:
        assert reader.tables.all("tasks") == [task_row(1)]


def test_a_required_column_is_not_emptied(store: AnyStore) -> None:
    store.transact(lambda tx: show(tx, shown_task(1), shown_tag(5, "five"), shown_tag(6, "six")))
    for patch in (Patch("task", text_id(1), ("title",), (None,)), Patch("tag", text_id(6), ("name",), ("five",))):
        with pytest.raises(StorageError):
            store.transact(lambda tx, patch=patch: tx.tables.patch([patch]))  # type: ignore[misc]


def test_a_transaction_sees_the_rings_that_it_closes_and_ends(store: AnyStore) -> None:
    ring = (("parent_id", entity(2), "ring"),)

    def work(tx: StoreWriter) -> None:
        assert not tx.edges.has_rings()
        show(tx, shown_task(1, withheld=ring), shown_task(2, parent_id=text_id(1)))
        assert (tx.edges.has_rings(), tx.edges.in_rings_among([entity(1), entity(2)])) == (True, {entity(1)})
        assert tx.edges.parents_among([entity(1), entity(2)]) == {entity(1), entity(2)}
        show(tx, shown_task(1), new=False)
        assert (tx.edges.has_rings(), tx.edges.in_rings_among([entity(1)])) == (False, set())
        assert tx.edges.parents_among([entity(1), entity(2)]) == {entity(1)}
        show(tx, shown_task(1, withheld=ring), new=False)
        with suppress(ZeroDivisionError), tx.undoing():
            tx.tables.hide("task", [entity(1)])
            assert not tx.edges.has_rings()
            raise ZeroDivisionError
        assert tx.edges.has_rings()

    store.transact(work)
    with store.read() as reader:
        assert reader.edges.in_rings() == [entity(1)]


def test_hiding_removes_the_rows_and_everything_that_depends_on_them(store: AnyStore) -> None:
    def work(tx: StoreWriter) -> None:
        show(tx, shown_tag(5, "five"), shown_tag(6, "six"), shown_document(7, tags=(5, 6)), shown_document(8))
        waits = (("parent_id", entity(9), "hidden"),)
        show(tx, shown_task(1, tags=(5, 6), links=(7, 8), withheld=waits), shown_task(2, tags=(5,), links=(7,)))

    store.transact(work)
    store.transact(lambda tx: tx.tables.hide("tag", [entity(5, "tag")]))
    with store.read() as reader:
        assert [row[2] for row in reader.tables.all("entity_tags")] == [text_id(6)] * 2
    store.transact(lambda tx: tx.tables.hide("document", [entity(7, "document")]))
    with store.read() as reader:
        assert [row[:2] for row in reader.tables.all("task_documents")] == [(text_id(1), text_id(8))]
        assert [row[1] for row in reader.tables.all("entity_tags")] == [text_id(1)]
    store.transact(lambda tx: tx.tables.hide("task", [entity(1), entity(33)]))
    store.transact(lambda tx: tx.tables.hide("device", [entity(2, "device")]))  # which has no row
    with store.read() as reader:
        assert reader.tables.all("task_documents") == reader.tables.all("entity_tags") == []
        assert reader.edges.withheld_to([entity(9)]) == []
        assert reader.tables.counts() == {"tasks": 1, "documents": 1, "tags": 1, "hidden": 0, "changes": 0}


def test_a_task_and_a_document_with_one_id_are_independent(store: AnyStore) -> None:
    task, document, tag = entity(1), entity(1, "document"), entity(1, "tag")
    states = [record(1), record(1, "document", hidden=True), record(1, "tag")]

    def work(tx: StoreWriter) -> None:
        tx.states.put(states, {task: True, document: False, tag: False})
        waits = (("parent_id", task, "hidden"), ("tag." + text_id(9), entity(9, "tag"), "hidden"))
        show(tx, shown_tag(1, "one"), shown_document(1, tags=(1,)), shown_document(2))
        show(tx, shown_task(1, tags=(1,), links=(1, 2)), shown_task(2, parent_id=text_id(1), links=(1,)))
        show(tx, shown_task(3, withheld=waits))
        tx.states.put_text(task, "description", GENESIS, b"of the task", 0)
        tx.states.put_text(document, "content", GENESIS, b"of the document", 0)
        tx.index.set_stale({document: True})
        tx.tables.index_texts()

    store.transact(work)
    with store.read() as reader:
        assert list(reader.states.scan()) == states
        assert reader.states.get([document]) == {document: states[1]}
        assert (reader.index.hidden("task"), reader.index.hidden("document")) == ([], [document])
        assert (reader.index.conflicted(), reader.index.stale()) == ([task], [document])
        assert reader.edges.referrers([task]) == [entity(2)]
        assert reader.edges.referrers([document]) == [task, entity(2)]
        assert reader.edges.referrers([tag]) == [task, document]
        assert (reader.edges.withheld_to([document]), reader.edges.withheld_to([task])) == ([], [entity(3)])
        assert [each[0] for each in reader.states.texts()] == [task, document]
    store.transact(lambda tx: tx.tables.hide("document", [document]))
    with store.read() as reader:
        assert [row[:2] for row in reader.tables.all("task_documents")] == [(text_id(1), text_id(2))]
        assert [row[:2] for row in reader.tables.all("entity_tags")] == [("task", text_id(1))]
        assert reader.tables.row("task", text_id(1)) == task_row(1)
    store.transact(lambda tx: tx.tables.hide("tag", [tag]))
    with store.read() as reader:
        assert reader.tables.all("entity_tags") == []
        assert reader.tables.row("task", text_id(1)) == task_row(1)


@pytest.mark.parametrize(
    "shown",
    [shown_task(1, parent_id=text_id(9)), shown_task(1, tags=(9,)), shown_task(1, links=(9,))],
    ids=["parent", "tag", "link"],
)
def test_a_row_with_a_broken_reference_stops_its_transaction(store: AnyStore, ended: list[bool], shown: Shown) -> None:
    def work(tx: StoreWriter) -> None:
        tx.meta.set("name", b"half")
        show(tx, shown)

    with pytest.raises(StorageError):
        store.transact(work)
    with store.read() as reader:
        assert reader.tables.all("tasks") == []
        assert reader.meta.get("name") is None
    assert ended == [False]


def test_removing_the_target_of_a_reference_stops_the_transaction(store: AnyStore) -> None:
    store.transact(lambda tx: show(tx, shown_task(1), shown_task(2, parent_id=text_id(1))))
    with pytest.raises(StorageError):
        store.transact(lambda tx: tx.tables.hide("task", [entity(1)]))
    with store.read() as reader:
        assert len(reader.tables.all("tasks")) == 2


def test_only_the_end_of_a_transaction_counts_for_references(store: AnyStore) -> None:
    def work(tx: StoreWriter) -> None:
        show(tx, shown_task(2, parent_id=text_id(1), tags=(5,), links=(7,)))
        show(tx, shown_document(7), shown_tag(5, "five"), shown_task(1))

    store.transact(work)

    def move(tx: StoreWriter) -> None:
        tx.tables.hide("task", [entity(1)])
        show(tx, shown_task(2), new=False)

    store.transact(move)
    with store.read() as reader:
        assert [row[0] for row in reader.tables.all("tasks")] == [text_id(2)]


def test_a_ring_of_parents_is_no_broken_reference(store: AnyStore) -> None:
    ring = [shown_task(child, parent_id=text_id(parent)) for child, parent in ((1, 2), (2, 1), (3, 3))]
    store.transact(lambda tx: show(tx, *ring))
    with store.read() as reader:
        assert len(reader.tables.all("tasks")) == 3


@pytest.mark.parametrize(
    "shown",
    [
        shown_task(1, title=None),
        shown_task(1, status=None),
        shown_task(1, priority=None),
        shown_task(1, created_at=None),
        shown_task(1, updated_at=None),
        shown_document(1, title=None),
        shown_document(1, content_type=None),
        shown_document(1, doc_type=None),
        shown_document(1, version=None),
        shown_tag(1, None),  # type: ignore[arg-type]
    ],
    ids=lambda shown: f"{shown.kind}-{shown.row.index(None)}",
)
def test_a_missing_value_stops_the_transaction(store: AnyStore, shown: Shown) -> None:
    with pytest.raises(StorageError):
        store.transact(lambda tx: show(tx, shown))


def test_two_tags_never_have_one_name(store: AnyStore) -> None:
    store.transact(lambda tx: show(tx, shown_tag(1, "work"), shown_tag(2, "home")))
    with pytest.raises(StorageError):
        store.transact(lambda tx: show(tx, shown_tag(3, "work")))
    with pytest.raises(StorageError):
        store.transact(lambda tx: show(tx, shown_tag(1, "home"), new=False))
    store.transact(lambda tx: show(tx, shown_tag(1, "Work"), new=False))
    store.transact(lambda tx: show(tx, shown_tag(3, "work")))  # which is free now
    store.transact(lambda tx: tx.tables.hide("tag", [entity(2, "tag")]))
    store.transact(lambda tx: show(tx, shown_tag(4, "home")))
    with store.read() as reader:
        assert [row[1] for row in reader.tables.all("tags")] == ["Work", "work", "home"]


@pytest.mark.parametrize("kind", ["task", "document", "tag"])
def test_a_row_that_is_called_new_must_not_exist(store: AnyStore, kind: str) -> None:
    made = {"task": shown_task(1), "document": shown_document(1), "tag": shown_tag(1, "one")}[kind]
    store.transact(lambda tx: show(tx, made))
    with pytest.raises(StorageError):
        store.transact(lambda tx: show(tx, made))


# --- full text ---------------------------------------------------------------------------------------------------------


def test_words_are_found_once_they_are_indexed(store: AnyStore) -> None:
    def found(query: TaskQuery | DocumentQuery) -> list[str]:
        with store.read() as reader:
            return [row[1] for row in reader.tables.rows(plan(query))]

    def work(tx: StoreWriter) -> None:
        show(tx, shown_task(1, title="red apple", description="sweet"), shown_task(2, title="green pear"))
        show(tx, shown_document(3, title="apple pie"))

    store.transact(work)
    assert found(TaskQuery(text="apple")) == []
    with store.read() as reader:
        assert reader.tables.unindexed()
        assert list(reader.tables.unindexed_of("task")) == [text_id(1), text_id(2)]
        assert list(reader.tables.unindexed_of("document")) == [text_id(3)]
    assert store.transact(lambda tx: tx.tables.index_texts()) == 3
    with store.read() as reader:
        assert not reader.tables.unindexed()
        assert list(reader.tables.unindexed_of("task")) == list(reader.tables.unindexed_of("document")) == []
    assert found(TaskQuery(text="apple")) == ["red apple"]
    assert found(TaskQuery(text="sweet")) == ["red apple"]
    assert found(DocumentQuery(text="apple")) == ["apple pie"]
    store.transact(lambda tx: show(tx, shown_task(1, title="blue apple", description="sour"), new=False))
    assert found(TaskQuery(text="sweet")) == ["blue apple"]  # the row as it is, by its former words
    assert store.transact(lambda tx: tx.tables.index_texts()) == 1
    assert found(TaskQuery(text="sweet")) == []
    assert found(TaskQuery(text="sour")) == ["blue apple"]
    store.transact(lambda tx: tx.tables.hide("task", [entity(1)]))
    assert found(TaskQuery(text="sour")) == []


def test_the_index_catches_up_in_steps(store: AnyStore) -> None:
    def work(tx: StoreWriter) -> None:
        show(tx, *(shown_task(number) for number in range(1, 6)), *(shown_document(n) for n in range(6, 10)))

    store.transact(work)
    steps = [store.transact(lambda tx: tx.tables.index_texts(4)) for _ in range(4)]
    assert steps == [4, 4, 1, 0]
    with store.read() as reader:
        assert len(reader.tables.rows(plan(TaskQuery(text="task")))) == 5
        assert len(reader.tables.rows(plan(DocumentQuery(text="document")))) == 4


def test_a_row_that_comes_back_after_hiding_is_indexed_anew(store: AnyStore) -> None:
    def found(word: str) -> int:
        store.transact(lambda tx: tx.tables.index_texts())
        with store.read() as reader:
            return len(reader.tables.rows(plan(TaskQuery(text=word))))

    store.transact(lambda tx: show(tx, shown_task(1, title="first"), shown_task(2, title="other")))
    assert found("first") == 1
    store.transact(lambda tx: tx.tables.hide("task", [entity(1), entity(2)]))
    store.transact(lambda tx: show(tx, shown_task(3, title="third"), shown_task(1, title="second")))
    assert [found(word) for word in ("first", "other", "second", "third")] == [0, 0, 1, 1]
