"""Budgets: how much one change, one life, and all lives together may write into one entity."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from edda_sync.crdt import operation
from edda_sync.crdt.entity import Entity
from edda_sync.crdt.keys import key_of
from edda_sync.crdt.operation import Put
from edda_sync.words import limits
from edda_sync.words.errors import LimitError
from edda_sync.words.model import TEXT_FIELDS


class Budget:
    """What the present change has written into each entity so far."""

    def __init__(self) -> None:
        self._spent: dict[bytes, tuple[int, int]] = {}  # cells and bytes, by entity

    def begin(self) -> None:
        """Start a change, which has spent nothing."""
        self._spent = {}

    def has_spent(self, key: bytes) -> bool:
        """Tell whether the change has already written into an entity."""
        return key in self._spent

    def spend(self, one: Put, size: int) -> None:
        """
        Count what the change writes into one entity. A refused operation spends nothing.

        Args:
            one: The operation.
            size: The number of bytes that it writes, including its text.

        Raises:
            LimitError: The change writes more into the entity than one change may.
        """
        key, text = key_of(one.kind, one.id), TEXT_FIELDS.get(one.kind)
        cells_spent, bytes_spent = self._spent.get(key, (0, 0))
        cells_spent += len(one.cells)
        bytes_spent += size
        if text in one.cells:
            bytes_spent -= operation.size_of(text) + operation.size_of(one.cells[text])
        if cells_spent > limits.ENTITY_CHANGE_CELLS_MAX:
            raise LimitError("the cells of one change in one entity", cells_spent, limits.ENTITY_CHANGE_CELLS_MAX)
        if bytes_spent > limits.ENTITY_CHANGE_BYTES_MAX:
            raise LimitError("the bytes of one change in one entity", bytes_spent, limits.ENTITY_CHANGE_BYTES_MAX)
        self._spent[key] = cells_spent, bytes_spent


def check_room(entity: Entity | None) -> None:
    """
    Check that this device may write into an entity.

    Raises:
        LimitError: All lives together have written as much into it as an entity may hold.
    """
    if entity is not None and (entity.overfull or entity.is_too_heavy):
        most = limits.ENTITY_BYTES_MAX
        size = max(entity.weight, most + 1)  # the size of an overfull entity is not counted any further
        raise LimitError(f"what all devices wrote into one {entity.kind}", size, most, "go on in a new one")


def is_much(cells: int, size: int) -> bool:
    """Tell whether so many cells and bytes are by themselves too much for one life, or for the entity."""
    return (
        cells > limits.ENTITY_LIFE_CELLS_MAX
        or size > limits.ENTITY_LIFE_BYTES_MAX
        or limits.ENTITY_CELL_BYTES * cells + size > limits.ENTITY_BYTES_MAX
    )


def size_of(cells: Mapping[str, Any]) -> int:
    """
    Return the size of some cells in bytes, as budgets count it: the sizes of names and values.

    A control character in a name, which may be a key of metadata, counts as its six bytes in JSON.
    """
    size_of_one, size = operation.size_of, 0
    for name, value in cells.items():
        size += len(name) if name.isascii() else size_of_one(name)
        if not name.isprintable():
            size += 5 * sum(character < " " for character in name)
        if type(value) is str and value.isascii():
            size += len(value)
        else:
            size += 8 if value is True or type(value) is int else size_of_one(value)  # most values that are no text
    return size
