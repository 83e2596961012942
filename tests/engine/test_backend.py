"""A store says itself what keeps its states; the engine works the same over each."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from rocksdict import Options, Rdict

from edda_sync.engine import backend, doctor, migrating
from edda_sync.engine.engine import StorageEngine
from edda_sync.engine.engine import open as open_store
from edda_sync.words import limits
from edda_sync.words.config import ROCKSDB_FOLDER, StorageBackend, StorageConfig
from edda_sync.words.errors import LockedStatesError, LostStatesError, NoFolderError, SettingError, UsageError
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


def test_the_doctor_says_whether_states_are_in_rocksdb_yet(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "SETTLED_QUIET_BYTES", 10**6)
    with open_store(home, StorageConfig(backend="rocksdb")) as store:
        fill(store)
        assert "for RocksDB, all still waiting in the SQLite file" in backend.look(store.store)[0][1]
        assert not (home / ROCKSDB_FOLDER).exists()
        store.store.settle()  # type: ignore[attr-defined]  # of a store in a file
        assert "states in RocksDB, each as it was written" in backend.look(store.store)[0][1]


def test_a_folder_that_cannot_be_made_is_refused_before_anything_is(home: Path) -> None:
    with pytest.raises(SettingError, match="no folder can be made there") as caught:
        open_store(home, StorageConfig(backend="rocksdb", rocksdb_path=Path("/proc/nowhere")))
    assert caught.value.key == "rocksdb_path"
    assert not (home / "edda.db").exists()
    open_store(home).close()
    with pytest.raises(NoFolderError, match="choose another place"):
        migrating.migrate(home, StorageConfig(rocksdb_path=Path("/proc/nowhere")), StorageBackend.ROCKSDB)
    with open_store(home) as store:
        store.create_task(Task(title="it is as it was"))


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


@pytest.fixture
def told(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # after it has said otherwise
    """Settle only when a test says so."""
    monkeypatch.setattr(limits, "SETTLED_QUIET_BYTES", 1 << 30)


def in_rocksdb(home: Path) -> StorageEngine:
    """Return an open store whose states are all settled."""
    store = open_store(home, StorageConfig(backend="rocksdb"))
    fill(store)
    store.store.settle()  # type: ignore[attr-defined]
    return store


def folder_of(home: Path) -> Path:
    (folder,) = (home / ROCKSDB_FOLDER).iterdir()
    return folder


@pytest.mark.usefixtures("told")
def test_a_folder_that_is_removed_while_it_is_open_is_noticed_and_forgotten_once_all_is_made_anew(home: Path) -> None:
    with in_rocksdb(home) as store:
        digest = store.digest()
        backend.check(store.store)
        shutil.rmtree(folder_of(home))
        for _ in range(2):  # as something to be looked at, and then because nothing can be settled
            with pytest.raises(LostStatesError, match="it is missing"):
                backend.check(store.store)
            store.store.settle()  # type: ignore[attr-defined]
        store.rebuild()
        backend.check(store.store)
        store.store.settle()  # type: ignore[attr-defined]
        assert sound(store)
        assert store.digest() == digest


@pytest.mark.usefixtures("told")
def test_what_nothing_can_begin_without_is_made_anew_at_once(home: Path) -> None:
    with in_rocksdb(home) as store:
        digest = store.digest()
        assert backend.restore(store.store, store.rebuild) == ""
    shutil.rmtree(home / ROCKSDB_FOLDER)
    with open_store(home) as store:
        assert "they were made anew from the log" in backend.restore(store.store, store.rebuild)
        assert sound(store)
        assert store.digest() == digest
        assert backend.restore(store.store, store.rebuild) == ""


@pytest.mark.usefixtures("told")
def test_what_another_program_locks_out_waits_and_is_settled_when_that_has_ended(home: Path) -> None:
    with in_rocksdb(home) as store:
        locking = Rdict(str(folder_of(home)), Options(raw_mode=True))
        store.create_task(Task(title="waits"))
        store.store.settle()  # type: ignore[attr-defined]
        with pytest.raises(LockedStatesError):
            backend.check(store.store)
        (found,) = [each.detail for each in doctor.check(store) if each.check == "states"]
        assert "what was written lately waits: " in found
        locking.close()
        backend.check(store.store)
        (found,) = [each.detail for each in doctor.check(store) if each.check == "states"]
        assert "waits" not in found


@pytest.mark.usefixtures("told")
def test_a_closed_store_has_let_go_of_every_file_and_lock_of_rocksdb(home: Path) -> None:
    with in_rocksdb(home) as store:
        assert len(list(store.query_tasks(TaskQuery()))) == 20
        store.digest()
        with store.store.read() as reader:
            assert len(list(reader.states.scan())) > 20
    targets = [os.path.realpath(f"/proc/self/fd/{each}") for each in os.listdir("/proc/self/fd")]
    assert [each for each in targets if str(home) in each] == []
    Rdict(str(folder_of(home)), Options(raw_mode=True)).close()
