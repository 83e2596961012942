"""Two devices that were apart and changed a hundred tasks each: from the link until they are proved equal."""

from __future__ import annotations

import asyncio
import random
import statistics
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import edda_sync as edda
from benchmarks.measure import Figure, Options, Source, a_folder, kilobytes, milliseconds
from benchmarks.pair import Event, Homes, config, cpu_between, running
from edda_sync.device.device import Device

CHANGED: Final = 100
ROUNDS: Final = 5
AIM_S, AIM_WIRE_BYTES = 0.050, 7e3
LETTERS: Final = "abcdefghijklmnopqrstuvwxyz"


def run(options: Options) -> Iterator[Figure]:
    with a_folder(options) as folder:
        homes = Homes.make(folder, Source().tasks(options.tasks))
        asyncio.run(_meet(homes))
        met = []
        for number in range(ROUNDS):
            _change(homes.here, number)
            _change(homes.there, number)
            met.append(asyncio.run(_meet(homes)))
    ours_s = statistics.median((equal["ns"] - linked["ns"]) / 1e9 for linked, equal in met)
    wire = statistics.median(equal["wire_bytes"] for _, equal in met)
    yield Figure(
        f"reconcile {CHANGED} + {CHANGED} among {options.tasks:,}", milliseconds(AIM_S), milliseconds(ours_s),
        reached=ours_s < AIM_S, amount=ours_s, cpu_s=statistics.median(cpu_between(*each) for each in met),
    )  # fmt: skip
    yield Figure(
        "  on the wire", kilobytes(AIM_WIRE_BYTES), kilobytes(wire), reached=wire < AIM_WIRE_BYTES, amount=wire
    )


def _change(home: Path, number: int) -> None:
    """
    Rename a hundred tasks, each in a change of its own; the two devices choose different ones.

    The new titles are 40 letters drawn by chance, of which no compression leaves less than 23 bytes.
    """
    draws = random.Random(f"{number} {home.name}")
    with edda.open(home, config(home)) as store:
        offset = CHANGED * (2 * number + (home.name == "there"))
        for task in store.query_tasks(edda.TaskQuery(limit=CHANGED, offset=offset % 1_000)):
            task.title = "".join(draws.choices(LETTERS, k=40))
            store.update_task(task)


async def _meet(homes: Homes) -> tuple[Event, Event]:
    async with (
        Device(homes.here, config=config(homes.here), discover=False) as device,
        running(homes.there, device.port) as other,
    ):
        return await other.until("connected"), await other.until("equal")
