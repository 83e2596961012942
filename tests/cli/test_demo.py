from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.cli.processes import PATIENCE_S, Running

DEMO = [sys.executable, "-m", "edda_sync.cli", "demo"]


@pytest.fixture
def temporary() -> Iterator[Path]:
    """Where the demo keeps its folder; a short path, since sockets lie in it."""
    with tempfile.TemporaryDirectory(prefix="edda-test-") as folder:
        yield Path(folder)


@pytest.fixture
def environment(temporary: Path) -> dict[str, str]:
    return {**os.environ, "TMPDIR": str(temporary), "PYTHONUNBUFFERED": "1"}


def processes_below(folder: Path) -> list[int]:
    """The processes whose environment names a folder."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                if os.fsencode(folder) in (entry / "environ").read_bytes():
                    found.append(int(entry.name))
            except OSError:
                continue
    return found


def test_the_demo_ends_with_three_equal_digests_and_everything_kept(
    tmp_path: Path, temporary: Path, environment: dict[str, str]
) -> None:
    picture = tmp_path / "demo.svg"
    command = [*DEMO, "--json", "--svg", str(picture)]
    ended = subprocess.run(command, env=environment, capture_output=True, timeout=150, check=False)
    assert ended.returncode == 0, ended.stderr.decode()
    summary = json.loads(ended.stdout)
    assert summary["equal"] is True
    assert list(summary["digests"]) == ["laptop", "phone", "tablet"]
    assert len(set(summary["digests"].values())) == 1
    assert len(set(summary["digests_apart"].values())) == 3
    assert summary["conflicts"] == 3  # two titles beside the one that is shown, and a deletion that lost
    assert summary["all_words_kept"] is True
    assert summary["tags_made_of_three"] == 1
    assert summary["deleted_and_edited_lives"] is True
    assert (summary["tasks"], summary["documents"]) == (31, 4)
    assert set(summary["seconds"]) == {"pairing", "meeting", "live_edit", "converging", "total"}
    assert "All come back" in ended.stderr.decode()
    assert ElementTree.parse(picture).getroot().tag.endswith("svg")
    assert list(temporary.iterdir()) == []
    assert processes_below(temporary) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_demo_that_is_interrupted_leaves_nothing_behind(
    temporary: Path, environment: dict[str, str], number: int
) -> None:
    running = Running(DEMO, environment)
    running.wait_for("edda invite")  # by now one device runs
    assert running.end(number) == 130
    assert running.lines[-1].startswith("Interrupted")
    assert list(temporary.iterdir()) == []
    assert processes_below(temporary) == []


def test_a_demo_that_fails_says_why_and_leaves_nothing_behind(temporary: Path, environment: dict[str, str]) -> None:
    script = (
        "from edda_sync.demo.story import Story\n"
        "async def edits(story, machine):\n"  # instead of joining, when one device runs
        "    await machine.run('task', 'edit', 'nothing', '--title', '')\n"
        "Story._join = edits\n"
        "from edda_sync.cli.main import main\n"
        "main(['demo'])\n"
    )
    command = [sys.executable, "-c", script]
    ended = subprocess.run(command, env=environment, capture_output=True, timeout=PATIENCE_S * 3, check=False)
    assert ended.returncode == 1
    assert b"On the phone, `$ edda task edit" in ended.stderr
    assert b"title" in ended.stderr
    assert list(temporary.iterdir()) == []
    assert processes_below(temporary) == []
