from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from edda_sync.crdt import operation as ops
from edda_sync.crdt.keys import key_of
from edda_sync.fold.entities import Entities
from edda_sync.store.composed import ComposedReader, over
from edda_sync.store.seams import StatesReader, StoreWriter
from edda_sync.words.errors import CorruptError
from tests.crdt.authors import Peer, founded
from tests.crdt.works import DOCUMENT, OTHER, TASK

KEY, GONE, NEW = key_of("task", TASK), key_of("task", OTHER), key_of("document", DOCUMENT)


@pytest.fixture
def peer() -> Peer:
    """A peer with a task, a task in the trash, and one that has only refused operations."""
    laptop, peer = founded()
    peer.admit(laptop.write(ops.Put("task", TASK, {"title": "t"}), ops.Put("task", OTHER, {"title": "u"})))
    peer.admit(laptop.write(ops.Delete("task", OTHER, ((laptop.actor, 2),)), ops.Put("tag", TASK, {"name": ""})))
    return peer


@pytest.fixture
def entities(peer: Peer) -> Iterator[Entities]:
    with peer.store.read() as reader:
        yield Entities(reader)


def test_an_entity_is_first_what_the_store_holds_and_then_what_the_fold_made_of_it(entities: Entities) -> None:
    assert entities.get(KEY) is None  # nobody has asked for it yet
    task = entities.of("task", TASK)
    assert task.value("title") == "t"
    task.touch(b"\1" * 16, 1)
    assert entities.of("task", TASK) is entities.get(KEY) is entities[KEY] is task


def test_an_entity_that_nobody_wrote_is_a_new_one(entities: Entities) -> None:
    new = entities.of("document", DOCUMENT)
    assert (new.touched, new.deleted, new.cells) == ({}, {}, {})
    assert entities.of("document", DOCUMENT) is new
    assert entities.before(NEW) is None


def test_only_what_was_touched_or_deleted_exists(entities: Entities) -> None:
    assert entities.existing("task", TASK) is not None
    assert entities.existing("task", OTHER) is not None  # in the trash
    assert entities.existing("tag", TASK) is None  # all of its operations were refused
    assert entities.existing("document", DOCUMENT) is None
    entities.of("document", DOCUMENT)
    assert entities.existing("document", DOCUMENT) is None  # it was only mentioned


def test_the_visible_entities_are_known_as_the_store_had_them_and_as_the_fold_makes_them(entities: Entities) -> None:
    entities.load((KEY, GONE, NEW))
    assert [entities.was_visible(key) for key in (KEY, GONE, NEW)] == [True, False, False]
    assert [entities.is_visible(key) for key in (KEY, GONE, NEW)] == [True, False, False]
    entities[KEY].delete(entities[KEY].touched)
    entities[GONE].touch(b"\1" * 16, 1)
    entities.of("document", DOCUMENT).touch(b"\1" * 16, 1)
    assert [entities.was_visible(key) for key in (KEY, GONE, NEW)] == [True, False, False]
    assert [entities.is_visible(key) for key in (KEY, GONE, NEW)] == [False, True, True]


def test_an_entity_that_was_read_is_not_read_again_before_all_are_forgotten(peer: Peer) -> None:
    class Counting:
        def __init__(self, states: StatesReader) -> None:
            self.states, self.asked = states, 0

        def get(self, keys: list[bytes]) -> object:
            self.asked += len(keys)
            return self.states.get(keys)

    with peer.store.read() as reader:
        counting = Counting(reader.states)
        entities = Entities(replace(ComposedReader.of(reader), states=over(reader.states, counting)))
        for _ in range(2):
            entities.load((KEY, NEW))
            assert entities.is_visible(KEY)
            assert entities.existing("document", DOCUMENT) is None
        assert counting.asked == 2
        assert len(entities) == 1
        entities.clear()
        assert len(entities) == 0
        entities.load((KEY,))
        assert counting.asked == 3


def test_an_entity_that_is_expected_to_be_new_is_not_looked_up(entities: Entities) -> None:
    entities.expect_new((KEY,))
    entities.load((KEY,))
    assert entities.get(KEY) is None
    assert entities.of("task", TASK).cells == {}


def test_a_damaged_entity_raises_damage_when_it_is_asked_for(peer: Peer) -> None:
    def rot(tx: StoreWriter) -> None:
        (record,) = tx.states.get([KEY]).values()
        tx.states.put([record._replace(state=record.state[1:])], {KEY: False})

    peer.store.transact(rot)
    with peer.store.read() as reader:
        entities = Entities(reader)
        assert entities.is_visible(GONE) is False
        for _ in range(2):  # otherwise it would look like a new entity at the next look, and be overwritten
            for ask in (entities.of, entities.existing):
                with pytest.raises(CorruptError):
                    ask("task", TASK)
            with pytest.raises(CorruptError):
                entities.is_visible(KEY)
