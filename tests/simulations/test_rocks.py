"""RocksDB on a simulated disk: whatever happens to its folder, nothing wrong is shown, and all is made anew."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from edda_sync.engine import backend
from edda_sync.simulations.disk import Disk, PowerCut
from edda_sync.simulations.rocks import Often, RocksFolder
from edda_sync.simulations.tape import Tape
from edda_sync.store.rocks.database import Settled
from edda_sync.store.seams import Store, StoreWriter
from edda_sync.words.errors import CorruptError, LostStatesError
from tests.simulations.test_disk import MACHINE, Points
from tests.store.rocks.test_keeper import write
from tests.store.samples import entity


@pytest.fixture
def points() -> Points:
    return Points()


@pytest.fixture
def disk(tmp_path: Path, points: Points) -> Iterator[Disk]:
    disk = Disk(tmp_path, MACHINE, points, in_rocks=True)
    yield disk
    disk.close()


def opened(disk: Disk) -> Store:
    return disk.open(lambda _: None)


def held(store: Store) -> list[bytes]:
    with store.read() as reader:
        return [each.key for each in reader.states.scan()]


def test_power_that_fails_at_each_step_of_a_settlement_loses_nothing(disk: Disk, points: Points) -> None:
    cuts = 0
    for step in range(3, 7):  # the first two are those of the transaction itself
        store = opened(disk)
        points.left = step
        try:
            store.transact(write(step, state=bytes(5_000)))
        except PowerCut:
            cuts += 1
        points.left = -1
        disk.lose_power()
        assert held(opened(disk)) == [entity(number) for number in range(3, step + 1)]
        disk.close()
    assert cuts == 4


def test_each_damage_of_the_folder_is_noticed_or_harmless_and_what_is_made_anew_is_sound(disk: Disk) -> None:
    draws, found, number = Tape(1).source("damage"), 0, 0
    store = opened(disk)
    for number in range(12):
        store.transact(write(number, state=bytes(5_000)))
        disk.rot(draws)
        disk.close()
        store = opened(disk)
        try:
            assert held(store) == [entity(each) for each in range(number + 1)]
            backend.check(store)
        except CorruptError:
            found += 1

            def anew(tx: StoreWriter, upto: int = number) -> None:
                tx.clear_view()
                write(*range(upto + 1), state=bytes(5_000))(tx)

            store.transact(anew)
            backend.check(store)
            assert [is_sound for is_sound, _ in backend.look(store)] == [True]
    assert found > 3


def test_what_is_damaged_is_drawn_and_an_older_folder_is_one_that_was_there(tmp_path: Path) -> None:
    folder, draws = RocksFolder(tmp_path / "rocks"), Tape(2).source("damage")
    assert not folder.damage(draws), "there is nothing yet"
    (tmp_path / "rocks" / "states-1").mkdir(parents=True)
    (tmp_path / "rocks" / "states-1" / "000001.sst").write_bytes(bytes(100))
    seen = set()
    for _ in range(40):
        if not folder.files():
            (tmp_path / "rocks" / "states-1").mkdir(parents=True, exist_ok=True)
            (tmp_path / "rocks" / "states-1" / "000001.sst").write_bytes(bytes(100))
        folder.damage(draws)
        seen.add(tuple(sum(file.read_bytes()) > 0 for file in folder.files()))
    assert seen == {(), (True,), (False,)}


def test_it_settles_part_by_part(tmp_path: Path) -> None:
    assert Often(tmp_path, lambda: None).once_bytes < 10_000
    with pytest.raises(LostStatesError):
        Settled(tmp_path)
