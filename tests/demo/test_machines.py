from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from edda_sync.demo.machines import Machine, _shown
from edda_sync.words.errors import EddaError

PATIENCE_S = 60.0  # far above what anything here takes: a test that hangs ends


def test_a_command_is_shown_as_a_person_would_type_it() -> None:
    task = "0192f0c1-79b0-7cc3-98c4-dc0c0c07398f"
    assert _shown(("task", "done", task)) == "$ edda task done 07398f"
    assert _shown(("doc", "edit", "x", "--content", "one\ntwo")) == "$ edda doc edit x --content ..."
    assert _shown(("import", "beads", "/tmp/a b/issues.jsonl")) == "$ edda import beads issues.jsonl"
    assert _shown(("task", "add", "Buy milk")) == "$ edda task add 'Buy milk'"


async def test_commands_are_shown_and_run_and_answered_and_a_failing_one_says_why(tmp_path: Path) -> None:
    said: list[tuple[str, str]] = []
    laptop = Machine(tmp_path, "laptop", lambda device, line: said.append((device, line)))
    async with asyncio.timeout(PATIENCE_S):
        await laptop.run("init", "--name", "laptop", remark="once")
        task_id = (await laptop.run("task", "add", "Buy milk")).strip()
        (task,) = await laptop.ask("task", "list")
        with pytest.raises(
            EddaError, match=r"On the laptop, `\$ edda task show nobody` ended with 3: There is no task"
        ):
            await laptop.run("task", "show", "nobody")
        facts = await laptop.look()
    assert (task["id"], task["title"]) == (task_id, "Buy milk")
    assert said[:2] == [("laptop", "$ edda init --name laptop  # once"), ("laptop", "$ edda task add 'Buy milk'")]
    assert len(said) == 3, "questions are not shown"
    assert (facts["tasks"], facts["running"]) == (1, False)
    assert not laptop.is_equal_with(1)


async def test_a_device_that_runs_is_asked_and_ends_in_order(tmp_path: Path) -> None:
    laptop = Machine(tmp_path, "laptop", lambda *_: None)
    try:
        async with asyncio.timeout(PATIENCE_S):
            await laptop.run("init", "--name", "laptop")
            await laptop.start()
            states = [laptop.is_running]
            assert (await laptop.look())["running"]
            await laptop.run("task", "add", "Buy milk")
            assert await laptop.tasks_reach(1) > 0
            await laptop.end()
        assert [*states, laptop.is_running] == [True, False]
        assert laptop.lines[-1][1] == "Stopped; everything is on disk."
    finally:
        laptop.kill()
