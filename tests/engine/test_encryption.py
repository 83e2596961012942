"""The encryption of a store: made encrypted, converted, and its keys replaced."""

from __future__ import annotations

import io
import os
import shutil
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

import edda_sync as edda
from edda_sync.engine import doctor, encryption, migrating
from edda_sync.engine.encryption import EncryptionManager
from edda_sync.engine.engine import StorageEngine
from edda_sync.sealing import datakeys, keyfile
from edda_sync.store.rocks.database import Settled
from edda_sync.store.sqlite import converting
from edda_sync.store.sqlite.rekeying import key_in_use
from edda_sync.store.sqlite.store import SqliteStore
from edda_sync.words import limits, values
from edda_sync.words.config import (
    EncryptionAlgorithm,
    EncryptionConfig,
    KeyRotationPolicy,
    KeyStorage,
    StorageBackend,
    StorageConfig,
)
from edda_sync.words.errors import (
    BusyError,
    CorruptError,
    DiskFullError,
    LostStatesError,
    StoreKeyError,
    UsageError,
)
from tests.encrypted import config_of, holds

PLANTED = "a string that nobody may read"


@pytest.fixture(autouse=True)
def new_process() -> Iterator[None]:
    datakeys.forget_unlocked()
    yield
    datakeys.forget_unlocked()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


def encrypted(home: Path, **policy: Any) -> StorageConfig:
    wanted = config_of(home / "edda.db").changed(key_rotation=KeyRotationPolicy(**policy))
    return StorageConfig(encryption_config=wanted)


def fill(home: Path, config: StorageConfig | None = None) -> str:
    with edda.open(home, config) as store:
        for number in range(20):
            store.create_task(edda.Task(title=f"{PLANTED} {number}", description=PLANTED, tags={"tag of it"}))
        store.create_document(edda.Document(title="d", content=PLANTED * 100))
        return store.digest()


def sound(home: Path) -> str:
    """Return the digest of a store, after a check that it is sound and can be found by its words."""
    with edda.open(home) as store:
        assert [each for each in doctor.check(store) if not each.sound] == []
        assert len(store.query_tasks(edda.TaskQuery(text="nobody", limit=100))) == 20
        return store.digest()


def test_a_new_store_is_encrypted_from_its_first_byte_on(home: Path) -> None:
    digest = fill(home, encrypted(home))
    assert holds(home, PLANTED.encode()) == holds(home, b"tag of it") == holds(home, b"SQLite format") == []
    assert sound(home) == digest


def test_a_plain_store_whose_configuration_asks_for_encryption_is_refused(home: Path) -> None:
    fill(home)
    with pytest.raises(UsageError, match="`edda store encrypt` encrypts it"):
        edda.open(home, encrypted(home))
    sound(home)


def test_a_store_is_encrypted_and_decrypted_and_stays_the_same_in_the_same_life(home: Path) -> None:
    digest = fill(home)
    with edda.open(home) as store:
        frontier = store.frontier()
    done = encryption.encrypt(home, encrypted(home))
    assert holds(home, PLANTED.encode()) == []
    assert done.keys.wrapping == datakeys.unlock(home / "edda.db").wrapping
    assert sound(home) == digest
    with edda.open(home) as store:
        task_id = store.create_task(edda.Task(title="later"))
        assert set(store.frontier()) == set(frontier), "no new life began"
        store.delete_task(task_id)
    undone = encryption.decrypt(home, StorageConfig())
    assert undone.aside == home / "edda.db-key-before-1"
    assert holds(home, PLANTED.encode()) == ["edda.db"]
    sound(home)
    with edda.open(home) as store:
        store.create_task(edda.Task(title="later"))
        assert set(store.frontier()) == set(frontier)


def test_a_function_that_is_told_and_raises_ends_neither(home: Path, caplog: pytest.LogCaptureFixture) -> None:
    def tell(_doing: str) -> None:
        raise RuntimeError("of the program")

    digest = fill(home)
    encryption.encrypt(home, encrypted(home), tell)
    encryption.decrypt(home, StorageConfig(), tell)
    assert sound(home) == digest
    assert len(caplog.records) == 2


def test_what_cannot_be_converted_says_why(home: Path) -> None:
    with pytest.raises(UsageError, match="no store"):
        encryption.encrypt(home, encrypted(home))
    fill(home)
    with pytest.raises(UsageError, match="is not encrypted"):
        encryption.decrypt(home, StorageConfig())
    encryption.encrypt(home, encrypted(home))
    with pytest.raises(UsageError, match="encrypted already"):
        encryption.encrypt(home, encrypted(home))


