"""Keys: each names one entity, and never changes, since stores hold it."""

from __future__ import annotations

import pytest

from edda_sync.crdt.entity import Entity
from edda_sync.crdt.keys import key_of, kind_and_id
from edda_sync.words.errors import CorruptError
from edda_sync.words.model import KINDS

ID = bytes(range(16))


def test_one_id_has_a_key_for_each_kind_and_each_key_names_both() -> None:
    keys = {kind: key_of(kind, ID) for kind in KINDS}
    assert len(set(keys.values())) == len(KINDS)
    assert {kind: kind_and_id(key) for kind, key in keys.items()} == {kind: (kind, ID) for kind in KINDS}
    assert {kind: Entity(ID, kind).key for kind in KINDS} == keys


def test_the_keys_in_stores_never_change() -> None:
    numbers = {"task": b"\0", "document": b"\1", "tag": b"\2", "device": b"\3", "workspace": b"\4"}
    assert {kind: key_of(kind, ID) for kind in KINDS} == {kind: first + ID for kind, first in numbers.items()}


@pytest.mark.parametrize("key", [b"", b"\5" + ID, b"\xff" + ID])
def test_bytes_that_are_no_key_are_damage(key: bytes) -> None:
    with pytest.raises(CorruptError):
        kind_and_id(key)
