"""
Mutants: ``make mutants``, or ``python -m tests.mutants`` with words from the names of some mutants.

Each mutant of ``tests/mutations`` is made in a copy of the tree, and its nearest tests run there until one fails: that test
kills it. One that no test kills *survives*: a fault that nobody would notice, and so a test is missing. At the end the tests
that killed run once without any mutant: one that fails by itself kills nothing. The result is appended to
docs/evidence.md.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from queue import SimpleQueue
from typing import Final

from edda_sync.simulations import evidence
from tests.mutations import (
    asking,
    backups,
    device,
    encryption,
    files,
    fold,
    imports,
    indexes,
    live,
    overlaps,
    rocks,
    sealed,
    settings,
    store,
    sync,
    taking_back,
)
from tests.mutations.mutant import Mutant

MUTANTS: Final = (
    *sync.MUTANTS, *store.MUTANTS, *fold.MUTANTS, *device.MUTANTS, *settings.MUTANTS, *encryption.MUTANTS, *backups.MUTANTS,
    *sealed.MUTANTS, *live.MUTANTS, *files.MUTANTS, *indexes.MUTANTS, *rocks.MUTANTS, *imports.MUTANTS, *asking.MUTANTS,
    *overlaps.MUTANTS, *taking_back.MUTANTS,
)  # fmt: skip
ROOT: Final = Path(__file__).parents[1]
TESTS_S_MAX: Final = 300  # for the tests of one mutant: an endless run counts as noticed
_LEFT_OUT: Final = shutil.ignore_patterns(".git", ".venv", ".*_cache", ".hypothesis", "__pycache__", "build", "dist")
_PYTEST: Final = (
    sys.executable,
    "-m",
    "pytest",
    "-x",
    "-q",
    "-rfE",
    "-p",
    "no:cacheprovider",
    "--no-header",
    "--tb=no",
)
_SOME_FAILED: Final = 1  # an exit code of pytest; only this one and success say something about a mutant
SECTION: Final = """\
## Mutants (`make mutants`)

Each is one small edit of the product's source that would cost users data, equality or a duty
([tests/mutations](../tests/mutations)). It is made in a copy of the tree, and its nearest tests run there until one
fails. *Survived* are the mutants that no test noticed.

| time (UTC) | commit | mutants | killed | survived | took |
|---|---|---|---|---|---|
"""


class Fate(Enum):
    """The fate of a mutant."""

    KILLED = "killed"
    SURVIVED = "SURVIVED"
    BROKEN = "BROKEN"  # the tests could not even run: the mutant shows nothing


@dataclass(frozen=True, slots=True)
class Verdict:
    """The verdict of the nearest tests on a mutant: its fate, the test that decided it, and the time in seconds."""

    mutant: Mutant
    fate: Fate
    test: str
    took_s: float

    def line(self) -> str:
        """Return the verdict as a line for a person."""
        by = f" by {self.test}" if self.test else ""
        return f"{self.fate.value:8} {self.took_s:5.1f} s  {self.mutant.name}{by}"


class Tree:
    """
    A copy of the tree in which one file at a time is changed.

    Args:
        path: Folder of the copy.
        source: Folder of the original.
    """

    def __init__(self, path: Path, source: Path = ROOT) -> None:
        self.path = path
        shutil.copytree(source, path, ignore=_LEFT_OUT, symlinks=True)

    @contextlib.contextmanager
    def changed(self, mutant: Mutant) -> Iterator[None]:
        """Put the mutant into the tree, for the length of a ``with`` block."""
        file = self.path / "edda_sync" / mutant.file
        true = file.read_text(encoding="utf-8")
        self._write(file, mutated(mutant, true))
        try:
            yield
        finally:
            self._write(file, true)

    @staticmethod
    def _write(file: Path, text: str) -> None:
        file.write_text(text, encoding="utf-8")
        Path(importlib.util.cache_from_source(str(file))).unlink(
            missing_ok=True
        )  # the old and the new file may have the same size and time

    def run(self, tests: Sequence[str]) -> tuple[int, str]:
        """Run tests until one fails; return pytest's exit code and what failed."""
        environment = {**os.environ, "PYTHONPATH": str(self.path)}  # also for the processes that tests start
        with subprocess.Popen(
            [*_PYTEST, *(f"tests/{test}" for test in tests)], cwd=self.path, env=environment, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True,
        ) as running:  # fmt: skip
            try:
                told, _ = running.communicate(timeout=TESTS_S_MAX)
            except subprocess.TimeoutExpired:
                return _SOME_FAILED, ""
            finally:  # with what the tests have started, which a mutant may never end
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(running.pid, signal.SIGKILL)
        listed = [line.split(" - ")[0] for line in told.splitlines() if line.startswith(("FAILED ", "ERROR "))]
        return running.returncode, listed[0].partition(" tests/")[2] if listed else ""


