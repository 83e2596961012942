"""Helpers for tests of discovery: real multicast on loopback, and a workspace whose devices are heard there."""

from __future__ import annotations

import asyncio
import itertools
import json
import secrets
import socket
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from ipaddress import ip_network
from pathlib import Path
from typing import Any

from edda_sync.transport.discovery import Discovery
from edda_sync.transport.interfaces import Interface, interfaces

PATIENCE_S = 90.0  # far more than anything here takes, so that a hanging test ends
HOUR = 3600.0
LOOPBACK_MEMBER = socket.inet_aton("224.0.0.251") + socket.inet_aton("127.0.0.1")
PORTS = itertools.count(40_000)  # announced, never opened


def an_interface(index: int, *addresses: str, up: bool = True) -> Interface:
    networks = {str(ip_network((address, 64 if ":" in address else 24), strict=False)) for address in addresses}
    return Interface(f"if{index}", index, up, frozenset(addresses), frozenset(networks))


@cache
def loopback_fault() -> str:
    """Measure why multicast does not work on loopback here; empty if it does."""
    try:
        with (
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listener,
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as speaker,
        ):
            listener.bind(("", 0))
            listener.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, LOOPBACK_MEMBER)
            listener.settimeout(2)
            speaker.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton("127.0.0.1"))
            speaker.sendto(b"edda", ("224.0.0.251", listener.getsockname()[1]))
            listener.recv(16)
    except OSError as error:
        return f"multicast on loopback: {error}"
    return ""


def loopback() -> frozenset[Interface]:
    return frozenset(each for each in interfaces() if "127.0.0.1" in each.addresses)


@dataclass
class Seen:
    """What one device's callbacks have reported; :meth:`wait` returns as soon as a condition holds for it."""

    found: list[tuple[str, list[tuple[str, int]]]] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    changes: int = 0
    told: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def devices(self) -> set[str]:
        return {device for device, _ in self.found}

    def on_found(self, device: str, addresses: list[tuple[str, int]]) -> None:
        self.found.append((device, addresses))
        self.told.set()

    def on_lost(self, device: str) -> None:
        self.lost.append(device)
        self.told.set()

    def on_network_change(self) -> None:
        self.changes += 1
        self.told.set()

    async def wait(self, wish: Callable[[Seen], object]) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while not wish(self):
                self.told.clear()
                await self.told.wait()


class Workspace:
    """A key of its own, so that tests that run at the same time do not hear each other, and its running devices."""

    def __init__(self) -> None:
        self.keys = [secrets.token_bytes(32)]
        self.members = {"laptop", "phone", "tablet"}
        self.ports: dict[str, int] = {}
        self._running: list[tuple[str, Discovery]] = []

    async def start(self, device: str, **changed: Any) -> tuple[Seen, Discovery]:
        seen = Seen()
        self.ports[device] = next(PORTS)
        settings: dict[str, Any] = {
            "members": lambda: self.members,
            "now": lambda: 60.0,
            "look": loopback,
            "on_found": seen.on_found,
            "on_lost": seen.on_lost,
            "on_network_change": seen.on_network_change,
        }
        keys = changed.pop("keys", lambda: self.keys)
        discovery = await Discovery(device, keys, self.ports[device], **(settings | changed)).__aenter__()
        self._running.append((device, discovery))
        return seen, discovery

    async def stop(self, *devices: str) -> None:
        stopping = [each for each in self._running if not devices or each[0] in devices]
        self._running = [each for each in self._running if each not in stopping]
        await asyncio.gather(*(discovery.__aexit__(None, None, None) for _, discovery in stopping))

    def at(self, device: str) -> tuple[str, list[tuple[str, int]]]:
        return device, [("127.0.0.1", self.ports[device])]


DEVICE = """
import asyncio, json, sys, time
from edda_sync.transport.discovery import Discovery

def say(**said):
    print(json.dumps(said), flush=True)

async def main(device):
    async with Discovery(
        device, lambda: [b"k" * 32], 4000, members=lambda: ["laptop", "phone", "tablet"], now=time.time,
        on_found=lambda device, addresses: say(found=device, at=addresses),
        on_network_change=lambda: say(changed=True),
    ) as discovery:
        say(available=discovery.available)
        await asyncio.to_thread(sys.stdin.read)

asyncio.run(main(sys.argv[1]))
"""


def ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True, text=True, timeout=PATIENCE_S)


@dataclass
class Process:
    """One device in a namespace, and the lines it has said."""

    process: asyncio.subprocess.Process

    @classmethod
    async def start(cls, namespace: str, device: str) -> Process:
        return cls(
            await asyncio.create_subprocess_exec(
                *("ip", "netns", "exec", namespace, sys.executable, "-c", DEVICE, device),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                cwd=Path(__file__).parents[2],
            )
        )

    async def says(self, **wanted: object) -> dict[str, Any]:
        """Return the next line that contains these words."""
        assert self.process.stdout is not None
        async with asyncio.timeout(PATIENCE_S):
            while line := await self.process.stdout.readline():
                said: dict[str, Any] = json.loads(line)
                if wanted.items() <= said.items():
                    return said
        raise AssertionError(f"the device ended before it said {wanted}")

    async def stop(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        async with asyncio.timeout(PATIENCE_S):
            await self.process.wait()
