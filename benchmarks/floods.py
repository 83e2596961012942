"""
An edit until it can be read on the peer, and memory, while a stranger on the same LAN floods the device that wrote it.

Both devices and the stranger are processes in network namespaces (``tests/e2e/lan.py``), which needs root; all three share
the processors of this machine, so what the stranger itself takes counts against the devices. Edits with the flood and
without it are made in turn.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from typing import Final

from benchmarks import flooding
from benchmarks.measure import Figure, Options, Source, a_folder, megabytes, milliseconds, percentile
from benchmarks.pair import Homes, Other, running
from tests.e2e import lan
from tests.e2e.lan import Lan, Place

ROUNDS: Final = 3
EDITS: Final = 40  # of one round
PAUSE_S_MAX: Final = 0.06  # between two edits, at random
WARM_S: Final = 1.0
KINDS: Final = {
    "silent sockets": "silent sockets", "open and close": "open and close", "handshakes": "handshakes of a stranger",
    "garbage": "garbage at the port of an invitation", "names": "invented names in multicast DNS",
    "replays": "announcements repeated with another address",
}  # fmt: skip


@dataclass
class Found:
    """What was measured of one flood."""

    without_s: list[float] = field(default_factory=list)
    during_s: list[float] = field(default_factory=list)
    before_bytes: float = 0.0
    after_bytes: float = 0.0
    done: int = 0
    took_s: float = 0.0


def run(options: Options) -> Iterator[Figure]:
    if reason := lan.fault():
        yield Figure("floods", "", reason)
        return
    for kind, what in KINDS.items():
        with a_folder(options) as folder, Lan(3) as (here, there, stranger):
            homes = Homes.make(folder, Source().tasks(1_000))
            found = asyncio.run(_measure(kind, homes, here, there, stranger))
        print(f"floods: {what}", file=sys.stderr)
        rate = f"{what}, {found.done / found.took_s:,.0f} a second"
        for percent in (50, 95):
            without, during = (percentile(each, percent) for each in (found.without_s, found.during_s))
            yield Figure(rate, "", milliseconds(without), column=f"p{percent} without")
            yield Figure(rate, "", milliseconds(during), column=f"p{percent} with", amount=during)
            yield Figure(rate, "", f"{during / without:.2f}", column=f"p{percent}, ratio")
        yield Figure(rate, "", megabytes(found.before_bytes), column="memory before")
        yield Figure(rate, "", megabytes(found.after_bytes), column="memory at most", amount=found.after_bytes)


async def _measure(kind: str, homes: Homes, here: Place, there: Place, stranger: Place) -> Found:
    found = Found()
    async with (
        running(homes.here, enter=here.enter, discover=True) as writer,
        running(homes.there, enter=there.enter, discover=True) as reader,
    ):
        await reader.until("equal")
        for each in (writer, reader):
            await each.ask("index")
        port = (await writer.ask("invite" if kind == "garbage" else "resources"))["port"]
        further = {"names": (stranger.address,), "replays": (stranger.address, there.address)}.get(kind, ())
        await _edits(writer, reader)  # warm
        found.before_bytes = (await writer.ask("resources"))["peak_bytes"]
        for _ in range(ROUNDS):
            found.without_s += await _edits(writer, reader)
            async with _flood(stranger, kind, here.address, port, *further) as flood:
                await asyncio.sleep(WARM_S)
                found.during_s += await _edits(writer, reader)
            found.done, found.took_s = found.done + int(flood[0]), found.took_s + flood[1]
        found.after_bytes = (await writer.ask("resources"))["peak_bytes"]
    return found


async def _edits(writer: Other, reader: Other) -> list[float]:
    """Return how long each of some edits took until it could be read by the peer."""
    pauses, found = random.Random(1), []
    for _ in range(EDITS):
        await asyncio.sleep(pauses.uniform(0, PAUSE_S_MAX))
        began = await writer.ask("write")
        found.append(((await reader.until("applied"))["ns"] - began["began_ns"]) / 1e9)
    return found


@contextlib.asynccontextmanager
async def _flood(stranger: Place, kind: str, host: str, port: int, *further: str) -> AsyncIterator[list[float]]:
    """Let a stranger flood; then the list has how often it did it, and in how many seconds."""
    process = await asyncio.create_subprocess_exec(
        *stranger.enter, sys.executable, "-m", flooding.__name__, kind, host, str(port), *further,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stdin is not None
    assert process.stdout is not None
    said: list[float] = []
    try:
        assert await process.stdout.readline() == b"begun\n"
        yield said
        process.stdin.close()
        said += map(float, (await process.stdout.readline()).split())
        await process.wait()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
