"""
A campaign: a range of seeds on every core, stopped and resumed at will. ``make simulate SEEDS=0-199999``.

Each seed is one run. One run in a hundred is repeated in another process with another hash seed, and must have the same
digest. The result is appended to docs/evidence.md. For a run that failed, it names the command that repeats it.
"""

from __future__ import annotations

import gc
import multiprocessing
import os
import re
import signal
import sys
import time
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from dataclasses import dataclass, field
from itertools import islice
from itertools import repeat as repeats
from pathlib import Path
from typing import Final

from edda_sync.simulations import evidence
from edda_sync.simulations.plays import PLAYS
from edda_sync.simulations.runs import run
from edda_sync.simulations.shrink import command_of
from edda_sync.simulations.tape import Tape

BLOCK: Final = 100  # seeds that a process takes at a time; the first of each block is run twice
FAILURES_MAX: Final = 20  # after so many failures a campaign ends, because they have to be fixed first
GARBAGE_OBJECTS: Final = 20_000  # created before a process looks for cycles, of which runs make few
SECTION: Final = """\
## Simulations (`make simulate SEEDS=0-9999`)

Each seed is one run of the product's own code on simulated networks, disks and clocks: faults and work under the watch
of every checker, then healing and proof of equality ([what a run is](simulations.md)). One run in a hundred was
repeated in another process: its digest was the same. *Runs an hour* are those of one core; *speed* is simulated seconds
per real second.

| time (UTC) | commit | seeds | verdict | store | changes | simulated | runs an hour and core | speed | repeated | took |
|---|---|---|---|---|---|---|---|---|---|---|
"""


PLAYED: Final = """\
## Scenarios of backups and copies (`make simulate SCENARIO=restored-laptop SEEDS=0-499`)

Each seed is one run around one of the [plays](../edda_sync/simulations/plays.py): backups, restores, clones and splits of
the product's own code at a place that loses, delays and refuses, among the usual work and faults. The columns are those of
the table of simulations.

| time (UTC) | commit | seeds | verdict | store | changes | simulated | runs an hour and core | speed | repeated | took |
|---|---|---|---|---|---|---|---|---|---|---|
"""


@dataclass(frozen=True, slots=True)
class Digest:
    """The digest of a run, and the process that computed it."""

    seed: int
    digest: str
    process: int


@dataclass(slots=True)
class Tally:
    """The combined results of some runs."""

    runs: int = 0
    changes: int = 0
    virtual_s: float = 0.0
    core_s: float = 0.0
    repeated: int = 0
    failures: list[tuple[int, str]] = field(default_factory=list)
    digests: list[Digest] = field(default_factory=list)

    def add(self, other: Tally) -> None:
        """Add the results of another tally."""
        self.runs += other.runs
        self.changes += other.changes
        self.virtual_s += other.virtual_s
        self.core_s += other.core_s
        self.failures += other.failures


@dataclass(frozen=True, slots=True)
class Block:
    """A piece of work: a range of seeds to run, perhaps around a story."""

    first: int
    last: int
    backend: str | None
    play: str | None = None

    def tape(self, seed: int) -> Tape:
        """Return the tape of a seed."""
        return Tape(seed, backend=self.backend, play=None if self.play is None else PLAYS[self.play])


def work(block: Block) -> tuple[Block, Tally]:
    """Run a block."""
    tally = Tally()
    started = time.process_time()
    for seed in range(block.first, block.last + 1):
        tape = block.tape(seed)
        verdict = run(tape)
        tally.runs += 1
        tally.changes += verdict.changes
        tally.virtual_s += verdict.virtual_s
        if seed == block.first:
            tally.digests.append(Digest(seed, verdict.digest, os.getpid()))
        if verdict.violation is not None and len(tally.failures) < FAILURES_MAX:
            tally.failures.append((seed, f"{verdict.violation}; again: {command_of(tape)}"))
    tally.core_s = time.process_time() - started
    return block, tally


def repeat(known: Digest, block: Block) -> str:
    """Run a seed again in another process; return what is wrong, or an empty string."""
    assert known.process != os.getpid(), "the processes that repeat runs are new ones"
    tape = block.tape(known.seed)
    return "" if run(tape).digest == known.digest else f"another process has another digest: {command_of(tape)}"


