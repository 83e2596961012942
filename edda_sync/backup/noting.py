"""Noting what becomes of the backups at one target, in the store, so that `edda status` tells it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import msgspec

from edda_sync.engine import backed_up
from edda_sync.engine.backed_up import BackedUp
from edda_sync.engine.engine import StorageEngine
from edda_sync.store.seams import StoreWriter
from edda_sync.words.errors import BusyError, EddaError, ReadOnlyError, StorageError


class Noting:
    """
    What a store remembers of its backups at one target.

    Args:
        storage: The store, open.
        target: The target's name.
    """

    def __init__(self, storage: StorageEngine, target: str) -> None:
        self._storage, self._target = storage, target

    def now(self) -> BackedUp:
        """Return what is remembered now."""
        with self._storage.store.read() as reader:
            return backed_up.of(reader, self._target)

    def note(self, **facts: Any) -> None:
        """Remember something more: see the attributes of ``BackedUp``."""

        def work(tx: StoreWriter) -> None:
            backed_up.save(tx, msgspec.structs.replace(backed_up.of(tx, self._target), **facts))

        self._storage.store.transact(work)

    def verdict(self, error: EddaError | None) -> None:
        """Note what came of verifying a backup, unless the store cannot be written; what holds, only if it can be now."""
        now_ms = int(self._storage.writing.now() * 1_000)
        if error is None:
            with suppress(StorageError):
                self.note(verified_ms=now_ms)
            return
        with suppress(ReadOnlyError):  # then no backup can be made upon it either
            self.note(failed=str(error), failed_ms=now_ms, is_distrusted=True)

    @contextmanager
    def made(self) -> Iterator[None]:
        """Note that making a backup, which the block does, failed, or no longer fails."""
        with self.if_it_ends(EddaError):
            yield
        self.note(failed="", failed_ms=0, is_distrusted=False)

    @contextmanager
    def if_it_ends(self, kind: type[EddaError]) -> Iterator[None]:
        """Note an error of a kind that ends the block. Where it cannot be noted, it is still the error that is raised."""
        try:
            yield
        except kind as error:
            if not isinstance(error, BusyError):  # otherwise it would wait as long again
                with suppress(StorageError):
                    self.note(failed=str(error), failed_ms=int(self._storage.writing.now() * 1_000))
            raise
