"""An edit here until it can be read there: durable on both devices, over TLS, beside all the other tasks."""

from __future__ import annotations

import asyncio
import random
import socket
import threading
import time
from collections.abc import Iterator
from typing import Final

import edda_sync as edda
from benchmarks.measure import Figure, Options, Raw, Source, a_folder, milliseconds, percentile, raw_rows
from benchmarks.pair import Homes, config, cpu_between, running
from edda_sync.device.device import Device
from edda_sync.engine.engine import StorageEngine

EDITS: Final = 300
PAUSE_S_MAX: Final = 0.1  # between two edits, at random: some fall into what is put off, some do not
AIM_P50_S, AIM_P99_S = 0.0015, 0.005


def run(options: Options) -> Iterator[Figure]:
    tasks = Source().tasks(options.tasks)
    with a_folder(options) as folder:
        raw_s = _raw(Raw(folder / "here.db"), Raw(folder / "there.db"), tasks)
    with a_folder(options) as folder:
        ours_s, cpu_s = asyncio.run(_edits(Homes.make(folder, tasks)))
    for percent, aim_s in ((50, AIM_P50_S), (99, AIM_P99_S)):
        ours, raw = percentile(ours_s, percent), percentile(raw_s, percent)
        yield Figure(
            f"edit to visible on the peer, p{percent}", milliseconds(aim_s), milliseconds(ours), milliseconds(raw),
            raw / ours, ours < aim_s, ours, cpu_s if percent == 50 else None,
        )  # fmt: skip


async def _edits(homes: Homes) -> tuple[list[float], float]:
    """Return how long each edit took to be seen, and the CPU time of one on both devices."""
    pauses = random.Random(1)
    found = []
    async with (
        Device(homes.here, config=config(homes.here), discover=False) as device,
        running(homes.there, device.port) as other,
    ):
        await other.until("equal")
        await other.ask(
            "index"
        )  # or the first edits wait for the full text of the first sync, which is not what is asked
        before = await other.ask("resources")
        tasks = await device.run(lambda store: store.query_tasks(edda.TaskQuery(limit=EDITS)))
        for number in range(EDITS):
            await asyncio.sleep(pauses.uniform(0, PAUSE_S_MAX))
            started_ns = await device.run(lambda store, n=number: _edit(store, tasks[n % len(tasks)], n))  # type: ignore[misc]
            applied = await other.until("applied")
            found.append((applied["ns"] - started_ns) / 1e9)
        after = await other.ask("resources")
    return found, cpu_between(before, after) / EDITS


def _edit(store: StorageEngine, task: edda.Task, number: int) -> int:
    task.title = f"edited {number}"
    started_ns = time.monotonic_ns()
    store.update_task(task)
    return started_ns


def _raw(here: Raw, there: Raw, tasks: list[edda.Task]) -> list[float]:
    """The same by hand: a row written here, sent over a socket, written there; each durable."""
    rows = raw_rows(tasks)
    here.insert(rows)
    there.insert(rows)
    sender, receiver = socket.socketpair()
    applied_ns: list[int] = []
    statement = "UPDATE tasks SET title = ? WHERE id = ?"
    arrived = threading.Event()

    def serve() -> None:
        while message := receiver.recv(4_096):
            there.execute(statement, tuple(message.decode().split("\n")))
            applied_ns.append(time.monotonic_ns())
            arrived.set()

    thread = threading.Thread(target=serve)
    thread.start()
    found = []
    for number in range(EDITS):
        arrived.clear()
        task_id = rows[number % len(rows)][0][0]
        started_ns = time.monotonic_ns()
        here.execute(statement, (f"edited {number}", task_id))
        sender.send(f"edited {number}\n{task_id}".encode())
        arrived.wait()
        found.append((applied_ns[-1] - started_ns) / 1e9)
    sender.close()
    thread.join()
    receiver.close()
    here.close()
    there.close()
    return found
