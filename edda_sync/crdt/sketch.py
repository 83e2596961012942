"""
Sketches: coded cells, with which two devices find the entities in which they differ. Their size grows with the
difference.

Each device makes a sketch of its items (entity key and hash) in one scan. One device sends its coded cells. The other
subtracts them from its own; what is left are the cells of the items that only one of the two has. If a cell contains a
single item, that item is read there and removed from all its other cells, and so on (*peeling*). The cells are a
rateless code: the first n are the same, however many follow. So a sender begins with few and sends more on request. An
entity that both devices have in different states is two differences, one on each side.

Source: Yang, Gilad and Alizadeh 2024, "Practical Rateless Set Reconciliation" (https://arxiv.org/abs/2402.02668), with
its constant alpha at one half: an item is in cell i with probability 1 / (1 + i / 2), and always in cell 0.

    cell := count(4 bytes, signed) sum(49 bytes) checksum(8 bytes)         61 bytes, big endian

``sum`` is the xor of the items, ``checksum`` the xor of their checksums, and ``count`` their number. For an item x,

    d(0) = BLAKE2b-512(x, key, person "edda-cells"), and d(n+1) the same of d(n)

is cut into a checksum (8 bytes) and 14 draws (4 bytes each; the first 8 bytes of the later digests are not used). If x
is in cell i and the next draw is r, the next cell of x is the least cell k for which

    (r + 1) (k + 1) (k + 2) > 2**32 (i + 1) (i + 2)

The chance that the next cell is beyond k is then (i + 1) (i + 2) / ((k + 1) (k + 2)), which is the product of
1 - 1 / (1 + j / 2) over the cells j from i + 1 to k. That is the distribution of the paper, in integers and rounded to
2**-32, so it is the same on every machine.

**Keyed.** Members choose entities and their content. Without a key, a member could make items that share all their
cells and can never be decoded, or items that share a checksum. So in each session both ends use a new key that neither
of them chose alone. A lying *peer* knows the key. Its cells can only fail to decode, within a bound (:class:`Peeling`),
or name differences that do not exist (:class:`Decoded`).

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
    The items in which two devices differ.

    Attributes:
        ours_only: Items that only we have, in order. A lying peer can make this list contain items that we do not have.
        theirs_only: Items that only the peer has, by its own word, in order.
        complete: Whether these are all. If not, the lists are true between honest devices, and more cells are needed.
    """

    ours_only: list[Item]
    theirs_only: list[Item]
    complete: bool


class Code:
    """Which coded cells an item is in, and what it adds to them. This depends on the key of the session."""

    def __init__(self, key: bytes) -> None:
        if not CODE_KEY_BYTES_MIN <= len(key) <= CODE_KEY_BYTES_MAX:
            raise ValueError(f"a key of {len(key)} bytes")
        self._keyed = blake2b(key=key, digest_size=_DRAWS.size, person=b"edda-cells")

    def of(self, item: bytes, count: int) -> tuple[int, list[int]]:
        """
        Return an item's value, and its cells among the first ``count``, ascending.

        Args:
            item: ``ITEM_BYTES`` long.
            count: The number of cells.
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

    It holds only its cells, and none of the items: O(cells) memory. A scan costs a hash and about 2 ln(cells) xors for
        each item.
    """

    def __init__(self, key: bytes, items: Iterable[Item], count: int = limits.CODED_CELLS_FIRST) -> None:
        """
        Make the first cells of a set in one scan.

        Args:
            key: 16 to 64 bytes, the same on both devices and new in each session: both nonces.
            items: Key and hash of every entity, each once, in any order.
            count: The number of cells, at most ``CODED_CELLS_MAX``.

        Raises:
            ValueError: An argument has a wrong size.
        """
        self._code = Code(key)
        self._sums, self._counts = self._scan(items, count)

    def __len__(self) -> int:
        return len(self._counts)

    def extend(self, items: Iterable[Item], count: int) -> None:
        """
        Make more cells, with a second scan of the same set.

        Args:
            items: The same items as in the first scan, in any order.
            count: The number of cells afterwards, with those that exist.

        Raises:
            ValueError: ``count`` is too large or too small, or the items have changed. In the latter case, make a new
                sketch, and let the peer start again.
        """
        sums, counts = self._scan(items, count)
        if (sums[: len(self)], counts[: len(self)]) != (self._sums, self._counts):
            raise ValueError("other items than those of the first scan")
        self._sums, self._counts = sums, counts

    def cells(self, first: int, count: int) -> bytes:
        """
        Return some cells in the form in which they are sent: ``count * CELL_BYTES`` bytes.

        Raises:
            ValueError: There are not so many cells; call :meth:`extend` first.
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
        Return our cells minus those of a peer, for as many as both have.

        Raises:
            RemoteProtocolError: The peer's bytes are not cells, or too many.
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
       item's cells. The cell is then empty.
    2. No item is taken twice. Otherwise a liar's cells could have one put in and taken out forever.
    3. At most ``CODED_CELL_STEPS_MAX`` cells are changed for each cell that there is, plus the cells of the last item.
       A cell is looked at only if it is new or has changed since, for the cost of one hash (and one more for every 14
       cells of the item). So peeling takes linear time, whatever the cells contain.

    Attributes:
        steps: How many cells were changed.
    """

    def __init__(self, code: Code, sums: list[int], counts: list[int]) -> None:
        self.steps = 0
        self._code = code
        self._sums = sums
        self._counts = counts
        self._taken: dict[int, int] = {}  # value -> 1 if the item is ours, -1 if it is theirs

    def run(self) -> Decoded:
        """Take out all items that can be decoded. Call this once."""
        waiting = list(range(len(self._counts)))
        steps_max = limits.CODED_CELL_STEPS_MAX * len(self._counts)
        while waiting and self.steps < steps_max:
            index = waiting.pop()
            if self._counts[index] in (1, -1):
                waiting += self._take(index)
        complete = not any(self._sums) and not any(self._counts)
        return Decoded(self._side(1), self._side(-1), complete)

    def _take(self, index: int) -> list[int]:
        """Take the item out of a cell that may hold a single one; return the cells that this changed."""
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
    Return the items in which two devices differ, as far as the cells that both have can tell.

    If the result is not complete, ask for more cells, :meth:`Sketch.extend` our own, and call this again with all of
    the peer's cells. Beyond ``CODED_CELLS_MAX``, send the items themselves (``crdt.pages``). It costs O(cells),
    whatever the cells are.

    Args:
        ours: Our sketch, with the same key.
        theirs: All of the peer's cells, from cell 0 on.

    Raises:
        RemoteProtocolError: The peer's bytes are not cells, or too many.
    """
    return ours.without(theirs).run()


def _item_of(value: int) -> bytes:
    return (value >> 8 * _CHECKSUM_BYTES).to_bytes(ITEM_BYTES, "big")
