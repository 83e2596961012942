from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from edda_sync.cli import first_sync as module
from edda_sync.cli.first_sync import until_equal


class Talking:
    """The part of a device that a first sync uses."""

    def __init__(self, *talks: Any, fault: str = "") -> None:
        self.fault = fault
        self.proved = asyncio.Event()
        self.asked: list[set[str]] = []
        self._talks = list(talks)

    async def equal(self, peers: set[str]) -> None:
        self.asked.append(peers)
        await self.proved.wait()

    @property
    def progress(self) -> dict[str, Any]:
        """The next event of the talk; after the last one the two are proved equal."""
        if not self._talks:
            self.proved.set()
            return {}
        talk = self._talks.pop(0)
        return {} if talk is None else {"peer": talk}


def talk(behind: int, rcvd_bytes: int) -> Any:
    return SimpleNamespace(behind=behind, ahead=0, rcvd_bytes=rcvd_bytes, sent_bytes=0, cannot_prove=False)


@pytest.fixture
def noted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    lines: list[str] = []
    monkeypatch.setattr(module, "note", lines.append)
    monkeypatch.setattr(module, "can_redraw", lambda: False)
    monkeypatch.setattr(module, "STEP_S", 0.001)
    return lines


async def test_a_first_sync_ends_when_the_inviter_is_proved_equal(noted: list[str]) -> None:
    device: Any = Talking(talk(9, 100), talk(4, 2_000_000), None, talk(0, 2_500_000))
    assert await until_equal(device, "peer")
    assert device.asked == [{"peer"}]
    assert noted == [], "it was done within a second"


async def test_an_inviter_that_has_gone_is_not_waited_for(noted: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LOST_S_MAX", 0.0)
    device: Any = Talking(talk(9, 100), *[None] * 1_000)
    assert not await until_equal(device, "peer")
    assert [line.startswith("The other device has gone") for line in noted] == [True]


async def test_an_error_while_it_waits_comes_out(noted: list[str]) -> None:
    class Failing(Talking):
        async def equal(self, peers: set[str]) -> None:
            raise ZeroDivisionError("a bug")

    device: Any = Failing(*[talk(1, 1)] * 10)
    with pytest.raises(ZeroDivisionError):
        await until_equal(device, "peer")


def test_progress_is_a_line_now_and_then_if_no_line_can_be_redrawn(noted: list[str]) -> None:
    with module._Bar() as bar:
        bar.show(10, 0)
        assert noted == [], "not within the first second"
        bar._next = 0.0
        bar.show(4, 1_500_000)
        bar.show(3, 1_600_000)
    assert noted == ["Syncing: 6 of 10 changes, 1.5 MB."]


async def test_a_fault_of_this_device_is_said_once_while_it_is_waited_for(noted: list[str]) -> None:
    device: Any = Talking(*[talk(9, 100)] * 20, fault="The disk is full.")
    assert await until_equal(device, "peer")
    assert noted == ["The disk is full."]
