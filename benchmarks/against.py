"""
``python -m benchmarks.against FOLDER [NAME...]``: this tree beside another one, which has an environment of its own.

The same workloads, these, run in both trees in turn, round by round, so that a slow minute of the machine strikes both.
Of each figure the least and the median of all rounds are compared, of its CPU time and of its amount: seconds, bytes, or
whatever else it counts.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

from benchmarks.__main__ import TRACES, WORKLOADS

HERE: Final = Path(__file__).absolute().parents[1]
COLUMNS: Final = ("figure", "before: least, median", "after: least, median", "after / before")
_KINDS: Final = {"amount": "time by the clock, or bytes", "cpu_s": "CPU time"}
Figures = dict[tuple[str, str], list[float]]
"""Of each figure its amounts or CPU times, by round."""


def main() -> None:
    arguments = _arguments()
    before: Figures = {}
    after: Figures = {}
    for name in arguments.names or WORKLOADS:
        for number in range(arguments.rounds):
            sides = [(arguments.other.absolute(), before), (HERE, after)]
            for tree, figures in sides if number % 2 else reversed(sides):
                _run(tree, name, arguments.options, figures)
            print(f"{name}: round {number + 1} of {arguments.rounds}", file=sys.stderr)
    print(f"| {' | '.join(COLUMNS)} |\n|{'---|' * len(COLUMNS)}")
    for key in [key for key in before if key in after]:
        old, new = before[key], after[key]
        ratios = f"{min(new) / min(old):.2f}, {statistics.median(new) / statistics.median(old):.2f}"
        print(f"| {key[0]}: {_KINDS[key[1]]} | {_shown(key[1], old)} | {_shown(key[1], new)} | {ratios} |")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks.against", description=__doc__)
    parser.add_argument(
        "other", type=Path, metavar="FOLDER", help="a checkout in which `make .venv/.installed` was run"
    )
    parser.add_argument("names", nargs="*", metavar="NAME", choices=[[], *WORKLOADS], help=", ".join(WORKLOADS))
    parser.add_argument("--rounds", type=int, default=5, help="how often each workload runs in each tree")
    parser.add_argument("--traces", type=Path, default=TRACES, help="folder of recorded typing")
    parser.add_argument("--keystrokes", type=int, default=2_000, help="how many of the trace are typed")
    parser.add_argument("--tasks", type=int, default=10_000, help="how many tasks a store holds")
    arguments = parser.parse_args()
    named = {"traces": arguments.traces.absolute(), "keystrokes": arguments.keystrokes, "tasks": arguments.tasks}
    arguments.options = [f"--{name}={value}" for name, value in named.items()]
    return arguments


def _run(tree: Path, name: str, options: list[str], figures: Figures) -> None:
    """Run one of this tree's workloads with the code of a tree, and note its figures."""
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    with tempfile.TemporaryDirectory(prefix="edda-against-") as folder:
        (Path(folder) / "benchmarks").symlink_to(HERE / "benchmarks")  # beside these no other package is found first
        command = [str(tree / ".venv" / "bin" / "python"), "-m", "benchmarks", name, "--json", *options]
        done = subprocess.run(command, cwd=folder, env=environment, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode != 0:
        print(f"{name} does not run in {tree}", file=sys.stderr)
        return
    for line in done.stdout.splitlines():
        figure: dict[str, Any] = json.loads(line)
        for kind in ("amount", "cpu_s"):
            if figure[kind]:
                figures.setdefault((figure["what"].strip(), kind), []).append(figure[kind])


def _shown(kind: str, values: list[float]) -> str:
    least, median = min(values), statistics.median(values)
    if kind == "amount" and least > 1_000:  # of bytes: nothing takes so many seconds
        return f"{least:,.0f}, {median:,.0f}"
    return f"{1000 * least:,.2f}, {1000 * median:,.2f} ms"


if __name__ == "__main__":
    main()
