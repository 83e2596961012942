from __future__ import annotations

from pathlib import Path

import pytest

import edda_sync as edda
from edda_sync.backup import recovery
from edda_sync.backup.entering import enter, look_into, newest
from edda_sync.testing import devices, sync
from edda_sync.words.errors import BackupError, BackupKeyError, DamagedBackupError, NoObjectError
from tests.backup.places import Place
from tests.backup.shelf import CODE, OTHER, backed_up, keys_of


def test_a_code_finds_the_backups_of_every_device_and_the_newest_of_them(tmp_path: Path) -> None:
    place = Place()
    with devices(2) as (laptop, phone):
        recovery.make(laptop, CODE)
        sync(laptop, phone)
        backed_up(laptop, place, tmp_path / "laptop")
        phone.create_task(edda.Task(title="a"))
        backed_up(phone, place, tmp_path / "phone")
        (entered,) = found = enter(place, CODE.identity)
        assert [each.device for each in entered.backups] == [laptop.identity.device, phone.identity.device]
        assert newest(found) == (entered, entered.backups[1])
        assert entered.unreadable == ()
        look_into(entered, entered.backups[1])


def test_of_several_workspaces_the_newest_backup_counts(tmp_path: Path) -> None:
    place = Place()
    with devices(1) as (laptop,), devices(1) as (work,):
        for store in (laptop, work):
            recovery.make(store, CODE)
            backed_up(store, place, tmp_path / store.workspace.hex())
        found = enter(place, CODE.identity)
        assert len(found) == 2
        assert newest(found)[1].workspace == work.workspace


def test_what_cannot_be_opened_is_told(tmp_path: Path) -> None:
    place = Place()
    with devices(1) as (laptop,):
        recovery.make(laptop, CODE)
        backed_up(laptop, place, tmp_path / "laptop")
        with pytest.raises(BackupKeyError, match="no backup there was sealed for it"):
            enter(place, OTHER.identity)
        (entered,) = enter(place, CODE.identity)
        for key in keys_of(place, "objects/"):
            del place.held[key]
        with pytest.raises(NoObjectError):
            look_into(entered, entered.backups[0])
        (path,) = (key for key in place.held if "/manifests/" in key)
        place.held[path] = place.held[path][:-1] + b"!"
        (entered,) = found = enter(place, CODE.identity)
        assert len(entered.unreadable) == 1
        with pytest.raises(DamagedBackupError, match="not those that its name says"):
            newest(found)
        del place.held[path]
        with pytest.raises(BackupError, match="The keys lie there, and no backup"):
            newest(enter(place, CODE.identity))


def test_what_holds_more_is_newer_whatever_clocks_said_and_of_others_the_devices_own_comes_first(
    tmp_path: Path,
) -> None:
    place = Place()
    with devices(2, backend="memory") as (laptop, phone):
        recovery.make(laptop, CODE)
        sync(laptop, phone)
        true = laptop.writing.now
        laptop.writing.now = lambda: true() + 10 * 365 * 86_400  # its clock is ten years ahead at the first backup
        backed_up(laptop, place, tmp_path / "laptop")
        laptop.writing.now = true
        laptop.create_task(edda.Task(title="Only in the second one"))
        backed_up(laptop, place, tmp_path / "laptop")
        found = enter(place, CODE.identity)
        assert newest(found)[1].number == 2
        phone.create_task(edda.Task(title="Only on the phone"))
        backed_up(phone, place, tmp_path / "phone")
        found = enter(place, CODE.identity)
        assert newest(found)[1].device == phone.identity.device, "neither holds the other, so the later one counts"
        assert newest(found, laptop.identity.device)[1].number == 2
