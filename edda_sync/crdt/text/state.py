"""
A text as bytes: everything that its accepted edits made of it. The bytes are equal wherever the same edits were accepted.

    state      := [1, names, genesis, starts, authors, rewrites, pairs, runs]      msgpack
    names      := every name and actor that occurs below, ascending; elsewhere a name is its index here
    starts     := [[actor, seq]...]                      the changes that started the text, ascending
    authors    := [[actor, insertions, deletions]...]    ascending; steps as columns: see attribution.py
    rewrites   := [[name, units, [[actor, seq]...], [[name, clock, length]...]]...]
    pairs      := [[name, starts, counts]...]            its characters of two units, see units.py; starts as differences
    runs       := [[name, clock, length, text | nil, left, left clock, right, right clock]...]   in order: see order.py

When a state is read, it is checked so far that nothing can fail later. Whether it is the text that its edits made is
known only when these have been folded and gave the same bytes.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from itertools import pairwise
from typing import Final

import msgspec

from edda_sync.crdt.frontier import Dot
from edda_sync.crdt.text.attribution import (
    DeletionColumns,
    Deletions,
    InsertionColumns,
    Insertions,
    Range,
    Rewrite,
)
from edda_sync.crdt.text.clients import NAME_BYTES
from edda_sync.crdt.text.order import Order
from edda_sync.crdt.text.runs import EDGE, Run
from edda_sync.crdt.text.sequence import TextSequence
from edda_sync.crdt.text.units import Pairs, differences, pairs_of, units

FORMAT: Final = 1

_Dots = list[tuple[int, int]]


class _State(msgspec.Struct, array_like=True, forbid_unknown_fields=True):
    format: int
    names: list[bytes]
    genesis: int
    starts: _Dots
    authors: list[tuple[int, InsertionColumns, DeletionColumns]]
    rewrites: list[tuple[int, int, _Dots, list[Range]]]
    pairs: list[tuple[int, list[int], list[int]]]
    runs: list[Run]


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_State).decode


def encode(text: TextSequence) -> bytes:
    """Return the state of a text."""
    for actor, _ in text.starts:
        text.named(actor)
    text.sort_names()
    index = text.index
    authors = [
        (name, author.insertions.columns(), author.deletions.columns())
        for name, author in sorted(text.authors.items())
        if author.insertions.clock or author.deletions.seq
    ]
    rewrites = [
        (name, rewrite.size, _dots(index, rewrite.dots), rewrite.deletions)
        for name, rewrite in sorted(text.rewrites.items())
    ]
    pairs = [(name, differences(found.starts), found.counts) for name, found in sorted(text.order.pairs.items())]
    starts, runs = _dots(index, text.starts), msgspec.Raw(text.order.packed())
    return _encode((FORMAT, text.names, index[text.genesis], starts, authors, rewrites, pairs, runs))


def decode(data: bytes) -> TextSequence:
    """
    Decode a state.

    Raises:
        ValueError: It is not a valid state, with the reason.
    """
    try:
        state = _decode(data)
    except ValueError as error:
        raise ValueError(str(error)) from None
    names = state.names
    if state.format != FORMAT:
        raise ValueError(f"a text of format {state.format}")
    if any(not name or len(name) % NAME_BYTES for name in names) or any(a >= b for a, b in pairwise(names)):
        raise ValueError("names that are not in order")
    _check(state.genesis, len(names))
    pairs = {name: Pairs.of(starts, counts) for name, starts, counts in state.pairs}
    totals = _totals(state.runs, len(names))
    for name, found in pairs.items():
        if found.end > totals.get(name, 0):
            raise ValueError("a character that is not there")
    _check_runs(state.runs, totals, pairs)
    text = TextSequence(names[state.genesis], "", _read_dots(names, state.starts))
    text.names, text.index = names, {name: at for at, name in enumerate(names)}
    text.started = totals.pop(state.genesis, 0)
    text.order = Order(state.runs, pairs)
    _read_authors(text, state, totals)
    return text


def check(text: TextSequence) -> None:
    """
    Check that every run is after its left neighbour and before its right one.

    Raises:
        ValueError: A run is not.
    """
    clocks: dict[int, list[int]] = {}
    places: dict[int, list[int]] = {}
    ordered = list(enumerate(text.order))
    for at, run in sorted(ordered, key=lambda each: each[1].clock):
        clocks.setdefault(run.name, []).append(run.clock)
        places.setdefault(run.name, []).append(at)
    for at, run in ordered:
        left, right = -1, len(ordered)
        if run.left != EDGE[0]:
            left = places[run.left][bisect_right(clocks[run.left], run.left_clock) - 1]
        if run.right != EDGE[0]:
            right = places[run.right][bisect_right(clocks[run.right], run.right_clock) - 1]
        if not left < at < right:
            raise ValueError("a run on the wrong side of its neighbour")


def _read_authors(text: TextSequence, state: _State, totals: dict[int, int]) -> None:
    """Read what each author and rewrite did; ``totals`` has how many units each inserted."""
    held = {state.genesis: text.started, **totals}
    deleted: list[Range] = []
    for name, insertions, deletions in state.authors:
        _check(name, len(state.names))
        author = text.author(state.names[name])
        author.insertions, author.deletions = Insertions.of(insertions), Deletions.of(deletions)
        if author.insertions.clock != totals.pop(name, 0):
            raise ValueError("an author of other units than are there")
        deleted += author.deletions.ranges()
    for name, size, dots, ranges in state.rewrites:
        if size != totals.pop(name, 0) or size < 1:
            raise ValueError("a rewrite of other units than are there")
        text.rewrites[name] = Rewrite(size, ranges, _read_dots(state.names, dots))
        for actor, _ in text.rewrites[name].dots:
            text.author(actor).rewritten += size
        deleted += ranges
    if totals:
        raise ValueError("units that nobody brought")
    if any(clock < 0 or size < 1 or clock + size > held.get(name, 0) for name, clock, size in deleted):
        raise ValueError("a deletion of units that are not there")


def _totals(runs: list[Run], names: int) -> dict[int, int]:
    """Return how many units each name has, and check that each unit occurs once."""
    begins = {(run.name, run.clock) for run in runs}
    ends = {(run.name, run.clock + run.size) for run in runs}
    if len(begins) != len(runs) or any(clock and (name, clock) not in ends for name, clock in begins):
        raise ValueError("units twice, or with a gap")
    totals: dict[int, int] = {}
    for name, clock in ends:
        _check(name, names)
        totals[name] = max(clock, totals.get(name, 0))
    return totals


def _check_runs(runs: list[Run], totals: dict[int, int], pairs: dict[int, Pairs]) -> None:
    unknown = {EDGE[0]: 1}  # the edge is no unit, so it has no clock
    held = {**totals, **unknown}
    for run in runs:
        if run.size < 1 or run.clock < 0 or run.left_clock < 0 or run.right_clock < 0:
            raise ValueError("a run without units")
        if run.left_clock >= held.get(run.left, 0) or run.right_clock >= held.get(run.right, 0):
            raise ValueError("a run beside units that are not there")
        text = run.text
        if text is None or (len(text) == run.size and run.name not in pairs and text.isascii()):
            continue
        end = run.clock + run.size
        found = Pairs(pairs_of(text, run.clock)).seconds(run.clock, end)
        here = pairs[run.name].seconds(run.clock, end) if run.name in pairs else []
        if units(text) != run.size or found != here:
            raise ValueError("a run of other characters than it says")


def _check(name: int, names: int) -> None:
    if not 0 <= name < names:
        raise ValueError("an index without a name")


def _dots(index: dict[bytes, int], dots: Iterable[Dot]) -> _Dots:
    return sorted((index[actor], seq) for actor, seq in dots)


def _read_dots(names: list[bytes], dots: _Dots) -> list[Dot]:
    if not dots or any(not 0 <= actor < len(names) or seq < 1 for actor, seq in dots):
        raise ValueError("no change that brought it")
    return [(names[actor], seq) for actor, seq in dots]
