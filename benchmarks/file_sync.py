"""A file of 2 GiB that a running device fetches from another: time, memory of both, how long a change waits meanwhile."""

from __future__ import annotations

import asyncio
import os
import statistics
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import edda_sync as edda
from benchmarks.attachments import hash_of, write_file
from benchmarks.measure import Figure, Options, a_folder, megabytes
from benchmarks.pair import Event, Homes, config, running

BYTES: Final = 2 * 2**30
GROWTH_BYTES_MAX: Final = 64e6
PAUSE_S: Final = 0.25
REST_S: Final = 2.0


def run(options: Options) -> Iterator[Figure]:
    os.environ["EDDA_FILES_ALWAYS_BELOW"] = "1 TB"  # the other processes read it
    with a_folder(options) as folder:
        homes = Homes.make(folder, [])
        digest = write_file(folder / "source")
        begun, ended, before, after, waits_s = asyncio.run(_fetch(homes, folder / "source"))
        with edda.open(homes.there, config(homes.there)) as store:
            (found,) = store.query_documents(edda.DocumentQuery())
            assert hash_of(store, found.id).hexdigest() == digest, "what came is what was attached"
    for side, rest, peak in zip(("giver", "taker"), before, after, strict=True):
        more, most = peak["peak_bytes"] - rest["held_bytes"], peak["peak_bytes"]
        yield Figure(
            f"a file of 2 GiB to another device, {side}: memory beyond that of a device at rest",
            f"{GROWTH_BYTES_MAX / 1e6:.0f} MB", f"{megabytes(more)}, {megabytes(most)} in all",
            reached=more < GROWTH_BYTES_MAX, amount=more,
        )  # fmt: skip
    took_s = (ended["ns"] - begun["ns"]) / 1e9
    cpu_s = sum(late["cpu_s"] - early["cpu_s"] for early, late in zip(before, after, strict=True))
    yield Figure("the same: time", "", f"{took_s:.1f} s, {BYTES / took_s / 1e6:.0f} MB/s", amount=took_s, cpu_s=cpu_s)
    median_s = statistics.median(waits_s)
    yield Figure(
        "a change that is written meanwhile: until it is there (median, worst)", "",
        f"{median_s * 1000:.0f} ms, {max(waits_s) * 1000:.0f} ms", amount=median_s,
    )  # fmt: skip


async def _fetch(homes: Homes, source: Path) -> tuple[Event, Event, list[Event], list[Event], list[float]]:
    """Return when it began and ended, the resources of both devices before and after, and how long changes took."""
    waits_s = list[float]()
    async with running(homes.here) as giver:
        port = (await giver.ask("resources"))["port"]
        async with running(homes.there, port) as taker:
            await taker.until("equal")
            await asyncio.sleep(REST_S)
            before = [await giver.ask("resources"), await taker.ask("resources")]
            await asyncio.to_thread(_attach, homes, source)
            begun = ended = await taker.until("applied")
            while ended["what"] != "files":
                written = await giver.ask("write")
                ended = await taker.until("applied", "files")
                while ended["what"] == "applied" and ended["ns"] < written["began_ns"]:  # of what was written before
                    ended = await taker.until("applied", "files")
                if ended["what"] == "applied":
                    waits_s.append((ended["ns"] - written["began_ns"]) / 1e9)
                    await asyncio.sleep(PAUSE_S)
            after = [await giver.ask("resources"), await taker.ask("resources")]
    return begun, ended, before, after, waits_s


def _attach(homes: Homes, source: Path) -> None:
    with edda.open(homes.here, config(homes.here)) as store:
        document = store.create_document(edda.Document(title="document"))
        store.transact(lambda tx: tx.attach(document, source, name="file"))
