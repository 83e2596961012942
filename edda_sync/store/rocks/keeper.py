"""
The keeper: what a process has of the states of an open store, shared by its readers and its writer.

It holds one base, which is RocksDB as a settlement left it, and the layers of what was committed since. Each reader takes
those that fit the commit that it sees. So what a process writes is decoded by nobody, and what others wrote only once.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

from edda_sync.store.rocks import settling
from edda_sync.store.rocks.base import Base, Lost, Nothing
from edda_sync.store.rocks.index import RocksIndex, RocksIndexWriter
from edda_sync.store.rocks.layers import Layer, pushed
from edda_sync.store.rocks.pending import NAME, Mark
from edda_sync.store.rocks.states import RocksStates, RocksStatesWriter
from edda_sync.store.sqlite.keeping import Transact
from edda_sync.store.sqlite.statements import Statements, WriterStatements
from edda_sync.store.sqlite.summary import Summary, SummaryWriter
from edda_sync.words import limits
from edda_sync.words.errors import EddaError, LostStatesError


class RocksKeeping:
    """
    Implementation of ``sqlite.keeping.Keeping``, and of ``states.Keeper`` for its own facets.

    Args:
        folder: The folder in which RocksDB's folders are. It is made when something is first settled.

    Attributes:
        folder: The same folder.
        fault: Why the last settlement failed; None if it did not.
        waiting_bytes: How much is pending, as far as this process has counted.
    """

    name = NAME

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.fault: EddaError | None = None
        self._lock = threading.Lock()
        self._base: Base | None = None
        self._layers: tuple[Layer, ...] = ()
        self._from = self._upto = 0  # the rows that the layers say
        self.waiting_bytes = 0
        self._counted_upto: int | None = None
        self._patience_bytes = 0  # after a fault, the next settlement waits for so much more

    def reader(self, sql: Statements, summary: Summary) -> tuple[RocksStates, RocksIndex]:
        """Return the facets of a reader."""
        states = RocksStates(sql, summary, self)
        return states, RocksIndex(sql, summary, states.view)

    def writer(self, sql: WriterStatements, summary: SummaryWriter) -> tuple[RocksStatesWriter, RocksIndexWriter]:
        """Return the facets of the writer."""
        states = RocksStatesWriter(sql, summary, self)
        return states, RocksIndexWriter(sql, summary, states.whole_view)

    # --- what its facets ask ------------------------------------------------------------------------------------------

    def base(self, mark: Mark, *, is_final: bool) -> Base | None:
        """
        Return RocksDB as a commit knows it.

        Args:
            mark: What the commit knows of it.
            is_final: Whether to return a base that raises the reason where it is used, if there is none that fits.

        Returns:
            The base; None if there is none that fits: the commit may be too old by now.
        """
        with self._lock:
            base, reason = self._fitting(mark)
            if base is None and is_final:
                return Base(Lost(reason), b"", mark.upto)
            return base

    def _fitting(self, mark: Mark) -> tuple[Base | None, EddaError]:
        path = self.folder / mark.folder
        reason: EddaError = LostStatesError(str(path), "another state of the store wrote it")
        if not mark.folder:
            return Base(Nothing(), b"", 0), reason
        if self._base is not None and mark.upto_of(self._base.token) is not None:
            return self._base, reason
        from edda_sync.store.rocks.database import Settled  # a small store has nothing in RocksDB yet

        try:
            settled = Settled(path)
        except EddaError as error:
            return None, error
        upto = mark.upto_of(settled.token)
        if upto is None:
            return None, reason
        self._base = Base(settled, settled.token, upto)
        self._begin_anew(upto)
        return self._base, reason

    def layers(self, base: Base, mark: Mark, load: Callable[[int, int], Layer]) -> tuple[Layer, ...]:
        """
        Return what was committed since a base, oldest first.

        Args:
            base: A base that fits the commit.
            mark: What the commit knows of RocksDB.
            load: Returns what the rows after one row and up to another say, from the state of that commit.
        """
        with self._lock:
            if base.upto > self._upto:
                self._begin_anew(base.upto)
            if self._from > base.upto or self._upto > mark.last:  # others have gone on meanwhile
                return (load(base.upto, mark.last),)
            if self._upto < mark.last:
                self._layers = pushed(self._layers, load(self._upto, mark.last))
                self._upto = mark.last
            return self._layers

    def _begin_anew(self, upto: int) -> None:
        self._layers, self._from, self._upto = (), upto, upto

    def committed(self, after: int, upto: int, layer: Layer, size: int) -> None:
        """Note what a transaction wrote into the rows after one row and up to another, and their size in bytes."""
        with self._lock:
            if self._upto == after:
                self._layers, self._upto = pushed(self._layers, layer), upto
            if self._counted_upto == after:
                self.waiting_bytes, self._counted_upto = self.waiting_bytes + size, upto

    def count(self, mark: Mark, waiting_bytes: Callable[[], int]) -> None:
        """Count how many bytes are pending, unless that is known."""
        if self._counted_upto != mark.last:
            self.waiting_bytes, self._counted_upto = waiting_bytes(), mark.last

    def check_room(self, size: int) -> None:
        """
        Check that some more bytes may become pending.

        Raises:
            EddaError: Too much is pending, because settling has failed for this reason.
        """
        if self.fault is not None and self.waiting_bytes + size > limits.PENDING_BYTES_MAX:
            raise self.fault

    # --- settling -----------------------------------------------------------------------------------------------------

    def is_due(self, *, quiet: bool) -> bool:
        """See ``Keeping``."""
        due = limits.SETTLED_QUIET_BYTES if quiet else limits.SETTLED_BYTES
        return self.waiting_bytes >= due + self._patience_bytes

    def settle(self, transact: Transact) -> None:
        """See ``Keeping``. A fault is kept in :attr:`fault`, and what is pending stays so."""
        try:
            while settling.settle(self, transact):
                pass
        except EddaError as error:
            self.fault = error
            self._patience_bytes = self.waiting_bytes
        else:
            self.fault, self._patience_bytes = None, 0
        self._counted_upto = None
        self.waiting_bytes = 0

    def close(self) -> None:
        """Release RocksDB. It is opened again when it is needed; readers that are open keep theirs."""
        with self._lock:
            self._base = None
            self._begin_anew(0)
