"""A cold open and the fifty most urgent tasks, in process and as a command."""

from __future__ import annotations

import os
import subprocess
import sys

import edda_sync as edda
from benchmarks import kit
from benchmarks.kit import Figure

TIMES = 9


def run(tasks: int) -> list[Figure]:
    """Measure."""
    with kit.home() as folder:
        with edda.open(folder / "home") as engine:
            kit.fill(engine, tasks)
            engine.index_texts()

        def look() -> None:
            with edda.open(folder / "home") as opened:
                assert len(opened.query_tasks(edda.MOST_URGENT)) == 50

        look()
        inside = kit.median([kit.seconds(look) for _ in range(TIMES)]) * 1_000
        environment = {**os.environ, "EDDA_HOME": str(folder / "home")}
        command = [sys.executable, "-m", "edda_sync.cli", "task", "list"]

        def ask() -> None:
            subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

        ask()
        outside = kit.median([kit.seconds(ask) for _ in range(TIMES)]) * 1_000
    return [
        Figure(f"open + 50 most urgent of {tasks:,}", f"{inside:.1f} ms", "", "10 ms", 10 / inside),
        Figure(f"`edda task list` of {tasks:,}, a process", f"{outside:.0f} ms", "", "150 ms", 150 / outside),
    ]
