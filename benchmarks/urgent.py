"""What is most urgent: a store is opened and the first fifty tasks are read; in this process, and as a command."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Final

import edda_sync as edda
from benchmarks.measure import (
    Figure,
    Options,
    Raw,
    Source,
    a_folder,
    fill,
    median_of,
    milliseconds,
    raw_rows,
)  # fmt: skip

RUNS: Final = 15
FIRST: Final = 50
AIM_S, AIM_COMMAND_S = 0.010, 0.150
OPEN: Final = "status IN ('open', 'in_progress')"
ORDER: Final = "priority, due_date IS NULL, due_date, created_at, id"
QUERY: Final = f"SELECT * FROM tasks WHERE {OPEN} ORDER BY {ORDER} LIMIT {FIRST}"


def run(options: Options) -> Iterator[Figure]:
    tasks = Source().tasks(options.tasks)
    with a_folder(options) as folder:
        home, config = folder / "home", edda.StorageConfig(state_path=folder / "state")
        with edda.open(home, config) as store:
            fill(store, tasks)
        raw = Raw(folder / "raw.db")
        raw.insert(raw_rows(tasks))
        raw.execute(f"CREATE INDEX urgent ON tasks({ORDER}) WHERE {OPEN}")
        raw.close()
        raw_s = median_of(partial(list_raw, folder / "raw.db"), RUNS).wall_s
        ours = median_of(partial(list_ours, home, config), RUNS)
        command = median_of(partial(list_by_command, home), RUNS)
    yield Figure(
        f"open, and the {FIRST} most urgent of {options.tasks:,}", milliseconds(AIM_S), milliseconds(ours.wall_s),
        milliseconds(raw_s), raw_s / ours.wall_s, ours.wall_s < AIM_S, ours.wall_s, ours.cpu_s,
    )  # fmt: skip
    yield Figure(
        "`edda task list`, a process", milliseconds(AIM_COMMAND_S), milliseconds(command.wall_s),
        reached=command.wall_s < AIM_COMMAND_S, amount=command.wall_s, cpu_s=command.cpu_s,
    )  # fmt: skip


def list_raw(path: Path) -> None:
    raw = Raw(path)
    assert len(raw.execute(QUERY).fetchall()) == FIRST
    raw.close()


def list_ours(home: Path, config: edda.StorageConfig) -> None:
    with edda.open(home, config) as store:
        assert len(store.query_tasks(edda.MOST_URGENT)) == FIRST


def list_by_command(home: Path) -> None:
    command = [sys.executable, "-m", "edda_sync.cli", "task", "list"]
    subprocess.run(command, env={**os.environ, "EDDA_HOME": str(home)}, check=True, capture_output=True)
