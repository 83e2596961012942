"""
What the log says of the changes that overlap in a text: what each of them knew, and the words that it inserted.

A header names only what is new to its author, so what a change knew is looked up from it backwards, along its chain, as far
as needed: people who settle a place have mostly just heard of the others.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable
from typing import Final

from edda_sync.changes import change as changes
from edda_sync.changes.chains import Chains
from edda_sync.changes.past import Pasts
from edda_sync.crdt import operation as ops
from edda_sync.crdt.entity import Entity
from edda_sync.crdt.frontier import SEQ_MAX, Dot, Frontier
from edda_sync.crdt.operation import Operation
from edda_sync.crdt.text import edits
from edda_sync.crdt.text.clients import NAME_BYTES
from edda_sync.crdt.text.document import genesis_id
from edda_sync.crdt.text.units import units
from edda_sync.store.seams import StoreReader
from edda_sync.words.errors import RefusedTextError

HEADERS: Final = 64  # headers of a chain that are read at once, a block
_Block = dict[bytes, list[tuple[int, int]]]
"""By actor: which header of a block names which of its changes, in order."""


class NotHereError(LookupError):
    """The log does not hold something, since a segment stands for it. Nobody outside of the engine sees this."""


class Knowing:
    """
    What changes of the log knew. What was looked up is remembered.

    Args:
        reader: A reader of the store.
    """

    def __init__(self, reader: StoreReader) -> None:
        self._reader, self._chains, self._pasts = reader, Chains(reader), Pasts()
        self._blocks: dict[tuple[bytes, int], _Block] = {}
        self._cut: set[tuple[bytes, int]] = set()  # blocks whose beginning is not here
        self._ends: dict[tuple[bytes, int, bytes], int | None] = {}  # what was named last up to the end of a block
        self._through: dict[Dot, Frontier] = {}

    def knows(self, one: Dot, other: Dot) -> bool:
        """
        Tell whether a change is another one or depends on it.

        Raises:
            NotHereError: The log does not hold enough to tell.
        """
        name, seq = other
        if not self._chains.is_plain:
            return self._whole(one).get(name, 0) >= seq
        if one[0] == name:
            return one[1] >= seq
        return self._latest(one, name) >= seq

    def _whole(self, dot: Dot) -> Frontier:
        if dot not in self._through:
            if dot[0] not in self._reader.log.heads():
                raise NotHereError(f"Change {dot[1]:,} is not here.")
            self._through[dot] = self._pasts.through(self._reader, dot)
        return self._through[dot]

    def _latest(self, dot: Dot, other: bytes) -> int:
        """Return the last change of another actor that a change knew; 0 if it knew none."""
        while True:
            found = self._named_until(*dot, other)
            if found is not None:
                return found
            birth = changes.decode_birth(self._reader.log.heads()[dot[0]].birth)
            if birth.parent is None:
                return 0
            dot = birth.parent, birth.parent_seq
            if dot[0] == other:
                return dot[1]

    def _named_until(self, actor: bytes, seq: int, other: bytes) -> int | None:
        """Return which change of another actor the headers of a chain named last, up to one of them; None if none did."""
        if seq > self._reader.log.heads()[actor].seq:
            raise NotHereError(f"Change {seq:,} is not here.")
        number, passed, found = (seq - 1) // HEADERS, list[int](), None
        block = self._block(actor, number)
        if at := bisect_right(block.get(other, ()), (seq, SEQ_MAX)):
            return block[other][at - 1][1]
        while number and found is None:  # what was passed once is not looked through again
            self._check_whole(actor, number)
            number -= 1
            if (actor, number, other) in self._ends:
                found = self._ends[actor, number, other]
                break
            passed.append(number)
            if steps := self._block(actor, number).get(other):
                found = steps[-1][1]
        if found is None:
            self._check_whole(actor, number)
        self._ends.update(((actor, each, other), found) for each in passed)
        return found

    def _check_whole(self, actor: bytes, number: int) -> None:
        if (actor, number) in self._cut:
            raise NotHereError(f"Changes before {(number + 1) * HEADERS:,} are not here.")

    def _block(self, actor: bytes, number: int) -> _Block:
        """Return what some headers of a chain name; each header is read once."""
        known = self._blocks.get((actor, number))
        if known is None:
            known = self._blocks[actor, number] = defaultdict(list)
            first = number * HEADERS + 1
            last = min(first + HEADERS - 1, self._reader.log.heads()[actor].seq)
            headers = self._reader.log.headers(actor, first, last)
            if len(headers) <= last - first:  # a segment stands for those before
                self._cut.add((actor, number))
            for header in map(changes.decode_header, headers):
                for name, seq, _ in header.deps:
                    known[name].append((header.seq, seq))
        return known


class TextLog:
    """
    The log, as :func:`~edda_sync.crdt.text.overlaps.overlaps` asks it about one text.

    Args:
        reader: A reader of the store.
        entity, text_field, genesis: The text's entity, field and genesis.
        knowing: What changes knew.
    """

    def __init__(self, reader: StoreReader, entity: Entity, text_field: str, genesis: bytes, knowing: Knowing) -> None:
        self._reader, self._entity, self._field, self._genesis = reader, entity, text_field, genesis
        self._knowing = knowing

    def knows(self, one: Dot, other: Dot) -> bool:
        """See ``overlaps.Log``."""
        return self._knowing.knows(named(one), named(other))

    def inserted(self, dot: Dot, size: int, *, rewrite: bool) -> str:
        """
        See ``overlaps.Log``.

        Raises:
            NotHereError: The log does not hold the change.
        """
        found = ""
        for one in self._operations(dot):
            if isinstance(one, ops.Edit) and (one.field, one.genesis) == (self._field, self._genesis):
                try:
                    edit = edits.decode(one.edit)
                except RefusedTextError:
                    continue  # it has no effect
                words = "".join([text for _, _, text in edit.blocks])
                if edit.is_rewrite and rewrite and units(words) == size:
                    return words
                if not edit.is_rewrite:
                    found += words
        if rewrite or units(found) != size:
            raise NotHereError(f"What change {dot[1]:,} wrote is not here.")
        return found

    def start(self, dots: Iterable[Dot]) -> str:
        """
        See ``overlaps.Log``.

        Raises:
            NotHereError: The log holds none of the changes.
        """
        for dot in dots:
            for one in self._operations(dot):
                found = one.cells.get(self._field) if isinstance(one, ops.Put) else None
                if isinstance(found, str) and genesis_id(self._entity.id, self._field, found) == self._genesis:
                    return found
        raise NotHereError("The start of the text is not here.")

    def _operations(self, dot: Dot) -> list[Operation]:
        """Return the operations of a change on the text's entity."""
        reader = self._reader
        position = reader.log.position_of(*named(dot))
        if position is None:
            raise NotHereError(f"Change {dot[1]:,} is not here.")
        logged = reader.log.read(position)
        header = changes.decode_header(logged.raw)
        body = reader.log.parts(position) if header.parts else (logged.body,)
        found = [ops.decode(encoded) for encoded in ops.cut(body, header.operations)]
        mine = self._entity.kind, self._entity.id
        return [one for one in found if not isinstance(one, ops.Unread) and (one.kind, one.id) == mine]


def named(dot: Dot) -> Dot:
    """Return a change by its name in the log, given the name that texts use."""
    return dot[0][-NAME_BYTES:], dot[1]


def stamp(reader: StoreReader, dot: Dot) -> tuple[bytes, int, int]:
    """
    Return a change by its name in the log, with its wall time in milliseconds.

    Raises:
        NotHereError: The log does not hold it.
    """
    actor, seq = named(dot)
    headers = reader.log.headers(actor, seq, seq)
    if not headers:
        raise NotHereError(f"Change {seq:,} is not here.")
    return actor, seq, changes.decode_header(headers[0]).wall_ms
