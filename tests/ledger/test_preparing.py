"""Preparing: a change that may be taken is folded before; every other one is left to the transaction."""

from __future__ import annotations

import pytest

from edda_sync.crdt.operation import Put
from edda_sync.ledger.preparing import prepare_change
from edda_sync.words import limits
from edda_sync.words.errors import RemoteProtocolError
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


def test_what_a_stranger_wrote_is_refused_before_it_is_folded() -> None:
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
