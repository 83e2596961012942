"""The columns of a table: stores that hold the same and do the same works in turn, ours and raw ones."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, Final

import edda_sync as edda
from benchmarks.asked import PARENTS, Question, questions
from benchmarks.measure import TIME, TRANSACTION, Spent, edda_id, spent
from benchmarks.raws import Entry, RawSqlite, RawStore
from edda_sync.engine.engine import StorageEngine
from edda_sync.store.sqlite.sql import SqlConnection
from edda_sync.store.sqlite.store import SqliteStore
from edda_sync.words.config import CacheConfig

CREATES: Final = 100
READS: Final = 500
ASKED: Final = 10
CACHE_BYTES: Final = 256_000_000
CHILDREN: Final = 10  # one task in so many has a parent

BULK: Final = f"a create in bulk, {TRANSACTION:,} a transaction"
DURABLE: Final = "a durable create"
OPEN: Final = "opened, and the 50 most urgent"
READ: Final = "a task by its id"
CACHED: Final = "a task by its id, cached"
SCAN: Final = "  by a scan: {}"


@dataclass(slots=True)
class Side:
    """
    One column.

    Attributes:
        name: Its heading.
        beside: The heading of the raw store that it is compared with; empty for a raw one.
        works: By name, what does one round of a work, and returns how many of it were done.
        took: By name, what one of it took in each round.
    """

    name: str
    beside: str
    works: dict[str, Callable[[], int]]
    took: dict[str, list[Spent]] = field(default_factory=dict)

    def do(self, what: str) -> None:
        """Do one round of a work, if this side can."""
        work = self.works.get(what)
        if work is not None:
            counts: list[int] = []
            taken = spent(lambda: counts.append(work()))
            self.note(what, Spent(taken.wall_s / counts[0], taken.cpu_s / counts[0]))

    def note(self, what: str, one: Spent) -> None:
        """Note what one took in a round."""
        self.took.setdefault(what, []).append(one)


class Ours:
    """
    A new store of edda-sync.

    Args:
        home: Its folder.
        config: How it is kept.
        tasks: What it is to hold, in the order in which it is written.
        word: A word that some of them have.
    """

    def __init__(self, home: Path, config: edda.StorageConfig, tasks: Sequence[edda.Task], word: str) -> None:
        self._home, self._config, self._tasks, self._word = home, config, iter(tasks), word
        self._ids: list[str] = []
        self.store: StorageEngine = edda.open(home, config)
        self._cached: StorageEngine | None = None
        self._sql: SqlConnection | None = None
        self._made: set[tuple[str, str, str]] = set()
        with self.store.begin_transaction() as tx:
            self._parents = [tx.create_task(edda.Task(title=f"parent {number}")) for number in range(PARENTS)]

    def side(self, name: str, beside: str) -> Side:
        """Return the column of this store."""
        works: dict[str, Callable[[], int]] = {
            BULK: self._fill, DURABLE: self._create, OPEN: self._open, READ: lambda: self._read(self.store),
            CACHED: self._read_cached,
        }  # fmt: skip
        for question in self._questions():
            works[question.name] = partial(self._ask, question)
            works[SCAN.format(question.name)] = partial(self._scan, question)
        return Side(name, beside, works)

    def close(self) -> None:
        """Release the store."""
        if self._cached is not None:
            self._cached.close()
        self.store.close()

    def _questions(self) -> list[Question]:
        return questions(self._parents[0], self._word, raw=False)

    def _next(self, count: int) -> list[edda.Task]:
        tasks = list(islice(self._tasks, count))
        for number, task in enumerate(tasks):
            task.parent_id = None if number % CHILDREN else self._parents[number // CHILDREN % PARENTS]
        return tasks

    def _settle(self) -> None:
        """Do all that a store puts off until nobody writes: full text, and what RocksDB keeps."""
        self.store.reading.index_texts()
        assert isinstance(self.store.store, SqliteStore)
        self.store.store.settle()

    def _fill(self) -> int:
        with self.store.begin_transaction() as tx:
            made = [tx.create_task(task) for task in self._next(TRANSACTION)]
        self._ids += made
        self._settle()
        return len(made)

    def _create(self) -> int:
        for task in self._next(CREATES):
            self.store.create_task(task)
        self._settle()
        return CREATES

    def _open(self) -> int:
        with edda.open(self._home, self._config) as store:
            store.query_tasks(edda.MOST_URGENT)
        return 1

    def _read(self, store: StorageEngine) -> int:
        for task in random.choices(self._ids, k=READS):
            store.get_task(task)
        return READS

    def _read_cached(self) -> int:
        if self._cached is None:  # the first round fills the cache, too
            cache = CacheConfig(max_size=CACHE_BYTES)
            self._cached = edda.open(self._home, self._config.changed(cache_config=cache))
            for task in self._ids:
                self._cached.get_task(task)
        return self._read(self._cached)

    def _ask(self, question: Question) -> int:
        if question.own_index is not None and question.own_index not in self._made:  # the first round makes it, too
            name, column, kind = question.own_index
            manager: Any = getattr(self.store, "indexes", None)
            manager.create(name, [column], getattr(edda, "IndexType", {})[kind])
            self._made.add(question.own_index)
        for _ in range(ASKED):
            self.store.query_tasks(question.query)
        return ASKED

    def _scan(self, question: Question) -> int:
        if self._sql is None:
            self._sql = self.store.sql()
        self._sql.execute(question.sql(scan=True), question.parameters).fetchall()
        return 1


class Beside:
    """
    A new raw store.

    Args:
        make: Opens it.
        tasks, word: See :class:`Ours`.
    """

    def __init__(self, make: Callable[[], RawStore], tasks: Sequence[edda.Task], word: str) -> None:
        self._make, self._tasks, self._word = make, iter(tasks), word
        self.store = make()
        self._ids: list[str] = []
        parents = [_entry(edda.Task(title=f"parent {number}", status="open"), None) for number in range(PARENTS)]
        self.store.insert(parents)
        self._parents: list[str] = [row[0] for row, _ in parents]

    def side(self, name: str) -> Side:
        """Return the column of this store."""
        works: dict[str, Callable[[], int]] = {BULK: self._fill, DURABLE: self._create, READ: self._read}
        if isinstance(self.store, RawSqlite):
            works[OPEN] = partial(self._open, questions(self._parents[0], self._word, raw=True)[0])
            for question in questions(self._parents[0], self._word, raw=True):
                works[SCAN.format(question.name)] = partial(self._ask, self.store, question, scan=True)
                if question.has_raw_index:
                    works[question.name] = partial(self._ask, self.store, question, scan=False)
        return Side(name, "", works)

    def close(self) -> None:
        """Release the store."""
        self.store.close()

    def _next(self, count: int) -> list[Entry]:
        return [
            _entry(task, None if number % CHILDREN else self._parents[number // CHILDREN % PARENTS])
            for number, task in enumerate(islice(self._tasks, count))
        ]

    def _fill(self) -> int:
        entries = self._next(TRANSACTION)
        self.store.insert(entries)
        self._ids += [row[0] for row, _ in entries]
        return len(entries)

    def _create(self) -> int:
        for entry in self._next(CREATES):
            self.store.insert([entry])
        return CREATES

    def _open(self, question: Question) -> int:
        again = self._make()
        assert isinstance(again, RawSqlite)
        again.execute(question.sql(scan=False), question.parameters).fetchall()
        again.close()
        return 1

    def _read(self) -> int:
        for task in random.choices(self._ids, k=READS):
            self.store.read(task)
        return READS

    def _ask(self, store: RawSqlite, question: Question, *, scan: bool) -> int:
        times = 1 if scan else ASKED
        for _ in range(times):
            store.execute(question.sql(scan=scan), question.parameters).fetchall()
        return times


def _entry(task: edda.Task, parent: str | None) -> Entry:
    """Return the rows of a task, made by hand."""
    task_id, tags = edda_id(), set[str]() if task.tags is edda.UNSET else task.tags
    given = task.description, task.priority, task.due_date, task.metadata
    description, priority, due, metadata = (None if each is edda.UNSET else each for each in given)
    row = (
        task_id, task.title, description, task.status, priority or 0, TIME, TIME, None, due, parent,
        json.dumps(metadata or {}), None,
    )  # fmt: skip
    return row, [("task", task_id, tag, TIME) for tag in sorted(tags)]
