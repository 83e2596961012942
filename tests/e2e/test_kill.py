"""A device is killed at random moments, and the campaign finds each fault that is planted."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlcipher3 import dbapi2 as sqlite

from edda_sync.engine.engine import StorageEngine
from edda_sync.words.config import StorageConfig
from edda_sync.words.model import Task
from tests.e2e.kill import MINE, Round, Verdict
from tests.e2e.kill_campaign import SECTION, row_of
from tests.e2e.kill_work import LARGE_DOCUMENTS, Operation, _id, facts_of, perform, plan, read_facts, settle
from tests.e2e.misfolded import misfold

KILLS = 10


@pytest.mark.parametrize("first", [1_000_000, 2_000_000])
async def test_a_device_killed_at_any_moment_has_everything_it_acknowledged_and_no_halves(
    first: int, tmp_path: Path
) -> None:
    async with Round(tmp_path) as round_:
        for seed in range(first, first + KILLS):
            verdict = await round_.kill(seed)
            assert not verdict.faults, f"python -m tests.e2e.kill_campaign --seed {first} --runs {seed - first + 1}"


class Planted(Round):
    """A round in which a test changes the store between its second death and the inspection."""

    def __init__(self, folder: Path, plant: Callable[[Path, Path], None]) -> None:
        super().__init__(folder)
        self._plant = plant
        self._deaths = 0

    async def kill_twice(self, first: int, second: int) -> Verdict:
        shutil.copytree(self._home, self._home.with_name("before"), ignore=shutil.ignore_patterns("run"))
        honest = await self.kill(first)
        assert not honest.faults
        return await self.kill(second)

    def _inspect(self, begun: list[Operation], verdict: Verdict) -> None:
        self._deaths += 1
        if self._deaths == 2:
            self._plant(self._home, self._state)
        super()._inspect(begun, verdict)


def _lose(home: Path, _: Path) -> None:
    shutil.rmtree(home)
    home.with_name("before").rename(home)


def _tear(home: Path, state: Path) -> None:
    with StorageEngine(home) as engine:
        engine.initialize(StorageConfig(state_path=state))
        engine.update_task(Task(id=_id(MINE[0], "set1"), title="only this one"))


def _begin_a_life(home: Path, state: Path) -> None:
    shutil.copytree(home, home.with_name("copy"), ignore=shutil.ignore_patterns("run"))
    shutil.rmtree(home)
    home.with_name("copy").rename(home)
    with StorageEngine(home) as engine:
        engine.initialize(StorageConfig(state_path=state))
        engine.update_task(Task(id=_id(MINE[0], "item"), priority=0))


def _break_an_index(home: Path, _: Path) -> None:
    connection = sqlite.connect(str(home / "edda.db"), isolation_level=None)
    connection.execute("PRAGMA writable_schema = ON")
    connection.execute(
        "UPDATE sqlite_schema SET sql = replace(sql, '(created_at)', '(title)') WHERE name = 'idx_tasks_created_at'"
    )
    connection.close()


def _dangle(home: Path, _: Path) -> None:
    connection = sqlite.connect(str(home / "edda.db"), isolation_level=None)
    connection.execute("PRAGMA foreign_keys = OFF")
    connection.execute("UPDATE entity_tags SET tag_id = 'nowhere' WHERE rowid = (SELECT min(rowid) FROM entity_tags)")
    connection.close()


def _overwrite(home: Path, _: Path) -> None:
    (home / "edda.db").write_bytes(b"\0" * 8192)


@pytest.mark.parametrize(
    ("plant", "fault"),
    [
        (_lose, "should be"),
        (_lose, "the peer has what the device has not"),
        (_tear, "is half there"),
        (_begin_a_life, "a kill began a new life"),
        (misfold, "the log folds into other tables"),
        (_break_an_index, "idx_tasks_created_at"),
        (_dangle, "foreign key"),
        (_overwrite, "the store cannot be read"),
    ],
)
async def test_a_planted_fault_is_found(plant: Callable[[Path, Path], None], fault: str, tmp_path: Path) -> None:
    async with Planted(tmp_path, plant) as round_:
        verdict = await round_.kill_twice(2, 3)  # both while it writes, after it has acknowledged something
    assert verdict.acknowledged > 0
    assert any(fault in found for found in verdict.faults), verdict.faults


@pytest.mark.parametrize("do", ["create", "set", "token", "tag", "link", "metadata", "large"])
def test_the_facts_of_an_operation_show_once_it_is_done_and_not_before(do: str, tmp_path: Path) -> None:
    operation = Operation("w", "7.1", do)
    with _settled(tmp_path) as engine:
        before = read_facts(engine, ["w"])
        perform(engine, operation)
        after = read_facts(engine, ["w"])
    assert after == before | facts_of(operation) != before


@pytest.mark.parametrize(("do", "undone"), [("create", "delete"), ("token", "erase")])
def test_undone_operations_show_no_more(do: str, undone: str, tmp_path: Path) -> None:
    with _settled(tmp_path) as engine:
        before = read_facts(engine, ["w"])
        perform(engine, Operation("w", "7.1", do))
        perform(engine, Operation("w", "7.2", undone, "7.1"))
        assert read_facts(engine, ["w"]) == before


def _settled(folder: Path) -> StorageEngine:
    engine = StorageEngine(folder / "store")
    engine.initialize(StorageConfig(state_path=folder / "state"))
    settle(engine, "w")
    return engine


def test_a_seed_gives_the_same_plan_again_and_another_seed_a_different_one() -> None:
    first, again, other = ([next(each) for _ in range(40)] for each in (plan("a", 5), plan("a", 5), plan("a", 6)))
    assert first == again != other
    assert next(op for op in plan("a", 5, large=True) if op.do == "large").mark == "5.3"
    assert facts_of(Operation("a", "5.3", "large")) == {("large", "a", "5.3"): LARGE_DOCUMENTS}


def test_a_campaigns_row_gives_its_seeds_and_figures_and_failures() -> None:
    held = Verdict(5, "writing", acknowledged=1_200, in_flight=2, survived=1, opened_s=0.002)
    row = row_of([held, Verdict(6, "opening", opened_s=0.004)], 1.0)
    assert "| 5-6 | all held | 2: 1 / 1 / 0 | 1,200, none lost | 2 (1) | 3.0 ms, 4.0 ms | 1 s |" in row
    assert row.count("|") == SECTION.splitlines()[-1].count("|")
    assert "| **1 failed**: 6 |" in row_of([held, Verdict(6, "large", ["lost"])], 1.0)
