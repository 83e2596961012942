"""
Ctrl-C at random moments: ``python -m tests.e2e.interrupts --rounds 20000 --seed 0``, or ``make interrupts``.

A program writes with two threads, and its main thread is interrupted again and again: while it writes, edits, looks, fails
and closes, and now and then a second time while it handles the first interrupt. What must hold:
  1. Nothing waits for ever, and no write fails because of an interrupt that came before it.
  2. Acknowledged writes are there; an interrupted write is there whole, or not at all.
  3. The store closes, opens again, and equals the fold of its log.
"""

from __future__ import annotations

import argparse
import faulthandler
import random
import signal
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

import edda_sync
from edda_sync import Document, StorageConfig, StorageEngine, Task, TaskQuery
from edda_sync.words.errors import ConflictError, UsageError

PATIENCE_S: Final = 60.0  # a guard against waiting for ever, far above what anything here takes
GROUP: Final = 3
AGAIN: Final = 0.2  # share of interrupts that are followed by more


class Program:
    """
    The program that is interrupted. Call :meth:`round` again and again, then :meth:`end`.

    Args:
        folder: Where its store is made.
        seed: Seed of all random choices.
    """

    def __init__(self, folder: Path, seed: int) -> None:
        self._home, self._config = folder / "store", StorageConfig(state_path=folder / "state")
        self._rng = random.Random(seed)
        self._store = self._open()
        self._document = self._store.create_document(Document(title="edited", content="0"))
        self._writes, self._stop = threading.Event(), threading.Event()
        self._beside = threading.Thread(target=self._write_beside, daemon=True)
        self._written_beside = 0
        self._acknowledged: Counter[str] = Counter()
        self._begun: set[str] = set()
        self.counts: Counter[str] = Counter()
        self._within_s = 0.002
        self._interrupts = _Interrupts()
        self._beside.start()

    def round(self) -> None:
        """Do something with an interrupt, and then write without one."""
        if self._rng.random() < 0.1:
            (self._writes.clear if self._writes.is_set() else self._writes.set)()
        name = f"{self.counts['rounds']}"
        work = self._rng.choice([self._one, self._group, self._edit, self._fail, self._look, self._close])
        after_s = self._rng.uniform(1e-5, self._within_s)
        again_s = self._rng.uniform(1e-4, 1e-3) if self._rng.random() < AGAIN else 0.0
        self.counts["rounds"] += 1
        self._begun.add(name)
        if self._interrupts.during(lambda: work(name), after_s, again_s):
            self.counts["interrupts"] += 1
        else:
            self._within_s = max(0.0005, 0.99 * self._within_s)
        if work == self._close:
            self._store.close()
            self._store = self._open()
        self._one(f"after {name}")

    def end(self) -> None:
        """Check the content of the store, and that it can be closed and opened."""
        self._stop.set()
        self._writes.set()
        self._beside.join(PATIENCE_S)
        assert not self._beside.is_alive(), "the other thread waits for ever"
        self._store.close()
        with self._open() as store:
            found = Counter(task.title for task in store.query_tasks(TaskQuery()))
            for name, count in self._acknowledged.items():
                assert found[name] == count, f"of {name!r}, {found[name]} of {count} are there"
            assert all(found[name] in (0, 1, GROUP) for name in self._begun), "one is there in part"
            assert found["beside"] == self._written_beside
            digest = store.digest()
            store.rebuild()
            assert store.digest() == digest, "the tables are not what the log folds into"

    def _open(self) -> StorageEngine:
        return edda_sync.open(self._home, self._config)

    def _write_beside(self) -> None:
        while self._writes.wait() and not self._stop.is_set():
            store = self._store
            try:
                store.create_task(Task(title="beside"))
            except UsageError:  # it was just closed
                continue
            self._written_beside += 1

    def _one(self, name: str) -> None:
        self._store.create_task(Task(title=name))
        self._acknowledged[name] += 1

    def _group(self, name: str) -> None:
        with self._store.begin_transaction() as tx:
            for _ in range(GROUP):
                tx.create_task(Task(title=name))
        self._acknowledged[name] += GROUP

    def _edit(self, _: str) -> None:
        self._store.edit_text(self._document, "content", [(0, 1, "12")])

    def _fail(self, name: str) -> None:
        def fail(tx: edda_sync.Transaction) -> None:
            tx.create_task(Task(title=name))
            raise ConflictError([(name, "title")])

        with suppress(ConflictError):
            self._store.transact(fail, retries=0)

    def _look(self, _: str) -> None:
        self._store.query_tasks(TaskQuery(limit=5))
        self._store.get_document(self._document)

    def _close(self, _: str) -> None:
        self._store.close()


class _Interrupts:
    """Interrupts of the main thread. A signal that is late because another thread got it does not count."""

    def __init__(self) -> None:
        self._may_come = False
        signal.signal(signal.SIGALRM, self._come)

    def during(self, work: Callable[[], None], after_s: float, again_s: float) -> bool:
        """Do something and interrupt it at the given times; return whether an interrupt ended it."""
        self._may_come = True
        try:
            signal.setitimer(signal.ITIMER_REAL, after_s, again_s)
            work()
        except KeyboardInterrupt:
            self._may_come = False
            return True
        else:
            return False
        finally:
            self._may_come = False
            signal.setitimer(signal.ITIMER_REAL, 0)

    def _come(self, *_: object) -> None:
        if self._may_come:
            raise KeyboardInterrupt


def main() -> None:
    """Run as many rounds as asked for, and say what they were."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="edda-interrupts-") as folder:
        program = Program(Path(folder), asked.seed)
        for number in range(asked.rounds):
            if number % 100 == 0:
                faulthandler.dump_traceback_later(PATIENCE_S, exit=True)
            program.round()
        program.end()
    counts = program.counts
    sys.stdout.write(f"{counts['interrupts']} of {counts['rounds']} rounds were interrupted, seed {asked.seed}\n")


if __name__ == "__main__":
    main()