def test_a_store_in_rocksdb_is_encrypted_its_key_replaced_and_decrypted_with_all_that_is_in_rocksdb(
    home: Path, in_rocksdb: StorageConfig
) -> None:
    digest = fill(home, in_rocksdb)
    assert any(name.startswith("edda.rocks/") for name in holds(home, PLANTED.encode()))
    tag = values.id_bytes("id", values.tag_id("tag of it"))
    assert any(name.startswith("edda.rocks/") for name in holds(home, tag))
    encryption.encrypt(home, encrypted(home))
    assert holds(home, PLANTED.encode()) == holds(home, b"tag of it") == holds(home, tag) == []
    assert sound(home) == digest
    with edda.open(home) as store:
        before = in_use(home)
        EncryptionManager(store).rotate_data_key()
        assert store.digest() == digest
        store.update_task(edda.Task(id=store.query_tasks(edda.TaskQuery())[0].id, title=f"{PLANTED} nobody"))
        digest = store.digest()
    assert in_use(home) == datakeys.unlock(home / "edda.db").current.id != before
    assert sound(home) == digest
    assert holds(home, PLANTED.encode()) == []
    with edda.open(home) as store:
        assert store.rebuild() > 20
    assert sound(home) == digest
    encryption.decrypt(home, StorageConfig())
    assert in_use(home) == b""
    assert sound(home) == digest
    assert any(name.startswith("edda.rocks/") for name in holds(home, PLANTED.encode()))


def in_use(home: Path) -> bytes:
    """Return the id of the data key under which RocksDB's folder is sealed; empty for a plain one."""
    (folder,) = (home / "edda.rocks").iterdir()
    return Settled(folder).key_id


@pytest.fixture
def in_rocksdb(monkeypatch: pytest.MonkeyPatch) -> StorageConfig:
    monkeypatch.setattr(limits, "SETTLED_QUIET_BYTES", 1)  # everything is settled when the store is closed
    return StorageConfig(backend=StorageBackend.ROCKSDB)


def test_a_new_encrypted_store_in_rocksdb_moves_to_sqlite_and_back(home: Path, in_rocksdb: StorageConfig) -> None:
    digest = fill(home, in_rocksdb.changed(encryption_config=config_of(home / "edda.db")))
    for to in (StorageBackend.SQLITE, StorageBackend.ROCKSDB):
        assert holds(home, PLANTED.encode()) == []
        assert migrating.migrate(home, StorageConfig(), to) > 20
        assert sound(home) == digest
    assert in_use(home) == datakeys.unlock(home / "edda.db").current.id


