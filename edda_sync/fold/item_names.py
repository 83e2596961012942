"""
The names of items in texts when chains have forked, and the meaning of edits that use these names.

An edit names units by an actor, and counts an actor's units through its whole chain, because its author may not know of a
fork. A text keeps the units of each branch apart, and names them by all names of the branch from the actor on, joined
(``Names.order``): 16 bytes for each, so that a branch sorts where its actor stood, whatever was proved when.

1. The meaning of an edit depends on the edit and its past alone, and so does whether it has the form that everybody uses. So
   devices that know of a fork accept or refuse it exactly as devices that do not.
2. A rewrite is named by the hash of its bytes. With forks, the same bytes may have two meanings, because a machine that was
   put back repeats what it did. So the name also contains the branches that the rewrite refers to. An edit says which of
   several rewrites it means by the branch at which they part.
3. In a text, a change is identified by the name of its actor there. What was seen of it is looked up by the last name.
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
"""The name of some units in the text, the first clock, and the number of units."""

_PAIR: Final = 0x92  # begins the encoding of an edit with its own name; an edit alone has four fields
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(tuple[bytes, TextEdit]).decode


class Meant(msgspec.Struct, frozen=True):
    """An edit with the names of a text, as ``TextDocument.apply`` takes it."""

    edit: TextEdit
    dot: Dot
    own: bytes


def item_name(names: Names, name: bytes) -> bytes:
    """Return the name that texts use for the units of an actor or branch."""
    return b"".join(names.order(name))


def encode(meant: Meant) -> bytes:
    """Return the encoding of an edit with its text's names, as in the tail of a store; :func:`decode` reads it."""
    return _encode((meant.own, meant.edit))


def decode(stored: bytes) -> tuple[bytes, TextEdit] | None:
    """
    Decode what :func:`encode` returned: own name and edit; None for an edit as it travels.

    Raises:
        RefusedTextError: It is neither.
    """
    try:
        return _decode(stored) if stored[0] == _PAIR else None
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise RefusedTextError(f"it is no edit: {error}") from None


class ItemNames:
    """
    The names in one edit of one text: :meth:`meant` reads a received edit, and :meth:`said` writes one of this device.

    Args:
        names: The names of the branches in the store.
        text: The text before the edit.
        dot: The change with the edit.
        past: Everything that the change depends on, with its actor's previous change.
    """

    def __init__(self, names: Names, text: TextSequence, dot: Dot, past: Mapping[bytes, int]) -> None:
        self._names, self._text = names, text
        self._past = {**past, dot[0]: dot[1]}
        self._branch, self._actor = dot[0], names.actor(dot[0])
        self._by_hash: dict[bytes, list[int]] | None = None  # the rewrites, by the hash at the beginning of their names
        self.dot = item_name(names, dot[0]), dot[1]

    # --- received edits -----------------------------------------------------------------------------------------------

    def meant(self, edit: TextEdit) -> Meant:
        """
        Return an edit with the names of the text.

        Raises:
            RefusedTextError: It does not have the form that everybody uses, or its author had not seen what it refers to.
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
        """Return the names of some units of an edit in the text; the rewrite's own units have an empty name."""
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
        """Yield the names of the author's own units; its clocks count through its whole chain."""
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
        """Return the name of a rewrite: the hash of its bytes, and the branches that it refers to."""
        units = [(*side, 1) for left, right, _ in edit.blocks for side in (left, right) if side is not None]
        deepest = dict.fromkeys(range(TABLE, TABLE + len(edit.names)), b"")
        for index, clock, length in (*units, *edit.deletions):
            if index >= TABLE:
                reached = [span[0][NAME_BYTES:] for span in self._meant(edit, index, clock, length)]
                deepest[index] = max(deepest[index], *reached, key=len)
        return rewrite_name(self._text.genesis, edit) + b"".join(deepest.values())

    # --- edits of this device -----------------------------------------------------------------------------------------

    def said(self, edit: TextEdit) -> TextEdit:
        """Return an edit of this device, made with the names of the text, as it travels."""
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
        """Return the number of units with one name."""
        author = self._text.authors.get(self._text.index.get(name, -1))
        return 0 if author is None else author.insertions.clock

    def _written(self, name: bytes, seq: int) -> int:
        author = self._text.authors.get(self._text.index.get(item_name(self._names, name), -1))
        return 0 if author is None else author.insertions.known(seq)

    def _rewrites(self, name: bytes) -> list[bytes]:
        """Return the rewrites that the author had seen, and whose bytes have the hash at the beginning of a name."""
        text = self._text
        if (
            self._by_hash is None
        ):  # computed once, because an edit may name a thousand units in a text of a thousand rewrites
            self._by_hash = {}
            for index in text.rewrites:
                self._by_hash.setdefault(text.names[index][:NAME_BYTES], []).append(index)
        found = self._by_hash.get(name[:NAME_BYTES], ())
        return [text.names[at] for at in found if meets(text.rewrites[at].dots, self.dot, self._past)]


def _called(name: bytes, among: Iterable[bytes]) -> bytes:
    """Return how an edit names one of several rewrites with the same bytes: by the branch where the others part from it."""
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
