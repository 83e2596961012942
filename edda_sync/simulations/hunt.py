"""
The hunt: how many runs does it take until each planted bug is noticed? ``python -m edda_sync.simulations.hunt``

A bug is switched on, and seeds are run in order, until one run shows a violation that the same seed does not show without
the bug. Then that failure is shrunk, as by ``edda simulate --shrink``. The hunt can be stopped with Ctrl-C and started
again: the results of this commit are kept in ``build/hunt.json``. When every bug was hunted, the results are appended to
docs/evidence.md; ``--note`` appends those of some bugs.
"""

from __future__ import annotations

import argparse
import itertools
import multiprocessing
import os
import signal
import statistics
import sys
import time
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import msgspec

from edda_sync.simulations import evidence
from edda_sync.simulations.bugs.planting import Bug
from edda_sync.simulations.planted import BUGS, bug_named
from edda_sync.simulations.plays import PLAYS
from edda_sync.simulations.protocols import Verdict
from edda_sync.simulations.runs import run
from edda_sync.simulations.shrink import Shrinker, Shrunk
from edda_sync.simulations.tape import Tape

RUNS_MAX: Final = 20_000  # a bug that is not noticed by then counts as missed
FEW: Final = 20  # so many events a person can follow
STATE: Final = evidence.ROOT / "build" / "hunt.json"
SECTION: Final = """\
## Planted bugs (`python -m edda_sync.simulations.hunt`)

Each bug of [edda_sync/simulations/planted.py](../edda_sync/simulations/planted.py) is switched on, and seeds are run in
order until one shows a violation that the same seed does not show without the bug. Each bug's name is followed by the
number of runs that this took, and the number of the invariant that noticed the bug ([invariants](simulations.md)). Then
the run is shrunk, as `edda simulate --shrink` does, to fewer events that still violate the same invariant with the bug
and none without it. *Shrunk* gives the median and the largest number of events that were left; a dash means that runs
were not shrunk (`--large`).

| time (UTC) | commit | seeds from | found | median | worst | shrunk to at most 20 events | bugs | took |
|---|---|---|---|---|---|---|---|---|
"""


class Small(msgspec.Struct, frozen=True):
    """
    The size of a shrunk failure.

    Attributes:
        before: How many events of its tape had happened when it was found.
        events: How many events are left.
        runs: How many tapes were run to shrink it.
    """

    before: int
    events: int
    runs: int


class Found(msgspec.Struct, frozen=True):
    """
    The result of hunting one bug.

    Attributes:
        bug: The bug's name.
        runs: How many seeds were run, including the one that showed the bug.
        seed: That seed; None when the bug was missed.
        number, text: The invariant that did not hold, and what was seen.
        unclean: Seeds with a violation both with the bug and without it, which a person should look at.
        small: The shrunk failure; None when the bug was missed, or is not shrunk yet.
    """

    bug: str
    runs: int
    seed: int | None
    number: int
    text: str
    unclean: tuple[int, ...] = ()
    small: Small | None = None


class State(msgspec.Struct):
    """What was hunted so far: the commit, the first seed, the number of runs, and the results."""

    key: tuple[str, int, int]
    found: list[Found]
    took_s: float = 0.0


class Clean:
    """
    Runs without any bug: whether they hold, and which functions they call that some bug edits.

    A run that does not call what a bug edits is the same with the bug, so it need not be repeated.
    """

    def __init__(self) -> None:
        self._known: dict[tuple[int, str | None, str], tuple[frozenset[str], bool]] = {}

    def of(self, bug: Bug, seed: int) -> tuple[bool, bool]:
        """Return whether the run of a seed calls what a bug edits, and whether it holds without the bug."""
        key = seed, bug.backend, bug.play
        if key not in self._known:
            called = set[str]()
            with ExitStack() as stack:
                for edit in {edit.where: edit for each in BUGS for edit in each.concerned()}.values():
                    stack.enter_context(edit.noting(called))
                violation = run(_tape(bug, seed)).violation
            self._known[key] = frozenset(called), violation is None
        called_there, holds = self._known[key]
        concerned = any(edit.where in called_there for edit in bug.edits)
        return concerned and (not bug.needs or bug.needs in called_there), holds


