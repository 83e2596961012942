"""
What the items of texts are called in a store that knows of forks, and what edits mean by the names that they say.

An edit says whose units it means by an actor, and counts an actor's units through its whole chain: its author may not know
that the chain forks. A text keeps the units of each branch apart, and calls them by all the names from the actor down, one
after another (``Names.order``): 16 bytes for each, so that a branch sorts where its actor stood, whatever was proved when.

1. What an edit means is a function of it and its past, and so is whether it is said as everybody says it. So it is taken or
   refused by whoever knows of a fork as by whoever does not.
2. A rewrite is named by the hash of what it says. Where that means a branch, the same bytes may mean two things: a machine
   that was put back does again what it did. So its name goes on with the branches that it means. Which of several an edit
   means, it says by the branch at which they part.
3. A change, in a text, goes by what its actor is called there. What was seen of it is looked up by the last name.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

import msgspec

from edda_sync.changes.branches import NAME_BYTES
from edda_sync.changes.names import Items, Names
from edda_sync.crdt.frontier import Dot
from edda_sync.crdt.text.attribution import Range, meets
from edda_sync.crdt.text.edits import GENESIS, OWN, TABLE, Id, TextEdit, rewrite_name
from edda_sync.crdt.text.making import merged
from edda_sync.crdt.text.sequence import TextSequence
from edda_sync.words.errors import RefusedTextError

Span = tuple[bytes, int, int]
"""What some units are called in the text, first clock, number of units."""

_PAIR: Final = 0x92  # begins what msgpack makes of an edit and its own name; an edit alone has four fields
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(tuple[bytes, TextEdit]).decode


class Meant(msgspec.Struct, frozen=True):
    """An edit in the names of a text: what ``TextDocument.apply`` takes."""

    edit: TextEdit
    dot: Dot
    own: bytes


def item_name(names: Names, name: bytes) -> bytes:
    """Return what the units of an actor or branch are called in texts."""
    return b"".join(names.order(name))


def encode(meant: Meant) -> bytes:
    """Return an edit in the names of its text, as a store's tail has it; :func:`decode` reads it."""
    return _encode((meant.own, meant.edit))


def decode(stored: bytes) -> tuple[bytes, TextEdit] | None:
    """
    Return what :func:`encode` wrote: own name and edit; None for an edit as it travels.

    Raises:
        RefusedTextError: It wrote nothing such.
    """
    try:
        return _decode(stored) if stored[0] == _PAIR else None
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise RefusedTextError(f"it is no edit: {error}") from None


