from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import edda_sync as edda
from edda_sync.changes.drafts import Put
from edda_sync.crdt.keys import key_of
from edda_sync.engine.engine import StorageEngine
from edda_sync.store.delta import Delta
from edda_sync.store.feed import Changed, Feed
from edda_sync.store.seams import StoreWriter
from edda_sync.testing import devices, sync
from edda_sync.words import limits, values
from edda_sync.words.errors import NotFoundError

NOTHING = Delta(
    mentions=(), unapplied=(), texts=(), overfull=(), records=(), conflicted={}, digest=0, hidden={}, shown=(),
    new=frozenset(), patches=(), pointed=(), attached={}, unclaimed=(), claimed=(), uniques={}, stale={}, deletions={},
)  # fmt: skip


@pytest.fixture
def store(tmp_path: Path) -> Iterator[StorageEngine]:
    with edda.open(tmp_path / "home") as engine:
        yield engine


def listening(store: StorageEngine) -> list[Changed]:
    heard: list[Changed] = []
    store.ledger.feed.listen(heard.append)
    return heard


def named(heard: list[Changed]) -> set[tuple[str, str]]:
    return {each for changed in heard for each in changed.named}


def test_each_commit_names_what_reads_differently_and_its_position_in_the_log(store: StorageEngine) -> None:
    task = store.create_task(edda.Task(title="a"))
    heard = listening(store)
    store.update_task(edda.Task(id=task, title="b"))
    with store.store.read() as reader:
        assert heard == [
            Changed(frozenset({("task", task)}), frozenset({reader.log.position()}), False, heard[0].digest)
        ]


def test_positions_are_noted_before_they_are_committed_and_until_they_are_told(store: StorageEngine) -> None:
    feed, seen = store.ledger.feed, list[set[int]]()
    feed.listen(lambda changed: seen.append(set(changed.positions)))
    with store.store.read() as reader:
        before = reader.log.position()

    def work(tx: StoreWriter) -> None:
        store.ledger.commit(tx, [Put.of("task", bytes(16), {"title": "a"}, new=True)], 0)
        seen.append(feed.positions())

    store.store.transact(work)
    assert seen == [{before + 1}, {before + 1}]
    assert feed.positions() == set()


def test_an_edit_of_a_text_is_named_at_once(store: StorageEngine) -> None:
    task = store.create_task(edda.Task(title="a", description="some words"))
    heard = listening(store)
    store.edit_text(task, "description", [(0, 4, "few")])
    assert ("task", task) in heard[0].named


def test_what_a_deletion_changes_elsewhere_is_named(store: StorageEngine) -> None:
    parent = store.create_task(edda.Task(title="parent"))
    child = store.create_task(edda.Task(title="child", parent_id=parent, tags={"work"}))
    heard = listening(store)
    store.delete_task(parent)
    assert named(heard) == {("task", parent), ("task", child)}
    heard.clear()
    with store.begin_transaction() as tx:
        tx.delete_tag("work")
    assert named(heard) == {("tag", values.tag_id("work")), ("task", child)}


def test_what_is_hidden_is_named_whatever_else_is_written_of_it(store: StorageEngine) -> None:
    task = store.create_task(edda.Task(title="a"))
    heard = listening(store)
    hiding = NOTHING._replace(hidden={"task": [key_of("task", values.id_bytes("id", task))]})
    store.store.transact(lambda tx: store.ledger.feed.write(tx, hiding))
    assert named(heard) == {("task", task)}


def test_tagging_does_not_name_the_tag_but_another_name_does(store: StorageEngine) -> None:
    store.create_task(edda.Task(title="a", tags={"work"}))
    other = store.create_task(edda.Task(title="b"))
    heard = listening(store)
    store.update_task(edda.Task(id=other, tags={"work"}))
    assert named(heard) == {("task", other)}
    with store.begin_transaction() as tx:
        tx.rename_tag("work", "WORK")
    assert ("tag", values.tag_id("work")) in named(heard)


def test_changes_of_a_peer_are_told_as_well() -> None:
    with devices(2) as (laptop, phone):
        heard = listening(phone)
        task = laptop.create_task(edda.Task(title="a"))
        sync(laptop, phone)
        assert ("task", task) in named(heard)


def test_what_is_folded_again_is_told(store: StorageEngine) -> None:
    task = store.create_task(edda.Task(title="a"))
    heard = listening(store)
    store.refold([key_of("task", values.id_bytes("id", task))])
    assert ("task", task) in named(heard)
    store.rebuild()
    assert heard[-1].everything


def test_what_is_to_be_folded_again_is_named_even_if_nothing_of_it_is_left_to_write() -> None:
    feed, heard = Feed(), list[Changed]()
    feed.listen(heard.append)
    feed.note([key_of("task", bytes(16))])
    feed.committed()
    assert heard == [Changed(frozenset({("task", values.id_text(bytes(16)))}), frozenset(), False, None)]


def test_a_failed_transaction_tells_nothing(store: StorageEngine) -> None:
    heard = listening(store)
    with pytest.raises(NotFoundError):
        store.update_task(edda.Task(id=values.id_text(bytes(16)), title="a"))
    assert heard == []


def test_the_positions_of_a_failed_transaction_are_never_told(store: StorageEngine) -> None:
    heard = listening(store)

    def fails(tx: StoreWriter) -> None:
        store.writing.commit(tx, [Put.of("task", bytes(16), {"title": "a"}, new=True)], None)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        store.store.transact(fails)
    assert heard == []
    store.create_task(edda.Task(title="b"))
    with store.store.read() as reader:
        assert max(heard[0].positions, default=0) in (0, reader.log.position())
        assert heard[0].digest is None
    store.create_task(edda.Task(title="c"))
    assert (len(heard[1].positions), heard[1].digest is None) == (1, False)


def test_whoever_stops_listening_hears_no_more_and_nothing_is_noted_for_nobody(store: StorageEngine) -> None:
    heard: list[Changed] = []
    end = store.ledger.feed.listen(heard.append)
    assert store.ledger.feed.is_heard
    end()
    store.create_task(edda.Task(title="a"))
    assert (heard, store.ledger.feed.is_heard, store.ledger.feed._named) == ([], False, set())


def test_very_many_changes_are_told_as_everything(store: StorageEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "CHANGED_MAX", 3)
    heard = listening(store)
    with store.begin_transaction() as tx:
        for number in range(5):
            tx.create_task(edda.Task(title=str(number)))
    assert heard[0].everything
