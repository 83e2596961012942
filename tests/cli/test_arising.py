"""``edda up`` says in a line which conflicts arise while it runs, each once."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, cast

import pytest

from edda_sync.cli import arising
from edda_sync.cli.arising import Arising
from edda_sync.cli.log import Line, Log
from edda_sync.engine.engine import StorageEngine
from edda_sync.testing import devices, sync
from edda_sync.words.errors import StorageError
from edda_sync.words.model import Task
from tests.cli.processes import Machine


class Running:
    """Stands for a running device: its store, and work on another thread."""

    def __init__(self, store: StorageEngine) -> None:
        self.store = store
        self.breaks = False
        self.looked = asyncio.Event()

    async def run(self, work: Callable[[StorageEngine], Any]) -> Any:
        if self.breaks:
            raise StorageError("The disk is full.")
        found = await asyncio.to_thread(work, self.store)
        self.looked.set()
        return found


class Told(Log):
    """Keeps what it is told, and lets a test wait for it."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: asyncio.Queue[str] = asyncio.Queue()

    def happened(self, line: Line) -> None:
        assert line.event == "conflict"
        assert {*line.fields} == {"conflicts"}
        self.lines.put_nowait(line.text)

    def noted(self, text: str) -> None:
        self.lines.put_nowait(text)


Stores = tuple[StorageEngine, StorageEngine]


@pytest.fixture
def two(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stores]:
    monkeypatch.setattr(arising, "LINE_EVERY_S", 0.0)
    with devices(2, backend="memory") as (laptop, phone):
        yield laptop, phone


def collide(two: Stores, *titles: str, values: tuple[str, str] = ("A", "B")) -> list[str]:
    """Write the titles of tasks on both devices at once; return the tasks."""
    tasks = [two[0].create_task(Task(title=title)) for title in titles]
    sync(*two)
    for store, value in zip(two, values, strict=True):
        with store.begin_transaction() as tx:
            for task in tasks:
                tx.update_task(Task(id=task, title=value))
    sync(*two)
    return tasks


def told(two: Stores, follow: Callable[[Running, Told], Awaitable[None]]) -> None:
    """Follow what is told, once what was there already is known."""

    async def following() -> None:
        device, log = Running(two[0]), Told()
        async with Arising(cast("Any", device), log):
            await device.looked.wait()
            await follow(device, log)
            assert log.lines.empty()

    asyncio.run(following())


def test_each_conflict_that_arises_is_told_once_and_those_before_are_not(two: Stores) -> None:
    collide(two, "Before")

    async def follow(_: Running, log: Told) -> None:
        (task,) = await asyncio.to_thread(collide, two, "Tent")
        end = task.replace("-", "")[-6:]
        assert await log.lines.get() == (
            f"new conflict: title of task {end}, {title(two, task)}, was written on two devices at once; "
            f"`edda conflicts show {end}` shows it and how to settle it"
        )
        await asyncio.to_thread(two[0].update_task, Task(id=task, priority=0))
        await asyncio.to_thread(collide, two, "One", "Two")
        assert await log.lines.get() == "2 new conflicts; `edda conflicts` shows them and how to settle them"

    told(two, follow)


def title(two: Stores, task: str) -> str:
    found = two[0].get_task(task)
    assert found is not None
    return str(found.title)


def test_a_field_that_is_in_conflict_again_is_told_again_and_a_deletion_that_lost_is(two: Stores) -> None:
    async def follow(_: Running, log: Told) -> None:
        (task,) = await asyncio.to_thread(collide, two, "Tent")
        await log.lines.get()
        two[0].settle(two[0].conflicts()[0])
        sync(*two)
        two[0].update_task(Task(id=task, title="C"))
        two[1].update_task(Task(id=task, title="D"))
        sync(*two)
        assert "title of task" in await log.lines.get()
        two[0].settle(two[0].conflicts()[0])
        sync(*two)
        two[1].delete_task(task)
        two[0].update_task(Task(id=task, title="E"))
        sync(*two)
        assert "was deleted on one device and edited on another, and is still there" in await log.lines.get()

    told(two, follow)


def test_a_store_that_cannot_be_read_is_told_and_what_arose_meanwhile_is_told_later(two: Stores) -> None:
    async def follow(device: Running, log: Told) -> None:
        device.breaks = True
        await asyncio.to_thread(collide, two, "Tent")
        assert "The disk is full." in await log.lines.get()
        device.breaks = False
        while not log.lines.empty():
            log.lines.get_nowait()
        await asyncio.to_thread(two[0].create_task, Task(title="Other"))
        while "new conflict" not in await log.lines.get():
            pass

    told(two, follow)


def test_a_conflict_whose_item_is_renamed_is_not_told_again(two: Stores) -> None:
    async def follow(_: Running, log: Told) -> None:
        (task,) = await asyncio.to_thread(collide, two, "Tent")
        await log.lines.get()
        for store, size in zip(two, (1, 2), strict=True):
            store.update_task(Task(id=task, metadata={"size": size}))
        sync(*two)
        assert "metadata.size of task" in await log.lines.get()
        two[0].update_task(Task(id=task, title="Big tent"))
        sync(*two)
        await asyncio.to_thread(collide, two, "One", "Two")
        assert await log.lines.get() == "2 new conflicts; `edda conflicts` shows them and how to settle them"

    told(two, follow)


def test_a_running_device_says_a_conflict_in_one_line_whose_command_leads_to_its_end(
    pair: tuple[Machine, Machine],
) -> None:
    laptop, phone = pair
    (task,) = laptop.json("task", "list")
    laptop.run("task", "edit", task["id"], "--title", "Buy oat milk")
    phone.run("task", "edit", task["id"], "--title", "Buy soy milk")
    running, place = laptop.up(terminal=True)
    said = phone.run("sync", "--at", place)
    line = running.wait_for("new conflict: ").string
    command = re.search(r"`edda (conflicts show \w+)` shows it and how to settle it$", line)
    assert command is not None, line
    assert "title of task" in line
    assert re.search(r"\d\d:\d\d:\d\d\S* new conflict", line), "it happened just now, as what is told around it"
    assert "1 new conflict" in said
    assert "conflicts: 1 kept; `edda conflicts` shows them" in laptop.run("status")
    keep = re.search(r"to show the other: edda (.*)", laptop.run(*command[1].split()))
    assert keep is not None
    kept = laptop.json("conflicts")[0]["kept"][0]["value"]
    laptop.run(*keep[1].split())
    assert laptop.json("task", "show", task["id"])["title"] == kept
    assert "conflicts" not in laptop.run("status")
    running.end()
    assert sum("conflict" in each for each in running.lines) == 1
