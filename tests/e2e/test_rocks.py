"""Real processes on a store whose states are in RocksDB: beside each other, killed anywhere, and on a damaged folder."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

import edda_sync as edda
from edda_sync.engine import backend, doctor
from edda_sync.store.sqlite.store import SqliteStore
from edda_sync.words.config import ROCKSDB_FOLDER, StorageBackend, StorageConfig
from edda_sync.words.errors import DiskFullError
from tests.e2e.machine import Machine, until
from tests.mounting import mount

KILLS = 8
DISK_KB = 4_096
LEFT_KB = (0, 4, 8, 16, 40, 60, 80, 100, 120)

WRITING = """
import sys
import edda_sync as edda
from edda_sync.words import limits
limits.SETTLED_BYTES = limits.SETTLED_QUIET_BYTES = 1_000  # so that every few writes are settled
home, name, rebuilds = sys.argv[1], sys.argv[2], sys.argv[3] == "rebuilds"
print("begins", flush=True)
with edda.open(home) as store:
    for number in range(100_000):
        store.create_task(edda.Task(title=f"{name} {number}", description="words " * 40))
        print(number, flush=True)
        if rebuilds and number == 2:  # once each: two that do nothing else leave each other no turn
            store.rebuild()
"""


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    with Machine(tmp_path, "laptop") as machine:
        yield machine


def sound(machine: Machine) -> set[str]:
    """Return the titles of all tasks, after a check by the doctor in this process."""
    with edda.open(machine.home, machine.config) as store:
        assert [each for each in doctor.check(store) if not each.sound] == []
        return {task.title for task in store.query_tasks(edda.TaskQuery(limit=100_000))}


async def test_a_running_device_and_commands_beside_it_see_each_other_and_a_lost_folder_is_made_anew(
    machine: Machine,
) -> None:
    machine.edda("init", "--backend", "rocksdb")
    with edda.open(machine.home, machine.config) as store:
        store.transact(lambda tx: [tx.create_task(edda.Task(title=f"old {number}")) for number in range(20)])
        digest = store.digest()
        store.store.settle()  # type: ignore[attr-defined]
    (folder,) = (machine.home / ROCKSDB_FOLDER).iterdir()
    (sst,) = folder.glob("*.sst")
    content = bytearray(sst.read_bytes())
    content[len(content) // 3] ^= 1
    sst.write_bytes(content)
    running = await machine.up("--no-discovery")
    with edda.open(machine.home, machine.config) as store:
        assert store.digest() == digest
    machine.edda("task", "add", "beside it", "--tag", "word")
    assert "beside it" in machine.edda("task", "list")

    async def has_seen() -> bool:
        status = await machine.status()
        return status is not None and status["tasks"] == 21

    await until(has_seen)
    running.send_signal(signal.SIGINT)
    said, _ = running.communicate()
    assert "did not hold the states of this store" in said
    assert "they were made anew from the log" in said
    assert running.poll() == 0
    assert len(sound(machine)) == 21


@pytest.mark.parametrize("work", ["writes", "rebuilds"])
def test_writers_beside_each_other_that_are_killed_at_any_moment_lose_nothing(machine: Machine, work: str) -> None:
    with edda.open(machine.home, machine.config.changed(backend=StorageBackend.ROCKSDB)):
        pass
    draws, known = random.Random(work), set[str]()
    environment = os.environ | {"EDDA_STATE": str(machine.config.state_path)}
    for round_number in range(KILLS // 2):
        writers = []
        for name in (f"one {round_number}", f"other {round_number}"):
            run = [sys.executable, "-c", WRITING, str(machine.home), name, work]
            writers.append((name, subprocess.Popen(run, stdout=subprocess.PIPE, text=True, env=environment)))
        for name, process in writers:
            assert process.stdout is not None
            with closing(process.stdout) as lines:
                assert lines.readline() == "begins\n"
                for _ in range(draws.randrange(12)):
                    known.add(f"{name} {lines.readline().strip()}")
                process.kill()
                known.update(f"{name} {line.strip()}" for line in lines if line.endswith("\n"))
            process.wait()
        assert sound(machine) >= known
    assert len(known) > KILLS


def test_a_disk_that_is_full_at_any_write_of_the_folder_loses_nothing(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mount("-t", "tmpfs", "-o", f"size={DISK_KB}k", "none", str(disk))
    config = StorageConfig(backend=StorageBackend.ROCKSDB, rocksdb_path=disk / "rocks", state_path=tmp_path / "state")
    try:
        full = 0
        with edda.open(tmp_path / "home", config) as store:
            file = store.store
            assert isinstance(file, SqliteStore)
            for number, kilobytes in enumerate(LEFT_KB):
                pad = disk / "pad"
                pad.write_bytes(bytes(max(0, shutil.disk_usage(disk).free - kilobytes * 1024)))
                store.transact(lambda tx, number=number: fill(tx, number))  # type: ignore[misc]
                file.settle()
                full += isinstance(file.keeping.fault, DiskFullError)
                assert file.keeping.fault is None or isinstance(file.keeping.fault, DiskFullError)
                assert [each for each in doctor.check(store) if not each.sound] == []
                if number % 3 == 2:
                    pad.unlink()
                    backend.check(file)  # which settles what waits
                    if number == 5:
                        store.rebuild()  # into another folder
            backend.check(file)
            assert store.counts()["tasks"] == 40 * len(LEFT_KB)
            assert [each for each in doctor.check(store) if not each.sound] == []
        assert full > 4
    finally:
        subprocess.run(["umount", "--lazy", str(disk)], check=True)


def fill(tx: edda.Transaction, number: int) -> None:
    for each in range(40):
        tx.create_task(edda.Task(title=f"{number} {each}", description=random.Random(each).randbytes(1_000).hex()))
