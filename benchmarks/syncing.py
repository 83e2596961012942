"""Two devices, each a process, over mutual TLS on loopback: first sync, an edit seen, a reconciliation."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import resource
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import edda_sync as edda
from benchmarks import kit
from benchmarks.kit import Figure
from edda_sync.config import StorageConfig
from edda_sync.device import Device
from edda_sync.engine import StorageEngine
from edda_sync.testing import pair

EDITS = 300
CHANGED = 100


class Other:
    """The device in the other process: it prints when it sees something."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def seen(self, tasks: int) -> dict[str, Any]:
        """Return its report once it has so many tasks."""
        assert self._process.stdout is not None
        while line := await self._process.stdout.readline():
            report: dict[str, Any] = json.loads(line)
            if report["tasks"] >= tasks:
                return report
        raise RuntimeError("the other device ended")

    async def create(self, count: int) -> None:
        """Let it create tasks of its own."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{count}\n".encode())
        await self._process.stdin.drain()


@contextlib.asynccontextmanager
async def started(home: Path, port: int) -> AsyncIterator[Other]:
    """Run the other device."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "benchmarks.syncing", str(home), str(port),
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        yield Other(process)
    finally:
        process.kill()
        await process.wait()


def run(tasks: int) -> list[Figure]:
    """Measure."""
    return asyncio.run(_run(tasks))


async def _run(tasks: int) -> list[Figure]:
    with kit.home() as folder:
        home, other_home = folder / "a", folder / "b"
        with edda.open(home, StorageConfig(name="a")) as engine, StorageEngine(other_home) as newcomer:
            newcomer.open_store(StorageConfig(name="b"))
            pair(engine, newcomer)
            kit.fill(engine, tasks)
        async with Device(home, discover=False) as device:
            start = time.perf_counter_ns()
            async with started(other_home, device.port) as other:
                report = await other.seen(tasks)
                first_s = (report["ns"] - report["linked_ns"]) / 1e9
                assert report["linked_ns"] > start
                wire = sum(peer["sent_bytes"] for peer in (await device.status())["peers"])
                await device.equal()
                latencies = await _edits(device, other, tasks)
                await device.equal()
            reconciled_s, kilobytes = await _reconcile(device, other_home, tasks + EDITS)
    p50, p99 = kit.percentile(latencies, 0.5), kit.percentile(latencies, 0.99)
    scale = tasks / 100_000
    return [
        Figure(
            f"first sync of {tasks:,} until every row is queryable", f"{first_s:.2f} s, {wire / 1e6:.1f} MB,"
            f" peak {report['peak_mb']:.0f} MB", "", f"{3.5 * scale:.2f} s, {13 * scale:.1f} MB, 150 MB", 3.5 * scale / first_s,
        ),
        Figure(f"edit to visible beside {tasks:,}, both durable, over TLS: p50", f"{p50:.2f} ms", "", "1.5 ms", 1.5 / p50),
        Figure("the same: p99", f"{p99:.2f} ms", "", "5 ms", 5 / p99),
        Figure(
            f"reconnect and reconcile {CHANGED} + {CHANGED} among {tasks:,}, until proved equal",
            f"{reconciled_s * 1_000:.0f} ms, {kilobytes:.1f} KB", "", "50 ms, 12 KB", 0.05 / reconciled_s,
        ),
    ]  # fmt: skip


async def _edits(device: Device, other: Other, before: int) -> list[float]:
    """Return the milliseconds from before each create here until it is visible there."""
    latencies = []
    for number in range(EDITS):
        start = time.perf_counter_ns()
        made = edda.Task(title=f"edit {number}")
        await device.run(lambda store, made=made: store.create_task(made))  # type: ignore[misc]
        report = await other.seen(before + number + 1)
        latencies.append((report["ns"] - start) / 1e6)
    return latencies


async def _reconcile(device: Device, other_home: Path, before: int) -> tuple[float, float]:
    """Change tasks on both sides while they are apart; return seconds from link to equality, and kilobytes both ways."""
    with edda.open(other_home) as apart:
        for number in range(CHANGED):
            apart.create_task(edda.Task(title=f"apart {number}"))
    await device.run(lambda store: [store.create_task(edda.Task(title=f"here {n}")) for n in range(CHANGED)])
    async with started(other_home, device.port) as other:
        report = await other.seen(before + 2 * CHANGED)
        await device.equal()
        ended = time.perf_counter_ns()
        (peer,) = (await device.status())["peers"]
        return (ended - report["linked_ns"]) / 1e9, (peer["sent_bytes"] + peer["rcvd_bytes"]) / 1e3


# --- the other process ------------------------------------------------------------------------------------------------


async def _other(home: Path, port: int) -> None:
    """Be the other device: report each time when more tasks are to be seen."""
    async with Device(home, discover=False) as device:
        linked = asyncio.ensure_future(device.peers.dial_address("127.0.0.1", port))
        tasks = -1
        linked_ns = time.perf_counter_ns()
        await linked
        while True:
            count = device.store.counts()["tasks"]
            if count != tasks:
                tasks = count
                peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
                seen = {"tasks": tasks, "ns": time.perf_counter_ns(), "linked_ns": linked_ns, "peak_mb": peak}
                sys.stdout.write(json.dumps(seen) + "\n")
                sys.stdout.flush()
            await device.until(lambda tasks=tasks: device.store.counts()["tasks"] != tasks)  # type: ignore[misc]


if __name__ == "__main__":
    os.environ.setdefault("EDDA_KEYRING", "off")
    asyncio.run(_other(Path(sys.argv[1]), int(sys.argv[2])))
