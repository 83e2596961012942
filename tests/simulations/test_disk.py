"""A simulated disk keeps the contract of a store, and each of its faults does what the fault model says."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from edda_sync.simulations.disk import Disk, Fault, MemorySlot, PowerCut
from edda_sync.simulations.tape import Tape
from edda_sync.store.seams import Record, Store, StoreWriter
from edda_sync.words.config import ROCKSDB_FOLDER
from edda_sync.words.errors import DamagedRowsError, DiskFaultError, DiskFullError
from tests.store.samples import record, show, shown_task, task_row

MACHINE = bytes(16)
BACKENDS = ("memory", "sqlite", "rocksdb")


class Points:
    """The points where power may fail; it fails at the chosen one."""

    def __init__(self) -> None:
        self.left = -1

    def __call__(self) -> None:
        self.left -= 1
        if self.left == 0:
            raise PowerCut


@pytest.fixture
def points() -> Points:
    return Points()


@pytest.fixture(params=BACKENDS)
def disk(request: pytest.FixtureRequest, tmp_path: Path, points: Points) -> Iterator[Disk]:
    folder = None if request.param == "memory" else tmp_path / "disk"
    made = Disk(folder, MACHINE, points, in_rocks=request.param == "rocksdb")
    yield made
    made.close()


def write(store: Store, value: bytes) -> None:
    store.transact(lambda tx: tx.meta.set("name", value))


def read(disk: Disk) -> bytes | None:
    store = disk.open(lambda _: None)
    with store.read() as reader:
        found = reader.meta.get("name")
    disk.close()
    return found


def test_acknowledged_writes_survive_a_power_failure(disk: Disk) -> None:
    write(disk.open(lambda _: None), b"1")
    disk.lose_power()
    assert read(disk) == b"1"


def test_power_that_fails_before_a_commit_leaves_no_trace(disk: Disk, points: Points) -> None:
    ended: list[bool] = []
    store = disk.open(ended.append)
    write(store, b"1")
    points.left = 1
    with pytest.raises(PowerCut):
        write(store, b"2")
    disk.lose_power()
    assert read(disk) == b"1"
    assert ended == [True, False]


def test_a_commit_before_a_power_failure_is_kept_even_if_nobody_was_told(disk: Disk, points: Points) -> None:
    store = disk.open(lambda _: None)
    points.left = 2
    with pytest.raises(PowerCut):
        write(store, b"1")
    disk.lose_power()
    assert read(disk) == b"1"


def test_a_full_disk_refuses_and_keeps_what_it_has(disk: Disk) -> None:
    store = disk.open(lambda _: None)
    write(store, b"1")
    disk.full = True
    with pytest.raises(DiskFullError):
        write(store, b"2")
    disk.full = False
    with store.read() as reader:
        assert reader.meta.get("name") == b"1"
    write(store, b"3")


@pytest.mark.parametrize(("fault", "kept"), [(Fault.SYNC_LOST, b"1"), (Fault.SYNC_KEPT, b"2")])
def test_after_a_failed_sync_the_transaction_is_there_or_not_and_nobody_was_told(
    disk: Disk, fault: Fault, kept: bytes
) -> None:
    ended: list[bool] = []
    store = disk.open(ended.append)
    write(store, b"1")
    disk.faults.append(fault)
    with pytest.raises(DiskFaultError):
        write(store, b"2")
    assert ended[-1] is False
    disk.lose_power()
    assert read(disk) == kept


def test_unsynced_writes_are_lost_in_a_power_failure_until_something_is_synced(disk: Disk) -> None:
    store = disk.open(lambda _: None)
    write(store, b"1")
    store.submit(lambda tx: tx.meta.set("name", b"2"))  # type: ignore[attr-defined]
    disk.lose_power()
    assert read(disk) == b"1"
    store = disk.open(lambda _: None)
    store.submit(lambda tx: tx.meta.set("name", b"2"))  # type: ignore[attr-defined]
    store.transact(lambda tx: tx.meta.set("other", b""))
    disk.lose_power()
    assert read(disk) == b"2"


def test_an_image_keeps_what_was_there_whatever_is_written_later(disk: Disk) -> None:
    store = disk.open(lambda _: None)
    write(store, b"1")
    image = disk.image()
    write(store, b"2")
    disk.lose_power()
    disk.put_back(image, sidecar=False, copied=False)
    assert read(disk) == b"1"


def test_a_copy_lives_on_its_own(disk: Disk, tmp_path: Path) -> None:
    store = disk.open(lambda _: None)
    write(store, b"1")
    in_files = (tmp_path / "disk").exists()
    in_rocks = "_settled" in str(disk.ask("table_list"))
    copy = Disk(tmp_path / "copy" if in_files else None, bytes([1] * 16), lambda: None, in_rocks=in_rocks)
    copy.put_back(disk.image(), sidecar=False, copied=True)
    write(copy.open(lambda _: None), b"2")
    copy.close()
    assert read(copy) == b"2"
    with store.read() as reader:
        assert reader.meta.get("name") == b"1"


def test_a_sidecar_falls_back_by_unsynced_writes_and_no_further_than_it_remembers() -> None:
    slot = MemorySlot()
    for written in (b"1", b"2", b"3"):
        slot.write(written)
    slot.fall_back(1)
    assert slot.read() == b"2"
    slot.fall_back(99)
    assert slot.read() == b""
    slot.write(b"4")
    slot.sync()
    slot.write(b"5")
    slot.fall_back(99)
    assert slot.read() == b"4"


@pytest.mark.parametrize(
    ("sidecar", "copied", "left"), [(True, False, b"old"), (False, False, b"new"), (False, True, b"")]
)
def test_a_sidecar_goes_back_with_a_machine_and_stays_with_a_folder_and_is_missing_for_a_copy(
    disk: Disk, sidecar: bool, copied: bool, left: bytes
) -> None:
    write(disk.open(lambda _: None), b"1")
    disk.slot.write(b"old")
    image = disk.image()
    disk.slot.write(b"new")
    disk.lose_power()
    disk.put_back(image, sidecar=sidecar, copied=copied)
    assert disk.slot.read() == left


def test_power_that_fails_after_a_settlement_loses_nothing_of_the_states(tmp_path: Path, points: Points) -> None:
    disk = Disk(tmp_path / "disk", MACHINE, points, in_rocks=True)
    large = record(1, state=bytes(9_000))  # it is settled at once
    for held in (large, record(2)):  # and this one is pending

        def put(tx: StoreWriter, held: Record = held) -> None:
            tx.states.put([held], {held.key: False})

        disk.open(lambda _: None).transact(put)
        disk.lose_power()
    store = disk.open(lambda _: None)
    with store.read() as reader:
        assert [each.state for each in reader.states.scan()] == [bytes(9_000), record(2).state]
    assert list((tmp_path / "disk" / ROCKSDB_FOLDER).glob("states-*/CURRENT"))
    disk.close()


def test_a_row_rots_beside_one_that_has_rotted_and_both_are_noticed(tmp_path: Path, points: Points) -> None:
    disk = Disk(tmp_path / "disk", MACHINE, points)
    store = disk.open(lambda _: None)
    sound = [task_row(number) for number in range(3)]
    store.transact(lambda tx: show(tx, *map(shown_task, range(3))))
    draws, rotten = Tape(1).source("rot"), list[str]()
    while len(rotten) < 2:
        disk.rot(draws)
        with store.read() as reader:
            rotten = [row[0] for row in reader.tables.scan("tasks") if row not in sound]
    with store.read() as reader, pytest.raises(DamagedRowsError) as found:
        reader.tables.all("tasks")
    assert sorted(found.value.ids) == rotten
    disk.close()
