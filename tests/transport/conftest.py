from __future__ import annotations

import asyncio
import gc
import os
import shutil
import subprocess
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack
from typing import Any

import pytest

from tests.transport.announcing import Workspace, ip, loopback_fault


@pytest.fixture(autouse=True)
def _nothing_is_left_open() -> Iterator[None]:
    """Lost sockets and tasks warn when they are collected, and warnings are errors: collect them in their own test."""
    yield
    gc.collect()


@pytest.fixture
async def stack() -> AsyncIterator[AsyncExitStack]:
    """Closes what a test opened, last first."""
    async with AsyncExitStack() as opened:
        yield opened


@pytest.fixture
async def air() -> AsyncIterator[None]:
    """Multicast that works; the event loop runs the callbacks, so only the loop hears of their errors."""
    if fault := loopback_fault():
        pytest.skip(fault)
    raised: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: raised.append(context))
    yield
    assert raised == []


@pytest.fixture
async def workspace(air: None) -> AsyncIterator[Workspace]:
    running = Workspace()
    yield running
    await running.stop()


@pytest.fixture
def namespaces() -> Iterator[Callable[[], str]]:
    """Make namespaces with nothing in them but a loopback that is down; all are gone afterwards."""
    if shutil.which("ip") is None:
        pytest.skip("network namespaces: there is no `ip` command")
    made: list[str] = []

    def make() -> str:
        name = f"edda-{os.getpid()}-{len(made)}-{time.monotonic_ns() % 10**6}"
        try:
            ip("netns", "add", name)
        except subprocess.CalledProcessError as error:
            pytest.skip(f"network namespaces: {error.stderr.strip()}")
        made.append(name)
        return name

    yield make
    for name in made:
        ip("netns", "delete", name)  # takes its interfaces along
