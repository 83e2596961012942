"""Making: turns what somebody changed in a text into an edit that can be sent."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import zip_longest

from edda_sync.crdt.text.attribution import Range
from edda_sync.crdt.text.edits import GENESIS, OWN, TABLE, Deletion, Id, TextEdit
from edda_sync.crdt.text.hunks import Hunk
from edda_sync.crdt.text.judging import NEW
from edda_sync.crdt.text.runs import EDGE, Unit
from edda_sync.crdt.text.sequence import TextSequence
from edda_sync.words.model import After


def make(sequence: TextSequence, actor: bytes, hunks: Sequence[Hunk], after: After = (), *, whole: bool) -> TextEdit:
    """
    Return hunks of the present text as an edit; pass it to ``TextSequence.accept``.

    Args:
        sequence: The text.
        actor: The author.
        hunks: Hunks that are all inside the text.
        after: For each hunk, where what it inserts is to stand; empty for the usual places.
        whole: Whether it is to be a rewrite.
    """
    order, own = sequence.order, sequence.index.get(actor, NEW)
    blocks: list[tuple[Unit, Unit, str]] = []
    deleted: list[Range] = []
    for (start, end, text), unit in zip_longest(hunks, after):
        if text:
            blocks.append((*_gap(sequence, end, unit), text))
        if start < end:
            deleted += order.spans(start, end)
    is_rewrite = whole and bool(blocks)
    ids = {sequence.index[sequence.genesis]: GENESIS, EDGE[0]: GENESIS}
    clock = None
    if not is_rewrite:
        ids[own] = OWN
        if blocks:
            clock = sequence.authors[own].insertions.clock if own in sequence.authors else 0
    used = {name for left, right, _ in blocks for name in (left[0], right[0])}
    used.update([span[0] for span in deleted])
    table = sorted([sequence.names[name] for name in used if name not in ids])
    for at, name in enumerate(table, TABLE):
        ids[sequence.index[name]] = at
    return TextEdit(
        tuple(table),
        clock,
        tuple([(_id(ids, left), _id(ids, right), text) for left, right, text in blocks]),
        tuple(merged((ids[name], clock, length) for name, clock, length in deleted)),
    )


def _gap(sequence: TextSequence, end: int, after: tuple[bytes, int] | None) -> tuple[Unit, Unit]:
    """Return the units between which a block goes: after what it replaces, since others insert before that."""
    if after is None or after[0] not in sequence.index:
        return sequence.order.gap(end)
    unit = sequence.index[after[0]], after[1]
    return unit, sequence.order.after(unit)


def _id(ids: Mapping[int, int], unit: Unit) -> Id | None:
    return None if unit == EDGE else (ids[unit[0]], unit[1])


def merged(spans: Iterable[Deletion]) -> list[Deletion]:
    """Return deletions in order, and joined where they adjoin."""
    merged: list[Deletion] = []
    for span in sorted(spans):
        name, clock, length = span
        if merged and merged[-1][0] == name and merged[-1][1] + merged[-1][2] == clock:
            merged[-1] = name, merged[-1][1], merged[-1][2] + length
        else:
            merged.append(span)
    return merged
