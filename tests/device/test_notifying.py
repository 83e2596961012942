from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from edda_sync.device.notifying import Notifier


@pytest.fixture
def watcher() -> Iterator[tuple[str, socket.socket]]:
    """The address and the socket of what watches a process, as systemd opens it."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        name = f"@edda-test-{os.getpid()}"
        listening.bind(f"\0{name[1:]}")
        listening.settimeout(20)
        yield name, listening


def told(listening: socket.socket, number: int) -> list[str]:
    return [listening.recv(4096).decode() for _ in range(number)]


async def test_a_watcher_is_told_the_beginning_what_is_done_and_the_end(watcher: tuple[str, socket.socket]) -> None:
    name, listening = watcher
    environment = {"NOTIFY_SOCKET": name, "HOME": "/home/ada"}
    notifier = Notifier(environment)
    assert environment == {"HOME": "/home/ada"}, "a child has no watcher"
    assert notifier.is_watched
    with notifier.running("2 devices\nconnected"):
        notifier.status("lost phone")
    assert told(listening, 4) == ["READY=1", "STATUS=2 devices connected", "STATUS=lost phone", "STOPPING=1"]


async def test_a_watchdog_hears_from_a_loop_that_runs(watcher: tuple[str, socket.socket]) -> None:
    name, listening = watcher
    listening.setblocking(False)
    loop = asyncio.get_running_loop()
    environment = {"NOTIFY_SOCKET": name, "WATCHDOG_USEC": "2000", "WATCHDOG_PID": str(os.getpid())}
    with Notifier(environment).running("up"):
        said = [(await loop.sock_recv(listening, 4096)).decode() for _ in range(5)]
    assert environment == {}
    assert said == ["READY=1", "STATUS=up", "WATCHDOG=1", "WATCHDOG=1", "WATCHDOG=1"]
    while (last := (await loop.sock_recv(listening, 4096)).decode()) == "WATCHDOG=1":
        pass
    assert last == "STOPPING=1"


@pytest.mark.parametrize("watchdog", [{}, {"WATCHDOG_USEC": "x"}, {"WATCHDOG_USEC": "2000", "WATCHDOG_PID": "1"}])
async def test_a_watchdog_that_did_not_ask_this_process_hears_nothing(
    watcher: tuple[str, socket.socket], watchdog: dict[str, str]
) -> None:
    name, listening = watcher
    with Notifier({"NOTIFY_SOCKET": name, **watchdog}).running("up"):
        await asyncio.sleep(0)
    assert told(listening, 3) == ["READY=1", "STATUS=up", "STOPPING=1"]


async def test_a_watcher_that_is_gone_or_never_was_is_no_fault(tmp_path: Path) -> None:
    for environment in ({}, {"NOTIFY_SOCKET": str(tmp_path / "gone")}, {"NOTIFY_SOCKET": "@edda-nobody"}):
        notifier = Notifier(dict(environment))
        assert notifier.is_watched is bool(environment)
        with notifier.running("up"):
            notifier.status("still up")
