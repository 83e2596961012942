"""Objects of one process are refused in its forks, and the forked process goes on unharmed."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import re
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

import edda_sync as edda
from edda_sync import testing
from edda_sync.device.control import only_runner, serve
from edda_sync.device.device import Device
from edda_sync.engine.engine import StorageEngine
from edda_sync.engine.life import open_sidecar
from edda_sync.store.seams import Head
from edda_sync.words.config import StorageBackend, StorageConfig
from edda_sync.words.errors import UsageError
from edda_sync.words.folders import socket_path
from edda_sync.words.process import Owner
from tests.forked import Child, in_child

AGAIN = "was opened before this process was forked; open it again in this process."
REFUSED = f"UsageError: This store {AGAIN}"
HOST = "127.0.0.1"
PATIENCE_S = 90.0


def titles(store: StorageEngine) -> list[str]:
    return sorted(task.title or "" for task in store.query_tasks(edda.TaskQuery()))


def add(home: Path, title: str) -> None:
    """Add a task as a person does, in a process of its own."""
    command = [sys.executable, "-m", "edda_sync.cli", "--home", str(home), "task", "add", title]
    subprocess.run(command, check=True, capture_output=True, timeout=PATIENCE_S)


def test_an_owner_is_valid_until_its_process_is_forked_and_the_child_may_make_its_own() -> None:
    owner = Owner("This thing")
    owner.check()
    assert owner.is_here
    assert in_child(lambda: owner.is_here) == "False"
    assert in_child(owner.check) == f"UsageError: This thing {AGAIN}"
    assert in_child(lambda: Owner("Another thing").check()) == "None"
    with pytest.raises(UsageError):
        owner.refuse()


# --- stores -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("backend", StorageBackend)
def test_a_child_cannot_write_read_or_close_its_parents_store(tmp_path: Path, backend: StorageBackend) -> None:
    config = StorageConfig(backend=backend)
    with edda.open(tmp_path / "home", config) as store:
        uses: list[Callable[[], object]] = [
            lambda: store.create_task(edda.Task(title="the child's")),
            lambda: store.query_tasks(edda.TaskQuery()),
            lambda: store.transact(lambda tx: tx.get_task(task_id)),
            lambda: store.conflicts(),
            lambda: store.close(),
            lambda: store.__exit__(None, None, None),
        ]
        task_id = store.create_task(edda.Task(title="before"))
        assert [in_child(use) for use in uses] == [REFUSED] * len(uses)
        store.create_task(edda.Task(title="after"))
        assert titles(store) == ["after", "before"]


def test_a_daemon_with_its_parents_store_writes_nothing_that_would_be_lost(tmp_path: Path) -> None:
    store = edda.open(tmp_path)
    store.create_task(edda.Task(title="before"))

    def steps() -> Iterator[object]:
        try:
            store.create_task(edda.Task(title="into nowhere"))
        except UsageError as error:
            yield error
        with edda.open(tmp_path) as mine:
            mine.create_task(edda.Task(title="by the daemon"))
            yield "written"
            mine.create_task(edda.Task(title="by the daemon, later"))
            yield "written"

    with Child(steps) as child:
        store.close()
        assert f"UsageError: {child.step()}" == REFUSED
        add(tmp_path, "by the command")
        assert child.step() == "written"
        add(tmp_path, "by another command")
        assert child.step() == "written"
    with edda.open(tmp_path) as store:
        assert titles(store) == sorted(
            ["before", "by another command", "by the command", "by the daemon", "by the daemon, later"]
        )


def test_a_transaction_begun_before_the_fork_belongs_to_the_parent_alone(tmp_path: Path) -> None:
    with edda.open(tmp_path) as store:
        task_id = store.create_task(edda.Task(title="before"))
        with store.begin_transaction() as tx:
            assert tx.get_task(task_id) is not None
            tx.update_task(edda.Task(id=task_id, title="after"))
            other = in_child(lambda: tx.query_tasks(edda.TaskQuery()))
            assert other == REFUSED
            assert in_child(tx.commit) == REFUSED
        assert titles(store) == ["after"]


def test_two_processes_that_write_after_a_fork_write_under_one_chain_each_dot_once(tmp_path: Path) -> None:
    with edda.open(tmp_path) as store:
        store.create_task(edda.Task(title="before"))

        def steps() -> Iterator[object]:
            with edda.open(tmp_path) as mine:
                for number in range(10):
                    mine.create_task(edda.Task(title=f"child {number}"))
                    yield len(mine.frontier())

        with Child(steps) as child:
            for number in range(10):
                assert child.step() == "1"
                store.create_task(edda.Task(title=f"parent {number}"))
        assert len(store.frontier()) == 1
        assert store.counts()["tasks"] == 21
        assert store.rebuild() == store.counts()["changes"]


def _use(store: StorageEngine, home: Path, answer: Connection) -> None:
    try:
        store.create_task(edda.Task(title="inherited"))
    except UsageError as error:
        answer.send(str(error))
    with edda.open(home) as mine:
        mine.create_task(edda.Task(title="opened again"))


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")  # it has threads
def test_a_worker_of_multiprocessing_is_refused_and_opens_the_store_again(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    here, there = context.Pipe()
    with edda.open(tmp_path) as store:
        worker = context.Process(target=_use, args=(store, tmp_path, there))
        worker.start()
        assert f"UsageError: {here.recv()}" == REFUSED
        worker.join(PATIENCE_S)
        assert worker.exitcode == 0
        assert titles(store) == ["opened again"]


def test_a_child_cannot_say_in_the_sidecar_that_its_parent_has_closed_the_store(tmp_path: Path) -> None:
    database = tmp_path / "edda.db"
    database.write_bytes(b"a store")
    sidecar = open_sidecar(tmp_path / "lives", bytes(16), database)
    sidecar.remember(Head(b"a" * 16, 1, bytes(32), b"", b"key", 0, b""))
    (path,) = (tmp_path / "lives").iterdir()
    before = path.read_bytes()
    refused = f"UsageError: The store of this sidecar {AGAIN}"
    assert in_child(sidecar.close) == refused
    assert in_child(lambda: sidecar.remember(Head(b"a" * 16, 2, bytes(32), b"", b"key", 0, b""))) == refused
    assert path.read_bytes() == before
    sidecar.close()
    assert path.read_bytes() != before


# --- devices ----------------------------------------------------------------------------------------------------------


def _members(folder: Path) -> tuple[StorageConfig, StorageConfig]:
    configs = tuple(StorageConfig(name=name, state_path=folder / "state") for name in ("laptop", "phone"))
    with StorageEngine(folder / "laptop") as laptop, StorageEngine(folder / "phone") as phone:
        laptop.initialize(configs[0])
        phone.open_store(configs[1])
        testing.pair(laptop, phone)
        testing.sync(laptop, phone)
    return configs[0], configs[1]


def run_in_child(device: Device, use: Callable[[Device], object]) -> str:
    """Use a device in a fork of its process, on an event loop of the child's own."""

    async def using() -> object:
        return await use(device)  # type: ignore[misc]

    return in_child(lambda: asyncio.Runner(loop_factory=asyncio.new_event_loop).run(using()))


