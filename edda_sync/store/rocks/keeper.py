"""
The keeper: what a process has of the states of an open store, shared by its readers and its writer.

It holds one base, which is RocksDB as a settlement left it, and the layers of what was committed since. Each reader takes
those that fit the commit that it sees. So what a process writes is decoded by nobody, and what others wrote only once.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from edda_sync.store.rocks import pending, settling
from edda_sync.store.rocks.base import Base, Lost, Nothing, Table
from edda_sync.store.rocks.index import RocksIndex, RocksIndexWriter
from edda_sync.store.rocks.layers import Layer, pushed
from edda_sync.store.rocks.pending import Mark
from edda_sync.store.rocks.states import RocksStates, RocksStatesWriter
from edda_sync.store.sqlite.keeping import Transact
from edda_sync.store.sqlite.statements import Statements, WriterStatements
from edda_sync.store.sqlite.summary import Summary, SummaryWriter
from edda_sync.words import limits
from edda_sync.words.errors import EddaError, LostStatesError

if TYPE_CHECKING:
    from edda_sync.store.rocks.database import Settled
    from edda_sync.store.rocks.sealed import Code, Seals


class RocksKeeping:
    """
    Implementation of ``sqlite.keeping.Keeping``, and of ``states.Keeper`` for its own facets.

    Args:
        folder: The folder in which RocksDB's folders are. It is made when something is first settled.
        seals: How they are sealed; None for a store that is not encrypted.
        becomes_plain: Whether what is written from now on is not sealed, since the store is about to be decrypted.

    Attributes:
        folder: The same folder.
        overwrites: Whether folders that are no longer used are overwritten, as they were plain, and nobody reads them.
        once_bytes: How much is carried over at once.
        fault: Why the last settlement failed; None if it did not.
        waiting_bytes: How much is pending, as far as this process has counted.
    """

    name = pending.NAME

    def __init__(self, folder: Path, seals: Seals | None = None, *, becomes_plain: bool = False) -> None:
        self.folder = folder
        self.overwrites = False
        self.once_bytes = limits.SETTLED_ONCE_BYTES
        self._seals, self._becomes_plain = seals, becomes_plain
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
            upto = mark.upto_of(settled.token)
            if upto is None:
                return None, reason
            self._base = Base(self.opened(settled), settled.token, upto)
        except EddaError as error:
            return None, error
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
            if layer.cleared:
                self.fault, self._patience_bytes = None, 0  # of a folder that does not count any more
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

    # --- sealing ------------------------------------------------------------------------------------------------------

    def opened(self, settled: Settled) -> Table:
        """Return what a folder holds, whether it is sealed or not."""
        if not settled.key_id:
            return settled
        from edda_sync.store.rocks.sealed import SealedTable  # only for encrypted stores

        code = self.code(settled.key_id)
        if code is None:
            raise LostStatesError(str(settled.path), "it is encrypted under a key that this store does not have")
        return SealedTable(settled, code, settled.path)

    def code(self, key_id: bytes | None = None) -> Code | None:
        """Return how a folder is sealed, by the id of its data key; by default how a new one is. None for a plain one."""
        if self._seals is None or key_id == b"":
            return None
        if key_id is not None:
            return self._seals.of(key_id)
        return None if self._becomes_plain else self._seals.current()

    def lags(self, mark: Mark) -> bool:
        """Tell whether RocksDB's folder is not sealed as a new one would be: it is plain, or under a former key."""
        if self._seals is None or not mark.folder:
            return False
        code, base = self.code(), self.base(mark, is_final=False)
        return base is not None and base.table.key_id != (b"" if code is None else code.key_id)

    def is_behind(self, sql: Statements) -> bool:
        """See ``Keeping``."""
        return self.lags(pending.mark(sql))

    # --- what may be wrong --------------------------------------------------------------------------------------------

    def check(self, sql: Statements) -> None:
        """See ``Keeping``. An open folder can be read when it is gone, so nobody else would notice it soon."""
        mark = pending.mark(sql)
        if pending.is_cleared(sql):
            return  # no folder counts any more
        if self.fault is not None:
            raise self.fault
        path = self.folder / mark.folder
        if mark.folder and not (path / "CURRENT").exists():
            raise LostStatesError(str(path), "it is missing")

    def folders(self, sql: Statements) -> list[Path]:
        """See ``Keeping``."""
        return [self.folder / name for name in pending.mark(sql).folders() if (self.folder / name).is_dir()]

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
