"""Checks: whether this version folds an operation. The verdict depends on the change and its past alone."""

from __future__ import annotations

from typing import Any, Final

from edda_sync.crdt.frontier import from_pairs
from edda_sync.crdt.operation import Delete, Put
from edda_sync.crdt.records import EpochRecord, check_device, decode_epoch
from edda_sync.crdt.schema import unknown_cells
from edda_sync.fold.budget import Budget, size_of
from edda_sync.fold.current import Current
from edda_sync.fold.entities import Entities
from edda_sync.words.errors import InvalidValueError

_NEVER_DELETED: Final = ("device", "workspace")  # membership is not a matter of the trash


class Checks:
    """
    The checks of a fold.

    Args:
        entities: The fold's.
        budget: What the present change has written.
    """

    def __init__(self, entities: Entities, budget: Budget) -> None:
        self._entities, self._budget = entities, budget

    def put(self, change: Current, one: Put) -> tuple[list[str], int]:
        """
        Check a Put; return the cells that only a newer version knows, and the number of bytes of all cells.

        Raises:
            InvalidValueError: No version accepts it.
            LimitError: The change writes more into the entity than one change may.
        """
        unknown = unknown_cells(one.kind, one.id, one.cells)
        if one.kind == "device" and "record" in one.cells:
            if check_device(one.id, one.cells["record"]).added_by != change.author:
                raise InvalidValueError("record", "names another device as the one that adds it", None)
            if self._seen(change, one, "record"):
                raise InvalidValueError("record", "is written once, and was written already", None)
        if one.kind == "workspace":
            for name, value in one.cells.items():
                if name not in unknown and name.startswith("epoch."):
                    self._check_epoch(change, one, name, decode_epoch(value))
        size = size_of(one.cells)
        self._budget.spend(one, size)
        return unknown, size

    def _seen(self, change: Current, one: Put, name: str) -> list[Any]:
        """Return what the change's past has written into a cell that must not be replaced."""
        written = self._entities.of(one.kind, one.id).cells.get(name, ())
        return [value for actor, seq, _, value in written if seq <= change.past.get(actor, 0)]

    def _check_epoch(self, change: Current, one: Put, name: str, epoch: EpochRecord) -> None:
        """
        Check that an epoch follows one that its author knew, so that nobody can take the greatest depth.

        The very first change writes the first epoch. Each epoch is written once, so that all of them stay.
        """
        if self._seen(change, one, name):
            raise InvalidValueError("epoch", "is written once, and was written already", None)
        if epoch.follows is None:
            if change.seq != 1 or change.deps:
                raise InvalidValueError("epoch", "is a first one, and the workspace has one", None)
            return
        before = self._seen(change, one, f"epoch.{epoch.follows.hex()}")
        if not before or decode_epoch(before[0]).depth + 1 != epoch.depth:
            raise InvalidValueError("epoch", "does not follow an epoch that its author knew", None)

    @staticmethod
    def delete(one: Delete) -> None:
        """
        Check a deletion.

        Raises:
            InvalidValueError: No version accepts it.
        """
        if one.kind in _NEVER_DELETED:
            raise InvalidValueError("kind", f"is {one.kind}, of which nothing is deleted", one.kind)
        try:
            from_pairs(one.seen)
        except ValueError as error:
            raise InvalidValueError("seen", str(error), None) from None
