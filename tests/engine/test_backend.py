"""A store says itself what keeps its states; the engine works the same over each."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from edda_sync.engine import doctor
from edda_sync.engine.engine import StorageEngine
from edda_sync.engine.engine import open as open_store
from edda_sync.words import limits
from edda_sync.words.config import ROCKSDB_FOLDER, EncryptionConfig, StorageConfig
from edda_sync.words.errors import LostStatesError, UsageError
from edda_sync.words.model import Document, Task
from edda_sync.words.query import TaskQuery


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setattr(limits, "SETTLED_QUIET_BYTES", 0)  # everything is settled when the store is closed
    return tmp_path / "store"


def fill(store: StorageEngine) -> list[str]:
    parent = store.create_task(Task(title="parent", tags={"work"}))
    children = [store.create_task(Task(title=f"child {number}", parent_id=parent)) for number in range(20)]
    document = store.create_document(Document(title="D", content="one two three"))
    with store.begin_transaction() as tx:
        tx.edit_text(document, "content", [(0, 0, "zero ")])
    store.delete_task(children[3])
    return children


def sound(store: StorageEngine) -> bool:
    return all(each.sound for each in doctor.check(store))


def test_a_store_in_rocksdb_is_opened_again_without_being_told_and_holds_everything(home: Path) -> None:
    with open_store(home, StorageConfig(backend="rocksdb")) as store:
        children = fill(store)
        digest, counts = store.digest(), store.counts()
        assert counts["hidden"] == 1
        assert sound(store)
    assert list((home / ROCKSDB_FOLDER).glob("states-*/CURRENT"))
    for config in (None, StorageConfig(backend="rocksdb")):
        with open_store(home, config) as store:
            assert (store.digest(), store.counts()) == (digest, counts)
            assert sound(store)
            store.update_task(Task(id=children[0], title="renamed"))
            store.update_task(Task(id=children[0], title="child 0"))
            digest, counts = store.digest(), store.counts()
            (found,) = store.query_tasks(TaskQuery(text="child 0"))
            assert found.id == children[0]
            assert store.rebuild() > 20
            assert store.digest() == digest


@pytest.mark.parametrize(("made", "named"), [("sqlite", "rocksdb"), ("rocksdb", "sqlite")])
def test_a_configuration_that_names_another_backend_is_refused_with_what_to_do(
    home: Path, made: str, named: str
) -> None:
    with open_store(home, StorageConfig(backend=made)) as store:  # type: ignore[arg-type]
        fill(store)
    with pytest.raises(UsageError, match=f"are in {made}.*`edda store migrate --to {named}` moves them"):
        open_store(home, StorageConfig(backend=named))  # type: ignore[arg-type]
    with open_store(home) as store:
        assert sound(store)


def test_two_processes_write_and_read_beside_each_other(home: Path) -> None:
    with open_store(home, StorageConfig(backend="rocksdb")) as one, open_store(home) as other:
        fill(one)
        fill(other)
        assert one.digest() == other.digest()
        assert one.counts() == other.counts()
        assert sound(one)
    with open_store(home) as again:
        assert again.counts()["tasks"] == 40
        assert sound(again)


def test_a_lost_folder_is_said_with_what_to_do_and_made_anew_by_the_doctor(home: Path) -> None:
    with open_store(home, StorageConfig(backend="rocksdb")) as store:
        children = fill(store)
        digest = store.digest()
    shutil.rmtree(home / ROCKSDB_FOLDER)
    with open_store(home) as store:
        assert len(list(store.query_tasks(TaskQuery()))) == 20
        with pytest.raises(LostStatesError, match=r"`edda doctor --rebuild` makes them anew from the log"):
            store.update_task(Task(id=children[0], title="new"))
        damaged = {each.check: each.detail for each in doctor.check(store) if not each.sound}
        assert "states" in damaged
        assert "it is missing" in damaged["states"]
        doctor.rebuild(store)
        assert sound(store)
        assert store.digest() == digest
    with open_store(home) as store:
        assert sound(store)
        store.update_task(Task(id=children[0], title="new"))


def test_a_store_that_is_to_be_encrypted_is_not_put_into_rocksdb(home: Path) -> None:
    config = StorageConfig(backend="rocksdb", encryption_config=EncryptionConfig())
    with pytest.raises(
        UsageError, match=r"what is in RocksDB would not be; nothing was changed: use the sqlite backend"
    ):
        open_store(home, config)