async def test_a_child_cannot_use_or_end_its_parents_device_which_syncs_on(tmp_path: Path) -> None:
    laptop_config, phone_config = _members(tmp_path)
    async with (
        Device(tmp_path / "laptop", config=laptop_config, discover=False) as laptop,
        Device(tmp_path / "phone", config=phone_config, discover=False, at=((HOST, laptop.port),)) as phone,
        asyncio.timeout(PATIENCE_S),
    ):
        await phone.until(lambda: len(phone.progress) == 1)
        uses: list[Callable[[Device], object]] = [
            lambda device: device.run(titles),
            lambda device: anext(device.watch(edda.TaskQuery())),
            lambda device: device.equal(),
            lambda device: device.until(lambda: True),
            lambda device: device.dial(HOST, 1),
            lambda device: device.invite(lambda *_: None),
            lambda device: device.status(),
            lambda device: device.__aenter__(),
            lambda device: device.__aexit__(None, None, None),
        ]
        refused = f"UsageError: This device {AGAIN}"
        assert [run_in_child(laptop, use) for use in uses] == [refused] * len(uses)
        assert in_child(laptop.store.close) == REFUSED
        await laptop.run(lambda store: store.create_task(edda.Task(title="after the forks")))
        await laptop.equal()
        await phone.equal()
        assert await phone.run(titles) == ["after the forks"]


