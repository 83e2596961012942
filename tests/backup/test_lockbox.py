from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import edda_sync as edda
from edda_sync.backup import recovery
from edda_sync.backup.keys import Keys, seal
from edda_sync.backup.lockbox import Lockbox, entrances
from edda_sync.engine.encryption import encrypt
from edda_sync.sealing import datakeys
from edda_sync.store.seams import StoreWriter
from edda_sync.testing import devices, sync
from edda_sync.transport import identity as identities
from edda_sync.transport.identity import Identity
from edda_sync.words.config import EncryptionConfig, KeyStorage
from edda_sync.words.errors import BackupKeyError, DamagedBackupError, TargetError
from edda_sync.workspace import members as workspaces
from edda_sync.workspace.codes import draft
from edda_sync.workspace.welcome import DeviceCard
from tests.backup.places import Place
from tests.backup.shelf import CODE, OTHER, ROOT, fill, keys_of
from tests.keyrings import ShelfKeyring, using


@pytest.fixture
def keyring(monkeypatch: pytest.MonkeyPatch) -> Iterator[ShelfKeyring]:
    """A keyring that keeps what it is given."""
    monkeypatch.delenv("EDDA_KEYRING", raising=False)
    backend = ShelfKeyring()
    with using(backend):
        yield backend
    datakeys.forget_unlocked()


LATER = (b"2" * 32, b"b" * 32)


def test_the_device_and_the_code_find_the_keys_of_the_workspace() -> None:
    place = Place()
    with devices(1) as (laptop,):
        recovery.make(laptop, CODE)
        fill(place, laptop)
        with laptop.store.read() as reader:
            ring = workspaces.ring(reader)
        for identity in (laptop.identity, CODE.identity):
            ((root, keys),) = entrances(place, identity)
            assert (root, keys.ring, keys.workspace) == (ROOT, ring, laptop.workspace)
        assert all(ring[0][1][:8] not in data for data in place.held.values())


def test_a_second_backup_writes_nothing_again_from_whichever_device_it_comes() -> None:
    place = Place()
    with devices(2) as (laptop, phone):
        recovery.make(laptop, CODE)
        sync(laptop, phone)
        fill(place, laptop)
        assert (len(place.puts), len(keys_of(place, "recovery/"))) == (2, 1)
        fill(place, laptop)
        assert len(place.puts) == 2
        fill(place, phone)  # only what is for the phone itself: the code has its keys already
        assert (len(place.puts), len(keys_of(place, "recovery/"))) == (3, 1)


def test_a_device_that_never_saw_the_code_seals_for_it() -> None:
    place = Place()
    with devices(2) as (laptop, phone):
        recovery.make(laptop, CODE)
        sync(laptop, phone)
        fill(place, phone)
        ((_, keys),) = entrances(place, CODE.identity)
        assert keys.maker == phone.identity.public_key


def test_nothing_is_sealed_for_a_code_before_a_backup_holds_it() -> None:
    """It could open that backup, and could then let nobody in."""
    place = Place()
    with devices(1) as (laptop,):
        before = laptop.frontier()
        recovery.make(laptop, CODE)
        Lockbox(place, ROOT).fill(laptop, f"{ROOT}devices/d/", before)
        assert keys_of(place, "recovery/") == []
        Lockbox(place, ROOT).fill(laptop, f"{ROOT}devices/d/", laptop.frontier())
        assert len(keys_of(place, "recovery/")) == 1


def test_what_was_sealed_for_a_replaced_code_goes_with_the_next_backup() -> None:
    place = Place()
    with devices(1) as (laptop,):
        recovery.make(laptop, CODE)
        fill(place, laptop)
        recovery.make(laptop, OTHER)
        fill(place, laptop)
        assert entrances(place, OTHER.identity)
        with pytest.raises(
            BackupKeyError, match="no backup there was sealed for it: use the device, or the newest recovery code"
        ):
            entrances(place, CODE.identity)


def test_a_place_where_nothing_can_be_deleted_still_gets_the_keys_for_a_new_code() -> None:
    class Locked(Place):
        def delete(self, key: str) -> None:
            raise TargetError(self.name, f"{key} is locked", "leave it there")

    place = Locked()
    with devices(1) as (laptop,):
        recovery.make(laptop, CODE)
        fill(place, laptop)
        recovery.make(laptop, OTHER)
        with pytest.raises(TargetError, match="is locked"):
            fill(place, laptop)
        assert entrances(place, OTHER.identity)


def test_a_device_that_has_not_heard_of_a_new_code_does_not_delete_what_is_sealed_for_it() -> None:
    place = Place()
    with devices(2) as (laptop, phone):
        recovery.make(laptop, CODE)
        fill(place, laptop)
        fill(place, phone)
        assert len(keys_of(place, "recovery/")) == 1


def test_new_keys_of_the_workspace_are_sealed_beside_the_old_ones() -> None:
    """A device that does not know them yet must not take them away again."""
    place = Place()
    with devices(2) as (laptop, phone):
        recovery.make(laptop, CODE)
        sync(laptop, phone)
        fill(place, laptop)
        with phone.store.read() as reader:
            ring = workspaces.ring(reader)
        phone.store.transact(lambda tx: workspaces.keep_ring(tx, (*ring, LATER)))
        fill(place, phone)
        fill(place, laptop)
        assert len(keys_of(place, "recovery/")) == 2
        ((_, keys),) = entrances(place, CODE.identity)
        assert keys.ring == (*ring, LATER)
        ((_, keys),) = entrances(place, phone.identity)
        assert keys.ring == (*ring, LATER)


