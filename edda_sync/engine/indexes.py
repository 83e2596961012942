"""Indexes that a person or program makes: created, dropped and listed."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from types import MappingProxyType
from typing import TYPE_CHECKING

from edda_sync.changes.drafts import Put
from edda_sync.crdt import uniques
from edda_sync.crdt.keys import id_text_of
from edda_sync.crdt.state import entity_of
from edda_sync.engine.opened import Opened
from edda_sync.store.composed import ComposedWriter, over
from edda_sync.store.seams import Record, StatesWriter, StoreReader, StoreWriter
from edda_sync.words import limits, values
from edda_sync.words.callbacks import Callback
from edda_sync.words.errors import ClashError, CorruptError, ExistsError, LimitError, NotFoundError, UsageError
from edda_sync.words.indexes import IndexConfig, IndexType, checked
from edda_sync.words.listed import Clash
from edda_sync.workspace.keys import WORKSPACE_KEY

if TYPE_CHECKING:
    from edda_sync.engine.writing import Writing

Progress = Callable[[int], object]


class IndexManager:
    """
    The indexes of one store. ``StorageEngine.indexes`` returns it.

    Args:
        storage: The open store.
        writing: Returns what writes into it.

    Attributes:
        storage: The same store.
    """

    def __init__(self, storage: Opened, writing: Callable[[], Writing]) -> None:
        self.storage, self._writing = storage, writing

    def create(
        self,
        name: str,
        columns: Sequence[str],
        index_type: IndexType = IndexType.BTREE,
        *,
        unique: bool = False,
        where_clause: str | None = None,
        on: str = "task",
        progress: Progress = lambda _done: None,
    ) -> IndexConfig:
        """
        Make an index in one transaction, and fill it; return it in its usual form. Queries use it from now on.

        Args:
            name: Small letters, digits, and single hyphens or underscores.
            columns: Columns of the items, and paths such as ``metadata.effort``.
            index_type: How it finds items.
            unique: Whether no two items may have the same values. Then it is a setting of the workspace, which all devices
                follow; other indexes are this store's own.
            where_clause: Which items it is about, such as ``status = 'open'``; None for all.
            on: ``task`` or ``document``.
            progress: Called, while a unique index is filled, with the number of items that were looked at. If it raises an
                exception, this is logged, and it is not called again.

        Raises:
            InvalidValueError: There is no such index, for the reason in the error.
            ClashError: It is to be unique, and two items have the same values.
            ExistsError, LimitError: There is an index of this name, or there are too many.
        """
        config = checked(
            IndexConfig(
                name=name, columns=columns, index_type=index_type, unique=unique, where_clause=where_clause, on=on
            )
        )

        def work(tx: StoreWriter) -> None:
            there = tx.tables.indexes()
            if any(each.name == config.name for each in there):
                raise ExistsError("index", config.name)
            most, what = limits.INDEXES_MAX, "indexes of this store"
            if config.unique:
                most, what = limits.UNIQUE_MAX, "unique indexes of the workspace"
            count = sum(each.unique == config.unique for each in there)
            if count >= most:
                raise LimitError(f"the number of {what}", count + 1, most, "drop one first")
            if not config.unique:
                tx.tables.make_index(config)
                return
            self._set(
                _counting(tx, Callback(progress, "The progress of an index")), config.name, uniques.encode(config)
            )
            for each in tx.uniques.withheld(config.name):
                first = tx.uniques.holders(each.name, each.value, 1)[0].entity
                raise ClashError(config.name, config.on, config.columns, id_text_of(first), id_text_of(each.entity))

        self.storage.store.transact(work)
        if config.unique:
            self._writing().announce()
        return config

    def drop(self, name: str) -> None:
        """
        Remove an index, that of this store before a unique one of the same name. What a unique one withheld is shown again.

        Raises:
            NotFoundError: There is none of this name.
        """
        values.text("name", name)

        def work(tx: StoreWriter) -> bool:
            found = [each.unique for each in tx.tables.indexes() if each.name == name]
            if not found:
                raise NotFoundError("index", name)
            if all(found):
                self._set(tx, name, None)
            else:
                tx.tables.drop_index(name)
            return all(found)

        if self.storage.store.transact(work):
            self._writing().announce()

    def _set(self, tx: StoreWriter, name: str, record: bytes | None) -> None:
        """Write a unique index into the workspace."""
        workspace = tx.meta.get(WORKSPACE_KEY)
        if workspace is None:
            raise UsageError("This store belongs to no workspace yet; run `edda init` or `edda join`.")
        draft = Put.of("workspace", workspace, {f"{uniques.GROUP}{name}": record})
        self._writing().commit(tx, [draft], "index")

    def list(self) -> Sequence[IndexConfig]:
        """Return all indexes that people made, by name."""
        with self.storage.store.read() as reader:
            return sorted(reader.tables.indexes(), key=lambda each: each.name)

    def clashes(self) -> Sequence[Clash]:
        """Return where several items claim, under a unique index, the same values; one of them shows them."""
        with self.storage.store.read() as reader:
            found: dict[tuple[str, bytes], list[bytes]] = {}
            settings = reader.uniques.settings()
            for name in sorted(settings):
                for each in reader.uniques.withheld(name):
                    found.setdefault(each[:2], []).append(each.entity)
            clashes = []
            for place, withheld in found.items():
                with suppress(CorruptError):  # of a damaged index; the doctor names it
                    clashes.append(_clash(reader, settings[place[0]], place, withheld))
            return clashes

    @property
    def indexes(self) -> Mapping[str, IndexConfig]:
        """The same by name."""
        return MappingProxyType({each.name: each for each in self.list()})


class _Counted:
    """States that count how many of them were looked through."""

    def __init__(self, states: StatesWriter, progress: Progress) -> None:
        self._states, self._progress, self._done = states, progress, 0

    def scan(self, kind: str | None = None, after: bytes = b"") -> Iterator[Record]:
        for each in self._states.scan(kind, after):
            self._done += 1
            self._progress(self._done)
            yield each


def _counting(tx: StoreWriter, progress: Progress) -> StoreWriter:
    """Return a transaction that reports how many items it has looked through."""
    return dataclasses.replace(ComposedWriter.of(tx), states=over(tx.states, _Counted(tx.states, progress)))


def _clash(reader: StoreReader, record: bytes, place: tuple[str, bytes], withheld: Sequence[bytes]) -> Clash:
    index = uniques.unique(place[0], record)
    holders = [each.entity for each in reader.uniques.holders(*place, 1)]
    states = reader.states.get([*holders, *withheld])
    if not holders or not states.keys() >= {*holders, *withheld}:
        raise CorruptError(f"What items claim under the unique index {index.name}")
    first = holders[0]
    found = uniques.shown(index, entity_of(first, states[first].state).value)
    return Clash(
        index=index.name, kind=index.on, columns=tuple(index.names), values=found,
        shown=id_text_of(first), withheld=tuple(map(id_text_of, withheld)),
    )  # fmt: skip
