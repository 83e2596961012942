"""A reader with drafts on top shows what a commit of them shows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import edda_sync as edda
from edda_sync.crdt.keys import key_of
from edda_sync.engine.drafting import Drafts
from edda_sync.engine.engine import StorageEngine
from edda_sync.engine.pending import Pending
from edda_sync.store.sqlite.store import SqliteStore
from edda_sync.words import values
from edda_sync.words.errors import NotFoundError
from edda_sync.words.model import Item


@pytest.fixture
def store(tmp_path: Path) -> Iterator[StorageEngine]:
    with edda.open(tmp_path / "home") as engine:
        yield engine


def nobody(kind: str, entity: bytes) -> None:
    """Record no looks."""


def shown(items: list[Item]) -> list[tuple[str, str | None, set[str]]]:
    return [(each.title, each.description if isinstance(each, edda.Task) else None, each.tags) for each in items]


def test_a_transaction_sees_before_its_commit_what_the_commit_leaves(store: StorageEngine) -> None:
    kept, changed, gone = (store.create_task(edda.Task(title=title, description="old words")) for title in "abc")
    with store.begin_transaction() as tx:
        tx.update_task(edda.Task(id=changed, title="z", description="old and new words"))
        tx.edit_text(kept, "description", [(0, 3, "young")])
        tx.add_tag(kept, "home")
        tx.delete_task(gone)
        tx.create_task(edda.Task(title="made", tags={"home"}))
        query = edda.TaskQuery(order="title")
        before = shown(list(tx.query_tasks(query)))
        tagged = shown(list(tx.query_tasks(edda.TaskQuery(tags=["home"], order="title"))))
    assert before == shown(list(store.query_tasks(query)))
    assert tagged == shown(list(store.query_tasks(edda.TaskQuery(tags=["home"], order="title"))))


def test_changing_an_item_that_was_handed_out_changes_nothing_that_is_seen_next(
    store: StorageEngine,
) -> None:
    task = store.create_task(edda.Task(title="a", tags={"work"}, metadata={"k": {"deep": 1}}))
    with store.begin_transaction() as tx:
        for title in ("b", "c"):
            tx.update_task(edda.Task(id=task, title=title))
            found = tx.get_task(task)
            assert found is not None
            assert (found.title, found.tags, found.metadata) == (title, {"work"}, {"k": {"deep": 1}})
            found.title = "mine"
            found.tags.clear()
            found.metadata["k"]["deep"] = 2
        tx.delete_task(task)
        assert tx.get_task(task) is None
        tx.restore_task(task)
        restored = tx.get_task(task)
        assert restored is not None
        assert (restored.title, restored.tags) == ("c", {"work"})
    assert shown([store.get_task(task)]) == [("c", None, {"work"})]  # type: ignore[list-item]


def test_a_page_is_cut_after_what_is_pending_took_its_place(store: StorageEngine) -> None:
    for number in range(6):
        store.create_task(edda.Task(title=f"{number}"))
    with store.begin_transaction() as tx:
        first = tx.query_tasks(edda.TaskQuery(order="title", limit=1))[0]
        tx.delete_task(first.id)
        tx.create_task(edda.Task(title="25"))
        page = tx.query_tasks(edda.TaskQuery(order="title", limit=2, offset=1))
        assert [each.title for each in page] == ["2", "25"]


def test_each_entity_that_is_looked_at_is_recorded(store: StorageEngine) -> None:
    task = store.create_task(edda.Task(title="t"))
    looked: list[tuple[str, bytes]] = []
    with store.snapshot() as reader:
        view = Pending(reader, Drafts(), lambda kind, entity: looked.append((kind, entity)))
        view.query(edda.TaskQuery())
        view.item("task", values.id_bytes("id", task))
    assert looked == [("task", values.id_bytes("id", task))] * 2


def test_a_restored_item_is_seen_as_it_comes_back(store: StorageEngine) -> None:
    parent = store.create_task(edda.Task(title="above"))
    task = store.create_task(edda.Task(title="t", description="words", parent_id=parent, tags={"home"}))
    store.delete_task(task)
    with store.begin_transaction() as tx:
        assert tx.get_task(task) is None
        tx.restore_task(task)
        seen = tx.get_task(task)
    assert seen == store.get_task(task)


def test_the_text_of_a_missing_item_is_not_found(store: StorageEngine) -> None:
    with store.snapshot() as reader:
        view = Pending(reader, Drafts(), nobody)
        with pytest.raises(NotFoundError):
            view.text("task", bytes(16))
        assert view.item("task", bytes(16)) is None
        assert view.stored("task", bytes(16)) is None
        assert reader.states.get([key_of("task", bytes(16))]) == {}


def test_a_transaction_finds_words_that_were_written_just_before_it_and_in_it(store: StorageEngine) -> None:
    """A reader of a snapshot does not bring the index up to date."""
    assert isinstance(store.store, SqliteStore)
    store.store.on_idle = None
    before = store.create_task(edda.Task(title="oat milk"))
    store.query_tasks(edda.TaskQuery(text="oat"))
    store.update_task(edda.Task(id=before, title="soy milk"))
    other = store.create_task(edda.Task(title="soy sauce"))
    with store.begin_transaction() as tx:
        made = tx.create_task(edda.Task(title="soy beans"))
        assert {each.id for each in tx.query_tasks(edda.TaskQuery(text="soy"))} == {before, other, made}
        assert tx.query_tasks(edda.TaskQuery(text="oat")) == []


TITLES, TAGS, VALUES = ("a", "Äpfel", "apple", "b"), ("work", "home"), (1, "1", True, None)
NUMBERS = st.integers(0, 3)
IDS = [values.id_text(bytes([number] * 16)) for number in range(1, 5)]
FILES = [values.id_text(bytes([number] * 16)) for number in range(11, 15)]
DEEDS = st.one_of(
    st.tuples(st.just("title"), NUMBERS, st.sampled_from(TITLES)),
    st.tuples(st.just("priority"), NUMBERS, st.integers(0, 4)),
    st.tuples(st.just("metadata"), NUMBERS, st.sampled_from(VALUES)),
    st.tuples(st.just("parent"), NUMBERS, NUMBERS),
    st.tuples(st.just("tag"), NUMBERS, st.sampled_from(TAGS)),
    st.tuples(st.just("untag"), NUMBERS, st.sampled_from(TAGS)),
    st.tuples(st.just("link"), NUMBERS, NUMBERS),
    st.tuples(st.just("unlink"), NUMBERS, NUMBERS),
)
WHERE = [("metadata.a", operator, value) for operator in ("=", "!=") for value in VALUES]
QUERIES = st.one_of(
    st.builds(
        edda.TaskQuery, tags=st.sampled_from([(), *TAGS]), any_tags=st.sampled_from([(), TAGS]),
        no_tags=st.sampled_from([(), *TAGS]), under=st.none() | st.sampled_from(IDS), parent=st.none() | st.just(""),
        document=st.none() | st.sampled_from(FILES), where=st.just(()) | st.sampled_from(WHERE).map(lambda each: [each]),
        priority_to=st.none() | st.integers(0, 4), order=st.sampled_from(["urgent", "title"]), descending=st.booleans(),
        limit=st.none() | st.integers(0, 3), offset=st.integers(0, 1),
    ),
    st.builds(edda.DocumentQuery, task=st.none() | st.sampled_from(IDS), order=st.just("title")),
)  # fmt: skip


def do(tx: edda.Transaction, deed: tuple[str, int, Any]) -> None:
    what, number, value = deed
    task = IDS[number]
    if what == "parent":
        if value < number:  # so that no ring comes about
            tx.update_task(edda.Task(id=task, parent_id=IDS[value]))
    elif what == "metadata":
        tx.update_task(edda.Task(id=task, metadata={"a": value}))
    elif what in ("title", "priority"):
        tx.update_task(edda.Task(id=task, **{what: value}))
    elif what in ("tag", "untag"):
        (tx.add_tag if what == "tag" else tx.remove_tag)(task, value)
    elif what == "link":
        tx.link(task, FILES[value])
    else:
        tx.unlink(task, FILES[value])


def found(tx: edda.Transaction, query: edda.TaskQuery | edda.DocumentQuery) -> list[Item]:
    return [*(tx.query_tasks(query) if isinstance(query, edda.TaskQuery) else tx.query_documents(query))]


@given(st.lists(DEEDS, max_size=6), st.lists(DEEDS, max_size=6), st.lists(QUERIES, min_size=1, max_size=6))
def test_any_query_in_a_transaction_finds_what_it_finds_after_the_commit(
    stored: list[Any], drafted: list[Any], queries: list[edda.TaskQuery | edda.DocumentQuery]
) -> None:
    with edda.open("nowhere", edda.StorageConfig(backend="memory")) as store:
        with store.begin_transaction() as tx:
            for task, file in zip(IDS, FILES, strict=True):
                tx.create_task(edda.Task(id=task, title=task[:2]))
                tx.create_document(edda.Document(id=file, title=file[:2]))
            for deed in stored:
                do(tx, deed)
        with store.begin_transaction() as tx:
            for deed in drafted:
                do(tx, deed)
            before = [[item.id for item in found(tx, each)] for each in queries]
        for query, seen in zip(queries, before, strict=True):
            assert [item.id for item in store.reading.query(query)] == seen
            assert store.count(replace(query, limit=None)) >= len(seen)


def tags_of(task: edda.Task | None) -> set[str]:
    assert task is not None
    return set(task.tags or ())


def tags_and_carried(store: StorageEngine, task: str) -> tuple[list[tuple[str, str | None]], set[str]]:
    return [(each.name, each.color) for each in store.reading.tags()], tags_of(store.get_task(task))


def test_a_transaction_renames_a_tag_that_it_created(store: StorageEngine) -> None:
    with store.begin_transaction() as tx:
        tx.create_tag("draft", color="red")
        task = tx.create_task(edda.Task(title="t", tags={"draft"}))
        tx.rename_tag("draft", "final")
        assert tags_of(tx.get_task(task)) == {"final"}
    assert tags_and_carried(store, task) == ([("final", "red")], {"final"})


def test_a_transaction_renames_a_tag_that_only_its_drafts_use_and_back_again(store: StorageEngine) -> None:
    task = store.create_task(edda.Task(title="t"))
    with store.begin_transaction() as tx:
        tx.add_tag(task, "one")
        for old, new in (("one", "two"), ("two", "three"), ("three", "one")):
            tx.rename_tag(old, new)
    assert tags_and_carried(store, task) == ([("one", None)], {"one"})


def test_a_transaction_renames_a_tag_of_what_it_edited_and_of_what_it_did_not(store: StorageEngine) -> None:
    edited, other, bare = (store.create_task(edda.Task(title=each, tags={"old"})) for each in "abc")
    with store.begin_transaction() as tx:
        tx.update_task(edda.Task(id=edited, title="edited"))
        tx.remove_tag(bare, "old")
        tx.rename_tag("old", "new")
    assert [tags_of(store.get_task(each)) for each in (edited, other, bare)] == [{"new"}, {"new"}, set()]


def test_a_transaction_deletes_a_tag_that_it_created_and_then_has_none(store: StorageEngine) -> None:
    with store.begin_transaction() as tx:
        tx.create_tag("draft")
        tx.delete_tag("draft")
        for again in (lambda: tx.delete_tag("draft"), lambda: tx.rename_tag("draft", "other")):
            with pytest.raises(NotFoundError):
                again()
    assert store.reading.tags() == []
