"""A new device takes everything: from the link to the proof of equality, then until full text finds it all."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Final

import msgspec
import zstandard

from benchmarks.measure import (
    TRANSACTION,
    Figure,
    Options,
    Raw,
    Row,
    Source,
    a_folder,
    a_raw_store,
    megabytes,
    raw_rows,
    seconds,
)  # fmt: skip
from benchmarks.pair import Event, Homes, config, cpu_between, running
from edda_sync.device.device import Device

AIM_TASKS: Final = 100_000  # the aims are for so many
AIM_S, AIM_TEXT_S, AIM_WIRE_BYTES, AIM_PEAK_BYTES = 3.5, 2.0, 13e6, 150e6


def run(options: Options) -> Iterator[Figure]:
    tasks = Source().tasks(options.tasks)
    with a_raw_store(options) as raw, a_folder(options) as folder:
        rows = raw_rows(tasks)
        for at in range(0, len(rows), TRANSACTION):
            raw.insert(rows[at : at + TRANSACTION])
        copied = Raw(folder / "copy.db")
        wire: list[int] = []
        raw_s = seconds(lambda: wire.append(copy(raw, copied)))
        copied.close()
    with a_folder(options) as folder:
        linked, equal, indexed = asyncio.run(sync(Homes.make(folder, tasks)))
    scale = options.tasks / AIM_TASKS
    ours_s, text_s = (equal["ns"] - linked["ns"]) / 1e9, (indexed["ns"] - equal["ns"]) / 1e9
    yield Figure(
        f"first sync of {options.tasks:,} until proved equal", f"{AIM_S * scale:.2f} s", f"{ours_s:.2f} s",
        f"{raw_s:.2f} s", raw_s / ours_s, ours_s < AIM_S * scale, ours_s, cpu_between(linked, equal),
    )  # fmt: skip
    yield Figure(
        "  full text after that", f"{AIM_TEXT_S * scale:.2f} s", f"{text_s:.2f} s", reached=text_s < 2 * scale,
        amount=text_s, cpu_s=cpu_between(equal, indexed),
    )  # fmt: skip
    yield Figure(
        "  on the wire", megabytes(AIM_WIRE_BYTES * scale), megabytes(equal["wire_bytes"]), megabytes(wire[0]),
        wire[0] / equal["wire_bytes"], equal["wire_bytes"] < AIM_WIRE_BYTES * scale, equal["wire_bytes"],
    )  # fmt: skip
    peak = indexed["peak_bytes"]
    yield Figure(
        "  peak memory of the new device", megabytes(AIM_PEAK_BYTES), megabytes(peak), reached=peak < AIM_PEAK_BYTES,
        amount=peak,
    )  # fmt: skip


async def sync(homes: Homes) -> tuple[Event, Event, Event]:
    """Let the new device take everything; return when both were linked, when they were equal, and when all was indexed."""
    async with (
        Device(homes.here, config=config(homes.here), discover=False) as device,
        running(homes.there, device.port) as other,
    ):
        linked, equal = await other.until("connected"), await other.until("equal")
        indexed = await other.ask("index")
        assert indexed["tasks"] == (await device.run(lambda store: store.counts()))["tasks"]
        return linked, equal, indexed


def copy(source: Raw, target: Raw) -> int:
    """Copy rows by hand, as they would travel; return the bytes that would be on the wire. Both ends, one process."""
    encode, decode = msgspec.msgpack.Encoder().encode, msgspec.msgpack.Decoder(list[tuple[Row, list[Row]]]).decode
    compress, decompress = zstandard.ZstdCompressor(level=3).compress, zstandard.ZstdDecompressor().decompress
    wire, after = 0, ""
    while True:
        page = source.execute("SELECT * FROM tasks WHERE id > ? ORDER BY id LIMIT ?", (after, TRANSACTION)).fetchall()
        if not page:
            return wire
        after = page[-1][0]
        tags = "SELECT * FROM entity_tags WHERE entity_type = 'task' AND entity_id = ?"
        frame = compress(encode([(row, source.execute(tags, (row[0],)).fetchall()) for row in page]))
        wire += len(frame)
        target.insert(decode(decompress(frame)))
