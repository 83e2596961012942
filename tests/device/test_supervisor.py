from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from edda_sync.device.supervisor import Supervisor
from edda_sync.words.errors import BusyError, CorruptError

PATIENCE_S = 20.0


class Bench:
    """A supervisor, and what it told."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.damaged: list[str] = []
        self.supervisor = Supervisor(self.told.append, self.damaged.append)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Supervisor]:
        async with self.supervisor as supervisor, asyncio.timeout(PATIENCE_S):
            yield supervisor


@pytest.fixture
def bench() -> Bench:
    return Bench()


class Work:
    """Something to do, that fails as often as it is told, and then works."""

    def __init__(self, *faults: BaseException) -> None:
        self._faults = list(faults)
        self.done = asyncio.Event()
        self.times = 0

    async def __call__(self) -> None:
        self.times += 1
        if self._faults:
            raise self._faults.pop(0)
        self.done.set()


@pytest.mark.parametrize("event_driven", [True, False])
async def test_a_duty_goes_on_after_faults_and_its_fault_is_forgotten_when_it_works(
    bench: Bench, event_driven: bool
) -> None:
    work, due = Work(BusyError("edda.db"), BusyError("edda.db")), asyncio.Event()
    due.set()
    async with bench.running() as supervisor:
        supervisor.keep("work", work, due=due if event_driven else None, pause_s=60.0)
        await work.done.wait()
        assert (work.times, bench.told) == (3, [str(BusyError("edda.db"))])
        await asyncio.sleep(0)
        assert supervisor.fault == ""


async def test_a_duty_that_is_due_again_while_it_works_is_done_again(bench: Bench) -> None:
    due, times = asyncio.Event(), 0
    both = asyncio.Event()

    async def work() -> None:
        nonlocal times
        times += 1
        (due if times == 1 else both).set()

    due.set()
    async with bench.running() as supervisor:
        supervisor.keep("work", work, due=due)
        await both.wait()
    assert times == 2


async def test_damage_that_a_duty_meets_is_handed_on_to_be_mended(bench: Bench) -> None:
    work = Work(CorruptError("task 1"), CorruptError("task 1"))
    async with bench.running() as supervisor:
        supervisor.keep("work", work, pause_s=60.0)
        await work.done.wait()
    assert bench.damaged == ["task 1"]


async def test_a_fault_of_a_task_that_is_no_duty_is_told(bench: Bench) -> None:
    async with bench.running() as supervisor:
        await asyncio.gather(supervisor.start(Work(BusyError("edda.db"))()), return_exceptions=True)
        assert supervisor.fault == str(BusyError("edda.db"))
    assert bench.told == [str(BusyError("edda.db"))]


@pytest.mark.parametrize("duty", [True, False])
async def test_a_bug_ends_everything_and_is_raised_to_whoever_leaves_the_context(bench: Bench, duty: bool) -> None:
    async def run() -> int:
        try:
            async with bench.supervisor as supervisor:
                supervisor.keep("other work", Work(), due=asyncio.Event())
                work = Work(ZeroDivisionError("a bug"))
                if duty:
                    supervisor.keep("work", work)
                else:
                    supervisor.start(work())
                await asyncio.Event().wait()  # what the owner does, for ever
        except ZeroDivisionError:
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
            await asyncio.gather(supervisor.start(Work(ZeroDivisionError("a bug"))()), return_exceptions=True)
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
