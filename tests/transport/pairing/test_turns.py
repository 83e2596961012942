from __future__ import annotations

import asyncio

import pytest

from edda_sync.transport.pairing.turns import Turns


class Line:
    """Callers that wait for a turn, note when they have it, and end it when they are told to."""

    def __init__(self) -> None:
        self.turns = Turns()
        self.had: list[str] = []
        self._ends: dict[str, asyncio.Event] = {}

    async def wait(self, name: str, network: str) -> asyncio.Task[None]:
        self._ends[name] = asyncio.Event()
        task = asyncio.create_task(self._have(name, network))
        await settled()
        return task

    async def end(self, name: str) -> None:
        self._ends[name].set()
        await settled()

    async def _have(self, name: str, network: str) -> None:
        async with self.turns.of(network):
            self.had.append(name)
            await self._ends[name].wait()


async def settled() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_one_has_its_turn_at_a_time_and_of_one_network_in_the_order_in_which_they_came() -> None:
    line = Line()
    for name in ("first", "second", "third"):
        await line.wait(name, "a")
    assert line.had == ["first"]
    await line.end("first")
    assert line.had == ["first", "second"]
    await line.end("second")
    await line.end("third")
    assert line.had == ["first", "second", "third"]


async def test_a_network_that_has_had_no_turn_yet_is_next_however_many_others_wait() -> None:
    line = Line()
    for number in range(5):
        await line.wait(f"crowd {number}", "a")
    await line.wait("honest", "b")
    await line.end("crowd 0")
    assert line.had == ["crowd 0", "honest"]
    await line.end("honest")
    assert line.had[2:] == ["crowd 1"]


@pytest.mark.parametrize("moment", ["while it waits", "when its turn has just come"])
async def test_who_leaves_does_not_hold_up_the_next(moment: str) -> None:
    line = Line()
    await line.wait("first", "a")
    leaving = await line.wait("leaving", "a")
    await line.wait("last", "a")
    if moment == "while it waits":
        leaving.cancel()
        await line.end("first")
    else:
        line._ends["first"].set()
        await asyncio.sleep(0)  # the first has not ended yet: it is only woken
        await asyncio.sleep(0)
        leaving.cancel()
        await settled()
    assert line.had[-1] == "last"


async def test_a_turn_that_ends_with_an_error_is_passed_on() -> None:
    turns = Turns()
    with pytest.raises(ValueError, match="wrong"):
        async with turns.of("a"):
            raise ValueError("wrong")
    async with asyncio.timeout(30):
        async with turns.of("a"):
            pass