class Campaign:
    """
    A range of seeds. Call :meth:`run`, which may be interrupted at any time.

    Args:
        first, last: The first and last seed.
        jobs: The number of processes.
        backend: ``memory`` or ``sqlite``; drawn for each run by default.
        block: How many seeds a process takes at a time.
        play: The name of a story around which each run is drawn.
    """

    def __init__(
        self,
        first: int,
        last: int,
        jobs: int,
        backend: str | None = None,
        *,
        block: int = BLOCK,
        play: str | None = None,
    ) -> None:
        self.first, self.last, self.jobs, self.backend = first, last, jobs, backend
        self._block, self.play = block, play
        self.done = first - 1  # all seeds up to this one were run
        self.tally = Tally()
        self.took_s = 0.0
        self._digests: list[Digest] = []
        self._finished: dict[int, tuple[int, Tally]] = {}

    def run(self) -> None:
        """Run until the last seed, or until interrupted."""
        started = time.monotonic()
        blocks = self._blocks()
        with self._processes() as pool:
            running = {pool.submit(work, block) for block in islice(blocks, self.jobs)}
            try:
                while running:
                    if len(self.tally.failures) >= FAILURES_MAX:
                        raise KeyboardInterrupt
                    done, running = wait(running, return_when=FIRST_COMPLETED)
                    for each in done:
                        self._take(*each.result())
                    running |= {pool.submit(work, block) for block in islice(blocks, len(done))}
            except KeyboardInterrupt:
                _say("\nstopping when the running blocks are done ")
                for each in running:
                    self._take(*each.result())
        _say("\n")
        with self._processes() as pool:
            wrongs = pool.map(repeat, self._digests, repeats(self._of(self.first, self.last)))
            for known, wrong in zip(self._digests, wrongs, strict=True):
                self.tally.repeated += 1
                if wrong:
                    self.tally.failures.append((known.seed, wrong))
        self.took_s = time.monotonic() - started

    def _take(self, block: Block, tally: Tally) -> None:
        """Add the results of a block. Only seeds without a gap before them count."""
        self._finished[block.first] = (block.last, tally)
        self._digests += tally.digests
        while self.done + 1 in self._finished:
            self.done, finished = self._finished.pop(self.done + 1)
            self.tally.add(finished)
        for _, text in tally.failures:
            _say(f"\r{text}\n")
        _say(f"\r{self.done - self.first + 1:,} of {self.last - self.first + 1:,} runs ")

    def _blocks(self) -> Iterator[Block]:
        for first in range(self.first, self.last + 1, self._block):
            yield self._of(first, min(first + self._block - 1, self.last))

    def _of(self, first: int, last: int) -> Block:
        return Block(first, last, self.backend, self.play)

    def _processes(self) -> ProcessPoolExecutor:
        spawn = multiprocessing.get_context("spawn")  # so that each process has a hash seed of its own
        return ProcessPoolExecutor(self.jobs, mp_context=spawn, initializer=_start_process)

    def row(self) -> str:
        """Return the campaign's row for docs/evidence.md."""
        tally = self.tally
        failed = ", ".join(str(seed) for seed, _ in tally.failures)
        fields = (
            evidence.time_now(),
            evidence.commit(),
            f"{self.first}-{self.done}" if self.play is None else f"{self.play} {self.first}-{self.done}",
            f"**violated**: {failed}" if tally.failures else "all held",
            self.backend or "drawn",
            f"{tally.changes:,}",
            f"{tally.virtual_s / 86_400:,.0f} days",
            f"{tally.runs / tally.core_s * 3_600:,.0f}",
            f"{tally.virtual_s / tally.core_s:,.0f}",
            f"{tally.repeated:,}",
            f"{self.took_s:,.0f} s",
        )
        return f"| {' | '.join(fields)} |"


def next_seed(file: Path = evidence.FILE, play: str | None = None) -> int:
    """Return the first seed that no recorded campaign has run yet, of a story or of all other runs."""
    heading = (SECTION if play is None else PLAYED).splitlines()[0]
    section = file.read_text(encoding="utf-8").partition(heading)[2].partition("\n## ")[0]
    story = "" if play is None else f"{play} "
    ends = re.findall(rf"^\|[^|]*\|[^|]*\| {story}\d+-(\d+) \|", section, re.MULTILINE)
    return max((int(end) + 1 for end in ends), default=0)


def seeds_of(text: str, play: str | None = None) -> tuple[int, int]:
    """
    Read a range such as ``100-199``, or a number such as ``100``: so many seeds that no campaign has run yet.

    Raises:
        ValueError: It is neither.
    """
    first, dash, last = text.partition("-")
    if dash:
        return int(first), int(last)
    start = next_seed(play=play)
    return start, start + int(first) - 1


def _start_process() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the campaign's process gets the signal, and ends the pool
    gc.freeze()  # imported modules are never garbage
    gc.set_threshold(GARBAGE_OBJECTS)


def _say(text: str) -> None:
    sys.stderr.write(text)
    sys.stderr.flush()


def conduct(campaign: Campaign) -> int:
    """Conduct a campaign and record its result; return the exit code."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # in a script's background: nothing could stop it
        signal.signal(signal.SIGINT, signal.default_int_handler)
    campaign.run()
    if campaign.tally.runs:
        row = campaign.row()
        evidence.append(SECTION if campaign.play is None else PLAYED, row)
        _say(row + "\n")
    if campaign.done < campaign.last:
        story = "" if campaign.play is None else f" SCENARIO={campaign.play}"
        _say(f"stopped; go on with: make simulate{story} SEEDS={campaign.done + 1}-{campaign.last}\n")
    return int(bool(campaign.tally.failures) or not campaign.tally.runs)
