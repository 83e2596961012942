"""Waiting until the other devices are proved equal to this one, so that a backup holds all that they wrote."""

from __future__ import annotations

import time
from contextlib import aclosing
from datetime import datetime
from typing import TYPE_CHECKING, Final

from edda_sync.cli.common import count
from edda_sync.cli.running import Waiting, answers
from edda_sync.cli.secrets import unlock_first
from edda_sync.cli.status import asked

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from edda_sync.device.control import Answer
    from edda_sync.device.device import Device
    from edda_sync.engine.standing import Remembered

_AGAIN_S: Final = 0.5  # between two looks for devices that were not there


def wait(wait_s: float) -> None:
    """
    Sync with the other devices until all of them are proved equal, or the time is over.

    No store may be open in this process.

    Args:
        wait_s: The time limit in seconds.
    """
    import asyncio

    unlock_first()
    asyncio.run(_wait(time.monotonic() + wait_s))


def remembered() -> dict[str, Remembered] | None:
    """
    Return when each device was last proved equal, as the running device knows it; None if none answers.

    The store has the same, but is told of it only now and then.
    """
    found = asked("status", quietly=True)
    if found is None:
        return None
    return {each["device"]: _remembered_of(each) for each in found["peers"] if "proved_changes" in each}


def _remembered_of(peer: Answer) -> Remembered:
    from edda_sync.engine.standing import Remembered

    proved = peer["proved_at"]
    return Remembered(datetime.fromisoformat(proved).timestamp() if proved else 0.0, peer["proved_changes"])


async def _wait(until_s: float) -> None:
    import asyncio

    with Waiting("Looking for the other devices") as waiting:
        while (left_s := until_s - time.monotonic()) > 0:
            if await _sync(left_s, waiting):
                return
            await asyncio.sleep(min(_AGAIN_S, max(0.0, until_s - time.monotonic())))


async def _sync(timeout_s: float, waiting: Waiting) -> bool:
    """Sync once with whoever can be reached; tell whether all devices are proved equal."""
    from edda_sync.device import service

    def alone(device: Device) -> AsyncGenerator[Answer, None]:
        return service.sync(device, (), timeout_s, device.began)

    peers: list[Answer] = []
    async with aclosing(answers({"do": "sync", "at": [], "timeout_s": timeout_s}, alone)) as stream:
        async for each in stream:
            peers = each["peers"]
            missing = sum(peer["state"] != "equal" for peer in peers)
            waiting.update(f"Waiting for {count(missing, 'device')} to be proved equal")
    return all(peer["state"] == "equal" for peer in peers)
