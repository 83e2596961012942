"""States and texts, with RocksDB."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NoReturn, Protocol

from sqlcipher3 import dbapi2 as sqlite

from edda_sync.store.rocks import pending, writes
from edda_sync.store.rocks.base import Base, Lost
from edda_sync.store.rocks.layers import Layer
from edda_sync.store.rocks.pending import Mark
from edda_sync.store.rocks.view import View
from edda_sync.store.seams.states import Record, TailEdit, TextState
from edda_sync.store.sqlite.schema import PENDING_TABLE, SETTLED_TABLE
from edda_sync.store.sqlite.statements import Facet, Statements, WriterStatements
from edda_sync.store.sqlite.states import check_backend
from edda_sync.store.sqlite.summary import Summary, SummaryWriter
from edda_sync.words import limits
from edda_sync.words.errors import LostStatesError


class Keeper(Protocol):
    """What the facets ask of ``keeper.RocksKeeping``."""

    def base(self, mark: Mark, *, is_final: bool) -> Base | None: ...

    def layers(self, base: Base, mark: Mark, load: Callable[[int, int], Layer]) -> tuple[Layer, ...]: ...

    def committed(self, after: int, upto: int, layer: Layer, size: int) -> None: ...

    def count(self, mark: Mark, waiting_bytes: Callable[[], int]) -> None: ...

    def check_room(self, size: int) -> None: ...


class RocksStates(Facet):
    """Implementation of ``seams.states.StatesReader`` and ``sqlite.keeping.KeptStates``."""

    __slots__ = ("_base", "_keeper", "_mark", "_refuse", "_summary", "_view")

    def __init__(self, sql: Statements, summary: Summary, keeper: Keeper) -> None:
        super().__init__(sql)
        self._summary, self._keeper = summary, keeper
        self._mark: Mark | None = None
        self._base: Base | None = None
        self._view: View | None = None
        self._refuse: Callable[..., NoReturn] | None = None

    def begin(self) -> bool:
        """See ``sqlite.keeping.KeptStates``."""
        check_backend(self._sql, pending.NAME)
        before, self._mark, self._view = self._mark, _mark(self._sql), None
        self._base = _base(self._keeper, self._mark, is_final=before == self._mark)
        return self._base is not None

    def ended(self) -> None:
        """See ``sqlite.keeping.KeptStates``. Otherwise the files of a folder that was removed would keep their room."""
        self._base = self._view = None

    def disown(self, refuse: Callable[..., NoReturn]) -> None:
        """Refuse every use from now on."""
        self._refuse, self._base, self._view = refuse, None, None

    def view(self) -> View:
        """Return what this reader sees."""
        if self._refuse is not None:
            self._refuse()
        view = self._view
        if view is None:
            assert self._base is not None, "the reader has begun"
            layers = self._keeper.layers(self._base, self._mark, self._load) if self._mark is not None else ()
            view = self._view = View(self._base, layers)
        return view

    def _load(self, after: int, upto: int) -> Layer:
        return pending.layer(self._sql, after, upto)

    def get(self, keys: Iterable[bytes]) -> dict[bytes, Record]:
        return {key: entry[0] for key, entry in self.view().get(keys).items()}

    def scan(self, kind: str | None = None, after: bytes = b"") -> Iterator[Record]:
        return self.view().scan(kind, after)

    def text(self, entity: bytes, field: str, genesis: bytes, since: int = -1) -> TextState | None:
        return self.view().text(entity, (field, genesis), since)

    def texts(self) -> Sequence[tuple[bytes, str, bytes]]:
        return self.view().texts()

    def last_serial(self) -> int:
        return self._summary.last_serial()


class RocksStatesWriter(Facet):
    """
    Implementation of ``seams.states.StatesWriter`` and ``sqlite.keeping.KeptStatesWriter``.

    What a transaction does stands in its own layer at once, for its own reads, and in rows of ``_pending`` at the latest
    when it, or a part of it that may be undone, ends. When a part is undone, the layer is made again from the rows that are
    left, which SQLite itself has put back.
    """

    __slots__ = (
        "_base", "_bytes", "_keeper", "_last", "_mark", "_own", "_refuse", "_serials", "_summary", "_view", "_writes",
        "_written",
    )  # fmt: skip

    _sql: WriterStatements

    def __init__(self, sql: WriterStatements, summary: SummaryWriter, keeper: Keeper) -> None:
        super().__init__(sql)
        self._summary, self._keeper = summary, keeper
        self._mark: Mark | None = None
        self._base: Base | None = None
        self._refuse: Callable[..., NoReturn] | None = None
        self._last = 0  # the last row of this transaction, or before it
        self._written = 0  # how many bytes its rows have
        self.reset()

    def reset(self) -> None:
        """See ``KeptStatesWriter``."""
        self._own: Layer | None = None
        self._view: View | None = None
        self._writes: list[tuple[Any, ...]] = []
        self._bytes = 0  # of what is not in rows yet, roughly
        self._serials: dict[tuple[bytes, str, bytes], int] = {}  # the last serial numbers of lately edited texts

    def begin(self) -> bool:
        """See ``KeptStatesWriter``."""
        check_backend(self._sql, pending.NAME)
        self._mark = mark = _mark(self._sql)
        self._base = _base(self._keeper, mark, is_final=True)
        self._view = None
        self._own, self._written = Layer(), 0
        if mark is not None:
            self._last = mark.last
            self._keeper.count(mark, lambda: pending.waiting_bytes(self._sql))
        return True

    def disown(self, refuse: Callable[..., NoReturn]) -> None:
        """Refuse every use from now on."""
        self._refuse, self._base = refuse, None
        self.reset()

    def view(self) -> View:
        """Return what this transaction sees."""
        if self._refuse is not None:
            self._refuse()
        own = self._layer()  # first: a view is of this very layer
        view = self._view
        if view is None:
            assert self._base is not None, "the transaction has begun"
            layers: tuple[Layer, ...] = ()
            if self._mark is not None:
                layers = self._keeper.layers(self._base, self._mark, self._load)
            view = self._view = View(self._base, (*layers, own))
        return view

    def whole_view(self) -> View:
        """Return what this transaction sees, for what looks at everything: a view remembers that, and this goes on."""
        self._view = None
        return self.view()

    def _layer(self) -> Layer:
        """Return what this transaction did, made again from its rows if a part of it was undone."""
        if self._own is None:
            first = 0 if self._mark is None else self._mark.last
            (last,) = self._sql.one(f"SELECT coalesce(max(number), ?) FROM {PENDING_TABLE}", first)
            self._own, self._last, self._view = self._load(first, last), last, None
        return self._own

    def _load(self, after: int, upto: int) -> Layer:
        return pending.layer(self._sql, after, upto)

    # --- what reads ---------------------------------------------------------------------------------------------------

    def get(self, keys: Iterable[bytes]) -> dict[bytes, Record]:
        return {key: entry[0] for key, entry in self.view().get(keys).items()}

    def scan(self, kind: str | None = None, after: bytes = b"") -> Iterator[Record]:
        return self.whole_view().scan(kind, after)

    def text(self, entity: bytes, field: str, genesis: bytes, since: int = -1) -> TextState | None:
        if self._serials.get((entity, field, genesis)) == since:
            return TextState(b"", since, [])
        return self.view().text(entity, (field, genesis), since)

    def texts(self) -> Sequence[tuple[bytes, str, bytes]]:
        return self.whole_view().texts()

    def last_serial(self) -> int:
        return self._summary.last_serial()

    # --- what writes --------------------------------------------------------------------------------------------------

    def put(self, records: Sequence[Record], conflicted: Mapping[bytes, bool]) -> None:
        self._layer().put(records, conflicted)
        rows = [
            (r.key, r.hidden * writes.HIDDEN | conflicted[r.key] * writes.CONFLICTED, r.hash, r.state) for r in records
        ]
        self._note(("put", rows), sum(len(r.state) for r in records) + limits.PENDING_RECORD_BYTES * len(rows))

    def put_text(self, entity: bytes, field: str, genesis: bytes, state: bytes, serial: int) -> None:
        name = field, genesis
        state, newer = bytes(state), list[TailEdit]()
        if self._serials.pop((entity, field, genesis), None) != serial:
            newer = self.view().newer_edits(entity, name, serial)
        self._layer().put_text(entity, name, (serial, state), newer)
        self._note(("text", entity, field, genesis, serial, state, newer), len(state) + limits.PENDING_RECORD_BYTES)

    def append_text(self, entity: bytes, field: str, genesis: bytes, actor: bytes, seq: int, edit: bytes) -> int:
        serial, edit = self._summary.next_serial(), bytes(edit)
        self._layer().append(entity, (field, genesis), TailEdit(serial, actor, seq, edit))
        self._note(("edit", entity, field, genesis, serial, actor, seq, edit), len(edit) + limits.PENDING_RECORD_BYTES)
        latest = self._serials
        if len(latest) >= limits.DOCUMENTS_CACHED_MAX:
            latest.clear()
        latest[entity, field, genesis] = serial
        return serial

    def drop(self, entities: Sequence[bytes]) -> None:
        """See ``KeptStatesWriter``."""
        gone = list(entities)
        self._layer().drop(gone)
        self._serials.clear()
        self._note(("drop", gone), limits.PENDING_RECORD_BYTES * len(gone))

    def clear(self) -> None:
        """See ``KeptStatesWriter``."""
        for statement in (*pending.SCHEMA, pending.BEGIN):  # somebody may have removed them
            self._sql.execute(statement)
        if self._mark is None:
            self._sql.execute(f"DELETE FROM {PENDING_TABLE}")
        self._writes.clear()
        self._own, self._view = Layer(), None
        self._own.clear()
        self._serials.clear()
        self._note(("clear",), 0)
        self.flush()

    def _note(self, write: tuple[Any, ...], size: int) -> None:
        self._writes.append(write)
        self._bytes += size
        if self._bytes >= limits.PENDING_ROW_BYTES:
            self.flush()

    def flush(self) -> None:
        """See ``KeptStatesWriter``."""
        if not self._writes:
            return
        self._keeper.check_room(self._bytes)
        row = writes.encode(self._writes)
        clears = any(each[0] == "clear" for each in self._writes)
        self._sql.execute(f"INSERT INTO {PENDING_TABLE} VALUES (?, ?, ?, ?)", (self._last + 1, len(row), clears, row))
        self._last += 1
        self._written += len(row)
        self._writes.clear()
        self._bytes = 0

    def committed(self) -> None:
        """See ``KeptStatesWriter``."""
        mark, own = self._mark, self._own
        if mark is not None and own is not None and self._last > mark.last:
            self._keeper.committed(mark.last, self._last, own, self._written)
        self._own = self._view = None


def _mark(sql: Statements) -> Mark | None:
    """Return what this state of SQLite knows of RocksDB; None if somebody removed its tables."""
    try:
        return pending.mark(sql)
    except sqlite.OperationalError as error:
        if "no such table" not in str(error):
            raise
        return None


def _base(keeper: Keeper, mark: Mark | None, *, is_final: bool) -> Base | None:
    if mark is None:
        return Base(Lost(LostStatesError(SETTLED_TABLE, "the table is missing")), b"", 0)
    return keeper.base(mark, is_final=is_final)
