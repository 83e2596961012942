"""
The device that is killed: it opens its store, syncs with its peer, and writes until it is gone.

It reports each operation on a pipe twice: before it begins, and after it is acknowledged. These reports outlive it.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator, Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Final

import msgspec

from edda_sync.device.device import Device
from edda_sync.engine.engine import StorageEngine
from edda_sync.words.config import StorageConfig
from tests.e2e.kill_work import Operation, perform, plan

BEGUN: Final = b"?"
DONE: Final = b"!"
LINE_BYTES_MAX: Final = 512  # a write to a pipe of at most PIPE_BUF (POSIX: 512 or more) bytes is whole


def run(home: Path, state: Path, port: int, writers: Sequence[str], seed: int, large: bool, said: Connection) -> None:
    """Be a device until somebody kills this process."""
    os.environ["EDDA_KEYRING"] = "off"
    asyncio.run(_run(home, state, port, writers, seed, large, said.fileno()))


async def _run(home: Path, state: Path, port: int, writers: Sequence[str], seed: int, large: bool, said: int) -> None:
    config = StorageConfig(state_path=state)
    async with Device(home, config=config, at=(("127.0.0.1", port),), discover=False) as device:
        plans = [plan(writer, seed, large=large and writer == writers[0]) for writer in writers]
        await asyncio.gather(*(_write(device, each, said) for each in plans))


async def _write(device: Device, operations: Iterator[Operation], said: int) -> None:
    for operation in operations:
        line = msgspec.json.encode(operation) + b"\n"
        assert len(line) < LINE_BYTES_MAX, "lines of two writers must not mix"

        def work(store: StorageEngine, operation: Operation = operation, line: bytes = line) -> None:
            os.write(said, BEGUN + line)
            perform(store, operation)
            os.write(said, DONE + line)

        await device.run(work)