def test_an_encryption_that_ended_before_it_came_to_rocksdb_is_finished_by_the_next_one(
    home: Path, in_rocksdb: StorageConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    digest = fill(home, in_rocksdb)
    with monkeypatch.context() as patched:
        patched.setattr(encryption, "_write_anew", killed)
        with pytest.raises(KeyboardInterrupt):
            encryption.encrypt(home, encrypted(home))
        with edda.open(home) as store:
            found = EncryptionManager(store).status()
            assert found is not None
            assert found.is_unfinished
            damaged = [each.detail for each in doctor.check(store) if not each.sound]
            assert ["`edda store encrypt` finishes that" in each for each in damaged] == [True]
    assert in_use(home) == b""
    encryption.encrypt(home, encrypted(home))
    assert in_use(home) != b""
    assert sound(home) == digest
    assert holds(home, PLANTED.encode()) == []
    with pytest.raises(UsageError, match="encrypted already"):
        encryption.encrypt(home, encrypted(home))
    with monkeypatch.context() as patched:
        patched.setattr(encryption, "convert", killed)
        with pytest.raises(KeyboardInterrupt):
            encryption.decrypt(home, StorageConfig())
        assert in_use(home) == b""
    with edda.open(home) as store:
        assert store.digest() == digest
        store.delete_document(store.create_document(edda.Document(title="sealed with all the rest")))
        digest = store.digest()
    assert in_use(home) != b""
    encryption.decrypt(home, StorageConfig())
    assert sound(home) == digest


def killed(*_of: object, **_more: object) -> None:
    raise KeyboardInterrupt


def test_a_store_whose_rocksdb_folder_is_lost_is_not_converted(home: Path, in_rocksdb: StorageConfig) -> None:
    fill(home, in_rocksdb)
    shutil.rmtree(home / "edda.rocks")
    with pytest.raises(LostStatesError, match="doctor --rebuild"):
        encryption.encrypt(home, encrypted(home))
    assert not (home / "edda.db-key").exists()
    with edda.open(home) as store:
        doctor.rebuild(store)
    sound(home)


def test_an_interrupted_encryption_goes_on_with_the_keys_that_it_had_made(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    digest = fill(home)

    def fail(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(encryption, "convert", fail)
        with pytest.raises(KeyboardInterrupt):
            encryption.encrypt(home, encrypted(home))
    made = datakeys.unlock(home / "edda.db")
    assert sound(home) == digest, "it is plain, and opens"
    assert encryption.encrypt(home, encrypted(home)).keys.keys == made.keys
    with monkeypatch.context() as patched:
        patched.setattr(keyfile, "put_aside", fail)
        with pytest.raises(KeyboardInterrupt):
            encryption.decrypt(home, StorageConfig())
    assert sound(home) == digest
    assert encryption.decrypt(home, StorageConfig()).aside is not None
    assert sound(home) == digest


def test_keys_of_an_interrupted_run_that_cannot_be_had_are_put_aside(home: Path) -> None:
    fill(home)
    datakeys.create(home / "edda.db", config_of(home / "edda.db"))
    home.with_name("home.key").unlink()
    datakeys.forget_unlocked()
    encryption.encrypt(home, encrypted(home))
    assert (home / "edda.db-key-before-1").exists()
    sound(home)


def test_the_status_says_where_the_key_is_and_how_old_it_is(home: Path) -> None:
    fill(home, encrypted(home, max_bytes="1 MiB"))
    with edda.open(home, encrypted(home, max_bytes="1 MiB")) as store:
        manager = EncryptionManager(store)
        found = manager.status()
        assert found is not None
        assert found.storage is KeyStorage.FILE
        assert found.kept == f"in the file {home.with_name('home.key')}"
        assert 0 <= found.age_days < 1
        assert found.bytes_written is not None
        assert 3_000 < found.bytes_written < 100_000
        assert not found.is_unfinished
        assert store.reading.encryption() == {"key": found.kept, "data_key_made": found.made}
    with edda.open(home.with_name("plain")) as store:
        assert EncryptionManager(store).status() is None
        assert store.reading.encryption() is None
        with pytest.raises(UsageError, match="not encrypted"):
            EncryptionManager(store).rotate_data_key()


# --- rotation ---------------------------------------------------------------------------------------------------------


def test_the_wrapping_key_is_replaced_while_the_store_is_open_and_no_data_is_written(home: Path) -> None:
    digest = fill(home, encrypted(home))
    with edda.open(home) as store:
        before = (home / "edda.db").read_bytes()
        another = EncryptionConfig(key_storage=KeyStorage.FILE, key_file=home.with_name("other.key"))
        EncryptionManager(store).rotate_wrapping_key(another)
        assert (home / "edda.db").read_bytes() == before
        store.create_task(edda.Task(title="later"))
    home.with_name("home.key").unlink()
    datakeys.forget_unlocked()
    with edda.open(home) as store:
        assert store.digest() != digest
        assert store.reading.encryption() == {"key": f"in the file {home.with_name('other.key')}"} | {
            "data_key_made": datakeys.unlock(home / "edda.db").current.made
        }


def test_the_data_key_is_replaced_while_the_store_is_open(home: Path) -> None:
    digest = fill(home, encrypted(home))
    with edda.open(home) as store:
        assert isinstance(store.store, SqliteStore)
        before = key_in_use(store.store)
        EncryptionManager(store).rotate_data_key()
        assert key_in_use(store.store) != before
        assert store.digest() == digest
    assert sound(home) == digest


def test_an_interrupted_replacement_is_finished_with_the_key_that_waits(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(home, encrypted(home))
    with edda.open(home) as store:
        manager = EncryptionManager(store)

        def fail(*_: object) -> None:
            raise BusyError("edda.db")

        with monkeypatch.context() as patched:
            patched.setattr(encryption, "rekey", fail)
            with pytest.raises(BusyError):
                manager.rotate_data_key()
        waiting = datakeys.unlock(home / "edda.db").current
        found = manager.status()
        assert found is not None
        assert found.is_unfinished
        assert manager.is_due(), "whatever the policy says"
        assert manager.rotate_if_due()
        assert isinstance(store.store, SqliteStore)
        assert key_in_use(store.store) == waiting
    sound(home)


def test_the_policy_replaces_an_old_data_key(home: Path) -> None:
    config = encrypted(home, max_age=timedelta(days=30))
    fill(home, config)
    with edda.open(home, config) as store:
        day = 86_400
        made = EncryptionManager(store).status()
        assert made is not None
        began = time.time()
        assert not EncryptionManager(store, lambda: began + 29 * day).rotate_if_due()
        assert EncryptionManager(store, lambda: began + 31 * day).rotate_if_due()
    sound(home)


def test_the_policy_replaces_a_data_key_under_which_much_was_written(home: Path) -> None:
    config = encrypted(home, max_bytes="1 MiB")
    fill(home, config)
    with edda.open(home, config) as store:
        manager = EncryptionManager(store)
        assert not manager.rotate_if_due()
        first = manager.status()
        assert not manager.rotate_if_due(), "what was added up before is not counted twice"
        assert manager.status() == first or first is not None
        for _ in range(12):
            store.create_document(edda.Document(title="d", content=os.urandom(50_000).hex()))
        assert manager.rotate_if_due()
        found = manager.status()
        assert found is not None
        assert found.bytes_written == 0
        assert not manager.rotate_if_due()
        document = store.query_documents(edda.DocumentQuery())[0].id
        store.transact(lambda tx: tx.attach(document, io.BytesIO(os.urandom(600_000)), name="half"))
        assert not manager.rotate_if_due()
        store.transact(lambda tx: tx.attach(document, io.BytesIO(os.urandom(600_000)), name="other half"))
        assert manager.rotate_if_due(), "what is attached was written under the key, too"
        assert not manager.rotate_if_due()


def test_each_purpose_gets_a_sealer_that_survives_a_new_data_key(home: Path) -> None:
    config = encrypted(home)
    config = config.changed(encryption_config=config_of(home / "edda.db").changed(algorithm="xchacha20-poly1305"))
    fill(home, config)
    with edda.open(home, config) as store:
        manager = EncryptionManager(store)
        sealed = manager.sealer("values").seal(b"plain", b"about")
        manager.rotate_data_key()
        assert manager.sealer("values").unseal(sealed, b"about", "it") == b"plain"
        with pytest.raises(CorruptError):
            manager.sealer("files").unseal(sealed, b"about", "it")
    assert sealed[1] == list(EncryptionAlgorithm).index(EncryptionAlgorithm.XCHACHA20_POLY1305) + 1


def test_a_store_whose_key_is_gone_is_refused_in_one_sentence_and_stays_as_it_is(home: Path) -> None:
    fill(home, encrypted(home))
    home.with_name("home.key").unlink()
    datakeys.forget_unlocked()
    before = {each: each.read_bytes() for each in home.iterdir()}
    with pytest.raises(StoreKeyError, match=r"home\.key is missing; nothing was changed: put it back"):
        edda.open(home)
    assert {each: each.read_bytes() for each in home.iterdir()} == before


# --- what is attached -------------------------------------------------------------------------------------------------

ATTACHED = PLANTED.encode() * 40_000 + os.urandom(100_000)  # two chunks and their list


def attach(store: StorageEngine) -> str:
    made = store.create_document(edda.Document(title="d"))
    store.transact(lambda tx: tx.attach(made, io.BytesIO(ATTACHED), name="a"))
    return made


def hashes(store: StorageEngine) -> list[bytes]:
    return list(store.reading.files.chunks.names())


def names_tell(home: Path, names: list[bytes]) -> bool:
    """Tell whether the path of any file shows the hash of something that is attached."""
    paths = ["".join(each.relative_to(home).parts) for each in home.rglob("*")]
    return any(name.hex()[:12] in path for name in names for path in paths)


@pytest.mark.parametrize("algorithm", EncryptionAlgorithm)
def test_what_is_attached_is_sealed_and_its_files_do_not_tell_what_it_is(
    home: Path, algorithm: EncryptionAlgorithm
) -> None:
    config = StorageConfig(encryption_config=config_of(home / "edda.db").changed(algorithm=algorithm))
    with edda.open(home, config) as store:
        made = attach(store)
        assert store.open_attachment(made, "a").read() == ATTACHED
        names = hashes(store)
        assert len(names) == 3
    assert holds(home, PLANTED.encode()) == []
    assert not names_tell(home, names)
    number = list(EncryptionAlgorithm).index(algorithm) + 1
    assert {each.read_bytes()[:3] for each in (home / "files").glob("??/*")} == {bytes((2, 1, number))}
    with edda.open(home) as store:
        assert store.open_attachment(made, "a").read() == ATTACHED


def test_what_is_attached_is_sealed_and_opened_with_its_store(home: Path) -> None:
    with edda.open(home) as store:
        made, names = attach(store), hashes(store)
    assert names_tell(home, names)
    said: list[str] = []
    encryption.encrypt(home, encrypted(home), said.append)
    assert "Sealing attached files" in said
    assert holds(home, PLANTED.encode()) == []
    assert not names_tell(home, names)
    with edda.open(home) as store:
        assert store.open_attachment(made, "a").read() == ATTACHED
        assert [each for each in doctor.check(store) if not each.sound] == []
    encryption.decrypt(home, StorageConfig())
    with edda.open(home) as store:
        assert store.open_attachment(made, "a").read() == ATTACHED
        assert {len(each) for each in store.reading.files.chunks.files()} == {64}  # type: ignore[attr-defined]


def test_a_new_data_key_reaches_what_is_attached(home: Path) -> None:
    with edda.open(home, encrypted(home)) as store, edda.open(home) as other:
        made = attach(store)
        before = sorted(each.name for each in (home / "files").glob("??/*"))
        EncryptionManager(store).rotate_data_key()
        assert not set(before) & {each.name for each in (home / "files").glob("??/*")}
        for each in (store, other):
            assert each.open_attachment(made, "a").read() == ATTACHED
        later = attach(other)
        assert store.open_attachment(later, "a").read() == ATTACHED
        newest = datakeys.unlock(home / "edda.db").current.id
        assert {each.read_bytes()[3:11] for each in (home / "files").glob("??/*")} == {newest}


def test_a_replacement_of_the_key_that_what_is_attached_interrupts_is_finished(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with edda.open(home, encrypted(home)) as store:
        made, manager = attach(store), EncryptionManager(store)

        def full() -> int:
            raise DiskFullError("files")

        with monkeypatch.context() as patched:
            patched.setattr(store.reading.files, "seal_anew", full)
            with pytest.raises(DiskFullError):
                manager.rotate_data_key()
        found = manager.status()
        assert found is not None
        assert found.is_unfinished
        waiting = datakeys.unlock(home / "edda.db").current
        assert manager.rotate_data_key().current == waiting
        assert store.open_attachment(made, "a").read() == ATTACHED


def test_keys_under_which_something_is_sealed_are_never_given_up(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with edda.open(home) as store:
        made = attach(store)

    def fail(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(converting, "_swap", fail)
        with pytest.raises(KeyboardInterrupt):
            encryption.encrypt(home, encrypted(home))
    with edda.open(home) as store:
        assert store.open_attachment(made, "a").read() == ATTACHED, "the store is plain, and this is sealed"
    key = home.with_name("home.key")
    key.rename(key.with_suffix(".away"))
    datakeys.forget_unlocked()
    with pytest.raises(StoreKeyError, match="missing"):
        encryption.encrypt(home, encrypted(home))
    key.with_suffix(".away").rename(key)
    encryption.encrypt(home, encrypted(home))
    with edda.open(home) as store:
        assert store.open_attachment(made, "a").read() == ATTACHED


def test_nothing_is_converted_while_the_disk_with_attached_files_is_away(home: Path) -> None:
    disk = home.with_name("disk")
    plain = StorageConfig(file_storage_path=disk / "files")
    sealed = plain.changed(encryption_config=config_of(home / "edda.db"))
    with edda.open(home, plain) as store:
        made = attach(store)
    away = disk.rename(home.with_name("away"))
    with pytest.raises(UsageError, match="mount its disk"):
        encryption.encrypt(home, sealed)
    assert not (home / "edda.db-key").exists()
    away.rename(disk)
    encryption.encrypt(home, sealed)
    away = disk.rename(home.with_name("away"))
    with edda.open(home, sealed) as store, pytest.raises(UsageError, match="mount its disk"):
        EncryptionManager(store).rotate_data_key()
    with pytest.raises(UsageError, match="mount its disk"):
        encryption.decrypt(home, plain)
    away.rename(disk)
    encryption.decrypt(home, plain)
    with edda.open(home, plain) as store:
        assert store.open_attachment(made, "a").read() == ATTACHED
