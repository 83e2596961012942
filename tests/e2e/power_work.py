"""
The process whose disk is recorded: a real store, made, written with two threads, closed and opened again.

``python -m tests.e2e.power_work HOME STATE SEED``, under the recorder. Its reports are written to a file that is recorded
too, ``MARKS``: so each report has its place in the trace, after the syncs that it relies on.

The journal is copied into the file sooner than in a real store; nothing else differs. So a trace of 200 transactions has
many such copies, begun by a writer or by the last one to close.
"""

from __future__ import annotations

import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

import msgspec

from edda_sync.engine.engine import StorageEngine
from edda_sync.store.sqlite import opening as sqlite
from edda_sync.words.config import StorageConfig
from tests.e2e.kill_work import Facts, Key, facts_of, perform, plan, read_facts, settle

MARKS: Final = "marks"
WRITERS: Final = ("a", "b")  # at once, so that commits are made together
OPENINGS: Final = 4
OPERATIONS: Final = 25  # operations of a writer while the store is open: 4 * 2 * 25 are 200 transactions
CHECKPOINT_PAGES: Final = 200
INDEX_EVERY: Final = 10  # operations


class Mark(msgspec.Struct, frozen=True):
    """
    A report of the process.

    Attributes:
        what: ``founded``, ``begun`` or ``done``; the last is an acknowledgement.
        writer: The writer of the operation.
        facts: What is true once it is done.
        device: The device's id, for ``founded``.
        store: The id that distinguishes the store's sidecar from others.
        heads: Actor, number and hash of the chain's head at some moment before this mark.
    """

    what: str
    writer: str = ""
    facts: list[tuple[Key, Any]] = []
    device: str = ""
    store: bytes = b""
    heads: list[tuple[bytes, int, bytes]] = []


class Work:
    """
    One run of 200 transactions. Call :meth:`run`.

    Args:
        home: The store's folder, which exists and is empty.
        state: Where its sidecar goes.
        seed: Seed of the operations.
    """

    def __init__(self, home: Path, state: Path, seed: int) -> None:
        self._home, self._seed = home, seed
        self._config = StorageConfig(state_path=state, name="device")
        self._marks = os.open(home / MARKS, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def run(self) -> None:
        """Run it; the store stays open, as when power fails."""
        for opening in range(OPENINGS):
            engine = StorageEngine(self._home)
            engine.initialize(self._config)
            if opening == 0:
                self._begin(engine)
            with ThreadPoolExecutor(len(WRITERS)) as pool:
                for writing in [pool.submit(self._write, engine, writer, opening) for writer in WRITERS]:
                    writing.result()
            if opening < OPENINGS - 1:
                engine.close()

    def _begin(self, engine: StorageEngine) -> None:
        with engine.store.read() as reader:
            store = reader.meta.get("store_id")
        self._say(Mark("founded", device=engine.identity.device, store=store or b"", heads=_heads(engine)))
        for writer in WRITERS:
            self._say(Mark("begun", writer, []))
            settle(engine, writer)
            self._say(Mark("done", writer, list(read_facts(engine, [writer]).items()), heads=_heads(engine)))

    def _write(self, engine: StorageEngine, writer: str, opening: int) -> None:
        large = opening == OPENINGS - 1 and writer == WRITERS[-1]
        operations = plan(writer, self._seed * OPENINGS + opening, large=large)
        for number, operation in zip(range(OPERATIONS), operations, strict=False):
            facts: Facts = facts_of(operation)
            self._say(Mark("begun", writer, list(facts.items())))
            perform(engine, operation)
            self._say(Mark("done", writer, list(facts.items()), heads=_heads(engine)))
            if number % INDEX_EVERY == 0:
                engine.reading.index_texts()  # otherwise this happens once the store is quiet, and here it never is

    def _say(self, mark: Mark) -> None:
        os.write(self._marks, msgspec.json.encode(mark))


def _heads(engine: StorageEngine) -> list[tuple[bytes, int, bytes]]:
    with engine.store.read() as reader:
        return [(head.actor, head.seq, head.hash) for head in reader.log.heads().values()]


def main() -> None:
    """Run, and end as suddenly as power does: nothing is closed."""
    home, state, seed = sys.argv[1:]
    sqlite._CHECKPOINT_PAGES = CHECKPOINT_PAGES  # type: ignore[misc]
    Work(Path(home), Path(state), int(seed)).run()
    os._exit(0)


if __name__ == "__main__":
    main()
