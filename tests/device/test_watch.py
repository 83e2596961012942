from __future__ import annotations

import asyncio

import edda_sync as edda
from edda_sync.device.watch import Changes, QueryChange, watch
from edda_sync.words.model import Item

PATIENCE_S = 30.0


def task(task_id: str, title: str) -> Item:
    return edda.Task(id=task_id, title=title)


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


async def test_a_change_while_the_query_runs_is_not_missed() -> None:
    changes = Changes()
    answers = [[task("a", "One")], [task("a", "Two")]]

    async def find() -> list[Item]:
        found = answers.pop(0)
        if answers:
            changes.told()  # somebody writes just after the query ran
        return found

    watched = watch(find, changes)
    async with asyncio.timeout(PATIENCE_S):
        assert await anext(watched) == QueryChange([task("a", "One")], [], [])
        assert await anext(watched) == QueryChange([], [task("a", "Two")], [])


async def test_a_change_that_changes_nothing_in_the_answer_is_not_told() -> None:
    changes = Changes()
    answers: list[list[Item]] = [[], [], [task("a", "One")]]

    async def find() -> list[Item]:
        found = answers.pop(0)
        changes.told()
        return found

    watched = watch(find, changes)
    async with asyncio.timeout(PATIENCE_S):
        assert await anext(watched) == QueryChange([], [], []), "the first answer is told even if it is empty"
        assert await anext(watched) == QueryChange([task("a", "One")], [], [])
