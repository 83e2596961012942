"""Recovering: machines without a store get one from a backup, with nothing but a code or an identity."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import pytest

import edda_sync as edda
from edda_sync.backup import recovery
from edda_sync.backup.entering import enter
from edda_sync.backup.recovering import FOLDER, recover
from edda_sync.engine import doctor
from edda_sync.engine.engine import StorageEngine
from edda_sync.testing import devices, sync
from edda_sync.transport import identity as identities
from edda_sync.words.config import EncryptionConfig, KeyStorage, StorageConfig
from edda_sync.words.errors import BackupError, BackupKeyError, LostStoreError, NotFoundError, UsageError
from tests.backup.places import Place
from tests.backup.shelf import CODE, OTHER, backed_up


@pytest.fixture(autouse=True)
def in_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDDA_KEYRING", "off")


@pytest.fixture
def config(tmp_path: Path) -> StorageConfig:
    return StorageConfig(name="new laptop", state_path=tmp_path / "state")


class Lost:
    """A target with two backups of a laptop that is gone, and a phone that lives."""

    def __init__(self, laptop: StorageEngine, phone: StorageEngine, folder: Path) -> None:
        self.place, self.phone, self.identity = Place(), phone, laptop.identity
        recovery.make(laptop, CODE)
        laptop.create_task(edda.Task(title="first"))
        backed_up(laptop, self.place, folder)
        laptop.create_task(edda.Task(title="second"))
        sync(laptop, phone)
        backed_up(laptop, self.place, folder)


@pytest.fixture
def lost(tmp_path: Path) -> Iterator[Lost]:
    with devices(2) as (laptop, phone):
        yield Lost(laptop, phone, tmp_path / "proof")


def titles(store: StorageEngine) -> set[str]:
    return {str(task.title) for task in store.query_tasks(edda.TaskQuery())}


def whole(home: Path, config: StorageConfig) -> set[str]:
    """What a store that opens as any other holds, once every check of the doctor has passed."""
    with edda.open(home, config) as store:
        assert [each for each in doctor.check(store) if not each.sound] == []
        assert not (home / FOLDER).exists()
        return titles(store)


def test_the_backup_of_another_device_than_the_last_one_can_be_chosen(
    lost: Lost, config: StorageConfig, tmp_path: Path
) -> None:
    lost.phone.create_task(edda.Task(title="from the phone"))
    backed_up(lost.phone, lost.place, tmp_path / "of the phone")
    came = recover(tmp_path / "first", config, lost.place, CODE)
    assert came.backup.device == lost.phone.identity.device
    came = recover(tmp_path / "second", config, lost.place, CODE, maker="laptop")
    assert (came.backup.device, came.backup.number) == (lost.identity.device, 2)
    with pytest.raises(NotFoundError, match="There is no device 'tablet'"):
        recover(tmp_path / "third", config, lost.place, CODE, maker="tablet")
    with pytest.raises(NotFoundError, match="There is no backup 9 of that device; there are 1, 2, and --device"):
        recover(tmp_path / "third", config, lost.place, CODE, 9, maker="laptop")


def test_a_code_makes_a_store_of_the_newest_backup(lost: Lost, config: StorageConfig, tmp_path: Path) -> None:
    home, told = tmp_path / "new", list[str]()
    came = recover(home, config, lost.place, CODE, tell=told.append)
    assert (came.backup.number, came.is_new) == (2, True)
    assert told[0] == "looking for what can be opened"
    assert whole(home, config) == {"first", "second"}
    with edda.open(home, config) as store:
        assert store.identity.device == came.device
        assert {member.name for member in store.members()} == {"laptop", "phone", "new laptop"}
        store.create_task(edda.Task(title="third"))
        sync(store, lost.phone)
        assert titles(lost.phone) == {"first", "second", "third"}


def test_an_earlier_backup_is_named_by_its_number(lost: Lost, config: StorageConfig, tmp_path: Path) -> None:
    recover(tmp_path / "new", config, lost.place, CODE, 1)
    assert whole(tmp_path / "new", config) == {"first"}
    with pytest.raises(NotFoundError):
        recover(tmp_path / "other", config, lost.place, CODE, 3)


def test_an_identity_that_was_kept_needs_no_code(lost: Lost, config: StorageConfig, tmp_path: Path) -> None:
    home = tmp_path / "kept"
    identities.save(home, lost.identity)
    came = recover(home, config, lost.place, None)
    assert (came.device, came.is_new) == (lost.identity.device, False)
    with edda.open(home, config) as store:
        store.create_task(edda.Task(title="third"))
        sync(store, lost.phone)
        assert titles(lost.phone) == {"first", "second", "third"}
        assert store.reading.forked() == []


def test_a_store_whose_file_was_lost_comes_back_to_its_place(tmp_path: Path) -> None:
    home, config, place = tmp_path / "home", StorageConfig(name="laptop", state_path=tmp_path / "state"), Place()
    with edda.open(home, config) as store:
        store.create_task(edda.Task(title="a"))
        backed_up(store, place, tmp_path / "proof")
        device = store.identity.device
    (home / "edda.db").unlink()
    with pytest.raises(LostStoreError):
        edda.open(home, config)
    assert recover(home, config, place, None).device == device
    assert whole(home, config) == {"a"}


def test_a_store_is_kept_as_the_settings_say(lost: Lost, tmp_path: Path) -> None:
    key = tmp_path / "elsewhere" / "edda.key"
    key.parent.mkdir()
    config = StorageConfig(
        name="new", state_path=tmp_path / "state", backend="rocksdb", rocksdb_path=tmp_path / "rocks",
        database_path=tmp_path / "disk" / "notes.db",
    )  # fmt: skip
    recover(tmp_path / "new", config, lost.place, CODE)
    assert (tmp_path / "disk" / "notes.db").exists()
    assert whole(tmp_path / "new", config) == {"first", "second"}
    secret = StorageConfig(
        name="secret",
        state_path=tmp_path / "state",
        encryption_config=EncryptionConfig(key_storage=KeyStorage.FILE, key_file=key),
    )
    recover(tmp_path / "secret", secret, lost.place, CODE)
    assert b"SQLite format" not in (tmp_path / "secret" / "edda.db").read_bytes()[:32]
    assert whole(tmp_path / "secret", secret) == {"first", "second"}


def test_a_store_that_was_encrypted_is_so_again_where_its_key_file_is_left(lost: Lost, tmp_path: Path) -> None:
    home, place = tmp_path / "secret", Place()
    kept = EncryptionConfig(key_storage=KeyStorage.FILE, key_file=tmp_path / "elsewhere.key")
    config = StorageConfig(name="secret", state_path=tmp_path / "state", encryption_config=kept)
    with edda.open(home, config) as store:
        recovery.make(store, CODE)
        store.create_task(edda.Task(title="a"))
        backed_up(store, place, tmp_path / "proof of the secret")
    (home / "edda.db").unlink()
    plain = config.changed(encryption_config=None)
    came = recover(home, plain, place, CODE)
    assert (came.is_encrypted, came.backup.was_encrypted) == (True, True)
    assert b"SQLite format" not in (home / "edda.db").read_bytes()[:32]
    assert whole(home, plain) == {"a"}
    elsewhere = recover(tmp_path / "elsewhere", plain, place, CODE)
    assert (elsewhere.is_encrypted, elsewhere.backup.was_encrypted) == (False, True)
    assert not recover(tmp_path / "other", plain, lost.place, CODE).backup.was_encrypted


def test_where_a_store_is_nothing_is_recovered(lost: Lost, config: StorageConfig, tmp_path: Path) -> None:
    with edda.open(tmp_path / "home", config) as store:
        store.create_task(edda.Task(title="mine"))
    with pytest.raises(UsageError, match="There is a store in"):
        recover(tmp_path / "home", config, lost.place, CODE)
    assert whole(tmp_path / "home", config) == {"mine"}


def test_a_store_that_is_made_meanwhile_is_not_overwritten(lost: Lost, config: StorageConfig, tmp_path: Path) -> None:
    home = tmp_path / "home"

    def make(doing: str) -> None:
        if doing == "restoring part 2 of 2":
            with edda.open(home, config) as store:
                store.create_task(edda.Task(title="mine"))

    with pytest.raises(UsageError, match="There is a store in"):
        recover(home, config, lost.place, CODE, tell=make)
    with edda.open(home, config) as store:
        assert titles(store) == {"mine"}


def test_without_an_identity_it_takes_the_code(lost: Lost, config: StorageConfig, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="takes the recovery code: add --recovery"):
        recover(tmp_path / "new", config, lost.place, None)
    with pytest.raises(BackupKeyError):
        recover(tmp_path / "new", config, lost.place, OTHER)
    assert not (tmp_path / "new" / "edda.db").exists()


@pytest.mark.parametrize("step", ["restoring part 1 of 2", "restoring part 2 of 2"])
def test_what_was_interrupted_is_done_again(lost: Lost, config: StorageConfig, tmp_path: Path, step: str) -> None:
    home = tmp_path / "new"

    def interrupt(doing: str) -> None:
        if doing == step:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        recover(home, config, lost.place, CODE, tell=interrupt)
    assert not (home / "edda.db").exists()
    recover(home, config, lost.place, CODE)
    assert whole(home, config) == {"first", "second"}


def test_a_part_of_an_attached_file_that_is_lost_keeps_nothing_else_back(config: StorageConfig, tmp_path: Path) -> None:
    place = Place()
    with edda.open(tmp_path / "home", config) as store:
        recovery.make(store, CODE)
        with store.begin_transaction() as tx:
            document = tx.create_document(edda.Document(title="Holiday"))
            tx.attach(document, io.BytesIO(b"picture"), name="photo")
        backed_up(store, place, tmp_path / "proof of it")
    came = recover(tmp_path / "new", config, place, CODE)
    assert came.lacks == ""
    with edda.open(tmp_path / "new", config) as store, store.open_attachment(document, "photo") as stream:
        assert stream.read() == b"picture"
    for key in [key for key in place.held if "/objects/" in key]:
        if key.rpartition("/")[2] not in {ref.object.hex() for ref in came.backup.runs}:
            del place.held[key]
    came = recover(tmp_path / "other", config, place, CODE)
    assert came.lacks.startswith("Backup 1 of 'new laptop', made ")
    assert "is not whole (a list of attached files, " in came.lacks
    assert " is missing from place): " in came.lacks
    with edda.open(tmp_path / "other", config) as store:
        assert store.get_document(document) is not None


def test_an_earlier_backup_is_named_where_the_newest_is_not_whole(
    lost: Lost, config: StorageConfig, tmp_path: Path
) -> None:
    ((_, _, backups, _),) = enter(lost.place, CODE.identity)
    (only_in_the_second,) = {ref.object.hex() for ref in backups[1].runs} - {
        ref.object.hex() for ref in backups[0].runs
    }
    del lost.place.held[next(key for key in lost.place.held if key.endswith(only_in_the_second))]
    with pytest.raises(
        BackupError, match=r"is missing from place\): nothing was made; name an earlier one, such as 1, of 20"
    ):
        recover(tmp_path / "new", config, lost.place, CODE)
    recover(tmp_path / "new", config, lost.place, CODE, 1)
    assert whole(tmp_path / "new", config) == {"first"}


def test_a_backup_that_is_damaged_makes_nothing_and_a_later_try_does(
    lost: Lost, config: StorageConfig, tmp_path: Path
) -> None:
    home = tmp_path / "new"
    path = next(key for key in lost.place.held if "/objects/" in key)
    data = lost.place.held[path]
    lost.place.held[path] = data[:-1] + b"!"
    with pytest.raises(BackupError, match=r"is not whole \(a part with changes, .*\): nothing was made"):
        recover(home, config, lost.place, CODE)
    assert not (home / "edda.db").exists()
    lost.place.held[path] = data
    recover(home, config, lost.place, CODE)
    assert whole(home, config) == {"first", "second"}
