"""
Live queries: from a commit until the row is at whoever watches, in another process of this device, and on another device.

What is timed begins just before the call that commits, and ends when the watcher, in a process of its own, has the item.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Final

import edda_sync as edda
from benchmarks.measure import Figure, Options, Source, a_folder, fill, milliseconds, percentile
from benchmarks.pair import Homes, config, running
from edda_sync.device.device import Device
from edda_sync.engine.engine import StorageEngine

EDITS: Final = 300
PAUSE_S_MAX: Final = 0.1  # between two edits, at random
AIM_S: Final = 0.050
WATCHED: Final = edda.TaskQuery(priority=0, limit=100)


def run(options: Options) -> Iterator[Figure]:
    tasks = Source().tasks(options.tasks)
    with a_folder(options) as folder:
        yield from _figures("by another process of the device", _beside(folder / "home", tasks))
    with a_folder(options) as folder:
        yield from _figures("on another device, over TLS", asyncio.run(_across(Homes.make(folder, tasks))))


def _figures(where: str, found_s: list[float]) -> Iterator[Figure]:
    for percent in (50, 99):
        taken = percentile(found_s, percent)
        yield Figure(
            f"committed {where}, until a watcher has the row, p{percent}", milliseconds(AIM_S), milliseconds(taken),
            reached=taken < AIM_S, amount=taken,
        )  # fmt: skip


def _edit(store: StorageEngine, task: edda.Task, number: int) -> int:
    task.title = f"edited {number}"
    begun_ns = time.monotonic_ns()
    store.update_task(task)
    return begun_ns


def _beside(home: Path, tasks: list[edda.Task]) -> list[float]:
    """Return how long each commit of this process took to a watcher in another one."""
    pauses, found = random.Random(1), []
    with edda.open(home, config(home)) as store:
        fill(store, tasks)
        watched = store.query_tasks(WATCHED)
        with _watching(home) as seen:
            for number in range(EDITS):
                time.sleep(pauses.uniform(0, PAUSE_S_MAX))
                begun_ns = _edit(store, watched[number % len(watched)], number)
                found.append((seen(f"edited {number}") - begun_ns) / 1e9)
    return found


@contextlib.contextmanager
def _watching(home: Path) -> Iterator[Callable[[str], int]]:
    """Run a process that watches; yield what waits until it has an item of a title, and returns when it had it."""
    command = [sys.executable, "-m", "benchmarks.live", str(home)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None

        def seen(title: str) -> int:
            assert process.stdout is not None
            for line in process.stdout:
                event = json.loads(line)
                if title in event["titles"]:
                    return int(event["ns"])
            raise RuntimeError("the watcher has ended")

        json.loads(process.stdout.readline())  # the first result
        try:
            yield seen
        finally:
            process.kill()


def _watch(home: Path) -> None:
    """Watch, and say which titles came; the other process ends this one."""
    with edda.open(home, config(home)) as store:
        for change in store.watch(WATCHED):
            ns = time.monotonic_ns()
            print(json.dumps({"ns": ns, "titles": [item.title for item in change.changed]}), flush=True)


async def _across(homes: Homes) -> list[float]:
    """Return how long each commit took to a watcher on the other device."""
    pauses, found = random.Random(1), []
    async with (
        Device(homes.here, config=config(homes.here), discover=False) as device,
        running(homes.there, device.port) as other,
    ):
        await other.until("equal")
        await other.ask("index")
        await other.ask("watch")
        await other.until("seen")  # the first result
        watched = await device.run(lambda store: store.query_tasks(WATCHED))
        for number in range(EDITS):
            await asyncio.sleep(pauses.uniform(0, PAUSE_S_MAX))
            begun_ns = await device.run(partial(_edit, task=watched[number % len(watched)], number=number))
            seen = await other.until("seen")
            found.append((seen["ns"] - begun_ns) / 1e9)
    return found


if __name__ == "__main__":
    _watch(Path(sys.argv[1]))
