"""Turns of a replica: one thread at a time, and its effects are carried out in that order."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from typing import cast

import pytest

from edda_sync.device.turns import Turn, Turns
from edda_sync.sync import effects
from edda_sync.sync.effects import Effect, Proved
from edda_sync.sync.replica import Replica
from edda_sync.words.errors import BusyError

DOT = (bytes(16), 1)
PATIENCE_S = 60
Work = Callable[[Replica, float], list[Effect] | None]


class Still:
    """A replica without sessions."""

    def progress(self) -> dict[str, object]:
        return {}

    def next_deadline(self) -> None:
        return None

    def worked(self, work: effects.Work, now: float) -> effects.Said:
        return work.done()(now)


class Carried:
    """What was carried out, and on which thread."""

    def __init__(self) -> None:
        self.turns: list[Turn] = []
        self.threads: set[int] = set()

    def __call__(self, turn: Turn) -> None:
        self.turns.append(turn)
        self.threads.add(threading.get_ident())

    @property
    def peers(self) -> list[str]:
        return [effect.peer for turn in self.turns for effect in turn.effects]


@pytest.fixture
def carried() -> Carried:
    return Carried()


@pytest.fixture
async def turns(carried: Carried) -> AsyncIterator[Turns]:
    made = Turns(carried)
    made.replica = cast(Replica, Still())
    yield made
    made.end()


def saying(peer: str) -> Work:
    return lambda replica, now: [Proved(peer)]


async def test_a_thread_that_finds_the_replica_free_takes_its_turn_itself(turns: Turns, carried: Carried) -> None:
    threads: list[int] = []

    def work(replica: Replica, now: float) -> list[Effect]:
        threads.append(threading.get_ident())
        return [Proved("phone")]

    def commit() -> tuple[bool, int]:
        return turns.drive_here(work, DOT), threading.get_ident()

    did, thread = await asyncio.to_thread(commit)
    await asyncio.sleep(0)
    assert did
    assert threads == [thread]
    assert carried.threads == {threading.get_ident()}, "the event loop carries out"
    assert [turn.told for turn in carried.turns] == [DOT]
    assert carried.peers == ["phone"]


async def test_a_thread_waits_for_nobody_elses_turn(turns: Turns, carried: Carried) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def work(replica: Replica, now: float) -> list[Effect]:
        begun.set()
        assert go_on.wait(30.0)
        return [Proved("first")]

    other = asyncio.ensure_future(turns.drive(work))
    assert await asyncio.to_thread(begun.wait, 30.0)
    assert not await asyncio.to_thread(turns.drive_here, saying("second"), DOT)
    go_on.set()
    await other
    assert carried.peers == ["first"]


async def test_what_is_said_is_carried_out_in_the_order_of_the_turns(turns: Turns, carried: Carried) -> None:
    async def drive(number: int) -> None:
        await turns.drive(saying(f"{number}"))
        carried(Turn([Proved(f"after {number}")], {}, None))

    def commits() -> list[str]:
        return [f"here {number}" for number in range(50) if turns.drive_here(saying(f"here {number}"), DOT)]

    said, *_ = await asyncio.gather(asyncio.to_thread(commits), *map(drive, range(50)))
    await asyncio.sleep(0)
    assert [peer for peer in carried.peers if peer.startswith("here")] == said
    assert [peer for peer in carried.peers if peer.isdigit()] == [f"{number}" for number in range(50)]
    for number in range(50):
        assert carried.peers.index(f"{number}") < carried.peers.index(f"after {number}")


async def test_the_main_thread_leaves_it_to_others_since_a_signal_may_end_what_it_does(
    turns: Turns, carried: Carried
) -> None:
    assert threading.current_thread() is threading.main_thread()
    assert not turns.drive_here(saying("phone"), DOT)
    assert carried.turns == []


@pytest.mark.parametrize("error", [BusyError("edda.db"), ZeroDivisionError("a bug")])
async def test_a_fault_on_a_threads_own_turn_is_no_fault_of_what_it_has_written(
    turns: Turns, carried: Carried, error: Exception
) -> None:
    def work(replica: Replica, now: float) -> None:
        raise error

    assert not await asyncio.to_thread(turns.drive_here, work, DOT)
    with pytest.raises(type(error)):
        await turns.drive(work)
    assert await asyncio.to_thread(turns.drive_here, saying("phone"), DOT), "the replica is free again"


async def test_the_peer_of_a_long_work_is_known_until_it_ends_even_if_nobody_waits_for_it(
    turns: Turns, carried: Carried
) -> None:
    begun, may_end = threading.Event(), threading.Event()

    def do() -> Callable[[float], effects.Said]:
        begun.set()
        assert may_end.wait(PATIENCE_S)
        return lambda _now: [Proved("phone")]

    for is_cancelled in (False, True):
        begun.clear()
        may_end.clear()
        working = asyncio.ensure_future(turns.work(effects.Work("phone", do)))
        assert await asyncio.to_thread(begun.wait, PATIENCE_S)
        if is_cancelled:
            working.cancel()
            await asyncio.gather(working, return_exceptions=True)
        assert turns.large == "phone"
        may_end.set()
        if not is_cancelled:
            await working
            assert not turns.large
    assert carried.peers == ["phone"]
