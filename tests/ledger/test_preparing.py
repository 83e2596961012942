"""Preparing: an admissible change is folded before the transaction; all others are left to the transaction."""

from __future__ import annotations

import pytest

import edda_sync as edda
from edda_sync.changes.drafts import Draft, Expect
from edda_sync.changes.drafts import Put as DraftPut
from edda_sync.crdt.operation import Put
from edda_sync.ledger.preparing import prepare_change, prepare_own
from edda_sync.testing import devices
from edda_sync.words import limits, values
from edda_sync.words.errors import RemoteProtocolError
from edda_sync.workspace.actor import actor_of
from tests.crdt.authors import LAPTOP, PHONE, Life, device, founded
from tests.crdt.works import OTHER, TASK


def test_a_change_that_is_known_or_early_is_not_prepared() -> None:
    laptop, peer = founded()
    first = laptop.write(Put("task", TASK, {"title": "first"}))
    second = laptop.write(Put("task", OTHER, {"title": "second"}))
    with peer.store.read() as reader:
        assert prepare_change(reader, first, (first.body,)) is not None
        assert prepare_change(reader, second, (second.body,)) is None
    peer.admit(first)
    with peer.store.read() as reader:
        assert prepare_change(reader, first, (first.body,)) is None
        assert prepare_change(reader, second, (second.body,)) is not None


def test_a_change_of_a_stranger_is_refused_before_it_is_folded() -> None:
    laptop, peer = founded()
    strange = Life(PHONE).write(device(LAPTOP, PHONE), deps=[laptop.dep])
    with peer.store.read() as reader, pytest.raises(RemoteProtocolError, match="not a member"):
        prepare_change(reader, strange, (strange.body,))


def test_a_body_in_pieces_is_prepared_as_a_whole_one() -> None:
    laptop, peer = founded()
    one = laptop.write(Put("task", TASK, {"title": "first"}), Put("task", OTHER, {"title": "second"}))
    with peer.store.read() as reader:
        pieces = prepare_change(reader, one, (one.body[:10], one.body[10:]))
        whole = prepare_change(reader, one, (one.body,))
    assert pieces is not None
    assert whole is not None
    assert pieces.delta == whole.delta
    assert [each.key[-16:] for each in pieces.delta.records] == [TASK, OTHER]


def test_a_change_that_makes_an_entity_overfull_is_left_to_the_transaction(monkeypatch: pytest.MonkeyPatch) -> None:
    laptop, peer = founded()
    one = laptop.write(Put("task", TASK, {"title": "first"}), Put("task", TASK, {"priority": 1}))
    monkeypatch.setattr(limits, "ENTITY_BYTES_MAX", 100)
    with peer.store.read() as reader:
        assert prepare_change(reader, one, (one.body,)) is None


def test_the_first_change_of_a_life_is_left_to_the_transaction() -> None:
    with devices(1) as (laptop,):
        drafts = [DraftPut.of("task", TASK, {"title": "first"}, new=True)]
        with laptop.store.read() as reader:
            is_first = actor_of(reader) not in reader.log.heads()
            ready = prepare_own(reader, drafts, 1_000)
        assert (ready is None) is is_first
        laptop.create_task(edda.Task(title="T"))
        with laptop.store.read() as reader:
            ready = prepare_own(reader, drafts, 1_000)
        assert ready is not None
        assert laptop.store.transact(ready.is_right)
        dot = laptop.store.transact(lambda tx: ready.write(tx, laptop.ledger))
        assert not laptop.store.transact(ready.is_right), "a dot is used once"
        assert laptop.frontier()[dot[0]] == dot[1]
        assert laptop.get_task(values.id_text(TASK)) is not None


def test_a_change_without_effect_is_left_to_the_transaction() -> None:
    with devices(1) as (laptop,):
        task = laptop.create_task(edda.Task(title="T"))
        expected: list[Draft] = [Expect("task", values.id_bytes("id", task))]
        with laptop.store.read() as reader:
            assert prepare_own(reader, expected, 1_000) is None
