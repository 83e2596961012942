from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any


def test_the_first_command_makes_the_store_and_says_so_once(tmp_path: Path, another_edda: Callable[[str], Any]) -> None:
    edda = another_edda("fresh")
    first = edda("task", "add", "a")
    assert len(first.stderr.splitlines()) == 1
    assert str(tmp_path / "fresh") in first.stderr
    assert edda("task", "list").stderr == ""


def test_init_names_the_device_and_says_when_there_is_a_store_already(another_edda: Callable[[str], Any]) -> None:
    edda = another_edda("fresh")
    assert '"my laptop"' in edda("init", "--name", "my laptop").stdout
    assert "already" in edda("init", "--name", "other").stdout
    another_edda("other")("init", "--name", "", code=2)
