"""What every workload needs: rows of the result, tasks to store, raw SQLite with the same durability, time and memory."""

from __future__ import annotations

import random
import resource
import statistics
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

from sqlcipher3 import dbapi2 as sqlite

import edda_sync as edda
from edda_sync.store.sqlite import schema

WORDS: Final = 5_000
TAGS: Final = 20
TRANSACTION: Final = 1_000  # tasks of one bulk transaction
TIME: Final = "2026-03-01T09:30:00.000Z"
Row = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Options:
    """
    What to measure.

    Attributes:
        tasks: How many tasks a store holds.
        keystrokes: How many of a trace are typed; all when it is 0.
        folder: Where stores are made; on the disk that is to be measured.
        traces: Folder of recorded typing.
    """

    tasks: int
    keystrokes: int
    folder: Path
    traces: Path


@dataclass(frozen=True, slots=True)
class Figure:
    """
    One line of the table.

    Attributes:
        what: The work.
        aim: What it should cost, in words.
        ours, raw: What it cost with edda-sync, and with raw SQLite in the same run.
        ratio: Ours over raw's, as performance: above 1 is faster than raw SQLite.
        reached: Whether ours meets the aim; None where there is none.
        amount: Ours as a number, in seconds or bytes or as a share: less is better. :mod:`benchmarks.against` compares it.
        cpu_s: CPU time of the work, user and system, of all processes that did it; it says more than seconds do where
            others use the machine.
        column: The heading of its cell, in a table that has a row for ``what``; empty for a line of its own.
    """

    what: str
    aim: str
    ours: str
    raw: str = ""
    ratio: float | None = None
    reached: bool | None = None
    amount: float | None = None
    cpu_s: float | None = None
    column: str = ""


class Spent(NamedTuple):
    """What work took."""

    wall_s: float
    cpu_s: float  # user and system, of all threads and of the commands that it ran


# --- what is stored ---------------------------------------------------------------------------------------------------


