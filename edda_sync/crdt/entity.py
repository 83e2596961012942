"""
Entities: a task, a document, a tag or a device as a flat map of cells, with the changes that touched and deleted it.

1. The state of an entity depends on the set of operations on it. Every causal order gives the same state.
2. It is hidden if and only if ``touched`` is within ``deleted``. So an edit that the deletion had not seen brings it
   back, in every order, and an edit that it had seen does not. A deletion carries what its author had seen of the
   entity, so deletions can be joined.
3. An operation that is refused changes only ``refused``, on every device.
4. If all lives together write more into an entity than it may hold, it becomes *overfull*. Its state then says only
   that, and no further operation has an effect on it, so the order of arrival does not matter. The log keeps
   everything.
5. An entity is named by its kind and its id. A careless or lying member may write a task and a document with the same id;
   these are two independent entities. If the kind that came first owned the id, the order of arrival would decide what is
   shown.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import Any, Final, NamedTuple

from edda_sync.crdt import cells, frontier
from edda_sync.crdt import ext as exts
from edda_sync.crdt.cells import Siblings, Write
from edda_sync.crdt.ext import Ext
from edda_sync.crdt.frontier import Frontier
from edda_sync.crdt.keys import key_of
from edda_sync.words import limits
from edda_sync.words.errors import LimitError
from edda_sync.words.model import TEXT_FIELDS

OWN_TIME: Final = 0
"""Value of a ``created_at`` cell that means: the time of this write."""

_SETS_END: Final = 1 << 256


NEVER_OVERFULL: Final = ("device", "workspace")
"""Kinds that never become overfull: otherwise devices could lose their membership by it."""

Spent = tuple[int, int]
"""How many cells, and how many bytes."""


class Refused(NamedTuple):
    """
    The operations on an entity that are refused for good: their number, and a hash of their set, updated with each.

    The hash is the sum of their hashes modulo 2**256. It shows honest devices that they differ. It is no evidence: a
    member could make operations on purpose so that two sets have the same sum.
    """

    size: int = 0
    total: int = 0

    def with_one(self, actor: bytes, seq: int, number: int) -> Refused:
        """Return the set with one more operation: number ``number`` of a change."""
        name = actor + seq.to_bytes(8, "big") + number.to_bytes(4, "big")
        digest = blake2b(name, digest_size=32, person=b"edda-refused").digest()
        return Refused(self.size + 1, (self.total + int.from_bytes(digest, "big")) % _SETS_END)

    def encode(self) -> bytes:
        """Return 40 bytes: the count and the sum, big endian."""
        return self.size.to_bytes(8, "big") + self.total.to_bytes(32, "big")

    @classmethod
    def decode(cls, encoded: bytes) -> Refused:
        """
        Decode what :meth:`encode` returned.

        Raises:
            ValueError: These are not 40 bytes with a count above 0.
        """
        found = cls(int.from_bytes(encoded[:8], "big"), int.from_bytes(encoded[8:], "big"))
        if len(encoded) != 40 or not found.size:
            raise ValueError("no set of refused operations")
        return found


_NOTHING_REFUSED: Final = Refused()


class Entity:
    """
    The replicated state of one entity. Its canonical bytes are in :mod:`~edda_sync.crdt.state`.

    Attributes:
        id: 16 bytes.
        kind: One of ``model.KINDS``.
        key: Its key in a store, from :func:`key_of`.
        touched: Join of the dots of all operations on it that are not deletions.
        spent: How many cells and bytes each life in ``touched`` has written into it; see :meth:`charge`.
        weight: The total of these in bytes, with ``limits.ENTITY_CELL_BYTES`` for each cell.
        overfull: Whether more was written than an entity may hold. It then has no other content.
        deleted: Join of what its deletions had seen of ``touched``.
        cells: Siblings by cell name. The value of a text cell is its start (a string), the 16-byte genesis of an edited
            text, or None.
        refused: The operations on it that are refused for good.
        ext: Fields of a newer version, which are kept.
    """

    __slots__ = ("cells", "deleted", "ext", "id", "key", "kind", "overfull", "refused", "spent", "touched", "weight")

    def __init__(self, entity_id: bytes, kind: str) -> None:
        self.id = entity_id
        self.kind = kind
        self.key = key_of(kind, entity_id)
        self.touched: Frontier = {}
        self.spent: dict[bytes, Spent] = {}
        self.weight = 0
        self.overfull = False
        self.deleted: Frontier = {}
        self.cells: dict[str, Siblings] = {}
        self.refused = _NOTHING_REFUSED
        self.ext: Ext = exts.NONE

    def __eq__(self, other: object) -> bool:
        return (  # faster than a loop over the slots: entities from peers are decoded and compared
            isinstance(other, Entity)
            and (self.key, self.cells, self.touched, self.spent) == (other.key, other.cells, other.touched, other.spent)
            and (self.deleted, self.refused, self.ext) == (other.deleted, other.refused, other.ext)
            and (self.weight, self.overfull) == (other.weight, other.overfull)
        )

    def __hash__(self) -> int:
        return hash(self.key)

    @property
    def hidden(self) -> bool:
        """Whether it is in the trash, or nothing has touched it, or it is a tag without a name."""
        if self.kind == "tag" and "name" not in self.cells:
            return True  # shown by its id, it could look like another tag
        if not self.deleted:
            return not self.touched
        return frontier.covers(self.deleted, self.touched)

    def put(self, name: str, write: Write, past: Mapping[bytes, int]) -> None:
        """Write one cell. Call :meth:`touch` too."""
        siblings = self.cells.get(name)
        self.cells[name] = [write] if siblings is None else cells.written(siblings, write, past)

    def touch(self, actor: bytes, seq: int) -> None:
        """Note that an operation of a change is about this entity."""
        if seq > self.touched.get(actor, 0):
            self.touched[actor] = seq

    def charge(self, chain: Sequence[bytes], cells: int, size: int) -> None:
        """
        Count what a life writes. Call :meth:`touch` too.

        The count follows the author's own chain, so that the verdict does not depend on changes of others. What was
        written before a branch counts in each of the branches.

        Args:
            chain: The names in the author's chain, from the actor to the branch that writes.
            cells, size: How many cells, and how many bytes.

        Raises:
            LimitError: The life would have written more into this entity than it may. Nothing has changed.
        """
        own_cells, own_bytes = self.spent.get(chain[-1], (0, 0))
        all_cells, all_bytes = own_cells + cells, own_bytes + size
        for name in chain[:-1]:
            before = self.spent.get(name, (0, 0))
            all_cells, all_bytes = all_cells + before[0], all_bytes + before[1]
        if all_cells > limits.ENTITY_LIFE_CELLS_MAX:
            what, total, most = "cells", all_cells, limits.ENTITY_LIFE_CELLS_MAX
        elif all_bytes > limits.ENTITY_LIFE_BYTES_MAX:
            what, total, most = "bytes", all_bytes, limits.ENTITY_LIFE_BYTES_MAX
        else:
            if cells or size:
                self.spent[chain[-1]] = own_cells + cells, own_bytes + size
                self.weight += limits.ENTITY_CELL_BYTES * cells + size
            return
        raise LimitError(f"the {what} that one device wrote into one {self.kind}", total, most, "go on in a new one")

    def refund(self, name: bytes, cells: int, size: int) -> None:
        """Subtract what was counted for a life, because the operation was refused after all."""
        own_cells, own_bytes = self.spent[name]
        self.spent[name] = own_cells - cells, own_bytes - size
        if self.spent[name] == (0, 0):
            del self.spent[name]
        self.weight -= limits.ENTITY_CELL_BYTES * cells + size

    @property
    def is_too_heavy(self) -> bool:
        """Whether all lives together have written more than an entity may hold. If so, call :meth:`overfill`."""
        return self.weight > limits.ENTITY_BYTES_MAX and self.kind not in NEVER_OVERFULL

    def overfill(self) -> None:
        """Make this entity overfull, and drop its content."""
        self.touched, self.deleted, self.spent, self.cells = {}, {}, {}, {}
        self.refused, self.ext, self.weight, self.overfull = _NOTHING_REFUSED, exts.NONE, 0, True

    def delete(self, seen: Mapping[bytes, int]) -> None:
        """Hide what the author of a deletion had seen."""
        self.deleted = frontier.join(self.deleted, seen)

    def refuse(self, actor: bytes, seq: int, number: int) -> None:
        """Note that operation ``number`` of a change is refused."""
        self.refused = self.refused.with_one(actor, seq, number)

    def value(self, name: str) -> Any:
        """Return the visible value of a cell; None if there is none."""
        siblings = self.cells.get(name)
        return None if siblings is None else cells.visible(siblings)[3]

    def edited_texts(self) -> list[tuple[str, bytes]]:
        """Return the field and genesis of each edited text among the siblings, in canonical order."""
        field = TEXT_FIELDS.get(self.kind, "")
        found = {write[3] for write in self.cells.get(field, ()) if isinstance(write[3], bytes)}
        return [(field, genesis) for genesis in sorted(found)] if found else []