class ItemNames:
    """
    The names in one edit of one text: :meth:`meant` reads what came, :meth:`said` writes what this device made.

    Args:
        names: Of the branches that the store holds.
        text: The text, as it is before the edit.
        dot: The change that carries the edit.
        past: What that change depends on, its actor's previous change included.
    """

    def __init__(self, names: Names, text: TextSequence, dot: Dot, past: Mapping[bytes, int]) -> None:
        self._names, self._text = names, text
        self._past = {**past, dot[0]: dot[1]}
        self._branch, self._actor = dot[0], names.actor(dot[0])
        self._by_hash: dict[bytes, list[int]] | None = None  # the rewrites, by the hash that their names begin with
        self.dot = item_name(names, dot[0]), dot[1]

    # --- what came ----------------------------------------------------------------------------------------------------

    def meant(self, edit: TextEdit) -> Meant:
        """
        Return an edit in the names of the text.

        Raises:
            RefusedTextError: It does not say what it means as everybody would, or its author had not seen that.
        """
        before = 0 if edit.is_rewrite else self._names.before(self._branch, self._written)
        if edit.clock is not None and edit.clock < before:
            raise RefusedTextError(f"it starts at clock {edit.clock}, which its author is past")
        sides = [
            [None if side is None else self._meant(edit, side[0], side[1], 1)[0][:2] for side in (left, right)]
            for left, right, _ in edit.blocks
        ]
        deleted = [span for each in edit.deletions for span in self._meant(edit, *each)]
        used = {side[0] for pair in sides for side in pair if side is not None} | {span[0] for span in deleted}
        table = sorted(used - {b"", self._text.genesis, *([] if edit.is_rewrite else [self.dot[0]])})
        ids = {name: number for number, name in enumerate(table, TABLE)} | {self._text.genesis: GENESIS, b"": OWN}
        if not edit.is_rewrite:
            ids[self.dot[0]] = OWN
        read = TextEdit(
            tuple(table),
            None if edit.clock is None else edit.clock - before,
            tuple(
                (_id(ids, left), _id(ids, right), text)
                for (left, right), (_, _, text) in zip(sides, edit.blocks, strict=True)
            ),
            tuple((ids[name], clock, length) for name, clock, length in deleted),
        )
        return Meant(read, self.dot, self._rewrite_name(edit) if edit.is_rewrite else self.dot[0])

    def _meant(self, edit: TextEdit, index: int, clock: int, length: int) -> list[Span]:
        """Return what some units of an edit are called in the text; those of a rewrite itself by nothing."""
        if index == GENESIS:
            return [(self._text.genesis, clock, length)]
        if index == OWN:
            return [(b"", clock, length)] if edit.is_rewrite else list(self._own(clock, length))
        name = edit.names[index - TABLE]
        if name == self._text.genesis:
            raise RefusedTextError("it names in its table what needs no table")
        spans = self._spans(name, clock, length)
        if not edit.is_rewrite and any(self.dot[0].startswith(each[0]) for each in spans):
            raise RefusedTextError("it names in its table what needs no table")
        return spans

    def _own(self, clock: int, length: int) -> Iterator[Span]:
        """Yield what the author's own units are called: its clocks count through all of its chain."""
        own = self.dot[0]
        for end in range(NAME_BYTES, len(own), NAME_BYTES):
            size = self._size(own[:end])
            if clock < size and length:
                taken = min(length, size - clock)
                yield own[:end], clock, taken
                clock, length = clock + taken, length - taken
            clock -= size
        if length:
            yield own, clock, length

    def _spans(self, name: bytes, clock: int, length: int) -> list[Span]:
        seen = self._rewrites(name)
        if seen:
            fitting = [each for each in seen if _called(each, seen) == name]
            if not fitting:
                raise RefusedTextError(
                    "it names a rewrite of which its author had seen several, or calls one otherwise"
                )
            return [(fitting[0], clock, length)]
        if self._names.called(name, self._past) != name:
            raise RefusedTextError("it names a branch where its author had seen no other one")
        found = self._names.items(Items(name, clock, length), self._past, self._written)
        return [(item_name(self._names, each.name), each.clock, each.length) for each in found]

    def _rewrite_name(self, edit: TextEdit) -> bytes:
        """Return the name of a rewrite: the hash of what it says, and the branches that it means."""
        units = [(*side, 1) for left, right, _ in edit.blocks for side in (left, right) if side is not None]
        deepest = dict.fromkeys(range(TABLE, TABLE + len(edit.names)), b"")
        for index, clock, length in (*units, *edit.deletions):
            if index >= TABLE:
                reached = [span[0][NAME_BYTES:] for span in self._meant(edit, index, clock, length)]
                deepest[index] = max(deepest[index], *reached, key=len)
        return rewrite_name(self._text.genesis, edit) + b"".join(deepest.values())

    # --- what this device made ----------------------------------------------------------------------------------------

    def said(self, edit: TextEdit) -> TextEdit:
        """Return an edit of this device, made in the names of the text, as it travels."""
        own = [] if edit.is_rewrite else [self._actor]
        sides = [
            [None if side is None else self._said(edit, side[0], side[1], 1)[:2] for side in (left, right)]
            for left, right, _ in edit.blocks
        ]
        deleted = [self._said(edit, *each) for each in edit.deletions]
        used = {side[0] for pair in sides for side in pair if side is not None} | {span[0] for span in deleted}
        table = sorted(used - {b"", self._text.genesis, *own})
        ids = {name: number for number, name in enumerate(table, TABLE)}
        ids |= {self._text.genesis: GENESIS, b"": OWN} | dict.fromkeys(own, OWN)
        before = self._names.before(self._branch, self._written)
        return TextEdit(
            tuple(table),
            None if edit.clock is None else edit.clock + before,
            tuple(
                (_id(ids, left), _id(ids, right), text)
                for (left, right), (_, _, text) in zip(sides, edit.blocks, strict=True)
            ),
            tuple(merged((ids[name], clock, length) for name, clock, length in deleted)),
        )

    def _said(self, edit: TextEdit, index: int, clock: int, length: int) -> Span:
        if index == GENESIS:
            return self._text.genesis, clock, length
        if index == OWN and edit.is_rewrite:
            return b"", clock, length
        name = self.dot[0] if index == OWN else edit.names[index - TABLE]
        if self._text.index.get(name) in self._text.rewrites:
            return _called(name, self._rewrites(name)), clock, length
        said = self._names.items_as(Items(name[-NAME_BYTES:], clock, length), self._past, self._written)
        return said.name, said.clock, said.length

    # --- the text -----------------------------------------------------------------------------------------------------

    def _size(self, name: bytes) -> int:
        """Return how many units one name has."""
        author = self._text.authors.get(self._text.index.get(name, -1))
        return 0 if author is None else author.insertions.clock

    def _written(self, name: bytes, seq: int) -> int:
        author = self._text.authors.get(self._text.index.get(item_name(self._names, name), -1))
        return 0 if author is None else author.insertions.known(seq)

    def _rewrites(self, name: bytes) -> list[bytes]:
        """Return the rewrites that the author had seen, of those whose bytes have the hash that a name begins with."""
        text = self._text
        if (
            self._by_hash is None
        ):  # looked through once: an edit may name a thousand units in a text of a thousand rewrites
            self._by_hash = {}
            for index in text.rewrites:
                self._by_hash.setdefault(text.names[index][:NAME_BYTES], []).append(index)
        found = self._by_hash.get(name[:NAME_BYTES], ())
        return [text.names[at] for at in found if meets(text.rewrites[at].dots, self.dot, self._past)]


def _called(name: bytes, among: Iterable[bytes]) -> bytes:
    """Return how an edit calls one of some rewrites of the same bytes: by these, and by where others part from it."""
    parts = _parts(name)
    marks = set[int]()
    for other in among:
        differing = (at for at, (one, two) in enumerate(zip(parts, _parts(other), strict=False)) if one != two)
        marks.update([next(differing, 0)])
    return b"".join(parts[at] for at in sorted(marks | {0}))


def _parts(name: bytes) -> Sequence[bytes]:
    return [name[at : at + NAME_BYTES] for at in range(0, len(name), NAME_BYTES)]


def _id(ids: Mapping[bytes, int], unit: tuple[bytes, int] | None) -> Id | None:
    return None if unit is None else (ids[unit[0]], unit[1])


__all__ = ["ItemNames", "Meant", "Range", "decode", "encode", "item_name"]