def hunt(bug: Bug, seeds: Iterable[int], clean: Clean | None = None) -> Found:
    """
    Run seeds with a bug until a run notices it. Then call :func:`shrink` for that run.

    Args:
        bug: The bug to switch on.
        seeds: The seeds, in order; at most ``RUNS_MAX`` are run.
        clean: What is known about them without the bug. Seeds in which the bug has no effect are counted and not run.

    Raises:
        AssertionError: The planted code names something that is not there, so it shows nothing.
    """
    runs = 0
    unclean: list[int] = []
    for seed in itertools.islice(seeds, RUNS_MAX):
        runs += 1
        concerned, holds = (True, None) if clean is None else clean.of(bug, seed)
        if not concerned:
            continue
        with bug.on():
            verdict = run(_tape(bug, seed))
        violation = verdict.violation
        if violation is None:
            continue
        _check_it_ran(bug, verdict)
        if holds if holds is not None else run(_tape(bug, seed)).violation is None:
            return Found(bug.name, runs, seed, violation.number, str(violation), tuple(unclean))
        unclean.append(seed)
    return Found(bug.name, runs, None, 0, "", tuple(unclean))


def _check_it_ran(bug: Bug, verdict: Verdict) -> None:
    """Check that it was not the planted code itself that stopped, at a name or an attribute which the product lacks."""
    *_, where = verdict.trace.rpartition('File "')
    stopped = verdict.trace.rstrip().rpartition("\n")[2]
    if where.startswith("<planted in") and stopped.startswith(("AttributeError", "NameError", "UnboundLocalError")):
        raise AssertionError(f"edit the planted bug {bug.name!r}, whose code cannot run: {stopped}")


def shrink(bug: Bug, seed: int) -> Shrunk:
    """
    Shrink the run in which a bug was noticed. The shrunk run violates the same invariant, and nothing without the bug.

    Args:
        bug: The bug to switch on.
        seed: The seed that :func:`hunt` found.

    Raises:
        ValueError: The run of the seed does not notice the bug.
    """

    def run_it(tape: Tape) -> Verdict:
        with bug.on():
            verdict = run(tape)
        if verdict.violation is not None and run(tape).violation is not None:
            verdict.violation = None  # the violation does not come from the bug
        return verdict

    return Shrinker(run_it, _tape(bug, seed)).shrink()


def _tape(bug: Bug, seed: int) -> Tape:
    return Tape(seed, backend=bug.backend or "memory", play=PLAYS[bug.play] if bug.play else None)


# --- all of them ------------------------------------------------------------------------------------------------------


def conduct(
    bugs: Sequence[Bug], start: int, runs_max: int, jobs: int, state_file: Path = STATE, *, small: bool = True
) -> State:
    """Hunt the remaining bugs on several processes, and save the results after each bug."""
    state = load(state_file, (evidence.commit(), start, runs_max))
    done = {found.bug for found in state.found}
    work = [(bug.name, start, runs_max, small) for bug in bugs if bug.name not in done]
    started, before_s = time.monotonic(), state.took_s
    if not work:
        return state
    _read_all()  # first here, because a worker that fails on it would be restarted forever
    with multiprocessing.get_context("spawn").Pool(jobs, initializer=_prepare) as pool:
        try:
            for found in pool.imap_unordered(_hunt, work):
                state.found.append(found)
                state.took_s = before_s + time.monotonic() - started
                state_file.parent.mkdir(exist_ok=True)
                state_file.write_bytes(msgspec.json.encode(state))
                _say(line(found))
        except KeyboardInterrupt:
            pool.terminate()
    return state


_CLEAN: Final = Clean()  # one for each worker process


def _hunt(work: tuple[str, int, int, bool]) -> Found:
    name, start, runs_max, small = work
    bug = bug_named(name)
    found = hunt(bug, range(start, start + runs_max), _CLEAN)
    if found.seed is None or not small:
        return found
    shrunk = shrink(bug, found.seed)
    return msgspec.structs.replace(found, small=Small(shrunk.before, shrunk.events, shrunk.runs))


def _prepare() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the main process gets the signal, and ends the pool
    _read_all()


