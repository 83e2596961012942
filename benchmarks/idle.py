"""A device that has nothing to do, linked to a peer: what it takes of a core and of memory."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

from benchmarks.measure import Figure, Options, Source, a_folder, megabytes
from benchmarks.pair import Event, Homes, config, running
from edda_sync.device.device import Device

SETTLE_S, WATCH_S = 2.0, 5.0
AIM_SHARE, AIM_BYTES = 0.005, 90e6


def run(options: Options) -> Iterator[Figure]:
    with a_folder(options) as folder:
        homes = Homes.make(folder, Source().tasks(options.tasks))
        asyncio.run(_rest(homes, 0.0))  # the first sync, which is another workload's
        before, after = asyncio.run(_rest(homes, WATCH_S))
    share = (after["cpu_s"] - before["cpu_s"]) / ((after["ns"] - before["ns"]) / 1e9)
    held = after["held_bytes"]
    yield Figure(
        "idle, with a peer: of a core", f"{AIM_SHARE:.1%}", f"{share:.1%}", reached=share < AIM_SHARE, cpu_s=share
    )
    yield Figure(
        "idle, with a peer: memory", megabytes(AIM_BYTES), megabytes(held), reached=held < AIM_BYTES, amount=held
    )


async def _rest(homes: Homes, watch_s: float) -> tuple[Event, Event]:
    async with (
        Device(homes.here, config=config(homes.here), discover=False) as device,
        running(homes.there, device.port) as other,
    ):
        await other.until("equal")
        await asyncio.sleep(SETTLE_S)
        before = await other.ask("resources")
        await asyncio.sleep(watch_s)
        return before, await other.ask("resources")
