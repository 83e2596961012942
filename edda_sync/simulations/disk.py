"""
A disk, and what may go wrong on it.

1. An acknowledged transaction is on the disk, whatever fails afterwards: that is the promise under test.
2. Power may fail before a commit, which then leaves no trace, and after it, before anybody was told.
3. A write may be refused because the disk is full; then nothing is written. A sync may fail; then the transaction may be on
   the disk or not, and the store is told that it is not.
4. What was submitted without waiting (``submit``) may be lost when power fails.
5. The sidecar is hardly ever synced. When power fails, its last writes may be lost, or all of it.
6. The whole store may be replaced by an older image of itself, with the sidecar (a virtual machine) or without it (a folder
   from a backup), or be copied to another machine.
7. A stored row of the view may rot: one of its bits flips. So may a file of RocksDB; and its folder may be removed, or put
   back to an older one. That must be noticed before anything of it is shown, so no invariant is put aside for it.

The store is the memory store, or real SQLite in files, with its states there or in real RocksDB. What SQLite itself does
with torn and reordered sectors is tested with real processes instead, in ``tests/e2e/test_power.py``.
"""

from __future__ import annotations

import shutil
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any, Final, TypeVar

from edda_sync.engine.life import Sidecar
from edda_sync.simulations.rocks import Often, RocksFolder
from edda_sync.simulations.tape import Draws
from edda_sync.store.memory.store import MemoryStore
from edda_sync.store.memory.writer import MemoryWriter
from edda_sync.store.rocks.pending import FOUNDING
from edda_sync.store.seams import Store, StoreReader, StoreWriter
from edda_sync.store.sqlite.keeping import InSql, Keeping
from edda_sync.store.sqlite.store import SqliteStore
from edda_sync.words.config import DATABASE_FILE, ROCKSDB_FOLDER
from edda_sync.words.errors import DiskFaultError, DiskFullError, UsageError
from edda_sync.words.process import Owner

T = TypeVar("T")

_SUFFIXES: Final = ("", "-wal")  # the third one is an index in shared memory, which is created when the file is opened


class PowerCut(BaseException):
    """Power fails here. Not an ``Exception``, so that no code catches it and goes on."""


class Interrupted(Exception):  # noqa: N818 - named like ``KeyboardInterrupt``, which it stands for
    """A user interrupts a call."""


class Fault(Enum):
    """What happens to the next transaction."""

    FULL = "the disk is full"
    SYNC_LOST = "a sync fails, and nothing of the transaction is there"
    SYNC_KEPT = "a sync fails, and the transaction is there"


@dataclass(frozen=True, slots=True)
class Image:
    """A whole store at one moment, with its sidecar."""

    store: Any
    slot: bytes
    rotten: bool
    lost: bool


class MemorySlot:
    """The sidecar's file in memory, with what it contained since it was last synced."""

    def __init__(self) -> None:
        self._written: deque[bytes] = deque([b""], maxlen=4)

    def read(self) -> bytes:
        """Return what was last written."""
        return self._written[-1]

    def write(self, record: bytes, at: int = 0) -> None:
        """Write, without waiting."""
        before = self.read()
        self._written.append(before[:at].ljust(at, b"\0") + record + before[at + len(record) :])

    def sync(self) -> None:
        """Make what was written safe."""
        self._written = deque([self._written[-1]], maxlen=4)

    def close(self) -> None:
        """Do nothing: there is no file to close."""

    def fall_back(self, writes: int) -> None:
        """Lose the last writes, as many of them as were not synced."""
        for _ in range(min(writes, len(self._written) - 1)):
            self._written.pop()


