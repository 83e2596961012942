"""A store and a copy of it on a real LAN: they find each other, both say so, and once one is split off, they sync."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

import pytest

import edda_sync as edda
from tests.e2e import lan
from tests.e2e.lan import Lan
from tests.e2e.machine import Machine, are_equal, until

SAID = "type `edda split NAME` on one of the two"


async def _play(original: Machine, copy: Machine) -> None:
    for each in (original, copy):
        await each.up()
    for each in (original, copy):

        async def knows(each: Machine = each) -> bool:
            status = await each.status()
            return status is not None and str(status["copy_at"]).startswith("10.77.0.")

        await until(knows)
    assert SAID in await asyncio.to_thread(original.edda, "status")
    assert copy.end_up()[0] == 0
    copy.edda("split", "workstation", "--yes")
    await copy.up()

    async def equal() -> bool:
        return await are_equal([original, copy])

    await until(equal)
    status = await original.status()
    assert status is not None
    assert status["copy_at"] is None
    assert [each["name"] for each in status["peers"]] == ["workstation"]
    for each in (original, copy):
        assert each.end_up()[0] == 0


@pytest.fixture(autouse=True)
def in_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDDA_KEYRING", "off")


def test_a_copy_finds_its_original_on_the_lan_and_meets_it_once_it_is_split_off(tmp_path: Path) -> None:
    if reason := lan.fault():
        pytest.skip(reason)
    with (
        Lan(2) as (here, there),
        Machine(tmp_path, "laptop", here.enter) as original,
        Machine(tmp_path, "copy", there.enter) as copy,
    ):
        write(original, "Before")
        shutil.copytree(original.home, copy.home)
        write(original, "Here")
        write(copy, "There")
        asyncio.run(_play(original, copy))
        assert write(original) == write(copy) == {"Before", "There", "Here"}


def write(machine: Machine, *titles: str) -> set[str]:
    """Make a machine's store, if there is none, and tasks in it; return the titles of all tasks."""
    with edda.open(machine.home, machine.config) as store:
        for title in titles:
            store.create_task(edda.Task(title=title))
        return {task.title for task in store.query_tasks(edda.TaskQuery())}
