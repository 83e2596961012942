from __future__ import annotations

import asyncio

from edda_sync.device.watch import Changes

PATIENCE_S = 90.0


async def test_a_condition_that_holds_is_not_waited_for() -> None:
    async with asyncio.timeout(PATIENCE_S):
        await Changes().until(lambda: True)


async def test_all_who_wait_are_woken_by_each_change_and_wait_on_until_their_condition_holds() -> None:
    changes, asked = Changes(), [0, 0]

    def holds(who: int) -> bool:
        asked[who] += 1
        return changes.count > who

    waiting = [asyncio.ensure_future(changes.until(lambda who=who: holds(who))) for who in (0, 1)]  # type: ignore[misc]
    await asyncio.sleep(0)
    changes.told()
    await waiting[0]
    assert not waiting[1].done()
    assert asked == [2, 2]
    changes.told()
    async with asyncio.timeout(PATIENCE_S):
        await waiting[1]
    changes.told()  # nobody waits


async def test_who_gives_up_waiting_ends_nobody_elses_waiting() -> None:
    changes = Changes()
    one, other = (asyncio.ensure_future(changes.until(lambda: changes.count > 0)) for _ in range(2))
    await asyncio.sleep(0)
    one.cancel()
    await asyncio.sleep(0)
    changes.told()
    async with asyncio.timeout(PATIENCE_S):
        await other
    assert one.cancelled()


async def test_what_a_condition_raises_is_raised_to_whoever_waits_for_it() -> None:
    changes = Changes()
    waiting = asyncio.ensure_future(changes.until(lambda: bool(1 // (1 - changes.count)) and False))
    await asyncio.sleep(0)
    changes.told()
    (raised,) = await asyncio.gather(waiting, return_exceptions=True)
    assert isinstance(raised, ZeroDivisionError)