def _read_all() -> None:
    """Read the product's files now, because they may change during a hunt, which takes hours."""
    for bug in BUGS:
        with bug.on():
            pass


def load(file: Path, key: tuple[str, int, int]) -> State:
    """Return the saved results under a key; an empty state if they are of another commit or other seeds."""
    if file.exists():
        state = msgspec.json.decode(file.read_bytes(), type=State)
        if state.key == key:
            return state
    return State(key, [])


def line(found: Found) -> str:
    """Return the line about one bug, for a person."""
    unclean = f" (violated without the bug too: seeds {', '.join(map(str, found.unclean))})" if found.unclean else ""
    if found.seed is None:
        return f"MISSED in {found.runs:,} runs: {found.bug}{unclean}"
    small = found.small
    shrunk = f" (of {small.before} events {small.events} left, in {small.runs} runs)" if small is not None else ""
    return f"{found.runs:>6,} runs: {found.bug}, seed {found.seed}: {found.text[:160]}{shrunk}{unclean}"


def row(state: State) -> str:
    """Return the row of a whole hunt for docs/evidence.md."""
    order = {bug.name: number for number, bug in enumerate(BUGS)}
    listed = sorted(state.found, key=lambda found: order[found.bug])
    runs = [found.runs for found in listed if found.seed is not None]
    told = [f"{each.bug} {each.runs:,} ({each.number})" for each in listed if each.seed is not None]
    told += [f"**{each.bug} missed in {each.runs:,}**" for each in listed if each.seed is None]
    fields = (
        evidence.time_now(),
        state.key[0],
        str(state.key[1]),
        f"{len(runs)} of {len(listed)}",
        f"{statistics.median(runs):,.0f}" if runs else "-",
        f"{max(runs):,}" if runs else "-",
        _smallness([each.small.events for each in listed if each.small is not None]),
        "; ".join(told),
        f"{state.took_s:,.0f} s",
    )
    return f"| {' | '.join(fields)} |"


def _smallness(events: list[int]) -> str:
    """Return how many of the shrunk failures have few events left."""
    if not events:
        return "-"
    few = sum(each <= FEW for each in events)
    percent = few * 100 // len(events)  # rounded down, because 95 % is required
    return f"{few} of {len(events)} ({percent} %), median {statistics.median_low(events)}, worst {max(events)}"


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


def main(arguments: Sequence[str] | None = None) -> int:
    """Hunt planted bugs and shrink the failures; the exit code is 1 if a bug was missed."""
    parser = argparse.ArgumentParser(prog="python -m edda_sync.simulations.hunt", description="Hunt planted bugs.")
    parser.add_argument("--bug", action="append", help="the name of one; may be repeated; all by default")
    parser.add_argument("--start", type=int, default=0, help="the first seed")
    parser.add_argument("--runs-max", type=int, default=RUNS_MAX, help="give a bug up after so many runs")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes")
    parser.add_argument(
        "--large", action="store_true", help="leave failures as they are: making them small takes longest"
    )
    parser.add_argument(
        "--note", action="store_true", help="append the results to docs/evidence.md also if bugs are named"
    )
    chosen = parser.parse_args(arguments)
    names = {bug.name for bug in BUGS}
    unknown = [name for name in chosen.bug or () if name not in names]
    if unknown:
        parser.error(f"there is no planted bug called {unknown[0]!r}; there are: {', '.join(sorted(names))}")
    bugs = [bug_named(name) for name in chosen.bug] if chosen.bug else BUGS
    runs_max = min(chosen.runs_max, RUNS_MAX)
    state = conduct(bugs, chosen.start, runs_max, chosen.jobs, small=not chosen.large)
    hunted, wanted = {found.bug for found in state.found}, {bug.name for bug in bugs}
    if not wanted <= hunted:
        _say("stopped; the same command goes on")
    elif chosen.note or names <= hunted:
        told = State(state.key, [each for each in state.found if each.bug in wanted], state.took_s)
        evidence.append(SECTION, row(told))
        _say(row(told))
    return int(any(found.seed is None for found in state.found) or not hunted)


if __name__ == "__main__":
    sys.exit(main())
