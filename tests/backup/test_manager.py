"""The backups of a store in files: made, listed, verified, and restored in both ways, also of an encrypted store."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

import edda_sync as edda
from edda_sync.backup import recovery
from edda_sync.backup.manager import BackupManager
from edda_sync.engine import encryption
from edda_sync.engine.engine import StorageEngine
from edda_sync.words import limits
from edda_sync.words.config import BackupConfig, RetentionPolicy
from edda_sync.words.errors import BrokenBackupError, GoneBackupsError, NotFoundError
from tests.backup.places import Place
from tests.backup.shelf import CODE
from tests.costs import GROWS, SIZE, STAYS, Counter, Work


def files_with(folder: Path, planted: bytes) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file() and planted in path.read_bytes()]


@pytest.fixture
def laptop(tmp_path: Path) -> Iterator[StorageEngine]:
    with edda.open(tmp_path / "home", edda.StorageConfig(state_path=tmp_path / "state")) as engine:
        engine.create_task(edda.Task(title="Buy milk"))
        yield engine


def test_a_backup_is_made_listed_found_and_verified(laptop: StorageEngine) -> None:
    manager = BackupManager(laptop, Place())
    with pytest.raises(NotFoundError):
        manager.find()
    first = manager.back_up().manifest
    laptop.create_task(edda.Task(title="One more"))
    second = manager.back_up().manifest
    assert [each.manifest for each in manager.backups()] == [first, second]
    assert manager.find() == second
    assert manager.find(1) == first
    assert [each.error for each in manager.verify([first, second])] == [None, None]
    assert sorted(path.name for path in manager.backup_path.iterdir()) == ["kept", "kept.lock"]


def test_a_function_that_is_told_and_raises_is_told_no_more_and_ends_no_backup(
    laptop: StorageEngine, caplog: pytest.LogCaptureFixture
) -> None:
    told: list[str] = []

    def tell(doing: str) -> None:
        told.append(doing)
        raise RuntimeError("of the program")

    manager = BackupManager(laptop, Place())
    backup = manager.back_up(tell).manifest
    assert [each.error for each in manager.verify([backup], tell)] == [None]
    laptop.delete_task(laptop.query_tasks()[0].id)
    with manager.restored(backup, tell) as restored:
        assert manager.bring_back(backup, restored, manager.compare(restored), tell=tell).items == 1
    with manager.restored(backup, tell) as restored:
        manager.make_true(backup, restored, tell=tell)
    assert len(told) == 6, "once for each call"
    (said,) = {each.message for each in caplog.records}
    assert said.startswith(
        "The progress of a backup is not told any more: the program's own function raised RuntimeError"
    )


def spoil(place: Place, name: str) -> None:
    key = next(key for key in place.held if key.endswith(name))
    place.held[key] = place.held[key][:-1] + b"!"


def test_a_damaged_part_is_told_by_its_backup_and_written_again_by_the_next_one(laptop: StorageEngine) -> None:
    place = Place()
    manager = BackupManager(laptop, place)
    first = manager.back_up().manifest
    spoil(place, first.runs[0].object.hex())
    (came,) = manager.verify([first])
    assert isinstance(came.error, BrokenBackupError)
    assert (came.error.number, came.error.device) == (1, laptop.name)
    with pytest.raises(BrokenBackupError), manager.restored(first):
        pass
    second = manager.back_up()
    assert (second.is_new, second.manifest.number) == (True, 2)
    assert [each.error for each in manager.verify([second.manifest])] == [None]


def test_a_manifest_that_nobody_can_read_is_told_with_its_device_and_goes_with_the_next_backup(
    laptop: StorageEngine,
) -> None:
    place = Place()
    manager = BackupManager(laptop, place)
    manager.back_up()
    laptop.create_task(edda.Task(title="One more"))
    second = manager.back_up().manifest
    spoil(place, next(key for key in place.held if "/000000000002-" in key))
    there = manager.backups()
    (trouble,) = manager.troubles(there)
    assert str(trouble).startswith(f"The manifest of backup 2 of {laptop.name} is damaged")
    third = manager.back_up().manifest
    assert third.number == 3
    assert third.runs == second.runs
    assert manager.troubles(manager.backups()) == []
    assert [each.number for each in manager.backups()] == [1, 3]


def test_backups_that_are_gone_are_told_and_no_number_is_used_twice(laptop: StorageEngine) -> None:
    place = Place()
    manager = BackupManager(laptop, place)
    manager.back_up()
    earlier = dict(place.held)
    laptop.create_task(edda.Task(title="One more"))
    manager.back_up()
    later = dict(place.held)
    place.held = earlier
    (gone,) = manager.troubles(manager.backups())
    assert isinstance(gone, GoneBackupsError)
    assert (gone.newest, gone.made, gone.gone) == (1, 2, 1)
    place.held = {key: data for key, data in later.items() if "/000000000001-" not in key}
    (gone,) = manager.troubles(manager.backups())
    assert "1 of this device are gone" in str(gone)
    place.held = earlier
    assert manager.back_up().manifest.number == 3
    assert manager.troubles(manager.backups()) == []


def test_keys_beside_the_backups_that_are_not_whole_are_told_until_the_next_backup(laptop: StorageEngine) -> None:
    place = Place()
    manager = BackupManager(laptop, place)
    recovery.make(laptop, CODE)
    manager.back_up()
    for part, whose in (("/recovery/", "the recovery code"), ("/keys", "this device")):
        key = next(key for key in place.held if part in key)
        for data in (place.held.pop(key)[:-1], b""):
            (trouble,) = manager.troubles(manager.backups())
            assert f"What is sealed for {whose} at the target is damaged" in str(trouble)
            place.held[key] = data
        laptop.create_task(edda.Task(title=part))
        manager.back_up()
        assert manager.troubles(manager.backups()) == []


def test_a_backup_that_is_being_restored_is_spared_by_backups_that_are_made_meanwhile(tmp_path: Path) -> None:
    config = edda.StorageConfig(
        state_path=tmp_path / "state", backup_config=BackupConfig(retention=RetentionPolicy(keep_last=1))
    )
    with edda.open(tmp_path / "home", config) as laptop:
        manager = BackupManager(laptop, Place())
        first = manager.back_up().manifest
        for number in range(2):
            laptop.create_task(edda.Task(title=f"Task {number}"))
            manager.back_up(spared=first)
        assert [each.number for each in manager.backups()] == [1, 3]
        assert manager.troubles(manager.backups()) == []
        manager.back_up()
        assert [each.number for each in manager.backups()] == [3]


def test_what_is_missing_comes_back_and_the_rest_stays(laptop: StorageEngine) -> None:
    manager = BackupManager(laptop, Place())
    backup = manager.back_up().manifest
    (task,) = laptop.query_tasks(edda.TaskQuery())
    laptop.delete_task(task.id)
    laptop.create_task(edda.Task(title="Newer"))
    with manager.restored(backup) as restored:
        found = manager.compare(restored)
        assert {each.title for each in found} == {"Buy milk", "Newer"}
        assert manager.bring_back(backup, restored, found) == (1, 0)
    assert {each.title for each in laptop.query_tasks(edda.TaskQuery())} == {"Buy milk", "Newer"}


def test_one_task_is_restored_alone(laptop: StorageEngine) -> None:
    manager = BackupManager(laptop, Place())
    (milk,) = laptop.query_tasks(edda.TaskQuery())
    bread = laptop.create_task(edda.Task(title="Buy bread"))
    backup = manager.back_up().manifest
    for task in (milk.id, bread):
        laptop.update_task(edda.Task(id=task, title="Spoilt"))
    with manager.restored(backup) as restored:
        assert manager.make_true(backup, restored, only=[bread]) == (1, 0)
    assert sorted(each.title for each in laptop.query_tasks(edda.TaskQuery())) == ["Buy bread", "Spoilt"]


def test_backups_of_two_devices_at_one_place_do_not_disturb_each_other(tmp_path: Path) -> None:
    from edda_sync.testing import devices, sync

    place = Place()
    with devices(2) as (laptop, phone):
        laptop.create_task(edda.Task(title="From the laptop"))
        managers = [BackupManager(each, place) for each in (laptop, phone)]
        for manager in managers:
            manager.back_up()
        sync(laptop, phone)
        for manager in managers:
            manager.back_up()
        found = [each.manifest for each in managers[0].backups()]
        assert {each.device for each in found if each} == {laptop.identity.device, phone.identity.device}
        for manager in managers:
            assert [each.error for each in manager.verify([manager.find()])] == [None]


def test_in_an_encrypted_store_what_proves_the_backups_is_encrypted_too(tmp_path: Path) -> None:
    key_file = tmp_path / "stick" / "store.key"
    config = edda.StorageConfig(
        state_path=tmp_path / "state",
        encryption_config=edda.EncryptionConfig(key_storage=edda.KeyStorage.FILE, key_file=key_file),
    )
    key_file.parent.mkdir()
    with edda.open(tmp_path / "home", config) as engine:
        engine.create_task(edda.Task(title="Plantedword"))
        manager = BackupManager(engine, Place())
        backup = manager.back_up().manifest
        with manager.restored(backup) as restored:
            assert restored.digest() == engine.digest()
            assert files_with(tmp_path, b"Plantedword") == []
        engine.create_task(edda.Task(title="Plantedword again"))
        manager.back_up()
        assert list(manager.backup_path.rglob("edda.db")) != []
        assert files_with(tmp_path, b"Plantedword") == []


def test_what_proves_the_backups_of_a_store_that_is_encrypted_or_decrypted_later_becomes_so_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "IMAGE_RUNS_BYTES_MIN", 0)
    monkeypatch.setattr("edda_sync.backup.image.is_due", lambda *_work: True)
    plain, place, key_file = (
        edda.StorageConfig(state_path=tmp_path / "state"),
        Place(),
        tmp_path / "stick" / "store.key",
    )
    key_file.parent.mkdir()
    encrypted = plain.changed(
        encryption_config=edda.EncryptionConfig(key_storage=edda.KeyStorage.FILE, key_file=key_file)
    )

    def made(config: edda.StorageConfig, title: str) -> None:
        with edda.open(tmp_path / "home", config) as engine:
            engine.create_task(edda.Task(title=title))
            manager = BackupManager(engine, place)
            assert [each.error for each in manager.verify([manager.back_up().manifest])] == [None]

    made(plain, "Plantedword")
    assert files_with(tmp_path / "state", b"Plantedword") != []
    encryption.encrypt(tmp_path / "home", encrypted)
    assert files_with(tmp_path, b"Plantedword") == []
    made(encrypted, "Plantedword again")
    assert files_with(tmp_path, b"Plantedword") == []
    with edda.open(tmp_path / "plain", plain) as engine:  # as an earlier version left it beside an encrypted store
        engine.create_task(edda.Task(title="Plantedword"))
    (kept,) = (tmp_path / "state").rglob("kept")
    shutil.rmtree(kept)
    (tmp_path / "plain").rename(kept)
    made(encrypted, "A third time")
    assert files_with(tmp_path, b"Plantedword") == []
    encryption.decrypt(tmp_path / "home", plain)
    made(plain, "Plantedword at last")
    assert files_with(kept, b"Plantedword at last") != []


def test_what_proves_the_backups_gets_the_new_data_key_with_the_next_backup(tmp_path: Path) -> None:
    key_file = tmp_path / "stick" / "store.key"
    key_file.parent.mkdir()
    wanted = edda.EncryptionConfig(key_storage=edda.KeyStorage.FILE, key_file=key_file)
    config = edda.StorageConfig(state_path=tmp_path / "state", encryption_config=wanted)
    with edda.open(tmp_path / "home", config) as engine:
        engine.create_task(edda.Task(title="Buy milk"))
        manager = BackupManager(engine, Place())
        kept = manager.backup_path / "kept" / "edda.db"
        manager.back_up()
        first = kept.stat().st_ino
        engine.create_task(edda.Task(title="Buy bread"))
        manager.back_up()
        assert kept.stat().st_ino == first
        keys = encryption.EncryptionManager(engine).rotate_data_key()
        engine.create_task(edda.Task(title="Buy salt"))
        made = manager.back_up().manifest
        assert kept.read_bytes()[:16] == keys.current.salt
        assert [each.error for each in manager.verify([made])] == [None]


def test_the_next_backup_costs_what_is_new_and_the_first_one_and_verifying_cost_what_there_is(tmp_path: Path) -> None:
    counter, first, later, verified = Counter(), list[Work](), list[Work](), list[Work]()
    with counter.watching():
        for size in (SIZE, 2 * SIZE):
            folder = tmp_path / str(size)
            with edda.open(folder / "home", edda.StorageConfig(state_path=folder / "state")) as store:
                with store.begin_transaction() as tx:
                    for number in range(size):
                        tx.create_task(edda.Task(title=f"Task {number}", tags={"home"}))
                manager = BackupManager(store, Place())
                first.append(counter.of(manager.back_up))
                for number in range(10):
                    store.create_task(edda.Task(title=f"One more {number}"))
                later.append(counter.of(manager.back_up))
                verified.append(counter.of(lambda: list(manager.verify([manager.find()]))))  # noqa: B023 - called at once
    assert later[1].beyond(STAYS, later[0]) == {}
    assert first[1].beyond(GROWS, first[0]) == {}
    assert verified[1].beyond(GROWS, verified[0]) == {}
