"""
Which texts have a place that concurrent changes replaced: one that may be listed as a conflict, or one that has to be.

It may be if two changes, neither of which knew the other, deleted one unit. It has to be if, besides, each of the two put
one other word there, and nobody who knew one of them has edited the text since. Between the two, the product decides.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import NamedTuple

from edda_sync.simulations import oracle_texts

Unit = tuple[bytes, int]


class Edited(NamedTuple):
    """What one change did to a text: its hash, its past, its author, and the bytes of its edits."""

    change: bytes
    past: frozenset[bytes]
    author: bytes
    edits: tuple[bytes, ...]


class _Made(NamedTuple):
    deleted: frozenset[Unit]
    beside: frozenset[Unit]
    words: list[str]


def judged(genesis: bytes, changes: Sequence[Edited]) -> tuple[bool, bool]:
    """
    Return whether a place of a text may be listed, and whether one has to be.

    Args:
        genesis: The text's name.
        changes: All that edited it, and were accepted.
    """
    made = {each.change: _made(genesis, each) for each in changes}
    may = must = False
    for one, other in combinations(changes, 2):
        if one.change in other.past or other.change in one.past:
            continue
        shared = made[one.change].deleted & made[other.change].deleted
        may = may or bool(shared)
        if shared and all(_replaces(made[each.change], shared) for each in (one, other)):
            differ = made[one.change].words[0].strip() != made[other.change].words[0].strip()
            pair = {one.change, other.change}
            is_last = not any(each.change not in pair and pair & each.past for each in changes)
            must = must or (differ and is_last)
    return may, must


def _replaces(made: _Made, shared: frozenset[Unit]) -> bool:
    """Tell whether a change put one word in the place of some units."""
    return len(made.words) == 1 and bool(made.words[0].strip()) and bool(made.beside & shared)


def _made(genesis: bytes, each: Edited) -> _Made:
    deleted, beside, words = set[Unit](), set[Unit](), list[str]()
    for encoded in each.edits:
        told = oracle_texts.Told(genesis, each.author, encoded)
        deleted |= {(told.names[name], at) for name, clock, size in told.deletions for at in range(clock, clock + size)}
        for left, right, text in told.blocks:
            beside |= {(told.names[unit[0]], unit[1]) for unit in (left, right) if unit}
            words.append(text)
    return _Made(frozenset(deleted), frozenset(beside), words)
