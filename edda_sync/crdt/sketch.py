"""
Sketches: coded cells, by which two devices find the entities in which they differ, in bytes that grow with the difference.

Each device makes a sketch of its items (entity key and hash) in one scan; one sends its coded cells, and the other takes
them from its own, which leaves the cells of what only one of the two has. Where one item is left in a cell, it is read
there and taken out of all its other cells, and so on (*peeling*). The cells are a rateless code: the first n are the same
however many follow, so a sender begins with few and sends more on request. An entity that both have, in two states, is two
differences, one on each side.

Source: Yang, Gilad and Alizadeh 2024, "Practical Rateless Set Reconciliation" (https://arxiv.org/abs/2402.02668), with its
constant alpha at one half: an item is in cell i with probability 1 / (1 + i / 2), and in cell 0 always.

    cell := count(4 bytes, signed) sum(49 bytes) checksum(8 bytes)         61 bytes, big endian

``sum`` is the xor of the items, ``checksum`` that of their checksums, ``count`` how many there are. Of an item x,

    d(0) = BLAKE2b-512(x, key, person "edda-cells"), and d(n+1) the same of d(n)

is cut into a checksum (8 bytes) and 14 draws (4 bytes each; the first 8 bytes of the later ones are not used). If x is in
cell i and the next draw is r, x is next in the least cell k for which

    (r + 1) (k + 1) (k + 2) > 2**32 (i + 1) (i + 2)

The chance that the next one lies beyond k is then (i + 1) (i + 2) / ((k + 1) (k + 2)), which is the product of
1 - 1 / (1 + j / 2) over the cells j from i + 1 to k: the distribution of the paper, in integers alone and rounded to 2**-32,
the same on every machine.

**Keyed.** Entities and their content are chosen by members. Without a key a member could make items that share all their
cells and never come out, or that share a checksum; so both ends key the code anew in each talk, with what neither chose
alone. A lying *peer* knows the key; its cells can only fail to decode, within a bound (:class:`Peeling`), or name what is
not so (:class:`Decoded`).

Measured by ``python -m benchmarks sketch``, with half of the differences on each side:

    differences, among 10,000 items      1     2     5     10      100
    bytes that find them (median)       61   183   549  1,037    8,845
    bytes (most, of 21)                 61   366 1,037  2,379    9,943

    differences                         10    20    30     35       40    45    50
    found by 64 cells, of 1,000 trials 1000   994   982    909      715   322    49
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b
from math import isqrt
from struct import Struct
from typing import Final, NamedTuple

from edda_sync.crdt.digests import HASH_BYTES, KEY_BYTES, Item
from edda_sync.words import limits
from edda_sync.words.errors import RemoteProtocolError

ITEM_BYTES: Final = KEY_BYTES + HASH_BYTES
CODE_KEY_BYTES_MIN: Final = 16
CODE_KEY_BYTES_MAX: Final = blake2b.MAX_KEY_SIZE

_CHECKSUM_BYTES: Final = 8
_VALUE_BYTES: Final = ITEM_BYTES + _CHECKSUM_BYTES  # a *value*: an item and its checksum, as one integer
_CELL: Final = Struct(f">i{_VALUE_BYTES}s")
_DRAWS: Final = Struct(">Q14I")
CELL_BYTES: Final = _CELL.size


class Decoded(NamedTuple):
    """
    In which items two devices differ.

    Attributes:
        ours_only: What only we have, in order. A lying peer can make this list name what we do not have.
        theirs_only: What only the peer has, by its own word, in order.
        complete: Whether that is all. If not, what is listed is true between honest devices, and more cells are needed.
    """

    ours_only: list[Item]
    theirs_only: list[Item]
    complete: bool


class Code:
    """Which coded cells an item is in, and what it adds there: a function of the talk's key."""

    def __init__(self, key: bytes) -> None:
        if not CODE_KEY_BYTES_MIN <= len(key) <= CODE_KEY_BYTES_MAX:
            raise ValueError(f"a key of {len(key)} bytes")
        self._keyed = blake2b(key=key, digest_size=_DRAWS.size, person=b"edda-cells")

    def of(self, item: bytes, count: int) -> tuple[int, list[int]]:
        """
        Return an item's value, and which of the first cells it is in, ascending.

        Args:
            item: ``ITEM_BYTES`` long.
            count: How many cells there are.
        """
        digest = self._hash(item)
        checksum, *draws = _DRAWS.unpack(digest)
        value = int.from_bytes(item, "big") << 8 * _CHECKSUM_BYTES | checksum
        cells: list[int] = []
        at = 0
        while True:
            for draw in draws:
                if at >= count:
                    return value, cells
                cells.append(at)
                # With q = 4 * 2**32 (at + 1) (at + 2) / (draw + 1), the next is the least k with (2 k + 3)**2 > q + 1.
                at = (isqrt(((at + 1) * (at + 2) << 34) // (draw + 1) + 1) - 1) >> 1
            digest = self._hash(digest)
            _, *draws = _DRAWS.unpack(digest)

    def _hash(self, data: bytes) -> bytes:
        state = self._keyed.copy()
        state.update(data)
        return state.digest()


class Sketch:
    """
    The first coded cells of a set of items. Send some of :meth:`cells`, then compare with :func:`differences`.

    It holds its cells and none of the items: O(cells) memory. One scan costs a hash and about 2 ln(cells) xors an item.
    """

    def __init__(self, key: bytes, items: Iterable[Item], count: int = limits.CODED_CELLS_FIRST) -> None:
        """
        Make the first cells of a set in one scan.

        Args:
            key: 16 to 64 bytes that are the same at both devices and new in each talk: both nonces.
            items: Every entity's key and hash, each once, in any order.
            count: How many cells, at most ``CODED_CELLS_MAX``.

        Raises:
            ValueError: An argument has not its size.
        """
        self._code = Code(key)
        self._sums, self._counts = self._scan(items, count)

    def __len__(self) -> int:
        return len(self._counts)

    def extend(self, items: Iterable[Item], count: int) -> None:
        """
        Make more cells, with a second scan of the same set.

        Args:
            items: The very items of the first scan, in any order.
            count: How many cells there shall be, those that there are included.

        Raises:
            ValueError: ``count`` is too large or too small, or the items have changed: make a new sketch, and let the
                peer begin anew.
        """
        sums, counts = self._scan(items, count)
        if (sums[: len(self)], counts[: len(self)]) != (self._sums, self._counts):
            raise ValueError("other items than those of the first scan")
        self._sums, self._counts = sums, counts

    def cells(self, first: int, count: int) -> bytes:
        """
        Return some cells as they travel: ``count * CELL_BYTES`` bytes.

        Raises:
            ValueError: There are not so many; call :meth:`extend` first.
        """
        if not 0 <= first <= first + count <= len(self):
            raise ValueError(f"cells {first} to {first + count} of {len(self)}")
        return b"".join(
            _CELL.pack(self._counts[index], self._sums[index].to_bytes(_VALUE_BYTES, "big"))
            for index in range(first, first + count)
        )

    def _scan(self, items: Iterable[Item], count: int) -> tuple[list[int], list[int]]:
        if not 0 < count <= limits.CODED_CELLS_MAX:
            raise ValueError(f"{count} coded cells")
        sums, counts = [0] * count, [0] * count
        for key, entity_hash in items:
            if len(key) != KEY_BYTES or len(entity_hash) != HASH_BYTES:
                raise ValueError(f"an item of {len(key)} and {len(entity_hash)} bytes")
            value, cells = self._code.of(key + entity_hash, count)
            for cell in cells:
                sums[cell] ^= value
                counts[cell] += 1
        return sums, counts

    def without(self, theirs: bytes) -> Peeling:
        """
        Return our cells without those of a peer, for as many as both have.

        Raises:
            RemoteProtocolError: Those are no cells, or too many.
        """
        if not theirs or len(theirs) % CELL_BYTES:
            raise RemoteProtocolError(f"coded cells of {len(theirs)} bytes")
        if len(theirs) > limits.CODED_CELLS_MAX * CELL_BYTES:
            raise RemoteProtocolError(f"{len(theirs) // CELL_BYTES} coded cells")
        theirs_cells = list(_CELL.iter_unpack(theirs))
        sums = [ours ^ int.from_bytes(value, "big") for ours, (_, value) in zip(self._sums, theirs_cells, strict=False)]
        counts = [ours - count for ours, (count, _) in zip(self._counts, theirs_cells, strict=False)]
        return Peeling(self._code, sums, counts)


class Peeling:
    """
    Takes items out of the difference of two sketches, one after another.

    1. An item is taken from a cell whose count is 1 or -1, if the cell holds exactly the item's value and is one of the
       item's cells. That cell is then empty.
    2. No item is taken twice: a liar's cells could have one put in and taken out for ever.
    3. The cells that are changed are at most ``CODED_CELL_STEPS_MAX`` for each cell there is, and then as many as the last
       item has. Only a cell that was never looked at or was changed since is looked at, for one hash (one more for every
       14 cells that the item is in). So peeling is linear in the cells, whatever they are.

    Attributes:
        steps: How many cells were changed.
    """

    def __init__(self, code: Code, sums: list[int], counts: list[int]) -> None:
        self.steps = 0
        self._code = code
        self._sums = sums
        self._counts = counts
        self._taken: dict[int, int] = {}  # value -> 1 if it is ours, -1 if theirs

    def run(self) -> Decoded:
        """Take out all that comes out. Call it once."""
        waiting = list(range(len(self._counts)))
        steps_max = limits.CODED_CELL_STEPS_MAX * len(self._counts)
        while waiting and self.steps < steps_max:
            index = waiting.pop()
            if self._counts[index] in (1, -1):
                waiting += self._take(index)
        complete = not any(self._sums) and not any(self._counts)
        return Decoded(self._side(1), self._side(-1), complete)

    def _take(self, index: int) -> list[int]:
        """Take out the item of a cell that may hold only one; return which cells that has changed."""
        sign, value = self._counts[index], self._sums[index]
        single, cells = self._code.of(_item_of(value), len(self._counts))
        if single != value or index not in cells or value in self._taken:
            return []
        self._taken[value] = sign
        for cell in cells:
            self._sums[cell] ^= value
            self._counts[cell] -= sign
        self.steps += len(cells)
        return cells

    def _side(self, sign: int) -> list[Item]:
        items = [_item_of(value) for value, side in self._taken.items() if side == sign]
        return sorted((item[:KEY_BYTES], item[KEY_BYTES:]) for item in items)


def differences(ours: Sketch, theirs: bytes) -> Decoded:
    """
    Return in which items two devices differ, as far as the cells that both have tell it.

    If it is not complete, ask for more cells, :meth:`Sketch.extend` our own, and call this again with all of theirs. Past
    ``CODED_CELLS_MAX`` send the items themselves (``crdt.pages``). It costs O(cells), whatever the cells are.

    Args:
        ours: Our sketch under the same key.
        theirs: All cells of the peer's, from cell 0 on.

    Raises:
        RemoteProtocolError: Those are no cells, or too many.
    """
    return ours.without(theirs).run()


def _item_of(value: int) -> bytes:
    return (value >> 8 * _CHECKSUM_BYTES).to_bytes(ITEM_BYTES, "big")