class Disk:
    """
    The disk of one device. Call :meth:`open`, and after :meth:`lose_power` open it again.

    Args:
        folder: The folder of its files; None for the memory store.
        machine: 16 bytes that identify the machine.
        point: Called where power may fail.
        in_rocks: Whether the states of a store in files are in RocksDB.

    Attributes:
        faults: What happens to the next transactions, in order.
        full: Whether every write is refused.
        writes: How many transactions were written.
        refused: How many transactions were refused.
        rotten: Whether something of the view rotted, and was not folded again since.
        lost: Whether RocksDB's folder was ever damaged.
        interrupted: Whether the next transaction is interrupted after it has written everything and before it is committed.
        shared: The reader that all share until the next write; None when each opens its own.
        peek: Called when a transaction has written and not committed yet: readers must see the state before it.
    """

    def __init__(
        self, folder: Path | None, machine: bytes, point: Callable[[], None], *, in_rocks: bool = False
    ) -> None:
        self._rocks = RocksFolder(folder / ROCKSDB_FOLDER) if folder is not None and in_rocks else None
        self.machine, self.inode, self.boots = machine, 1, 1
        self.slot = MemorySlot()
        self.faults: deque[Fault] = deque()
        self.full = False
        self.writes = self.refused = 0
        self.point = point
        self.peek: Callable[[], None] | None = None
        self.rotten = self.lost = self.interrupted = False
        self._folder = folder
        self._tables: Any = None
        self._inner: Any = None
        self._synced: Any = None  # the image before the writes that nobody waited for
        self.shared: StoreReader | None = None

    @property
    def is_open(self) -> bool:
        """Whether a store is open on it."""
        return self._inner is not None

    @property
    def is_at_risk(self) -> bool:
        """Whether something was written that a power failure would lose."""
        return self._synced is not None

    def ask(self, pragma: str) -> list[Any]:
        """Return SQLite's answer to a pragma; an empty list for a memory store."""
        if self._folder is None:
            return []
        connection = self._inner.connect()
        try:
            return list(connection.execute(f"PRAGMA {pragma}").fetchall())
        finally:
            connection.close()

    def sidecar(self) -> Sidecar:
        """Return the store's sidecar."""
        return Sidecar(self.slot, self.machine, self.inode, self.boots.to_bytes(16, "big"))

    def open(self, on_end: Callable[[bool], None]) -> Store:
        """Open the store as it is on the disk, or a new one."""
        if self._folder is None:
            self._inner = MemoryStore(on_end, image=self._tables)
        else:
            self._folder.mkdir(exist_ok=True)
            self._inner = self._opened(self._folder, on_end)
        return DiskStore(self, self._inner, on_end)

    def _opened(self, folder: Path, on_end: Callable[[bool], None]) -> SqliteStore:
        if self._rocks is None:
            return SqliteStore(folder / DATABASE_FILE, on_end)
        keeping = Often(self._rocks.path, self.point)
        return SqliteStore(folder / DATABASE_FILE, on_end, keep=lambda _name, _keys: keeping, founding=FOUNDING)

    def close(self) -> None:
        """Close the store properly."""
        if self._inner is not None:
            self._tables = self._inner.image() if self._folder is None else None
            self._inner.close()
            self._inner = None

    def lose_power(self, sidecar_writes: int = 0) -> None:
        """
        Close the store, and forget what was not safe on the disk.

        Args:
            sidecar_writes: How many of the sidecar's last writes are lost.
        """
        if self._inner is None:
            return
        image = self._take() if self._synced is None else self._synced
        self._synced = None
        self._inner.close()  # closing tidies up the files, which a power failure does not
        self._inner = None
        self._put(image)
        self.slot.fall_back(sidecar_writes)

    def image(self) -> Image:
        """Return the present content of the disk."""
        taken = self._take() if self._inner is not None else self._at_rest()
        return Image(taken, self.slot.read(), self.rotten, self.lost)

    def put_back(self, image: Image, *, sidecar: bool, copied: bool) -> None:
        """
        Replace the closed store by an older image, or by another device's.

        Args:
            image: The image.
            sidecar: Whether the sidecar is replaced too, as on a virtual machine.
            copied: Whether the files are new, as after restoring a backup.
        """
        assert self._inner is None, "files are put back under a running process by nobody who wants them"
        self._put(image.store)
        self.rotten, self.lost = image.rotten, image.lost
        self.inode += copied
        if sidecar:
            self.slot = MemorySlot()
            self.slot.write(image.slot)
        elif copied:
            self.slot = MemorySlot()  # a sidecar is found by the file that it belongs to

    @contextmanager
    def share(self) -> Iterator[None]:
        """Let everything that reads within this block use one reader, because nobody writes meanwhile."""
        with self._inner.read() as self.shared:
            try:
                yield
            finally:
                self.shared = None

    def rot(self, draws: Draws) -> bool:
        """Flip a bit in the open store's view, or damage RocksDB's folder; return False if there is none yet."""
        if self._inner is None:
            return False
        if self._rocks is not None and draws.chance("in RocksDB", 70):
            is_damaged = self._rocks.damage(draws)
            self.lost |= is_damaged
            return is_damaged
        flipped: bool = self._inner.transact(lambda tx: _flip(tx, draws))
        self.rotten |= flipped
        return flipped

    def sync(self) -> None:
        """Make everything that was written so far safe."""
        self._synced = None

    def put_at_risk(self) -> None:
        """Note that what is written from here on is lost if power fails before the next sync."""
        if self._synced is None:
            self._synced = self._take()

    def _take(self) -> Any:
        return self._inner.image() if self._folder is None else self._at_rest()

    def _at_rest(self) -> Any:
        if self._folder is None:
            return self._tables
        files = [Path(f"{self._folder / DATABASE_FILE}{suffix}") for suffix in _SUFFIXES]
        files += [] if self._rocks is None else self._rocks.files()
        return {path.relative_to(self._folder): path.read_bytes() for path in files if path.exists()}

    def _put(self, image: Any) -> None:
        if self._folder is None:
            self._tables = image
            return
        shutil.rmtree(self._folder, ignore_errors=True)
        self._folder.mkdir()
        for name, content in (image or {}).items():
            (self._folder / name).parent.mkdir(parents=True, exist_ok=True)
            (self._folder / name).write_bytes(content)


