"""Pruning: the newest backup stays, one that is spared stays, and a place that is full is made room in."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

import edda_sync as edda
from edda_sync.backup.manager import BackupManager
from edda_sync.backup.pruning import judged
from edda_sync.backup.repository import Found
from edda_sync.backup.sealed import Kind
from edda_sync.words.errors import DamagedBackupError, TargetError
from tests.backup.places import Place
from tests.backup.test_manifest import MANIFEST

ONE = edda.RetentionPolicy(keep_last=1, daily=0, weekly=0, monthly=0, yearly=0)
MADE = [msgspec.structs.replace(MANIFEST, number=number) for number in range(1, 5)]


class Small(Place):
    """A target with room for so many bytes."""

    room = 1 << 60

    def put(self, key: str, data: bytes) -> None:
        if self.size() + len(data) > self.room:
            raise TargetError(self.name, "no space is left", "make room there")
        super().put(key, data)


def test_the_newest_and_the_one_that_is_spared_stay_and_what_nobody_can_read_goes() -> None:
    there = [Found(str(each.number), each, None, each.number) for each in MADE]
    there.insert(0, Found("damaged", None, DamagedBackupError("It", "it is malformed"), 1))
    there.append(Found("later", None, DamagedBackupError("It", "it is malformed"), 9))
    assert judged(there, ONE).gone == ["3", "2", "1", "damaged"]
    found = judged(there, ONE, MADE[1])
    assert (found.gone, found.kept) == (["3", "1", "damaged"], 2)
    made = msgspec.structs.replace(MANIFEST, number=5)  # which is not listed yet
    assert judged(there, ONE, None, made).own[-1] == made
    assert judged([], ONE) == ([], (), 0)


def test_what_need_not_be_kept_makes_room_where_the_place_is_full(tmp_path: Path) -> None:
    place = Small()
    config = edda.StorageConfig(state_path=tmp_path / "state", backup_config=edda.BackupConfig(retention=ONE))
    with edda.open(tmp_path / "home", config) as engine:
        manager = BackupManager(engine, place)
        engine.create_task(edda.Task(title="Buy milk"))
        manager.back_up()
        place.room = place.size() + 20_000
        for number in range(9):  # what attempts that were cut off have left
            manager.repository.put(Kind.PACK, bytes((number,)) * 2_000 + number.to_bytes(2, "big"))
        place.room = place.size() + 100
        engine.create_task(edda.Task(title="Buy bread"))
        with pytest.raises(TargetError):
            manager.back_up()  # they may belong to a backup that another device is making
        assert manager.troubles(manager.backups()) == []
        place.modified_s += 2 * 24 * 3600.0
        place.room += 2_000
        manager.repository.put(Kind.RUN, b"the clock of the place goes on")
        place.room = place.size() + 100
        made = manager.back_up().manifest
        assert made.number == 2
        assert [each.error for each in manager.verify([made])] == [None]