class Source:
    """Makes tasks of 40-character titles, 200-character descriptions, two tags and metadata; the same for a seed."""

    def __init__(self, seed: int = 1) -> None:
        self._random = random.Random(seed)
        letters = "abcdefghijklmnopqrstuvwxyz"
        self._words = ["".join(self._random.choices(letters, k=self._random.randint(2, 10))) for _ in range(WORDS)]
        self._count = 0

    def text(self, length: int) -> str:
        """Return so many characters of words."""
        text = " ".join(self._random.choices(self._words, k=length // 3 + 1))
        return text[: length - 1] + "."

    def task(self) -> edda.Task:
        """Return another task."""
        self._count += 1
        tags = {f"tag {number}" for number in self._random.sample(range(TAGS), 2)}
        metadata = {"estimate": self._count % 10, "source": "import"}
        return edda.Task(
            title=self.text(40), description=self.text(200), priority=self._count % 5, tags=tags, metadata=metadata
        )

    def tasks(self, count: int) -> list[edda.Task]:
        """Return so many."""
        return [self.task() for _ in range(count)]


def fill(store: edda.StorageEngine, tasks: list[edda.Task], per_transaction: int = TRANSACTION) -> None:
    """Create tasks, so many in a transaction."""
    for at in range(0, len(tasks), per_transaction):
        with store.begin_transaction() as tx:
            for task in tasks[at : at + per_transaction]:
                tx.create_task(task)


@contextmanager
def a_store(options: Options) -> Iterator[edda.StorageEngine]:
    """Open a new store in a folder that goes with it."""
    with (
        a_folder(options) as folder,
        edda.open(folder / "home", edda.StorageConfig(state_path=folder / "state")) as store,
    ):
        yield store


@contextmanager
def a_folder(options: Options) -> Iterator[Path]:
    """Make a folder on the measured disk for as long as it takes."""
    with tempfile.TemporaryDirectory(prefix="edda-bench-", dir=options.folder) as folder:
        yield Path(folder)


# --- raw SQLite -------------------------------------------------------------------------------------------------------


class Raw:
    """The specification's tables in a file of their own, as durable as ours: WAL, ``synchronous=FULL``."""

    def __init__(self, path: Path) -> None:
        self.connection = sqlite.connect(str(path), isolation_level=None, check_same_thread=False)
        self.execute = self.connection.execute
        self.configure()
        if not self.execute("SELECT 1 FROM sqlite_master").fetchall():
            for statement in schema.SPECIFICATION.split(";"):
                self.execute(statement)
            tags = [(f"tag {number}", f"tag {number}", None, None, TIME) for number in range(TAGS)]
            self.connection.executemany("INSERT INTO tags VALUES (?, ?, ?, ?, ?)", tags)

    def configure(self) -> None:
        """Make the connection as durable as ours."""
        self.execute("PRAGMA journal_mode = WAL")
        self.execute("PRAGMA synchronous = FULL")
        assert self.execute("PRAGMA synchronous").fetchone() == (2,)

    def insert(self, rows: Iterable[tuple[Row, list[Row]]]) -> None:
        """Write tasks with their tags, durably, in one transaction."""
        listed = list(rows)
        self.execute("BEGIN IMMEDIATE")
        many = self.connection.executemany
        many(f"INSERT OR REPLACE INTO tasks VALUES ({', '.join('?' * 12)})", [row for row, _ in listed])
        many("INSERT OR REPLACE INTO entity_tags VALUES (?, ?, ?, ?)", [tag for _, tags in listed for tag in tags])
        self.execute("COMMIT")

    def close(self) -> None:
        """Let go of the file."""
        self.connection.close()


def raw_rows(tasks: list[edda.Task]) -> list[tuple[Row, list[Row]]]:
    """Return what the specification's tables hold of tasks, made by hand."""
    rows = []
    for task in tasks:
        task_id = edda_id()
        row = (
            task_id, task.title, task.description, "open", task.priority, TIME, TIME, None, None, None,
            '{"estimate":1,"source":"import"}', None,
        )  # fmt: skip
        rows.append((row, [("task", task_id, tag, TIME) for tag in sorted(task.tags)]))
    return rows


def edda_id() -> str:
    """Return an id such as a store makes."""
    from edda_sync.words import values

    return values.uuid7(int(time.time() * 1000), random.randbytes(10))


@contextmanager
def a_raw_store(options: Options) -> Iterator[Raw]:
    """Open raw SQLite in a folder that goes with it."""
    with a_folder(options) as folder:
        raw = Raw(folder / "raw.db")
        try:
            yield raw
        finally:
            raw.close()


# --- measuring --------------------------------------------------------------------------------------------------------


def spent(work: Callable[[], object]) -> Spent:
    """Return what work takes."""
    start, start_cpu = time.perf_counter(), cpu_s()
    work()
    return Spent(time.perf_counter() - start, cpu_s() - start_cpu)


def seconds(work: Callable[[], object]) -> float:
    """Return how long work takes."""
    return spent(work).wall_s


def median(runs: Iterable[Spent]) -> Spent:
    """Return the median of several runs: of the time by the clock, and of the CPU's."""
    wall_s, cpu_s = zip(*runs, strict=True)
    return Spent(statistics.median(wall_s), statistics.median(cpu_s))


def median_of(work: Callable[[], object], runs: int) -> Spent:
    """Return what work takes, as the median of several runs."""
    return median([spent(work) for _ in range(runs)])


def cpu_s() -> float:
    """Return the CPU time of this process so far, and of the commands that it ran and that have ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


def percentile(values: list[float], percent: float) -> float:
    """Return the value below which so many percent lie."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]


def rate(value: float) -> str:
    """Return so many a second."""
    return f"{value:,.0f} /s"


def milliseconds(value_s: float) -> str:
    """Return a short time."""
    return f"{value_s * 1000:,.2f} ms" if value_s < 0.01 else f"{value_s * 1000:,.0f} ms"


def megabytes(size: float) -> str:
    """Return a size."""
    return f"{size / 1e6:,.1f} MB"


def kilobytes(size: float) -> str:
    """Return a small size."""
    return f"{size / 1e3:,.1f} KB"


def size_of(folder: Path) -> int:
    """Return the bytes of all files in a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