def test_damaged_keys_are_sealed_again_by_the_next_backup() -> None:
    place = Place()
    with devices(1) as (laptop,):
        recovery.make(laptop, CODE)
        fill(place, laptop)
        for key in (*keys_of(place, "recovery/"), *keys_of(place, "devices/")):
            place.held[key] = place.held[key][:-1] + b"!"
        with pytest.raises(DamagedBackupError, match="sealed for it at the target is damaged"):
            entrances(place, CODE.identity)
        fill(place, laptop)
        assert entrances(place, CODE.identity)
        assert entrances(place, laptop.identity)


def test_damage_of_other_objects_does_not_keep_a_code_from_opening_what_is_whole() -> None:
    place = Place()
    with devices(1) as (laptop,):
        recovery.make(laptop, CODE)
        fill(place, laptop)
        path, data = next((key, place.held[key]) for key in keys_of(place, "recovery/"))
        place.held[path[:-64] + "0" * 64] = data[:-1] + b"!"
        place.held["edda/aaa/devices/d/keys"] = b"rubbish"
        place.held["edda/stray"] = b"a file right there"
        assert len(entrances(place, CODE.identity)) == 1


def test_a_device_takes_no_keys_that_another_one_sealed_for_it() -> None:
    """Any member knows for which key to seal, and could have its own keys taken for those of the workspace."""
    place = Place()
    with devices(2) as (laptop, liar):
        fill(place, laptop)
        forged = Keys(laptop.workspace, (LATER,), (b"p" * 16, 1, b"h" * 32), liar.identity.public_key, 0)
        (path,) = keys_of(place, f"devices/{laptop.identity.device[:8]}/keys")
        place.held[path] = seal(forged, laptop.identity.sealing_keys[0][1], liar.identity)
        with pytest.raises(DamagedBackupError, match="another device sealed it"):
            entrances(place, laptop.identity)
        fill(place, laptop)
        assert entrances(place, laptop.identity)


def test_a_code_with_a_key_that_is_none_does_not_keep_others_from_their_keys() -> None:
    place = Place()
    with devices(1) as (laptop,):
        recovery.make(laptop, CODE)
        lied = OTHER.identity
        for number, keys in enumerate((((0x20, bytes(32)),), ((9, b"k" * 32),), ())):
            own = Identity.from_private(bytes([number]) * 32)

            def lie(tx: StoreWriter, card: DeviceCard = DeviceCard(own.certificate, "x", keys)) -> None:  # noqa: B008
                made = draft(tx, card, laptop.identity.public_key)
                laptop.writing.commit(tx, [made], None)

            laptop.store.transact(lie)
        laptop.store.transact(
            lambda tx: laptop.writing.commit(
                tx, [draft(tx, DeviceCard(lied.certificate, "x", lied.sealing_keys), laptop.identity.public_key)], None
            )
        )
        fill(place, laptop)
        assert entrances(place, lied)


@pytest.mark.usefixtures("keyring")
@pytest.mark.parametrize("identity", ["file", "keyring"])
@pytest.mark.parametrize("key", ["file", "keyring"])
def test_the_identity_opens_no_backup_of_an_encrypted_store_that_it_would_not_open_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, identity: str, key: str
) -> None:
    """Otherwise a thief of the disk reads in the backups what the store keeps from him."""
    place, home = Place(), tmp_path / "home"
    kept = EncryptionConfig(key_storage=KeyStorage.KEYRING)
    if key == "file":
        kept = EncryptionConfig(key_storage=KeyStorage.FILE, key_file=tmp_path / "elsewhere.key")
    with edda.open(home, edda.StorageConfig(state_path=tmp_path / "state")) as store:
        fill(place, store)
        (path,) = keys_of(place, f"devices/{store.identity.device[:8]}/keys")
    if identity == "file":
        own = identities.load(home)
        assert own is not None
        with monkeypatch.context() as off:
            off.setenv("EDDA_KEYRING", "off")
            identities.save(home, own)
    config = edda.StorageConfig(state_path=tmp_path / "state", encryption_config=kept)
    encrypt(home, config)
    with edda.open(home, config) as store:
        recovery.make(store, CODE)
        fill(place, store)
        assert (path in place.held) == (identity == key == "keyring")
        assert entrances(place, CODE.identity)


def test_several_workspaces_at_one_target_are_told_apart() -> None:
    place = Place()
    with devices(1) as (laptop,), devices(1) as (work,):
        recovery.make(laptop, CODE)
        recovery.make(work, OTHER)
        fill(place, laptop, "edda/home/")
        fill(place, work, "edda/work/")
        assert [each.root for each in entrances(place, CODE.identity)] == ["edda/home/"]
        assert [each.root for each in entrances(place, OTHER.identity)] == ["edda/work/"]
        recovery.make(work, CODE)
        fill(place, work, "edda/work/")
        assert [each.root for each in entrances(place, CODE.identity)] == ["edda/home/", "edda/work/"]


def test_an_empty_target_says_that_no_backup_lies_there() -> None:
    with pytest.raises(BackupKeyError, match="no backup lies there"):
        entrances(Place(), CODE.identity)


def test_finding_the_keys_lists_no_objects_of_the_repository() -> None:
    place = Place()
    with devices(1) as (laptop,):
        recovery.make(laptop, CODE)
        fill(place, laptop)
        for number in range(1_000):
            place.held[f"{ROOT}objects/{number:064}"] = b""
            place.held[f"{ROOT}devices/{laptop.identity.device[:8]}/manifests/{number:012}-00"] = b""
        seen: list[str] = []
        listing = place.list

        def counted(prefix: str, after: str = "") -> object:
            for each in listing(prefix, after):
                seen.append(each.key)
                yield each

        place.list = counted  # type: ignore[method-assign, assignment]
        assert entrances(place, CODE.identity)
        assert len(seen) < 10