def mutated(mutant: Mutant, source: str) -> str:
    """Return the source of a mutant's file with the mutant in it."""
    found = source.count(mutant.before)
    assert found == 1, f"{mutant.file} has {found} times what is to be mutated, {mutant.before!r}: aim the mutant anew"
    return source.replace(mutant.before, mutant.after)


def judge(tree: Tree, mutant: Mutant) -> Verdict:
    """Run the nearest tests of a mutant."""
    began = time.monotonic()
    with tree.changed(mutant):
        code, test = tree.run(mutant.tests)
    fate = {0: Fate.SURVIVED, _SOME_FAILED: Fate.KILLED}.get(code, Fate.BROKEN)
    return Verdict(mutant, fate, test, time.monotonic() - began)


def judge_all(
    mutants: Sequence[Mutant], jobs: int, tell: Callable[[Verdict], None] = lambda _: None, source: Path = ROOT
) -> tuple[list[Verdict], str]:
    """
    Run the nearest tests of each mutant.

    Args:
        mutants: The mutants.
        jobs: Number of mutants at a time, each in a copy of its own.
        tell: Called with each verdict as it comes.
        source: The tree.

    Returns:
        The verdicts, in order, and the test that killed but fails without any mutant; empty for none.
    """
    with tempfile.TemporaryDirectory(prefix="edda-mutants-") as folder, ThreadPoolExecutor(jobs) as pool:
        trees = SimpleQueue[Tree]()
        for number in range(jobs):
            trees.put(Tree(Path(folder) / str(number), source))

        def in_turn(mutant: Mutant) -> Verdict:
            tree = trees.get()
            try:
                verdict = judge(tree, mutant)
            finally:
                trees.put(tree)
            tell(verdict)
            return verdict

        verdicts = list(pool.map(in_turn, mutants))
        killers = dict.fromkeys(verdict.test for verdict in verdicts if verdict.fate is Fate.KILLED and verdict.test)
        code, failed = trees.get().run(list(killers)) if killers else (0, "")
        return verdicts, "" if code == 0 else failed or "the tests that killed"


def named(words: Sequence[str]) -> list[Mutant]:
    """Return the mutants whose name or file contains one of some words; all mutants if there are no words."""
    return [each for each in MUTANTS if not words or any(word in f"{each.name} {each.file}" for word in words)]


def row(verdicts: Sequence[Verdict], took_s: float) -> str:
    """Return the row for docs/evidence.md."""
    survived = [verdict.mutant.name for verdict in verdicts if verdict.fate is not Fate.KILLED]
    killed = str(len(verdicts) - len(survived))
    told = f"**{len(survived)}**: {'; '.join(survived)}" if survived else "none"
    fields = (evidence.time_now(), evidence.commit(), str(len(verdicts)), killed, told, f"{took_s:,.0f} s")
    return f"| {' | '.join(fields)} |"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run mutants, print the fate of each, and write down the result if all were run."""
    parser = argparse.ArgumentParser(description="Make small faults, and look whether the nearest tests notice.")
    parser.add_argument("words", nargs="*", help="only mutants with one of these words in their name or file")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="how many at a time")
    chosen = parser.parse_args(arguments)
    mutants = named(chosen.words)
    if not mutants:
        parser.error("no mutant has such a name")
    began = time.monotonic()
    verdicts, failed = judge_all(mutants, chosen.jobs, lambda verdict: print(verdict.line(), flush=True))  # noqa: T201
    if failed:
        sys.stderr.write(f"{failed} fails without any mutant: it kills nothing. Mend it first.\n")
        return 1
    if not chosen.words:
        line = row(verdicts, time.monotonic() - began)
        evidence.append(SECTION, line)
        sys.stderr.write(line + "\n")
    return int(any(verdict.fate is not Fate.KILLED for verdict in verdicts))


if __name__ == "__main__":
    sys.exit(main())
