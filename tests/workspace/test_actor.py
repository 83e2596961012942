from __future__ import annotations

import pytest

from edda_sync.changes.change import WHY, Birth, decode_birth
from edda_sync.crdt import ext as exts
from edda_sync.engine.engine import StorageEngine
from edda_sync.store.memory.store import MemoryStore
from edda_sync.store.seams import Store
from edda_sync.testing import devices
from edda_sync.words.errors import UsageError
from edda_sync.words.model import Task
from edda_sync.workspace.actor import actor_of, begin_life, meta_of, new_life
from edda_sync.workspace.keys import ACTOR_KEY, BIRTH_KEY

KEY = b"k" * 32
NONCES = (b"nonce of sixteen", b"another nonce 16")


@pytest.fixture
def store() -> Store:
    return MemoryStore(lambda _: None)


def birth_of(engine: StorageEngine) -> Birth:
    with engine.store.read() as reader:
        return decode_birth(meta_of(reader, BIRTH_KEY))


def test_a_store_without_a_device_says_what_to_do(store: Store) -> None:
    with store.read() as reader, pytest.raises(UsageError, match="edda init"):
        actor_of(reader)


def test_a_life_is_named_by_its_birth(store: Store) -> None:
    birth = Birth(KEY, NONCES[0])
    actor = store.transact(lambda tx: begin_life(tx, birth))
    with store.read() as reader:
        assert actor_of(reader) == actor == reader.meta.get(ACTOR_KEY)
        assert decode_birth(meta_of(reader, BIRTH_KEY)) == birth
    assert store.transact(lambda tx: begin_life(tx, Birth(KEY, NONCES[1]))) != actor


def test_a_new_life_continues_the_last_change_of_the_present_one_and_says_why() -> None:
    with devices(1) as (laptop,):
        laptop.create_task(Task(title="a"))
        with laptop.store.read() as reader:
            before = actor_of(reader)
            head = reader.log.heads()[before]
        after = laptop.store.transact(lambda tx: new_life(tx, NONCES[0], "put back"))
        birth = birth_of(laptop)
        assert after != before
        assert (birth.parent, birth.parent_seq, birth.parent_hash) == (before, head.seq, head.hash)
        assert dict(birth.ext)[WHY] == b"put back"


def test_a_new_life_after_one_that_never_wrote_continues_what_that_one_continued() -> None:
    with devices(1) as (laptop,):
        laptop.create_task(Task(title="a"))
        laptop.store.transact(lambda tx: new_life(tx, NONCES[0], "first"))
        silent = birth_of(laptop)
        laptop.store.transact(lambda tx: new_life(tx, NONCES[1], "second"))
        again = birth_of(laptop)
        continued = (silent.parent, silent.parent_seq, silent.parent_hash)
        assert (again.parent, again.parent_seq, again.parent_hash) == continued
        assert again.ext == silent.ext, "the first reason is why there is another life"
        assert again.nonce != silent.nonce


def test_a_missing_reason_is_left_out() -> None:
    with devices(1) as (laptop,):
        laptop.create_task(Task(title="a"))
        laptop.store.transact(lambda tx: new_life(tx, NONCES[0]))
        assert birth_of(laptop).ext == exts.of({WHY: None})
