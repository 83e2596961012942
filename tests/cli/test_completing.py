from __future__ import annotations

import os
from typing import Any

import pytest

from tests.cli.processes import ran


def complete(home: str, line: str) -> list[str]:
    environment = {
        **os.environ, "EDDA_HOME": home, "_EDDA_COMPLETE": "bash_complete", "COMP_WORDS": line,
        "COMP_CWORD": str(line.count(" ")),
    }  # fmt: skip
    ended = ran([], environment)
    assert (ended.returncode, ended.stderr) == (0, b"")
    return ended.stdout.decode().split()


@pytest.fixture
def home(edda: Any) -> str:
    edda("task", "add", "Buy milk", "--tag", "home")
    edda("doc", "add", "-", "--title", "Notes", stdin="x")
    return str(edda.home)


def test_ids_tags_and_files_are_completed(edda: Any, home: str) -> None:
    task = edda.json("task", "list")[0]["id"].replace("-", "")[-6:]
    document = edda.json("doc", "list")[0]["id"].replace("-", "")[-6:]
    assert complete(home, "edda task done ") == [f"plain,{task}"]
    assert complete(home, f"edda task show {task[:3]}") == [f"plain,{task}"]
    assert complete(home, "edda task show buy") == [f"plain,{task}"]
    assert complete(home, "edda doc show ") == [f"plain,{document}"]
    assert complete(home, "edda task list --document ") == [f"plain,{document}"]
    assert complete(home, f"edda link {task} ") == [f"plain,{document}"]
    assert complete(home, "edda task list --tag ho") == ["plain,home"]
    assert complete(home, "edda tag rm ") == ["plain,home"]
    assert complete(home, "edda doc add no") == ["file,no"]


def test_where_there_is_no_store_nothing_is_completed_made_or_said(tmp_path: Any) -> None:
    assert complete(str(tmp_path / "none"), "edda task done ") == []
    assert not (tmp_path / "none").exists()