class DiskStore:
    """A store on a :class:`Disk`, with the disk's faults; it keeps ``seams.Store``."""

    def __init__(self, disk: Disk, inner: Any, on_end: Callable[[bool], None]) -> None:
        self._disk, self._inner, self._on_end = disk, inner, on_end
        self._owner = Owner("This store")
        self._closed = False

    def transact(self, work: Callable[[StoreWriter], T]) -> T:
        """Run ``work`` in one durable transaction, with the faults described above."""
        result: T = self._durably(self._inner.transact, work, is_told=True)
        return result

    def transact_unless_busy(self, work: Callable[[StoreWriter], object]) -> bool:
        """
        Run ``work`` like :meth:`transact`, unless a transaction is running; tell whether it ran.

        Nobody is told that it was written, so a failure does not count as refused.
        """
        return bool(self._durably(self._inner.transact_unless_busy, work, is_told=False))

    def _durably(self, transact: Callable[..., Any], work: Callable[[StoreWriter], object], *, is_told: bool) -> Any:
        self._check_open()
        disk = self._disk
        disk.shared = None
        has_run, fault = False, None

        def guarded(tx: StoreWriter) -> object:
            nonlocal has_run, fault
            has_run = True
            interrupted, disk.interrupted = disk.interrupted, False
            fault = Fault.FULL if disk.full else disk.faults.popleft() if disk.faults else None
            result = work(tx)
            if interrupted:
                raise Interrupted
            disk.refused += fault is not None and is_told
            if fault is Fault.FULL:
                raise DiskFullError("the simulated disk")
            if fault is Fault.SYNC_LOST:
                raise DiskFaultError("the simulated disk", "a sync failed")
            if disk.peek is not None:
                disk.peek()
            disk.point()
            return result

        result = transact(guarded)
        if not has_run:
            return result
        disk.sync()
        disk.writes += 1
        disk.point()
        if fault is Fault.SYNC_KEPT:
            self._on_end(False)  # a store that fails to sync cannot know whether it was written
            raise DiskFaultError("the simulated disk", "a sync failed")
        return result

    @property
    def keeping(self) -> Keeping:
        """What keeps the states."""
        return getattr(self._inner, "keeping", None) or InSql()

    def settle(self) -> None:
        """Settle what was written, now."""
        self._check_open()
        self._inner.settle()

    def submit(self, work: Callable[[StoreWriter], T]) -> Future[T]:
        """Run ``work`` in a transaction that nobody waits for."""
        self._check_open()
        self._disk.shared = None
        self._disk.put_at_risk()
        done: Future[T] = Future()
        done.set_result(self._inner.transact(work))
        self._disk.writes += 1
        return done

    def read(self) -> AbstractContextManager[StoreReader]:
        """Open a reader of what is on the disk."""
        self._check_open()
        if self._disk.shared is not None:
            return nullcontext(self._disk.shared)
        reader: AbstractContextManager[StoreReader] = self._inner.read()
        return reader

    def version(self) -> int:
        """Return a number that changes with every commit."""
        self._check_open()
        return int(self._inner.version())

    def close(self) -> None:
        """Release the store; the files belong to the disk."""
        self._owner.check()
        self._closed = True

    def _check_open(self) -> None:
        if self._closed:
            raise UsageError("This store is closed; open it again.")


def _flip(tx: Any, draws: Draws) -> bool:
    records = list(tx.states.scan())
    rows = list(tx.tables.scan("tasks"))  # as they are: another one of them may be rotten already
    what = draws.pick("rots", ("state", "sum", "row"))
    if what == "state" and records:
        record = draws.pick("entity", records)
        state = bytearray(record.state)
        state[draws.draw("at", len(state))] ^= 1 << draws.draw("bit", 8)
        tx.states.put([record._replace(state=bytes(state))], {record.key: record.key in tx.index.conflicted()})
    elif what == "row" and rows:
        row = draws.pick("row", rows)
        changed = (row[0], chr(ord(row[1][0]) ^ 1) + row[1][1:], *row[2:])
        if isinstance(tx, MemoryWriter):
            tx.journal.set("tasks", row[0], changed)
        else:
            tx._sql.execute("UPDATE tasks SET title = ? WHERE id = ?", (changed[1], row[0]))
    elif what == "sum" and records:
        tx.index.add_to_digest(1 << draws.draw("bit", 128))
    else:
        return False
    return True
