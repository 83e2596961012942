"""
A store that fails on request, over a real one.

Fault model: a call of one named method of a store, of a reader or of a writer (``log.append``) raises once, or as often as
a test asks.
The rest is real: SQLite rolls back a transaction in which something raises, its connection is thrown away after a fault of
the disk, and a caller who waits for the end of a transaction hears of the error. A full disk strikes at the commit of a
transaction whose writes are all done: ``fail("commit", ...)``. Damage is not raised but made: :func:`rot` changes bytes on
the disk, and the engine's own checks find them.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, TypeVar, cast, get_type_hints

from sqlcipher3 import dbapi2 as sqlite

from edda_sync.engine.engine import StorageEngine
from edda_sync.store.seams import Store, StoreReader, StoreWriter
from edda_sync.words.config import StorageConfig

T = TypeVar("T")

COMMIT: Final = "commit"
PATIENCE_S: Final = 90.0
FACETS: Final[dict[str, Any]] = {
    name: each for kind in (StoreReader, StoreWriter) for name, each in vars(kind).items() if isinstance(each, property)
}


class FaultyStore:
    """
    A store over a real one; it behaves like that one until :meth:`fail` is called.

    Attributes:
        calls: How often each method was called, whether or not it failed.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._faults: dict[str, list[BaseException | None]] = {}
        self._changed = threading.Condition()
        self.calls: Counter[str] = Counter()

    def fail(self, method: str, error: BaseException, *, times: int = 1, after: int = 0) -> None:
        """Let ``times`` calls of a method raise, after ``after`` that do not; ``commit`` is the end of a transaction."""
        facet, _, name = method.rpartition(".")
        known = [get_type_hints(FACETS[facet].fget)["return"]] if facet else [Store, StoreReader, StoreWriter]
        assert method == COMMIT or any(hasattr(each, name) for each in known), f"no store has a method {method}"
        with self._changed:
            self._faults[method] = [None] * after + [error] * times

    def wait_until_called(self, method: str, times: int = 1) -> None:
        """Wait, on another thread, until a method was called a number of times."""
        with self._changed:
            assert self._changed.wait_for(lambda: self.calls[method] >= times, PATIENCE_S), f"{method} is not called"

    def strike(self, method: str) -> None:
        """Count a call, and raise its error if it has one."""
        with self._changed:
            self.calls[method] += 1
            self._changed.notify_all()
            faults = self._faults.get(method)
            error = faults.pop(0) if faults else None
        if error is not None:
            raise error

    # --- the store ----------------------------------------------------------------------------------------------------

    def transact(self, work: Callable[[StoreWriter], T]) -> T:
        """Run ``work`` in a transaction of the real store, which is rolled back if it fails."""
        return self._store.transact(self._struck(work))

    def transact_unless_busy(self, work: Callable[[StoreWriter], object]) -> bool:
        """Run ``work`` as :meth:`transact` does, unless somebody writes into the real store."""
        return self._store.transact_unless_busy(self._struck(work))

    def _struck(self, work: Callable[[StoreWriter], T]) -> Callable[[StoreWriter], T]:
        def attempt(tx: StoreWriter) -> T:
            self.strike("transact")
            result = work(cast(StoreWriter, _Struck(tx, self)))
            self.strike(COMMIT)
            return result

        return attempt

    @contextmanager
    def read(self) -> Iterator[StoreReader]:
        """Open a reader of the real store."""
        with self._store.read() as reader:
            self.strike("read")
            yield cast(StoreReader, _Struck(reader, self))

    def version(self) -> int:
        """Return the real store's version."""
        self.strike("version")
        return self._store.version()

    def close(self) -> None:
        """Close the real store."""
        self._store.close()


class _Struck:
    """A reader, a writer or a facet of one, whose methods may fail."""

    def __init__(self, inner: Any, faults: FaultyStore, facet: str = "") -> None:
        self._inner, self._faults, self._facet = inner, faults, facet

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, name)
        if not self._facet and name in FACETS:
            return _Struck(found, self._faults, f"{name}.")

        def struck(*args: Any, **named: Any) -> Any:
            self._faults.strike(self._facet + name)
            return found(*args, **named)

        return struck


class FaultyEngine(StorageEngine):
    """An engine over a faulty store, which is in :attr:`faulty` once it is open: ``device.store = FaultyEngine(home)``."""

    faulty: FaultyStore

    def open_store(self, config: StorageConfig | None = None, **how: bool) -> bool:
        """Open the real store, and put the faulty one before it."""
        founded = super().open_store(config, **how)
        self._opened._store = self.faulty = FaultyStore(self.store)
        return founded


def rot(home: Path, words: str, others: str, *, place: str = "_entities.state") -> None:
    """
    Replace some letters of a store on the disk by as many others, as a bad sector does.

    Args:
        home: The store's folder.
        words, others: The letters before and after.
        place: Table and column.
    """
    table, _, column = place.partition(".")
    assert len(words.encode()) == len(others.encode()), "a bad sector moves nothing"
    with sqlite.connect(str(home / "edda.db"), timeout=PATIENCE_S) as connection:
        rotten = connection.execute(
            f"UPDATE {table} SET {column} = CAST(replace({column}, CAST(? AS BLOB), CAST(? AS BLOB)) AS BLOB) "
            f"WHERE instr({column}, CAST(? AS BLOB))",
            (words, others, words),
        ).rowcount
        assert rotten, f"nothing in {home} says {words}"
    connection.close()
