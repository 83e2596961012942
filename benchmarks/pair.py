"""Two devices of one workspace, each a process of its own, and mutual TLS between them on loopback."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import edda_sync as edda
from benchmarks.measure import fill
from edda_sync.device import footprint
from edda_sync.device.device import Device, Happening
from edda_sync.engine.engine import StorageEngine
from edda_sync.testing import pair

TIMEOUT_S: Final = 600.0
Event = dict[str, Any]


def config(home: Path) -> edda.StorageConfig:
    """Return how a home is kept: named as its folder."""
    return edda.StorageConfig(state_path=home.parent / "state", name=home.name)


@dataclass(frozen=True, slots=True)
class Homes:
    """The folders of both: ``here`` holds the tasks, ``there`` is a member that holds nothing yet."""

    here: Path
    there: Path

    @staticmethod
    def make(folder: Path, tasks: list[edda.Task], kept: Callable[[Path], edda.StorageConfig] = config) -> Homes:
        """Make both members of one workspace, kept as is said of their folders, and create the tasks here."""
        homes = Homes(folder / "here", folder / "there")
        with edda.open(homes.here, kept(homes.here)) as here, StorageEngine(homes.there) as there:
            there.open_store(kept(homes.there))
            pair(here, there)
            fill(here, tasks)
        return homes


class Other:
    """The device in the other process, which tells of whatever happens to it."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def until(self, *what: str) -> Event:
        """
        Return the next event of some kinds: its time in nanoseconds of the monotonic clock, the bytes so far, and the CPU
        time so far of the process there, and of this one.
        """
        assert self._process.stdout is not None
        async with asyncio.timeout(TIMEOUT_S):
            while line := await self._process.stdout.readline():
                event: Event = json.loads(line)
                if event["what"] in what:
                    event["cpu_here_s"] = time.process_time()
                    return event
        raise RuntimeError("the other device has ended")

    async def ask(self, question: str) -> Event:
        """Ask it to index its texts, to watch what is most urgent, to write a task, or for its resources."""
        assert self._process.stdin is not None
        self._process.stdin.write(question.encode() + b"\n")
        await self._process.stdin.drain()
        return await self.until(question)

    async def stop(self) -> None:
        """Let it end in order."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        await self._process.wait()


def cpu_between(start: Event, end: Event) -> float:
    """Return the CPU time that both processes took from one event to another."""
    return sum(float(end[process] - start[process]) for process in ("cpu_s", "cpu_here_s"))


@contextlib.asynccontextmanager
async def running(home: Path, *at: int, enter: Sequence[str] = (), discover: bool = False) -> AsyncIterator[Other]:
    """
    Run a device in another process; it dials the ports.

    Args:
        home: The device's folder.
        at: Ports of this machine.
        enter: Words before the command that make it run elsewhere, for example in a network namespace.
        discover: Whether it looks for others on the LAN.
    """
    process = await asyncio.create_subprocess_exec(
        *enter, sys.executable, "-m", "benchmarks.pair", str(home), str(int(discover)), *map(str, at),
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    other = Other(process)
    try:
        yield other
        await other.stop()
    except BaseException:
        process.kill()
        await process.wait()
        raise


# --- the other process ------------------------------------------------------------------------------------------------


async def _run(home: Path, ports: list[int], *, discover: bool) -> None:
    device: Device
    footprint.take_little()  # as `edda up` does
    footprint.give_back()

    def tell(happening: Happening) -> None:
        talk = device.progress.get(happening.device)
        wire = 0 if talk is None else talk.sent_bytes + talk.rcvd_bytes
        _say(happening.what, changes=happening.count, wire_bytes=wire, cpu_s=time.process_time())

    device = Device(home, config=config(home), discover=discover, tell=tell)
    async with device:
        footprint.give_back()
        beside: list[asyncio.Future[Any]] = [asyncio.ensure_future(device.dial("127.0.0.1", port)) for port in ports]
        while question := (await asyncio.to_thread(sys.stdin.readline)).strip():
            if question == "index":
                await device.run(lambda store: store.reading.index_texts())
            if question == "watch":
                beside.append(asyncio.ensure_future(_watch(device)))
            if question == "invite":
                opened = asyncio.get_running_loop().create_future()
                told = lambda _code, port, _reason, opened=opened: opened.set_result(port)  # noqa: E731 - a name for it
                beside.append(asyncio.ensure_future(device.invite(told)))
                _say(question, port=await opened)
                continue
            began_ns = time.monotonic_ns()
            if question == "write":
                await device.run(lambda store: store.create_task(edda.Task(title="written meanwhile")))
            tasks = (await device.run(StorageEngine.counts))["tasks"]
            _say(question, began_ns=began_ns, tasks=tasks, port=device.port, cpu_s=time.process_time(), **_memory())
        for each in beside:
            each.cancel()


async def _watch(device: Device) -> None:
    """Watch a query, and say when its result has changed."""
    async for change in device.watch(edda.TaskQuery(priority=0, limit=100)):
        _say("seen", rows=len(change.changed))


def _memory() -> dict[str, float]:
    """Return the bytes of memory held, now and at most, as Linux counts them."""
    lines = dict(line.split(":") for line in Path("/proc/self/status").read_text().splitlines())
    held, most = (int(lines[name].split()[0]) * 1024 for name in ("VmRSS", "VmHWM"))
    return {"held_bytes": held, "peak_bytes": most}


def _say(what: str, **facts: float) -> None:
    print(json.dumps({"what": what, "ns": time.monotonic_ns(), **facts}), flush=True)


if __name__ == "__main__":
    asyncio.run(_run(Path(sys.argv[1]), [int(port) for port in sys.argv[3:]], discover=sys.argv[2] == "1"))
