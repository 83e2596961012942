from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from edda_sync.device.supervisor import Supervisor
from edda_sync.words.errors import BusyError, EddaError

PATIENCE_S = 90.0


class Bench:
    """A supervisor, and the faults that it reported."""

    def __init__(self) -> None:
        self.told: list[EddaError] = []
        self.supervisor = Supervisor(self.told.append)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Supervisor]:
        async with self.supervisor as supervisor, asyncio.timeout(PATIENCE_S):
            yield supervisor


@pytest.fixture
def bench() -> Bench:
    return Bench()


async def fail(error: BaseException) -> None:
    raise error


class Panic(BaseException):
    """The exception of a bug in native code: no ``Exception``."""


async def test_the_fault_that_ended_a_task_is_an_event_and_the_others_go_on(bench: Bench) -> None:
    async with bench.running() as supervisor:
        other = supervisor.start(asyncio.Event().wait())
        await asyncio.gather(supervisor.start(fail(BusyError("edda.db"))), return_exceptions=True)
        assert not other.done()
    assert [str(each) for each in bench.told] == [str(BusyError("edda.db"))]
    assert other.cancelled()


@pytest.mark.parametrize("bug", [ZeroDivisionError("a bug"), Panic("at x.rs:1")])
async def test_a_bug_ends_everything_and_is_raised_to_whoever_leaves_the_context(
    bench: Bench, bug: BaseException
) -> None:
    async def run() -> int:
        try:
            async with bench.supervisor as supervisor:
                supervisor.start(asyncio.Event().wait())
                supervisor.start(fail(bug))
                await asyncio.Event().wait()  # as the owner does, for ever
        except (ZeroDivisionError, Panic):
            owner = asyncio.current_task()
            assert owner is not None
            return owner.cancelling()
        raise AssertionError("the bug was swallowed")

    this, owner = asyncio.current_task(), asyncio.ensure_future(run())
    await asyncio.wait({owner}, timeout=PATIENCE_S)
    assert owner.done(), "it goes on as if nothing were wrong"
    assert owner.result() == 0, "what comes after the context is not cancelled"
    assert asyncio.all_tasks() == {this}
    assert bench.told == []


async def test_a_bug_on_the_way_out_does_not_hold_up_what_is_done_there(bench: Bench) -> None:
    tidied = False

    async def run() -> None:
        nonlocal tidied
        async with bench.running() as supervisor:
            supervisor.closing()
            await asyncio.gather(supervisor.start(fail(ZeroDivisionError("a bug"))), return_exceptions=True)
            await asyncio.sleep(0)
            tidied = True

    with pytest.raises(ZeroDivisionError):
        await run()
    assert tidied


async def test_a_cancellation_from_outside_stays_one(bench: Bench) -> None:
    entered = asyncio.Event()

    async def run() -> None:
        async with bench.running():
            entered.set()
            await asyncio.Event().wait()

    task = asyncio.ensure_future(run())
    await entered.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
