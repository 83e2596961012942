"""
What all campaigns share: they go on until enough is judged or somebody presses Ctrl-C, and write down what came of it.

    return carry_out(SECTION, run(chosen.seed, chosen.runs), row_of, what="runs")

What was judged until then counts; the next campaign goes on at the next seed.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, Protocol, TypeVar

from edda_sync.simulations import evidence

SHOWN_MAX: Final = 20  # failed seeds in a row of the page


class Judged(Protocol):
    """What came of something that a campaign did."""

    @property
    def faults(self) -> Any:
        """What was wrong; empty if nothing was."""
        ...


V = TypeVar("V", bound=Judged)


def command_line(description: str, what: str, default: int, wanted: str = "how many") -> argparse.ArgumentParser:
    """Return the command line of a campaign: how many of what, and the first seed."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument(f"--{what}", type=int, default=default, help=wanted)
    parser.add_argument("--seed", type=int, default=0, help="the first one; each has the next one")
    return parser


def carry_out(
    section: str, verdicts: Iterable[V], row_of: Callable[[list[V], float], str], *, what: str, end: str = ""
) -> int:
    """
    Judge until the end or until Ctrl-C, and append the result to docs/evidence.md.

    Args:
        section: The section there, as for ``evidence.append``.
        verdicts: Are judged while they are iterated over.
        row_of: Returns the row, given the verdicts and the seconds that they took.
        what: What is judged, in the plural.
        end: What else to say at the end.

    Returns:
        The exit code: 0 if something was judged, and nothing had a fault.
    """
    started, judged = time.monotonic(), list[V]()
    with contextlib.suppress(KeyboardInterrupt):
        for verdict in verdicts:
            judged.append(verdict)
            last = getattr(verdict, "seed", None)
            say(f"\r{len(judged):,} {what}{'' if last is None else f', seed {last}'}")
    if judged:
        row = row_of(judged, time.monotonic() - started)
        evidence.append(section, row)
        last = getattr(judged[-1], "seed", None)
        say(f"\n{row}\n{'' if last is None else f'the next seed is {last + 1}'}{end}\n")
    return int(not judged or any(verdict.faults for verdict in judged))


def row(seeds: str, failed: Sequence[object], *cells: str, held: str = "all held") -> str:
    """Return a row: when, at which commit, with which seeds, which of them failed, and further cells."""
    shown = f"**{len(failed)} failed**: {', '.join(map(str, failed[:SHOWN_MAX]))}" if failed else held
    return f"| {' | '.join((evidence.time_now(), evidence.commit(), seeds, shown, *cells))} |"


def say(text: str) -> None:
    """Say something at once to whoever looks on."""
    sys.stderr.write(text)
    sys.stderr.flush()
