"""
Jobs: transactions that wait for the writer's thread, which commits those together that arrive together.

A commit costs as much for eight transactions as for one. A program that writes one transaction after another is back a
moment after the last commit, and eight such programs are back one by one. So the thread waits for as many transactions
as it last committed, but not long.

Source: PostgreSQL's ``commit_delay``, and DeWitt et al., "Implementation Techniques for Main Memory Database Systems",
SIGMOD 1984, section 5.2 (group commit).
"""

from __future__ import annotations

import queue
import time
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, TypeAlias

if TYPE_CHECKING:
    from edda_sync.store.sqlite.outcome import Outcome
    from edda_sync.store.sqlite.writer import SqliteWriter

BATCH_MAX: Final = 64  # transactions in one commit
GATHER_S: Final = 0.0006  # about the time of a commit on a fast disk

Job: TypeAlias = "tuple[Callable[[SqliteWriter], Any], Outcome]"
"""What runs in a transaction, and the object that receives its outcome."""


class Jobs:
    """
    A queue of transactions. Writers call :meth:`put`, and the writer's thread calls :meth:`gather`.

    Args:
        gather_s: How long the thread waits at most for more transactions, in seconds.
    """

    def __init__(self, gather_s: float = GATHER_S) -> None:
        self._waiting: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._gather_s = gather_s
        self._expected = 0  # the size of the last batch; 0 after a single transaction

    def put(self, job: Job | None) -> None:
        """Add a transaction to the queue; None wakes the thread, so that it looks for other due work."""
        self._waiting.put(job)

    @property
    def is_empty(self) -> bool:
        """Whether nothing waits."""
        return self._waiting.empty()

    @property
    def is_quiet(self) -> bool:
        """Whether nothing waits and the thread expects nothing: a transaction may then run on its caller's thread."""
        return not self._expected and self._waiting.empty()

    def gather(self, patience_s: float | None) -> list[Job]:
        """
        Wait for transactions, and return those that are to be committed together.

        Args:
            patience_s: How long to wait for the first one, in seconds; None for as long as it takes.

        Returns:
            The transactions; none if other work may be due.
        """
        batch: list[Job] = []
        with suppress(queue.Empty):
            job = self._waiting.get(timeout=patience_s)
            until = time.monotonic() + self._gather_s
            while job is not None:
                batch.append(job)
                if len(batch) == BATCH_MAX:
                    break
                wait_s = until - time.monotonic() if len(batch) < self._expected else 0.0
                job = self._waiting.get(timeout=wait_s) if wait_s > 0 else self._waiting.get_nowait()
        self._expected = len(batch) if len(batch) > 1 else 0
        return batch
