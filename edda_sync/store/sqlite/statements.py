"""The statements of one connection: those of a reader, and those of the writer, which defers some of its writes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Final, NoReturn

from edda_sync.words.errors import CorruptError
from edda_sync.words.query import Row

_PARAMETERS_MAX: Final = 500  # in one statement
_DUE_MAX: Final = 1_000  # deferred rows that may wait for each other


def chunks(values: Iterable[Any]) -> Iterator[list[Any]]:
    """Yield values in lists that are short enough for one statement."""
    listed = list(values)
    for at in range(0, len(listed), _PARAMETERS_MAX):
        yield listed[at : at + _PARAMETERS_MAX]


def marks(chunk: Sequence[Any]) -> str:
    """Return as many question marks as there are values."""
    return ", ".join("?" * len(chunk))


def where(**wanted: Any) -> str:
    """Return a WHERE clause for the columns that have a value. A clause that allows any value would use no index."""
    conditions = [f"{column} = :{column}" for column, value in wanted.items() if value is not None]
    return f" WHERE {' AND '.join(conditions)}" if conditions else ""


def blob(value: Any, length: int = 0) -> bytes:
    """Return what is stored as bytes; zeros, which no checksum fits, if one wrong bit has made another type of it."""
    return value if type(value) is bytes else bytes(length)


def sound(value: Any, what: str) -> bytes:
    """
    Return what is stored as bytes and has no checksum.

    Args:
        value: The value.
        what: What it is, for the error.

    Raises:
        CorruptError: It is something else by now. One wrong bit makes text or a number of bytes.
    """
    if type(value) is not bytes:
        raise CorruptError(what)
    return value


class Statements:
    """
    The statements of a reader.

    Args:
        connection: A connection inside a read transaction.

    Attributes:
        execute: Runs a statement with its parameters, and returns the cursor.
    """

    __slots__ = ("execute",)

    execute: Callable[..., Any]

    def __init__(self, connection: Any) -> None:
        self.execute = connection.execute

    def one(self, statement: str, *parameters: Any) -> Any:
        """Return the first row of a statement; None if it has none."""
        return self.execute(statement, parameters).fetchone()

    def all(self, statement: str, *parameters: Any) -> list[Any]:
        """Return the rows of a statement."""
        return list(self.execute(statement, parameters).fetchall())

    def column(self, statement: str, *parameters: Any) -> list[Any]:
        """Return the first column of the rows of a statement."""
        return [row[0] for row in self.execute(statement, parameters)]

    def in_chunks(self, statement: str, values: Iterable[Any]) -> Iterator[Row]:
        """Yield the rows of a statement, once for each chunk of values; the chunk takes the place of its braces."""
        for chunk in chunks(values):
            yield from self.execute(statement.format(marks(chunk)), chunk)

    def disown(self, refuse: Callable[..., NoReturn]) -> None:
        """Refuse every statement from now on."""
        self.execute = refuse


class WriterStatements(Statements):
    """
    The statements of the writer.

    What every change writes is deferred until any other statement runs, at the latest the COMMIT. So the rows of a batch of
    changes are written together, which takes a third of the time, and each actor's head is written once.
    """

    __slots__ = ("_connection", "_due", "many")

    def __init__(self, connection: Any) -> None:
        super().__init__(connection)
        self._connection = connection
        self._due: dict[str, dict[Any, Row]] = {}  # rows by statement and by name; the last row of a name counts
        self.execute = self._execute_in_order
        self.many: Callable[..., Any] = self._many_in_order

    def _execute_in_order(self, statement: str, parameters: Any = ()) -> Any:
        if self._due:
            self.write_due()
        return self._connection.execute(statement, parameters)

    def _many_in_order(self, statement: str, rows: Sequence[Any]) -> Any:
        """Run a statement for each of some rows."""
        if self._due:
            self.write_due()
        return self._connection.executemany(statement, rows)

    def many_if_any(self, statement: str, rows: Sequence[Row]) -> None:
        """Run a statement for each row, if there are any."""
        if rows:  # even for no rows a statement costs 3 us
            self.many(statement, rows)

    def later(self, statement: str, name: Any, row: Row) -> None:
        """Run a statement for a row later. It replaces an earlier row of the same name that is still deferred."""
        rows = self._due.get(statement)
        if rows is None:
            self._due[statement] = {name: row}
            return
        rows[name] = row
        if len(rows) >= _DUE_MAX:
            self.write_due()

    def write_due(self) -> None:
        """Run what is deferred."""
        due, self._due = self._due, {}
        for statement, rows in due.items():
            self._connection.executemany(statement, list(rows.values()))

    def forget_due(self) -> None:
        """Forget what is deferred, because it belongs to what is being undone."""
        self._due.clear()

    def disown(self, refuse: Callable[..., NoReturn]) -> None:
        super().disown(refuse)
        self.many = refuse
        self._due.clear()


class Facet:
    """
    A facet of a reader.

    Args:
        sql: The reader's statements.
    """

    __slots__ = ("_sql",)

    def __init__(self, sql: Statements) -> None:
        self._sql = sql