LEAVING = """
import asyncio, os, sys
from pathlib import Path
import edda_sync as edda
from edda_sync.device.device import Device
from edda_sync.words.folders import socket_path

async def main(folder):
    config = lambda name: edda.StorageConfig(name=name, state_path=folder / "state")
    async with (
        Device(folder / "laptop", config=config("laptop"), discover=False) as laptop,
        Device(folder / "phone", config=config("phone"), discover=False, at=(("127.0.0.1", laptop.port),)) as phone,
        asyncio.timeout(90),
    ):
        await phone.until(lambda: len(phone.progress) == 1)
        await phone.equal()
        links = [peer.link for peer in phone.peers.all.values()]
        child = os.fork()
        if child == 0:
            sys.exit(0)  # through the devices and asyncio.run, which would cancel and await all tasks
        await asyncio.to_thread(os.waitpid, child, 0)
        await laptop.run(lambda store: store.create_task(edda.Task(title="after the fork")))
        await laptop.equal()
        await phone.equal()
        assert links == [peer.link for peer in phone.peers.all.values()]
        print("equal over the same link")

asyncio.run(main(Path(sys.argv[1])))
"""


def test_a_child_that_leaves_by_its_parents_event_loop_leaves_the_links_and_the_loop_alone(tmp_path: Path) -> None:
    _members(tmp_path)
    done = subprocess.run(
        [sys.executable, "-c", LEAVING, str(tmp_path)], capture_output=True, text=True, timeout=PATIENCE_S, check=False
    )
    assert done.stdout == "equal over the same link\n", done.stderr
    assert done.returncode == 0
    assert AGAIN in done.stderr, "the child says what it did"


async def test_a_child_may_open_a_device_that_was_not_opened_yet(tmp_path: Path) -> None:
    device = Device(tmp_path / "home", config=StorageConfig(state_path=tmp_path / "state"), discover=False)

    async def use(device: Device) -> object:
        async with device:
            return await device.run(titles)

    assert await asyncio.to_thread(run_in_child, device, use) == "[]"


def test_a_child_does_not_hold_its_parents_lock_after_the_parent_released_it(tmp_path: Path) -> None:
    def steps() -> Iterator[object]:
        yield "alive"
        with only_runner(tmp_path):
            yield "locked"

    with only_runner(tmp_path):
        with Child(steps) as child:
            assert child.step() == "alive"
            assert child.step().startswith("UsageError: Another edda is syncing")
        child = Child(steps)
    with child:
        assert child.step() == "alive"
        with only_runner(tmp_path):
            pass
        assert child.step() == "locked"


async def test_a_second_device_of_a_store_is_refused_with_who_has_it_in_this_process_and_in_a_child(
    tmp_path: Path,
) -> None:
    def made() -> Device:
        return Device(tmp_path / "home", config=StorageConfig(state_path=tmp_path / "state"), discover=False)

    async def use(device: Device) -> object:
        async with device:
            return "running"

    holder = re.escape(f"(process {os.getpid()} on {os.uname().nodename}, ")
    async with made():
        with pytest.raises(UsageError, match=f"Another edda is syncing .* already {holder}"):
            await use(made())
        assert re.match(f"UsageError: .* {holder}", await asyncio.to_thread(run_in_child, made(), use))
    assert await use(made()) == "running"


async def test_nobody_waits_for_a_child_at_its_parents_socket(tmp_path: Path) -> None:
    async def silent(_: object) -> object:  # pragma: no cover - nobody is asked
        raise AssertionError

    async with serve(tmp_path, silent):  # type: ignore[arg-type]
        path = socket_path(tmp_path)
        child = Child(lambda: iter(["alive"]))
        kept = path.with_name("kept")
        os.link(path, kept)  # as when the parent is killed: the name stays
    with child, socket.socket(socket.AF_UNIX) as caller:
        assert await asyncio.to_thread(child.step) == "alive"
        with pytest.raises(ConnectionRefusedError):
            caller.connect(os.fsencode(kept))


async def test_a_child_that_leaves_does_not_take_its_parents_socket_away(tmp_path: Path) -> None:
    async def silent(_: object) -> object:  # pragma: no cover - nobody asks
        raise AssertionError

    serving = serve(tmp_path, silent)  # type: ignore[arg-type]
    async with serving:
        assert await asyncio.to_thread(in_child, lambda: asyncio.run(serving.__aexit__(None, None, None))) == "False"
        assert socket_path(tmp_path).exists()
    assert not socket_path(tmp_path).exists()
