"""The steps of ``edda doctor --network`` on a real store; those in ``tests/e2e`` have real networks and firewalls."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from edda_sync.device import examining
from edda_sync.device.examining import Step, examine
from edda_sync.engine import standing
from edda_sync.engine.engine import StorageEngine
from edda_sync.testing import devices
from edda_sync.transport.identity import Identity
from edda_sync.transport.sockets import listening

DISCOVERY = {"available": True, "reason": ""}


@pytest.fixture(scope="module")
def store() -> Iterator[StorageEngine]:
    with devices(1) as (only,):
        yield only


async def step(store: StorageEngine, name: str, running: dict[str, Any] | None = None) -> Step:
    return next(each for each in await examine(store, running) if each.step == name)


def peers(*clocks: float | None) -> list[dict[str, Any]]:
    return [{"name": f"device {number}", "clock_s": clock_s} for number, clock_s in enumerate(clocks)]


@pytest.mark.parametrize(
    ("clocks", "ok", "said"),
    [
        ([], None, "no other device's clock is known yet"),
        ([None], None, "no other device's clock is known yet"),
        ([1.0, None, -100.0], True, "it agrees with that of device 0, device 2"),
        ([-10_800.0], False, "device 0's clock is 3 h behind this one's"),
        ([1.0, 5_400.0], False, "device 1's clock is 90 min ahead of this one's"),
        ([10_800.0, 10_801.0], False, "this device's clock is 3 h behind that of device 0, device 1"),
        ([-10_800.0, 90_000.0], False,
         "device 0's clock is 3 h behind this one's; device 1's clock is 25 h ahead of this one's"),
    ],
)  # fmt: skip
def test_a_clock_is_compared_with_those_of_the_others(clocks: list[float], ok: bool | None, said: str) -> None:
    found = examining._clock(peers(*clocks))
    assert (found.ok, found.detail) == (ok, said)
    assert bool(found.todo) == (ok is not True)


def answers_to_nobody(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()


async def test_a_port_where_nothing_answers_or_another_program_is_told_from_a_running_device(
    store: StorageEngine,
) -> None:
    server = await asyncio.start_server(answers_to_nobody, "127.0.0.1", 0)
    running = {"port": server.sockets[0].getsockname()[1], "peers": [], "discovery": DISCOVERY}
    async with server:
        assert (await step(store, "port", running)).ok is True
        certificate = await step(store, "certificate", running)
        assert certificate.ok is None
        assert "does not show its own" in certificate.detail
    port = await step(store, "port", running)
    assert port.ok is False
    assert port.detail.startswith(f"nothing answers on TCP port {running['port']}: ")


async def test_a_device_whose_certificate_the_workspace_does_not_know_cannot_prove_itself(
    store: StorageEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert (await step(store, "certificate")).ok is True
    other = Identity.create()
    monkeypatch.setattr(StorageEngine, "identity", replace(other, device=store.identity.device))
    found = await step(store, "certificate")
    assert found.ok is False
    assert "knows this device by another certificate" in found.detail


async def test_a_device_that_called_shows_that_others_get_through(store: StorageEngine) -> None:
    server = await asyncio.start_server(answers_to_nobody, sock=await listening(None, 0))
    port = server.sockets[0].getsockname()[1]
    known = {"clock_s": None, "name": "phone", "called_in": True}
    async with server:
        found = await step(store, "firewall", {"port": port, "peers": [known], "discovery": DISCOVERY})
    assert (found.ok, found.detail) in (
        (True, "phone called this device, so others get through"),
        (None, "without an address and a port nothing can be tried"),  # this machine has no network
    )


async def test_a_device_that_does_not_use_multicast_says_why(store: StorageEngine) -> None:
    off = {"available": False, "reason": "switched off"}
    found = await step(store, "multicast", {"port": 1, "peers": [], "discovery": off})
    assert found.ok is not True
    assert "switched off" in found.detail or "no interface" in found.detail


async def test_the_port_of_last_time_is_the_one_that_is_tried(store: StorageEngine) -> None:
    assert "as an example" in (await step(store, "port")).detail
    server = await asyncio.start_server(answers_to_nobody, sock=await listening(None, 0))
    standing.save_port(store, port := server.sockets[0].getsockname()[1])
    async with server:
        found = await step(store, "port")
        assert found.ok is None
        assert f"Port {port} is in use" in found.detail
    assert f"TCP port {port} is free" in (await step(store, "port")).detail
