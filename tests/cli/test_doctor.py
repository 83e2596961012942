from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edda_sync.engine.engine import open as open_store
from tests.engine.test_doctor import CHECKS, fill, spoil


@pytest.fixture
def home(tmp_path: Path) -> Path:
    with open_store(tmp_path / "home") as store:
        fill(store)
    return tmp_path / "home"


def test_the_command_says_what_is_sound_and_what_is_not(another_edda: Callable[[str], Any], home: Path) -> None:
    edda = another_edda("home")
    assert edda("doctor").stdout.count("sound") == len(CHECKS)
    assert [each["sound"] for each in edda.json("doctor")] == [True] * len(CHECKS)
    spoil(home, "UPDATE tasks SET title = 'other' WHERE title = 'child'")
    failed = edda("doctor", code=1)
    assert "DAMAGED  tables" in failed.stdout
    assert "--rebuild" in failed.stderr
    mended = edda("doctor", "--rebuild")
    made = r"rebuilt  tables: made anew from \d+ changes of the log: 2 tasks, 1 document, 2 tags, with their links, "
    assert re.match(made, mended.stdout)
    assert "other rows than before: 1 in tasks" in mended.stdout.splitlines()[0]
    again = edda("doctor", "--rebuild").stdout.splitlines()
    assert again[0].endswith("; every row is the same as before")
    assert again[1:] == edda("doctor").stdout.splitlines()
    told = edda.json("doctor", "--rebuild")[0]
    assert (told["check"], told["sound"], told["detail"]) == ("rebuilt", True, again[0].partition(": ")[2])
    spoil(home, "UPDATE _log SET hash = zeroblob(32) WHERE position = 3")
    assert "DAMAGED  log" in edda("doctor", code=1).stdout
    edda("doctor", "--rebuild", code=1)


def test_a_damaged_log_is_told_by_the_name_of_the_device_and_with_what_saves_the_rest(
    another_edda: Callable[[str], Any], home: Path
) -> None:
    edda = another_edda("home")
    name = edda.json("status")["name"]
    spoil(home, "UPDATE _log SET body = zeroblob(length(body)) WHERE position = 3")
    said = edda("doctor", "--rebuild", code=1).stderr
    what = rf"The log of changes \(change \d+ of {name} is not what was written\) is damaged on this disk, "
    assert re.match(
        f"{what}and cannot be mended from what is here: try `edda sync` and `edda export`, then keep ", said
    )
    assert f"change 3 of {name} is not what was written" in edda("doctor", code=1).stdout


def test_the_log_of_one_change_is_counted_as_one(edda: Any) -> None:
    edda("init")
    assert "log: 1 change, chained to nothing\n" in edda("doctor").stdout
