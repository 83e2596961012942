"""Stores are backed up to real targets: a folder, also one that is away meanwhile, and a bucket; two devices to one."""

from __future__ import annotations

from pathlib import Path

import pytest

import edda_sync as edda
from edda_sync.backup.manager import BackupManager
from edda_sync.backup.target import Target
from edda_sync.backup.targets.folder import FolderTarget, mark
from edda_sync.backup.targets.objects import ObjectTarget
from edda_sync.backup.targets.timed import TimedTarget
from edda_sync.testing import devices, sync
from edda_sync.words.errors import TargetError
from tests.backup.targets.stores import AWS, make_bucket


@pytest.fixture(params=["folder", "bucket"])
def target(request: pytest.FixtureRequest, tmp_path: Path) -> Target:
    if request.param == "bucket":
        return TimedTarget(ObjectTarget("cloud", make_bucket(request.getfixturevalue("s3"), "backed-up"), AWS))
    return TimedTarget(FolderTarget("stick", tmp_path / "stick", mark("stick", tmp_path / "stick")))


def test_two_devices_back_up_to_one_place_and_each_backup_is_whole(target: Target) -> None:
    with devices(2) as (laptop, phone):
        laptop.create_task(edda.Task(title="Buy milk"))
        sync(laptop, phone)
        managers = [BackupManager(laptop, target), BackupManager(phone, target)]
        for manager in managers:
            manager.back_up()
        phone.create_task(edda.Task(title="Buy bread"))
        managers[1].back_up()
        for manager in managers:
            found = [each.manifest for each in manager.backups()]
            assert len(found) == 3
            assert None not in found
        newest = managers[1].find()
        assert [each.error for each in managers[1].verify([newest])] == [None]


def test_a_drive_that_is_away_leaves_the_store_and_the_backups_as_they_are(tmp_path: Path) -> None:
    place = tmp_path / "stick"
    target = TimedTarget(FolderTarget("stick", place, mark("stick", place)))
    with devices(1) as (laptop,):
        manager = BackupManager(laptop, target)
        laptop.create_task(edda.Task(title="Buy milk"))
        first = manager.back_up().manifest
        place.rename(tmp_path / "unplugged")
        place.mkdir()
        laptop.create_task(edda.Task(title="Buy bread"))
        with pytest.raises(TargetError, match="as if its drive were away"):
            manager.back_up()
        assert list(place.iterdir()) == []
        place.rmdir()
        (tmp_path / "unplugged").rename(place)
        assert manager.back_up().manifest.number == first.number + 1
