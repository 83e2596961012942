"""``python -m benchmarks [NAME...]``: every figure is measured in this run; nothing here is written down beforehand."""

from __future__ import annotations

import argparse
import importlib
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Protocol

from benchmarks.measure import Figure, Options

WORKLOADS: Final = (
    "creates", "bulk", "urgent", "keystrokes", "first_sync", "visible", "reconcile", "sketch", "mesh", "idle", "encrypted",
    "watching", "live", "cached", "attachments", "file_sync", "states", "kinds", "backups", "folding", "indexed", "floods",
)  # fmt: skip
TRACES: Final = Path(__file__).parents[2] / "shared" / "data" / "traces"
COLUMNS: Final = ("work", "aim", "edda-sync", "raw SQLite", "ratio", "reached")


class Workload(Protocol):
    """A module of this package that measures something."""

    def run(self, options: Options) -> Iterator[Figure]:
        """Yield what was measured."""
        ...


def main() -> None:
    arguments = _arguments()
    os.environ["EDDA_KEYRING"] = "off"
    with tempfile.TemporaryDirectory(prefix="edda-bench-", dir=arguments.folder) as folder:
        os.environ["EDDA_STATE"] = str(Path(folder) / "state")
        keystrokes = 0 if arguments.whole else arguments.keystrokes
        options = Options(arguments.tasks, keystrokes, Path(folder), arguments.traces)
        figures: list[Figure] = []
        for name in arguments.names or WORKLOADS:
            start = time.perf_counter()
            workload: Workload = importlib.import_module(f"benchmarks.{name}")
            figures += workload.run(options)
            print(f"{name}: {time.perf_counter() - start:.0f} s", file=sys.stderr)
    if arguments.json:
        for each in figures:
            what = f"{each.what}, {each.column}" if each.column else each.what
            print(json.dumps({"what": what, "amount": each.amount, "cpu_s": each.cpu_s}))
    else:
        _print(figures)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", choices=[[], *WORKLOADS], help=", ".join(WORKLOADS))
    parser.add_argument("--tasks", type=int, default=10_000, help="how many tasks a store holds (the aims: 100000)")
    parser.add_argument("--keystrokes", type=int, default=20_000, help="how many of the trace are typed")
    parser.add_argument("--whole", action="store_true", help="type the whole trace")
    parser.add_argument("--json", action="store_true", help="print amounts and CPU times as numbers, a figure a line")
    parser.add_argument("--folder", type=Path, default=None, help="where stores are made: on the disk to be measured")
    parser.add_argument("--traces", type=Path, default=TRACES, help="folder of recorded typing")
    return parser.parse_args()


def _print(figures: list[Figure]) -> None:
    rows = [COLUMNS]
    for each in figures:
        if not each.column:
            ratio = "" if each.ratio is None else f"{each.ratio:.2f}"
            reached = "" if each.reached is None else "yes" if each.reached else "no"
            rows.append((each.what, each.aim, each.ours, each.raw, ratio, reached))
    cells = {(each.what, each.column): each.ours for each in figures if each.column}
    columns = list(dict.fromkeys(column for _, column in cells))
    table = [
        (what, *(cells.get((what, column), "") for column in columns))
        for what in dict.fromkeys(what for what, _ in cells)
    ]
    for printed in ([rows] if len(rows) > 1 else []) + ([[("work", *columns), *table]] if table else []):
        widths = [max(len(row[column]) for row in printed) for column in range(len(printed[0]))]
        for number, row in enumerate(printed):
            print(" | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
            if number == 0:
                print("-|-".join("-" * width for width in widths))


if __name__ == "__main__":
    main()
