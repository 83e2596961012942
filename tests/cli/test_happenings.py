from __future__ import annotations

import asyncio
from typing import Any

import pytest

from edda_sync.cli import happenings as module
from edda_sync.cli import log
from edda_sync.cli.happenings import Lines
from edda_sync.device.device import Happening

NAMES = {"a": "phone", "b": "tablet\x1b[31m"}


class Names:
    """The part of a device that a line uses."""

    def name_of(self, device: str) -> str:
        return NAMES.get(device, device)


@pytest.fixture
def printed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    lines: list[str] = []
    monkeypatch.setattr(log, "say", lambda text, lead: lines.append(text))
    return lines


def started() -> Lines:
    lines = Lines()
    device: Any = Names()
    lines.device = device
    lines.start()
    return lines


@pytest.mark.parametrize(
    ("happening", "line"),
    [
        (Happening("found", "a", text="10.0.0.1:4321"), "found phone at 10.0.0.1:4321"),
        (Happening("connected", "a", text="10.0.0.1:4321"), "connected to phone (10.0.0.1:4321)"),
        (Happening("lost", "a", text="it broke"), "lost phone (it broke)"),
        (Happening("joined", "a"), "phone joined the workspace"),
        (Happening("trouble", "a", text="it hung up"), "phone: it hung up"),
        (Happening("trouble", text="the disk is full"), "the disk is full"),
        (Happening("lost", "b", text="it broke"), "lost tablet\\x1b[31m (it broke)"),
    ],
    ids=lambda value: value.what if isinstance(value, Happening) else None,
)
async def test_each_thing_that_happens_is_a_line(printed: list[str], happening: Happening, line: str) -> None:
    started().happened(happening)
    assert printed == [line]


async def test_events_before_the_banner_are_printed_after_it(printed: list[str]) -> None:
    lines = Lines()
    device: Any = Names()
    lines.device = device
    lines.happened(Happening("connected", "a", text="x"))
    assert printed == []
    lines.start()
    assert printed == ["connected to phone (x)"]


async def test_changes_that_come_one_by_one_are_one_line_and_each_peer_has_its_own(printed: list[str]) -> None:
    lines = started()
    for number in (1, 2, 3):
        lines.happened(Happening("applied", "a", number))
    lines.happened(Happening("applied", "b", 1))
    lines.end()
    assert printed == ["phone: 6 changes applied", "tablet\\x1b[31m: 1 change applied"]


async def test_equality_is_told_at_once_together_with_the_changes_that_led_to_it(printed: list[str]) -> None:
    lines = started()
    lines.happened(Happening("applied", "a", 2))
    lines.happened(Happening("equal", "a"))
    assert printed == ["phone: 2 changes applied, proved equal"]
    lines.end()
    assert len(printed) == 1


async def test_gathered_changes_of_a_peer_come_before_the_next_event_of_that_peer(printed: list[str]) -> None:
    lines = started()
    lines.happened(Happening("applied", "a", 2))
    lines.happened(Happening("lost", "a"))
    assert printed == ["phone: 2 changes applied", "lost phone"]


async def test_typing_of_a_peer_is_one_line_a_second(printed: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LINE_EVERY_S", 0.01)
    lines = started()
    lines.happened(Happening("applied", "a", 2))
    (timer,) = lines._timers.values()
    done = asyncio.Event()
    asyncio.get_running_loop().call_at(timer.when() + 0.001, done.set)
    await done.wait()
    assert printed == ["phone: 2 changes applied"]


ROUND = (
    Happening("connected", "a", text="x"),
    Happening("equal", "a", 7),
    Happening("lost", "a"),
    Happening("trouble", "a", text="a copy"),
)
ONCE = ["connected to phone (x)", "phone: proved equal", "lost phone", "phone: a copy"]


async def test_a_trouble_that_repeats_is_reported_once(printed: list[str]) -> None:
    lines = started()
    for happening in ROUND * 20:
        lines.happened(happening)
    lines.end()
    assert printed == ONCE


async def test_another_trouble_after_a_repeated_one_is_reported(printed: list[str]) -> None:
    lines = started()
    for happening in (*ROUND, *ROUND, *ROUND[:3], Happening("trouble", "a", text="it hung up")):
        lines.happened(happening)
    lines.end()
    assert printed == [*ONCE, *ONCE[:3], "phone: it hung up"]


async def test_a_repeated_trouble_is_over_when_a_link_ends_without_it(printed: list[str]) -> None:
    lines = started()
    for happening in (*ROUND, *ROUND, *ROUND[:3], *ROUND[:3]):
        lines.happened(happening)
    lines.end()
    assert printed == [*ONCE, *ONCE[:3], *ONCE[:3]]


async def test_a_repeated_trouble_is_over_when_a_link_stays(
    printed: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SETTLED_S", 0.0)
    lines = started()
    for happening in (*ROUND, *ROUND[:2]):
        lines.happened(happening)
    settled = asyncio.Event()
    asyncio.get_running_loop().call_soon(settled.set)
    await settled.wait()
    lines.end()
    assert printed == [*ONCE, *ONCE[:2]]


async def test_changes_during_a_repeated_trouble_are_reported_and_the_trouble_of_other_peers_too(
    printed: list[str],
) -> None:
    lines = started()
    lines.happened(ROUND[3])
    lines.happened(ROUND[0])
    lines.happened(Happening("applied", "a", 2))
    lines.happened(Happening("equal", "a", 9))
    lines.happened(Happening("trouble", "b", text="it hung up"))
    lines.end()
    assert printed == ["phone: a copy", "phone: 2 changes applied, proved equal", "tablet\\x1b[31m: it hung up"]


async def test_equality_over_another_link_is_no_news(printed: list[str]) -> None:
    lines = started()
    for number in (7, 7, 7, 8):
        lines.happened(Happening("equal", "a", number))
    lines.end()
    assert printed == ["phone: proved equal", "phone: proved equal"]
