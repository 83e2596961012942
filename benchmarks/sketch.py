"""Coded cells: what making them costs, how many bytes find so many differences, and how many differences 64 cells find."""

from __future__ import annotations

import random
import statistics
from bisect import bisect_left
from collections.abc import Iterator
from functools import partial
from typing import Final

from benchmarks.measure import Figure, Options, median_of, milliseconds
from edda_sync.crdt.digests import HASH_BYTES, KEY_BYTES, Item
from edda_sync.crdt.sketch import CELL_BYTES, Sketch, differences
from edda_sync.words import limits

ROUNDS: Final = 21
DIFFERENCES: Final = (1, 2, 5, 10, 100)
CELLS: Final = 256  # made for 100 differences
TRIALS: Final = 1_000
DECODED: Final = (10, 20, 30, 35, 40, 45, 50)


def run(options: Options) -> Iterator[Figure]:
    chance = random.Random(1)
    common = _items(chance, options.tasks)
    build = median_of(partial(Sketch, chance.randbytes(32), common), ROUNDS)
    yield Figure(f"{limits.CODED_CELLS_FIRST} coded cells over {options.tasks:,} items", "", milliseconds(build.wall_s))
    for count in DIFFERENCES:
        cells = [_cells_needed(chance, common, count) for _ in range(ROUNDS)]
        needed = f"{CELL_BYTES * int(statistics.median(cells)):,} bytes (at most {CELL_BYTES * max(cells):,})"
        yield Figure(f"{count} different among {options.tasks:,}, on the wire", "", needed)
    for count in DECODED:
        decoded = sum(_is_decoded(chance, count) for _ in range(TRIALS))
        yield Figure(
            f"{count} different, out of {limits.CODED_CELLS_FIRST} cells", "", f"{decoded:,} of {TRIALS:,} trials"
        )


def _items(chance: random.Random, count: int) -> list[Item]:
    return [(chance.randbytes(KEY_BYTES), chance.randbytes(HASH_BYTES)) for _ in range(count)]


def _cells_needed(chance: random.Random, common: list[Item], count: int) -> int:
    """Return the least number of cells that finds some differences, half of them on each side, under a key of its own."""
    key, different = chance.randbytes(32), _items(chance, count)
    ours = Sketch(key, common + different[::2], CELLS)
    theirs = Sketch(key, common + different[1::2], CELLS)
    # Who has found all in some cells finds all in more of them.
    enough = partial(_is_complete, ours, theirs)
    return 1 + bisect_left(range(1, CELLS), True, key=enough)


def _is_complete(ours: Sketch, theirs: Sketch, cells: int) -> bool:
    return differences(ours, theirs.cells(0, cells)).complete


def _is_decoded(chance: random.Random, count: int) -> bool:
    """Tell whether the first cells find some differences; what both sides have cancels out, so they have nothing else."""
    key, different = chance.randbytes(32), _items(chance, count)
    return _is_complete(Sketch(key, different[::2]), Sketch(key, different[1::2]), limits.CODED_CELLS_FIRST)
