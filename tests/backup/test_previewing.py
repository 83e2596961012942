"""Previewing: what is told before is what is different afterwards, also where a backup has changes that are not here."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import edda_sync as edda
from edda_sync.backup.comparing import How
from edda_sync.backup.manager import BackupManager
from edda_sync.engine.engine import StorageEngine
from edda_sync.testing import devices, sync
from tests.backup.places import Place
from tests.backup.scenes import shown


@pytest.fixture
def pair() -> Iterator[tuple[StorageEngine, StorageEngine]]:
    with devices(2) as (laptop, phone):
        yield laptop, phone


def test_of_a_backup_whose_changes_are_all_here_only_the_trash_comes_back(
    pair: tuple[StorageEngine, StorageEngine],
) -> None:
    laptop, _ = pair
    milk = laptop.create_task(edda.Task(title="Buy milk"))
    manager = BackupManager(laptop, Place())
    backup = manager.back_up().manifest
    laptop.update_task(edda.Task(id=milk, title="Other"))
    with manager.restored(backup) as restored:
        assert manager.preview(restored) == []
    laptop.delete_task(milk)
    with manager.restored(backup) as restored:
        assert [(each.id, each.how) for each in manager.preview(restored)] == [(milk, How.DELETED)]


def test_changes_that_are_missing_here_come_back_and_merge_as_was_told(
    pair: tuple[StorageEngine, StorageEngine],
) -> None:
    laptop, phone = pair
    kept = laptop.create_task(edda.Task(title="Write the report"))
    gone = laptop.create_task(edda.Task(title="Deleted on the phone"))
    hidden = laptop.create_task(edda.Task(title="Deleted on the laptop"))
    sync(laptop, phone)
    phone.update_task(edda.Task(id=kept, title="Write it now"))
    phone.delete_task(gone)
    new = phone.create_task(edda.Task(title="From the phone"))
    place = Place()
    BackupManager(phone, place).back_up()
    laptop.update_task(edda.Task(id=kept, priority=0))
    laptop.delete_task(hidden)
    own = laptop.create_task(edda.Task(title="Only on the laptop"))

    manager = BackupManager(laptop, place)
    backup = manager.find(device=phone.identity.device)
    with manager.restored(backup) as restored:
        found = manager.preview(restored)
        assert {each.id: each.how for each in found} == {
            kept: How.MERGED,
            gone: How.DELETED_THEN,
            hidden: How.DELETED,
            new: How.MISSING,
        }
        manager.bring_back(backup, restored, found)
    report = laptop.get_task(kept)
    assert report is not None
    assert (report.title, report.priority) == ("Write it now", 0)
    assert {task.id for task in laptop.query_tasks(edda.TaskQuery())} == {kept, hidden, new, own}
    with manager.restored(backup) as restored:
        assert manager.preview(restored) == []
    sync(laptop, phone)
    assert shown(laptop) == shown(phone)
