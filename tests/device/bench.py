"""Devices of one workspace that run in one test."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import edda_sync as edda
from edda_sync import testing
from edda_sync.device.device import Device, Happening
from edda_sync.engine.engine import StorageEngine
from edda_sync.words.config import StorageConfig

PATIENCE_S = 90.0
HOST = "127.0.0.1"


class Bench:
    """Devices of one workspace in a test's folder, and what happens on each."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.happenings: dict[str, list[Happening]] = {}
        self._told = asyncio.Event()

    def config(self, name: str) -> StorageConfig:
        return StorageConfig(name=name, state_path=self.folder / "state")

    def members(self, *names: str) -> None:
        """Make stores that belong to one workspace and are equal."""
        engines = [StorageEngine(self.folder / name) for name in names]
        first = engines[0]
        first.initialize(self.config(names[0]))
        for name, engine in zip(names[1:], engines[1:], strict=True):
            engine.open_store(self.config(name))
            testing.pair(first, engine)
        for engine in [*engines[1:], *engines[1:-1]]:
            testing.sync(first, engine)
        for engine in engines:
            engine.close()

    @asynccontextmanager
    async def running(self, name: str, *at: Device) -> AsyncIterator[Device]:
        """Run a device that dials others."""
        happened = self.happenings.setdefault(name, [])

        def tell(happening: Happening) -> None:
            happened.append(happening)
            self._told.set()

        endpoints = tuple((HOST, other.port) for other in at)
        config = self.config(name)
        async with Device(self.folder / name, config=config, at=endpoints, discover=False, tell=tell) as device:
            yield device

    async def until_told(self, name: str, what: str) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while what not in self.what(name):
                self._told.clear()
                await self._told.wait()

    def what(self, name: str) -> list[str]:
        return [happening.what for happening in self.happenings[name]]


async def until_equal(*devices: Device) -> None:
    """Wait until each has proved itself equal with each of the others that it is linked to."""
    async with asyncio.timeout(PATIENCE_S):
        for device in devices:
            others = {other.store.identity.device for other in devices if other is not device}
            await device.equal(others & device.peers.all.keys())


async def until(device: Device, condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        await device.until(condition)


def add(title: str) -> Callable[[StorageEngine], str]:
    return lambda store: store.create_task(edda.Task(title=title))


def titles(store: StorageEngine) -> set[str]:
    return {task.title for task in store.query_tasks(edda.TaskQuery())}
