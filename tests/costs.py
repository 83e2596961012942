"""
What an operation costs, counted and never timed: statements and steps of SQLite, entities that are read, lines that run.

    counter = Counter()
    with counter.watching(), devices(1) as (laptop,):
        work = counter.of(lambda: laptop.create_task(edda.Task(title="T")))
        assert work.statements < 30

A count is the same on a busy machine and on a quiet one, so that a test can hold it to a bound.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, FrameType
from typing import Any, Final, NamedTuple

import pytest

import edda_sync
from edda_sync.crdt import state
from edda_sync.store.sqlite import connections
from edda_sync.store.sqlite.store import SqliteStore
from edda_sync.testing import devices

PRODUCT: Final = str(Path(edda_sync.__file__).parent)
EVERY: Final = (
    20  # steps of SQLite's machine between two calls: fewer would take longer, and more would count less exactly
)
GROWS: Final = 2.5  # the allowed factor for twice the size
STAYS: Final = 1.3  # the allowed factor if only the rest of the store is twice as large
SIZE: Final = 100  # the smaller of two sizes
FEW: Final = 60  # smaller numbers are not compared: a cache fills up, a page splits
READS: Final[frozenset[CodeType]] = frozenset((state.decode.__code__,))


class Work(NamedTuple):
    """
    The cost of something.

    Attributes:
        statements: Statements of SQL, each row of many counted.
        steps: Instructions of SQLite's machine: the rows that one statement looks at show here.
        entities: Entities that were made from their stored state.
        lines: Lines of the product's source that ran, each turn of a loop counted.
    """

    statements: int = 0
    steps: int = 0
    entities: int = 0
    lines: int = 0

    def beyond(self, most: float, half: Work) -> dict[str, tuple[int, int]]:
        """Return the counts that exceed ``most`` times those of a smaller cost, by name: the smaller one and this one."""
        pairs = zip(self._fields, half, self, strict=True)
        return {name: (less, more) for name, less, more in pairs if more > most * max(less, FEW)}


@contextmanager
def never_idle() -> Iterator[None]:
    """
    Let no store that is opened meanwhile work when it is quiet.

    It would do so on a thread of its own, and sometimes change a count; and what is written at that moment is written on
    that thread too, where a profiler of the caller's thread sees nothing of it.
    """
    setattr(SqliteStore, "on_idle", property(lambda _: None, lambda _, __: None))  # noqa: B010 - of all stores
    try:
        yield
    finally:
        delattr(SqliteStore, "on_idle")


class Counter:
    """Counts the work of the stores that are opened while it watches."""

    def __init__(self) -> None:
        self._statements = self._steps = self._entities = self._lines = 0
        self._counts = False

    @contextmanager
    def watching(self) -> Iterator[None]:
        """
        Count every connection to a store that is made meanwhile, whoever makes it.

        No store works when it is quiet (:func:`never_idle`).
        """
        connect, made = connections.connect_as, list[connections.Connection]()

        def connect_counted(*arguments: Any, **named: Any) -> connections.Connection:
            connection: connections.Connection = connect(*arguments, **named)
            made.append(connection)
            connection.set_trace_callback(self._on_statement)
            connection.set_progress_handler(self._on_steps, EVERY)
            return connection

        setattr(connections, "connect_as", connect_counted)  # noqa: B010 - its type says which kind it returns
        try:
            with never_idle():
                yield
            assert made, "stores that are opened outside of watching() are not counted"
        finally:
            setattr(connections, "connect_as", connect)  # noqa: B010 - as above

    def of(self, work: Callable[[], object]) -> Work:
        """Do some work, and return what it cost."""
        self._statements = self._steps = self._entities = self._lines = 0
        self._counts = True
        before = sys.gettrace()
        sys.settrace(self._on_call)
        try:
            work()
        finally:
            sys.settrace(before)
            self._counts = False
        return Work(self._statements, self._steps, self._entities, self._lines)

    def _on_statement(self, _statement: str) -> None:
        if self._counts:
            self._statements += 1

    def _on_steps(self) -> int:
        if self._counts:
            self._steps += EVERY
        return 0  # anything else would end the statement

    def _on_call(self, frame: FrameType, _event: str, _argument: Any) -> Any:
        code = frame.f_code
        if not code.co_filename.startswith(PRODUCT):
            return None
        if code in READS:
            self._entities += 1
        return self._on_line

    def _on_line(self, _frame: FrameType, event: str, _argument: Any) -> Any:
        if event == "line":
            self._lines += 1
        return self._on_line


Act = Callable[[], object]


@dataclass(frozen=True)
class Case:
    """
    An operation, for a given size.

    Attributes:
        name: What is done.
        prepare: Prepares the devices; returns the work that is counted.
        size: The smaller of the two sizes.
        devices: How many devices take part.
    """

    name: str
    prepare: Callable[..., Act]
    size: int = SIZE
    devices: int = 1


def measured(case: Case, size: int) -> Work:
    """Return the cost of a case at a size."""
    counter = Counter()
    with counter.watching(), devices(case.devices) as engines:
        return counter.of(case.prepare(size, *engines))


def cases(*listed: Case) -> pytest.MarkDecorator:
    """Run a test for each case, with the case's name."""
    return pytest.mark.parametrize("case", listed, ids=lambda case: case.name)
