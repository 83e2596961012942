"""What the workloads share: tasks to work on, stores in temporary folders, raw SQLite beside them, rows to print."""

from __future__ import annotations

import functools
import os
import re
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlcipher3 import dbapi2 as sqlite

import edda_sync as edda
from edda_sync.engine import StorageEngine
from edda_sync.store import schema


@dataclass(frozen=True, slots=True)
class Figure:
    """
    One row of the table.

    Attributes:
        work: What was done.
        ours: What it took, with its unit.
        floor: The same in raw SQLite; empty where there is no such thing.
        aim: What we aim at, as it is written down.
        ratio: Ours as a multiple of the aim: 1 or more is reached, 0.5 is within a factor of two; None without an aim.
    """

    work: str
    ours: str
    floor: str
    aim: str
    ratio: float | None


@contextmanager
def home() -> Iterator[Path]:
    """Yield a temporary folder for a store; keys and lives stay inside it."""
    with tempfile.TemporaryDirectory(prefix="edda-bench-") as folder:
        os.environ["EDDA_KEYRING"] = "off"
        os.environ["EDDA_STATE"] = str(Path(folder) / "state")
        yield Path(folder)


@contextmanager
def store() -> Iterator[StorageEngine]:
    """Yield a new store."""
    with home() as folder, edda.open(folder / "home") as engine:
        yield engine


TEXT = (
    "the plan of our small team is to write what people need and to keep it simple for years call the printer about "
    "paper order fresh coffee before Monday review budget draft with Anna fix slow search on phone move old photos pay "
    "rent send parcel back ask doctor for new date repair bicycle light water garden read report twice then answer"
)
WORDS = tuple(re.split(" ", TEXT))


@functools.lru_cache(maxsize=1 << 20)
def _text(seed: int, length: int) -> str:
    """Return words, the same for a seed, cut to a length: text that compresses like text."""
    words: list[str] = []
    state = seed * 2_654_435_761 + 12_345
    while sum(len(word) + 1 for word in words) < length:
        state = (state * 6_364_136_223_846_793_005 + 1_442_695_040_888_963_407) % (1 << 64)
        words.append(WORDS[(state >> 33) % len(WORDS)])
    return " ".join(words)[:length].rstrip()


def task(number: int) -> edda.Task:
    """Return one of the tasks that all are measured with: 40-character title, 200-character description, two tags."""
    return edda.Task(
        title=_text(number, 40),
        description=_text(number + 1_000_000, 200),
        priority=number % 5,
        tags={f"tag{number % 20}", f"area{number % 7}"},
        metadata={"number": number},
    )


def fill(engine: StorageEngine, count: int, batch: int = 1_000) -> None:
    """Create tasks, so many a transaction. Words are chosen before: :func:`prepare`."""
    for start in range(0, count, batch):
        with engine.begin_transaction() as tx:
            for number in range(start, min(start + batch, count)):
                tx.create_task(task(number))


def prepare(count: int) -> None:
    """Choose the words of so many tasks, so that no workload measures that."""
    for number in range(count):
        task(number)


def seconds(work: Callable[[], object]) -> float:
    """Return how long something took."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def median(values: list[float]) -> float:
    """Return the median."""
    return statistics.median(values)


def percentile(values: list[float], share: float) -> float:
    """Return the value below which a share of all lies."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def raw(folder: Path) -> Any:
    """Return a raw SQLite connection with the specification's tables and our durability."""
    connection = sqlite.connect(str(folder / "raw.db"), isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")
    for statement in schema._statements(schema._SPECIFICATION):
        connection.execute(statement)
    for number in range(20):
        connection.execute("INSERT INTO tags VALUES (?, ?, NULL, NULL, '')", (f"tag{number}", f"tag{number}"))
    for number in range(7):
        connection.execute("INSERT INTO tags VALUES (?, ?, NULL, NULL, '')", (f"area{number}", f"area{number}"))
    return connection


def raw_insert(connection: Any, number: int) -> None:
    """Insert the same task by hand."""
    made = task(number)
    entity = f"{number:036d}"
    at = "2026-01-01T00:00:00.000Z"
    connection.execute(
        "INSERT INTO tasks VALUES (?, ?, ?, 'open', ?, ?, ?, NULL, NULL, NULL, ?, NULL)",
        (entity, made.title, made.description, made.priority, at, at, f'{{"number":{number}}}'),
    )
    for tag in made.tags:
        connection.execute("INSERT INTO entity_tags VALUES ('task', ?, ?, ?)", (entity, tag, at))
