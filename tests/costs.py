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
EVERY: Final = 20  # steps of SQLite's machine between two calls: fewer would take longer, and more count less closely
GROWS: Final = 2.5  # how much more work twice as much may be
STAYS: Final = 1.3  # and how much more, where it is only the rest of the store that is twice as large
SIZE: Final = 100  # the smaller of two sizes
FEW: Final = 60  # of less than this nothing is said: a cache that fills up, a page that splits
READS: Final[frozenset[CodeType]] = frozenset((state.decode.__code__,))


class Work(NamedTuple):
    """
    What something cost.

    Attributes:
        statements: Statements of SQL, each row of many counted.
        steps: Instructions of SQLite's machine: what it looks at, in a statement that is one to us.
        entities: Entities that were made from their stored state.
        lines: Lines of the product's source that ran, each turn of a loop counted.
    """

    statements: int = 0
    steps: int = 0
    entities: int = 0
    lines: int = 0

    def beyond(self, most: float, half: Work) -> dict[str, tuple[int, int]]:
        """Return what is more than so many times what something smaller cost, by name: of that, and of this."""
        pairs = zip(self._fields, half, self, strict=True)
        return {name: (less, more) for name, less, more in pairs if more > most * max(less, FEW)}


class Counter:
    """Counts what is done with the stores that are opened while it watches."""

    def __init__(self) -> None:
        self._statements = self._steps = self._entities = self._lines = 0
        self._counts = False

    @contextmanager
    def watching(self) -> Iterator[None]:
        """
        Let every connection to a store that is made meanwhile be counted, whoever makes it.

        No store does anything once it is quiet: it would do it on a thread of its own, now and then in what is counted.
        """
        connect, made = connections.connect_as, list[connections.Connection]()

        def connect_counted(*arguments: Any, **named: Any) -> connections.Connection:
            connection: connections.Connection = connect(*arguments, **named)
            made.append(connection)
            connection.set_trace_callback(self._on_statement)
            connection.set_progress_handler(self._on_steps, EVERY)
            return connection

        setattr(connections, "connect_as", connect_counted)  # noqa: B010 - its type says which kind it returns
        setattr(SqliteStore, "on_idle", property(lambda _: None, lambda _, __: None))  # noqa: B010 - of all stores
        try:
            yield
            assert made, "nothing is counted of stores that are opened otherwise"
        finally:
            setattr(connections, "connect_as", connect)  # noqa: B010 - as above
            delattr(SqliteStore, "on_idle")

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
    Something to do, for some size.

    Attributes:
        name: What is done.
        prepare: Makes all that is there before with these devices; returns what is to be counted.
        size: The smaller of the two sizes.
        devices: How many devices take part.
    """

    name: str
    prepare: Callable[..., Act]
    size: int = SIZE
    devices: int = 1


def measured(case: Case, size: int) -> Work:
    """Return what a case costs at a size."""
    counter = Counter()
    with counter.watching(), devices(case.devices) as engines:
        return counter.of(case.prepare(size, *engines))


def cases(*listed: Case) -> pytest.MarkDecorator:
    """Run a test for each case, called by its name."""
    return pytest.mark.parametrize("case", listed, ids=lambda case: case.name)
