"""Real processes and real faults: a full disk, a read-only one, a taken port, no network, signals at any moment."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from edda_sync.engine.engine import StorageEngine
from edda_sync.testing import pair, sync
from edda_sync.words.model import Task
from edda_sync.words.query import TaskQuery
from tests.e2e import lan
from tests.e2e.kill import damage
from tests.e2e.lan import Lan
from tests.e2e.machine import Machine, are_equal, bring_together, settle_in, store_of, until

SMALL_DISK = "8m"
ROOM_LEFT = 1_500_000
DOCUMENT_BYTES = 300_000
INTERPRETER_S = 0.3  # while Python starts, it may swallow a first Ctrl-C: people press it again
AGAIN_S = 3.0
SIGNALS = (signal.SIGINT, signal.SIGTERM)


def is_one_sentence(text: str) -> bool:
    return text.endswith(".\n") and text.count("\n") == 1 and "Traceback" not in text


# --- disks ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of a few megabytes, in memory."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = _mount("-t", "tmpfs", "-o", f"size={SMALL_DISK}", "edda-test", str(place))
    if mounted.returncode:
        pytest.skip(f"a small disk cannot be mounted here: {mounted.stderr.strip()}")
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)


def _mount(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["mount", *arguments], capture_output=True, text=True, check=False)


def _fill(place: Path, leave: int) -> Path:
    filler = place / "filler"
    free = os.statvfs(place)
    filler.write_bytes(bytes(free.f_bavail * free.f_frsize - leave))
    return filler


def _noise(rng: random.Random) -> str:
    return rng.randbytes(DOCUMENT_BYTES // 2).hex()


async def test_a_full_disk_refuses_whole_writes_in_one_sentence_and_everything_goes_on_once_there_is_room(
    small_disk: Path, tmp_path: Path
) -> None:
    rng = random.Random(7)
    with Machine(small_disk, "laptop") as laptop, Machine(tmp_path, "phone") as phone:
        settle_in(laptop, phone)
        up = await bring_together(laptop, phone)
        filler = _fill(small_disk, ROOM_LEFT)
        acknowledged = []
        while (done := laptop.run("doc", "add", "-", "--title", "Noise", stdin=_noise(rng))).returncode == 0:
            acknowledged.append(done.stdout.strip())
            assert len(acknowledged) * DOCUMENT_BYTES < ROOM_LEFT, "the disk is full by now"
        assert done.returncode == 1
        assert "The disk that holds" in done.stderr
        assert "is full; nothing was written: free some room and try again." in done.stderr
        assert is_one_sentence(done.stderr)

        for number in range(4):  # changes from a peer find no room either
            phone.edda("doc", "add", "-", "--title", f"From afar {number}", stdin=_noise(rng))

        async def laptop_says_so() -> bool:
            said = await laptop.status()
            assert said is not None, "a running device that has no room goes on answering"
            return "is full" in str(said)

        await until(laptop_says_so)
        assert up.poll() is None
        filler.unlink()
        acknowledged.append(laptop.edda("doc", "add", "-", "--title", "Room again", stdin="There is room.\n"))
        await until(lambda: are_equal([laptop, phone]))
        with store_of(laptop) as store:
            assert not damage(laptop.home / "edda.db")
            titles = [row[1] for row in store.table("documents")]
            assert sorted(titles) == sorted(
                [*["Noise"] * (len(acknowledged) - 1), "Room again", *(f"From afar {number}" for number in range(4))]
            )
            assert all(store.get_document(each) is not None for each in acknowledged)


async def test_a_read_only_disk_is_reported_in_one_sentence_and_its_store_stays_as_it_was(small_disk: Path) -> None:
    with Machine(small_disk, "laptop") as laptop:
        laptop.edda("task", "add", "Written while one could")
        assert _mount("-o", "remount,ro", str(small_disk)).returncode == 0
        for command in (("task", "add", "Never"), ("up", "--no-discovery"), ("sync",)):
            refused = laptop.run(*command)
            assert refused.returncode == 1, command
            assert "cannot be written (read-only)" in refused.stderr
            assert is_one_sentence(refused.stderr)
        assert _mount("-o", "remount,rw", str(small_disk)).returncode == 0
        assert [task["title"] for task in laptop.json("task", "list")] == ["Written while one could"]


# --- ports and networks -----------------------------------------------------------------------------------------------


async def test_a_taken_port_and_a_second_up_are_refused_in_one_sentence(tmp_path: Path) -> None:
    with Machine(tmp_path, "laptop") as laptop, socket.create_server(("", 0)) as taken:
        port = taken.getsockname()[1]
        refused = laptop.run("up", "--no-discovery", "--port", str(port))
        assert (refused.returncode, refused.stderr.count("--port")) == (2, 1)
        assert f"Port {port} is in use" in refused.stderr
        assert is_one_sentence(refused.stderr)
        await laptop.up("--no-discovery")
        second = laptop.run("up", "--no-discovery")
        assert second.returncode == 2
        assert "Another edda is syncing" in second.stderr
        assert is_one_sentence(second.stderr)
        assert await laptop.status() is not None


async def test_devices_that_start_without_any_network_work_and_find_each_other_once_there_is_one(
    tmp_path: Path,
) -> None:
    if reason := lan.fault():
        pytest.skip(reason)
    with (
        Lan(2) as places,
        Machine(tmp_path, "laptop", places[0].enter) as laptop,
        Machine(tmp_path, "phone", places[1].enter) as phone,
    ):
        settle_in(laptop, phone)
        for place in places:
            place.pull()
            place.switch_off_loopback()
        for machine in (laptop, phone):
            await machine.up()
            said = machine.json("status")
            assert said["discovery"] == {
                "available": False,
                "reason": "multicast does not work here: no network interface is up",
            }
            machine.edda("task", "add", f"Alone on the {machine.name}")
        alone = laptop.run("sync", "--timeout", "1")
        assert (alone.returncode, "phone: not reached" in alone.stdout) == (4, True)
        for place in places:
            place.plug()
        await until(lambda: are_equal([laptop, phone]))
        assert laptop.json("task", "list") == phone.json("task", "list")
        assert len(laptop.json("task", "list")) == 2


# --- clocks -----------------------------------------------------------------------------------------------------------


def test_a_clock_that_is_set_back_a_year_changes_neither_order_nor_sync(tmp_path: Path) -> None:
    year_s = 365.0 * 86_400
    now_s = 1_800_000_000.0
    with (
        StorageEngine(tmp_path / "laptop", now=lambda: now_s) as laptop,
        StorageEngine(tmp_path / "phone", now=lambda: 1_800_000_000.0) as phone,
    ):
        laptop.initialize()
        phone.open_store()
        pair(laptop, phone)
        sync(laptop, phone)
        task = laptop.create_task(Task(title="first"))
        before = laptop.create_task(Task(title="made before"))
        now_s -= year_s
        laptop.update_task(Task(id=task, title="second"))  # later, whatever the clock says
        sync(laptop, phone)
        assert _title(laptop, task) == _title(phone, task) == "second"
        phone.update_task(Task(id=task, title="third"))
        sync(laptop, phone)
        laptop.update_task(Task(id=task, title="fourth"))
        laptop.delete_task(before)
        sync(laptop, phone)
        assert _title(laptop, task) == _title(phone, task) == "fourth"
        assert phone.get_task(before) is None
        assert laptop.digest() == phone.digest()
        assert laptop.conflicts() == phone.conflicts() == []


def _title(engine: StorageEngine, task: str) -> object:
    found = engine.get_task(task)
    return found and found.title


# --- signals ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("command", ["up", "sync", "import"])
async def test_a_command_that_is_interrupted_at_any_moment_leaves_a_clean_store_with_everything_it_had(
    command: str, seed: int, tmp_path: Path
) -> None:
    rng = random.Random(f"{command} {seed}")
    with Machine(tmp_path, "laptop") as laptop, Machine(tmp_path, "phone") as phone:
        settle_in(laptop, phone)
        acknowledged, theirs = _write(laptop, 20), _write(phone, 400)
        await phone.up("--no-discovery")
        running = await phone.status()
        assert running is not None
        at = f"127.0.0.1:{running['port']}"
        arguments = {
            "up": ("up", "--no-discovery", "--at", at),
            "sync": ("sync", "--at", at),
            "import": ("import", "markdown", str(_folder_of_documents(tmp_path))),
        }[command]
        for which in SIGNALS:
            process = laptop.start(*arguments)
            moment_s = rng.uniform(0.0, 1.2)
            with contextlib.suppress(subprocess.TimeoutExpired):  # the moment has come
                await asyncio.to_thread(process.wait, moment_s)
            process.send_signal(which)
            if moment_s < INTERPRETER_S:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    await asyncio.to_thread(process.wait, AGAIN_S)
                process.send_signal(which)
            output, errors = await asyncio.to_thread(process.communicate, timeout=60)
            assert process.returncode in (0, 130, -which), (process.returncode, output, errors)
            assert not damage(laptop.home / "edda.db")
            with store_of(laptop) as store:
                assert acknowledged <= {task.id for task in store.query_tasks(TaskQuery())}
                before = store.table("tasks"), store.table("documents"), store.digest()
                store.rebuild()
                assert before == (store.table("tasks"), store.table("documents"), store.digest())
        finished = laptop.run(*(arguments if command == "import" else ("sync", "--at", at)))
        assert finished.returncode == 0, finished.stderr
        with store_of(laptop) as store:
            if command == "import":
                assert len(store.table("documents")) == DOCUMENTS
            else:
                assert acknowledged | theirs == {task.id for task in store.query_tasks(TaskQuery())}


DOCUMENTS = 300


def _folder_of_documents(tmp_path: Path) -> Path:
    folder = tmp_path / "documents"
    folder.mkdir()
    for number in range(DOCUMENTS):
        (folder / f"{number}.md").write_text(f"# Document {number}\n\n" + f"Line of {number}.\n" * 40)
    return folder


def _write(machine: Machine, count: int) -> set[str]:
    """Write a number of tasks, a quarter of them alone, the others together; return their ids."""
    with store_of(machine) as store:
        alone = {store.create_task(Task(title=f"{machine.name} {number}")) for number in range(count // 4)}
        with store.begin_transaction() as tx:
            return alone | {tx.create_task(Task(title=f"{machine.name} {n}")) for n in range(count // 4, count)}
