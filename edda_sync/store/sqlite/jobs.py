"""
Jobs: the transactions that wait for the writer's thread, which commits together those that come together.

A commit costs as much for eight transactions as for one. Whoever writes one after another comes back a moment after the
last commit, and eight who do so come back one by one: the thread waits for as many as it committed last, though not long.

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

BATCH_MAX: Final = 64  # transactions of one commit
GATHER_S: Final = 0.0006  # about what a commit takes on a quick disk

Job: TypeAlias = "tuple[Callable[[SqliteWriter], Any], Outcome]"
"""What runs in a transaction, and what is told how it ended."""


class Jobs:
    """
    A queue of transactions. Whoever writes calls :meth:`put`, and the writer's thread :meth:`gather`.

    Args:
        gather_s: How long at most the thread waits for more of them, in seconds.
    """

    def __init__(self, gather_s: float = GATHER_S) -> None:
        self._waiting: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._gather_s = gather_s
        self._expected = 0  # as many as came together last; 0 for one alone

    def put(self, job: Job | None) -> None:
        """Let a transaction wait for the thread; None wakes the thread, to look whether something else is due."""
        self._waiting.put(job)

    @property
    def is_empty(self) -> bool:
        """Whether nothing waits."""
        return self._waiting.empty()

    @property
    def is_quiet(self) -> bool:
        """Whether nothing waits, and the thread waits for nothing: a transaction may run on its caller's thread."""
        return not self._expected and self._waiting.empty()

    def gather(self, patience_s: float | None) -> list[Job]:
        """
        Wait for transactions, and return those that are to be committed together.

        Args:
            patience_s: How long to wait for the first, in seconds; None for as long as it takes.

        Returns:
            No transaction when something else may be due.
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
