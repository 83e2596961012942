"""Ten devices, each linked to every other one, one of which edits: what crosses the mesh, and when all have seen it."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Iterator
from typing import Final

import edda_sync as edda
from benchmarks.measure import Figure, Options, a_folder, cpu_s, milliseconds, percentile
from benchmarks.pair import config
from edda_sync.device.device import Device
from edda_sync.engine.engine import StorageEngine
from edda_sync.testing import pair, sync

DEVICES: Final = 10
EDITS: Final = 30
AIM_BYTES, AIM_P99_S = 1.3, 0.05


def run(options: Options) -> Iterator[Figure]:
    with a_folder(options) as folder:
        homes = [folder / f"device{number}" for number in range(DEVICES)]
        with edda.open(homes[0], config(homes[0])) as first:
            for home in homes[1:]:
                with StorageEngine(home) as newcomer:
                    newcomer.open_store(config(home))
                    pair(first, newcomer)
            for home in homes[1:]:
                with StorageEngine(home) as newcomer:
                    newcomer.open_store(config(home))
                    sync(first, newcomer)
        seen_s, used_s, crossed, least = asyncio.run(
            _edits([Device(home, config=config(home), discover=False) for home in homes])
        )
    share = crossed / least
    yield Figure(
        f"{DEVICES} devices in a mesh, one edits: bytes in the mesh over the least possible", f"{AIM_BYTES}",
        f"{share:.2f}", reached=share <= AIM_BYTES, amount=crossed / EDITS,
    )  # fmt: skip
    p99 = percentile(seen_s, 99)
    yield Figure(
        "the same: all have seen it, p99 (ten devices in one process)", milliseconds(AIM_P99_S), milliseconds(p99),
        reached=p99 < AIM_P99_S, amount=p99, cpu_s=used_s,
    )  # fmt: skip


async def _edits(devices: list[Device]) -> tuple[list[float], float, int, int]:
    """
    Return when all had seen each edit, the CPU time of one on all devices, the bytes that crossed the mesh, and those that
    one link needs times the links.
    """
    async with contextlib.AsyncExitStack() as stack:
        for device in devices:
            await stack.enter_async_context(device)
        for at, device in enumerate(devices):
            for other in devices[:at]:
                await device.peers.dial_address("127.0.0.1", other.port)
        for device in devices:
            await device.until(lambda device=device: len(device.progress) == DEVICES - 1)  # type: ignore[misc]
            await device.equal()
        editor, others = devices[0], devices[1:]
        before, sent_before, cpu_before_s = _sent(devices), _sent([editor]), cpu_s()
        found = []
        for number in range(EDITS):
            task = edda.Task(title=f"Edit {number} of one device among ten", description="words " * 20)
            started = time.perf_counter()
            task_id = await editor.run(lambda store, task=task: store.create_task(task))  # type: ignore[misc]
            for device in others:
                await _seen(device, task_id)
            found.append(time.perf_counter() - started)
            await editor.equal()
        # What the editor pushed is the least: each of the others has to be told once.
        used_s = (cpu_s() - cpu_before_s) / EDITS
        return found, used_s, _sent(devices) - before, _sent([editor]) - sent_before


async def _seen(device: Device, task_id: str) -> None:
    await device.until(lambda: device.store.get_task(task_id) is not None)


def _sent(devices: list[Device]) -> int:
    return sum(talk.sent_bytes for device in devices for talk in device.progress.values())
