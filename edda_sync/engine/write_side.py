"""
The write side of an engine: the ledger, and the modules that write through it.

It is loaded when it is first needed, so that a command that only reads, as most do, need not load the fold.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from edda_sync.engine.opened import Opened
from edda_sync.engine.own import OwnDevice
from edda_sync.engine.reading import Reading
from edda_sync.engine.retrying import retried
from edda_sync.engine.transaction import Transaction
from edda_sync.engine.writing import Writing
from edda_sync.fold.texts import Texts
from edda_sync.ledger.ledger import Ledger
from edda_sync.words import limits, values
from edda_sync.words.errors import DamagedRowsError
from edda_sync.words.query import Query, as_of

if TYPE_CHECKING:
    from edda_sync.engine.live import LiveQueries
    from edda_sync.engine.watched import ConflictWatch, Watch
    from edda_sync.words.query import Query

T = TypeVar("T")


class WriteSide:
    """
    The parts of an engine that write.

    Args:
        opened: The store.
        own: The device that writes.
        reading: Reads for transactions.
        now: Wall clock, in seconds since 1970.
        random: Source of random bytes.

    Attributes:
        ledger: Appends to the log and folds it.
        writing: Writes into the store.
    """

    def __init__(
        self,
        opened: Opened,
        own: OwnDevice,
        reading: Reading,
        now: Callable[[], float],
        random: Callable[[int], bytes],
    ) -> None:
        self._opened, self._reading = opened, reading
        self.ledger = Ledger(Texts())
        self.writing = Writing(opened, own, self.ledger, now, random)

        self._live: LiveQueries | None = None
        self._making = threading.Lock()

    def watch(self, query: Query) -> Watch:
        """Watch a query. See ``StorageEngine.watch``."""
        return self._live_queries().watch(query)

    def watch_conflicts(self) -> ConflictWatch:
        """Watch the conflicts. See ``StorageEngine.watch_conflicts``."""
        return self._live_queries().watch_conflicts()

    def _live_queries(self) -> LiveQueries:
        from edda_sync.engine.live import LiveQueries

        with self._making:
            if self._live is None:
                self._live = LiveQueries(
                    self._opened.store,
                    self.ledger.feed,
                    self._reading.snapshot,
                    lambda plan: as_of(plan, self._reading.now),
                )
            return self._live

    def end_watching(self) -> None:
        """End all watched queries, before the store is closed."""
        with self._making:
            live, self._live = self._live, None
        if live is not None:
            live.close()

    def mend(self, error: DamagedRowsError) -> None:
        """Make rows anew that are not what was written. See ``made_anew``."""
        from edda_sync.engine.made_anew import make_anew  # rarely needed

        make_anew(self._opened, self.ledger, self.writing, error)

    def begin(self, agent: str | None, reason: str | None) -> Transaction:
        """Begin a transaction. See ``StorageEngine.begin_transaction``."""
        agent = None if agent is None else values.line("agent", agent)
        if reason is not None:
            reason = values.line("reason", reason, code_points_max=limits.REASON_CODE_POINTS_MAX)
        return Transaction(self._reading, self.writing, agent, reason)

    def at_once(self, work: Callable[[Transaction], T]) -> T:
        """Run ``work`` in a transaction of its own, which reads nothing that the commit would have to compare."""
        with Transaction(self._reading, self.writing, checked=False) as tx:
            return work(tx)

    def transact(self, work: Callable[[Transaction], T], retries: int, agent: str | None, reason: str | None) -> T:
        """
        Run ``work`` in a transaction; if something that it read or wrote has changed meanwhile, run it again.

        Raises:
            ConflictError: It changed at every attempt.
        """
        return retried(lambda: self.begin(agent, reason), work, retries)
