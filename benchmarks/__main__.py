"""Run the workloads and print one table: ``python -m benchmarks [NAME...] [--tasks N]``."""

from __future__ import annotations

import argparse
import os
import platform
from collections.abc import Callable

from rich.console import Console
from rich.table import Table

from benchmarks import opening, syncing, typing_text, writing
from benchmarks.kit import Figure

WORKLOADS: dict[str, Callable[[int], list[Figure]]] = {
    "writing": writing.run,
    "opening": opening.run,
    "typing": typing_text.run,
    "syncing": syncing.run,
}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="benchmarks")
    parser.add_argument("names", nargs="*", choices=[*WORKLOADS, []], help="which workloads; all by default")
    parser.add_argument("--tasks", type=int, default=10_000, help="how many tasks, or keystrokes (default 10,000)")
    arguments = parser.parse_args()
    console = Console()
    console.print(f"Python {platform.python_version()}, {os.cpu_count()} cores; each row was measured in this run")
    table = Table("work", "edda-sync", "raw SQLite", "aim", "of the aim")
    for name in arguments.names or WORKLOADS:
        with console.status(name):
            for figure in WORKLOADS[name](arguments.tasks):
                ratio = "" if figure.ratio is None else f"{figure.ratio:.2f}"
                table.add_row(figure.work, figure.ours, figure.floor, figure.aim, ratio)
    console.print(table)


if __name__ == "__main__":
    main()
