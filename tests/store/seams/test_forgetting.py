"""What every store promises of entities that are forgotten, to be folded anew."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from edda_sync.store.seams import Deleted, StoreWriter, Unapplied
from edda_sync.words.errors import StorageError
from edda_sync.words.query import DocumentQuery, TaskQuery, plan
from tests.store.samples import (
    ACTOR,
    ANOTHER_GENESIS,
    GENESIS,
    AnyStore,
    addend,
    dump,
    entity,
    fill,
    record,
    show,
    shown_document,
    shown_tag,
    shown_task,
    task_row,
    text_id,
)


def fill_with_one_of_each_kind(tx: StoreWriter, number: int) -> list[bytes]:
    """Write all that can be folded of an entity of each kind; return the keys."""
    task, document, tag = (entity(number, kind) for kind in ("task", "document", "tag"))
    device, workspace = entity(number, "device"), entity(number, "workspace")
    records = [record(number, "task"), record(number, "document"), record(number, "tag"),
               record(number, "device"), record(number, "workspace", hidden=True)]  # fmt: skip
    tx.states.put(records, dict.fromkeys((each.key for each in records), True))
    tx.index.add_to_digest(sum(map(addend, records)))
    show(tx, shown_tag(number, f"tag {number}"), shown_document(number, title="forgettable", tags=(number,)))
    waits = (("link." + text_id(99), entity(99, "document"), "hidden"), ("parent_id", entity(98), "ring"))
    show(tx, shown_task(number, title="forgettable", tags=(number,), links=(number,), withheld=waits))
    tx.tables.index_texts()
    for key, field in ((task, "description"), (document, "content")):
        for genesis in (GENESIS, ANOTHER_GENESIS):
            tx.states.put_text(key, field, genesis, b"state", 0)
            tx.states.append_text(key, field, genesis, ACTOR, number, b"edit")
        tx.states.append_text(key, "of a newer version", GENESIS, ACTOR, number, b"an edit without a state")
        tx.index.set_stale({key: True})
        tx.index.set_deletions({key: Deleted(((ACTOR, number, 5, None),), True)})
    keys = [task, document, tag, device, workspace]
    notes = [Unapplied(number, at, key, refused, "why") for at, key in enumerate(keys) for refused in (True, False)]
    tx.unapplied.add(notes)
    return keys


def show_again(tx: StoreWriter) -> None:
    """Let the full-text index wait for the rows of what is about to be forgotten."""
    task = shown_task(2, title="forgettable", tags=(2,), links=(2,))
    show(tx, task, shown_document(2, title="forgettable", tags=(2,)), new=False)


@pytest.mark.parametrize("at_once", [True, False], ids=["in-its-own-transaction", "later"])
def test_only_the_log_stays_of_what_is_forgotten(
    store: AnyStore, view: Callable[[], dict[str, Any]], at_once: bool
) -> None:
    store.transact(lambda tx: fill_with_one_of_each_kind(tx, 1))
    before = view()

    def fill_another(tx: StoreWriter) -> None:
        keys = fill_with_one_of_each_kind(tx, 2)
        tx.mentions.add([(key, 5) for key in keys])
        show_again(tx)
        if at_once:
            tx.forget(keys)

    store.transact(fill_another)
    if not at_once:
        keys = [entity(2, kind) for kind in ("task", "document", "tag", "device", "workspace")]
        assert view() != before
        store.transact(lambda tx: tx.forget(keys))
    assert view() == before
    with store.read() as reader:
        assert list(reader.mentions.of(entity(2))) == [5]
        assert reader.tables.rows(plan(TaskQuery(text="forgettable"))) == [task_row(1, title="forgettable")]
        assert reader.index.digest() == sum(addend(each) for each in reader.states.scan()) % (1 << 128)


@pytest.mark.parametrize("kind", ["task", "document", "tag", "device", "workspace"])
def test_an_entity_is_forgotten_and_its_namesakes_of_other_kinds_stay(store: AnyStore, kind: str) -> None:
    def work(tx: StoreWriter) -> None:
        records = [record(1, each) for each in ("task", "document", "tag", "device", "workspace")]
        tx.states.put(records, dict.fromkeys((each.key for each in records), False))
        tx.index.add_to_digest(sum(map(addend, records)))
        show(tx, shown_tag(1, "one"), shown_document(1), shown_task(1))
        tx.unapplied.add([Unapplied(1, at, each.key, True, "why") for at, each in enumerate(records)])

    store.transact(work)
    store.transact(lambda tx: tx.forget([entity(1, kind)]))
    with store.read() as reader:
        left = {each.key for each in reader.states.scan()}
        assert len(left) == 4
        assert entity(1, kind) not in left
        assert {each.entity for each in reader.unapplied.operations()} == left
        assert [each for each in ("task", "document", "tag") if reader.tables.row(each, text_id(1)) is None] == (
            [kind] if kind in ("task", "document", "tag") else []
        )
        assert reader.index.digest() == sum(addend(each) for each in reader.states.scan()) % (1 << 128)


def test_an_entity_loses_its_edge_to_another_one_that_is_forgotten(store: AnyStore) -> None:
    def work(tx: StoreWriter) -> None:
        show(tx, shown_tag(5, "five"), shown_document(7), shown_task(1, tags=(5,), links=(7,)))

    store.transact(work)
    store.transact(lambda tx: tx.forget([entity(5, "tag"), entity(7, "document")]))
    with store.read() as reader:
        assert (
            reader.tables.all("entity_tags") == reader.tables.all("task_documents") == reader.tables.all("tags") == []
        )
        assert reader.tables.row("task", text_id(1)) == task_row(1)


def test_a_parent_is_forgotten_only_together_with_the_tasks_that_show_it(store: AnyStore) -> None:
    store.transact(lambda tx: show(tx, shown_task(1), shown_task(2, parent_id=text_id(1))))
    with pytest.raises(StorageError):
        store.transact(lambda tx: tx.forget([entity(1)]))

    def work(tx: StoreWriter) -> None:
        tx.forget([entity(1)])
        show(tx, shown_task(2), new=False)

    store.transact(work)
    with store.read() as reader:
        assert [row[0] for row in reader.tables.all("tasks")] == [text_id(2)]


def test_a_forgotten_entity_is_removed_from_the_digest_once_and_may_be_written_anew(store: AnyStore) -> None:
    old, new = record(1), record(1, state=b"folded anew")

    def work(tx: StoreWriter) -> list[int]:
        tx.states.put([old], {old.key: True})
        tx.index.add_to_digest(addend(old))
        tx.forget([old.key, old.key, entity(8)])
        found = [tx.index.digest()]
        tx.forget([old.key])
        tx.forget([])
        found.append(tx.index.digest())
        assert tx.states.get([old.key]) == {}
        tx.states.put([new], {new.key: False})
        show(tx, shown_task(1))
        return found

    assert store.transact(work) == [0, 0]
    with store.read() as reader:
        assert reader.states.get([old.key]) == {old.key: new}
        assert reader.index.conflicted() == []


def test_clearing_the_view_keeps_the_log_and_the_named_values(store: AnyStore) -> None:
    store.transact(fill)
    with store.read() as reader:
        before = dump(reader)
    store.transact(lambda tx: tx.clear_view())
    with store.read() as reader:
        after = dump(reader)
        assert list(reader.unapplied.operations()) == []
        assert reader.unapplied.waiting() == reader.index.digest() == 0
        assert not reader.unapplied.waits()
        assert [row for name in ("tasks", "documents", "tags") for row in reader.tables.all(name)] == []
        assert reader.tables.rows(plan(DocumentQuery(text="words"))) == []
    kept = (
        "meta",
        "heads",
        "log",
        "hashes",
        "headers",
        "signatures",
        "segments",
        "incoming",
        "behind",
        "evidence",
        "mentions",
    )
    assert {name: after[name] for name in kept} == {name: before[name] for name in kept}
    assert after["records"] == {}
    assert after["due"] == ([], False)
    assert after["texts"] == [None, None]
