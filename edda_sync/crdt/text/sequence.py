"""
A text as its accepted edits made it: which units stand where, and who brought and who deleted each.

Units are put in order by YATA (Nicolaescu et al. 2016, "Near real-time peer-to-peer shared editing on extensible data
types", with the conflict rule of Yjs 13.6); which of two concurrent ones at one place comes first is decided by their names.
YATA never moves a unit, and the order of what an author knew is part of the order of everything: so an edit can be judged
by what its author knew, whatever else is here.

1. *The past* of an edit is what the changes in its author's past brought, and what its own change brought before it.
2. A change that started the text is in the past.
3. Every unit that the edit names or deletes is in the past, or comes earlier in the edit.
4. An author goes on where its units end. A rewrite is not in its own past.
5. In the past, the earlier blocks of the edit included, a block's right neighbour stands directly after its left one.
6. No block stands, and no deletion begins or ends, inside a character of two units.
7. One actor writes at most ``TEXT_CLOCK_MAX`` units into one text, those of its rewrites included.
8. What breaks one of these is refused whole and leaves nothing behind: every later edit is judged without it.
9. What an edit that evidence took out (*void*) had written stays, hidden, and it deletes nothing: all other edits are judged
   as before. Units that several changes brought, of a start or a rewrite, are shown if one of these is not void.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from edda_sync.crdt.text.attribution import Deletions, Dot, Insertions, Range, meets
from edda_sync.crdt.text.clients import NAME_BYTES
from edda_sync.crdt.text.edits import GENESIS, OWN, TABLE, Deletion, Id, TextEdit, rewrite_name
from edda_sync.crdt.text.order import Order
from edda_sync.crdt.text.runs import EDGE, Run, Unit
from edda_sync.crdt.text.trails import Trails, View
from edda_sync.crdt.text.units import Pairs, pairs_of, units
from edda_sync.words import limits
from edda_sync.words.errors import RefusedTextError

Hunk = tuple[int, int, str]
"""Code points from a position up to another one, and what replaces them; hunks are ascending and apart."""

_NEW: Final = -2  # index of an edit's own name, if nothing is known of it yet
_UNKNOWN: Final = -3  # index of any other name of which nothing is known


class Author:
    """What an actor brought under its own name and deleted, and how many units it wrote in rewrites."""

    __slots__ = ("deletions", "insertions", "rewritten")

    def __init__(self) -> None:
        self.insertions = Insertions()
        self.deletions = Deletions()
        self.rewritten = 0


class Rewrite:
    """A whole rewrite: how many units it has, what it deleted, and which changes made it."""

    __slots__ = ("deletions", "dots", "size")

    def __init__(self, size: int, deletions: Iterable[Range], dots: Iterable[Dot]) -> None:
        self.size = size
        self.deletions = list(deletions)
        self.dots = set(dots)


class _Past(dict[int, int]):
    """How many units of each name are in an edit's past, or are here; looked up when somebody asks for it."""

    __slots__ = ("_dot", "_past", "_text")

    def __init__(self, text: TextSequence, dot: Dot, past: Mapping[bytes, int] | None) -> None:
        self._text, self._dot, self._past = text, dot, past

    def __missing__(self, index: int) -> int:
        text, past = self._text, self._past
        if index == text.index[text.genesis]:
            known = text.started
        elif index in text.rewrites:
            rewrite = text.rewrites[index]
            known = rewrite.size if past is None or meets(rewrite.dots, self._dot, past) else 0
        elif index in text.authors:
            actor, insertions = text.names[index], text.authors[index].insertions
            if past is None:
                seq = insertions.seq
            else:
                seq = self._dot[1] if actor == self._dot[0] else past.get(actor[-NAME_BYTES:], 0)
            known = insertions.known(seq)
        else:
            known = 0
        self[index] = known
        return known


class TextSequence:
    """One text: :meth:`make` an edit here and :meth:`accept` it, as every other device's."""

    __slots__ = ("authors", "genesis", "index", "names", "order", "rewrites", "started", "starts", "trails")

    def __init__(self, genesis: bytes, start: str, starts: Iterable[Dot]) -> None:
        self.genesis = genesis
        self.starts = set(starts)  # the changes that started the text
        self.started = units(start)
        self.names = [genesis]  # in the order in which they came
        self.index = {genesis: 0}
        self.authors: dict[int, Author] = {}  # by index of their names, as are
        self.rewrites: dict[int, Rewrite] = {}
        pairs = Pairs(pairs_of(start, 0))
        self.order = Order([], {0: pairs} if pairs.starts else {})
        if start:
            self.order.insert(EDGE, Run(0, 0, self.started, start, *EDGE, *EDGE))
        self.trails = Trails()

    # --- judging ------------------------------------------------------------------------------------------------------

    def accept(
        self, edit: TextEdit, dot: Dot, past: Mapping[bytes, int], own: bytes | None = None, *, void: bool = False
    ) -> None:
        """
        Make an edit, or refuse it: a function of the edit and its past, wherever and whenever it is asked.

        Args:
            edit: In its one form: from ``edits.decode``, or from :meth:`make`.
            dot: The change that carries it; its actor is the edit's author.
            past: What that change depends on, its actor's previous change included: actor to seq.
            own: What the edit's own units are called, where that is not said by the edit itself (``item_names``).
            void: Whether evidence takes the change out.

        Raises:
            RefusedTextError: No honest device writes this, with the reason; nothing has changed.
        """
        if not meets(self.starts, dot, past):
            raise RefusedTextError("its author does not know the text")
        name = self._own_name(edit, dot[0]) if own is None else own
        names = self._table(edit, name)
        self.trails.view = View(dot, past)
        end, pairs = self._judge(edit, names, _Past(self, dot, past), self.written(dot[0]))
        self._bring(edit, dot, name, names, end, pairs, void=void)

    def replay(self, edit: TextEdit, dot: Dot, own: bytes | None = None) -> None:
        """
        Make an edit that was accepted before, after the same edits as then: one of this device's own store.

        Args:
            edit: From ``edits.decode``.
            dot: The change that carries it.
            own: As for :meth:`accept`.

        Raises:
            RefusedTextError: It cannot have been accepted then; nothing has changed.
        """
        name = self._own_name(edit, dot[0]) if own is None else own
        names = self._table(edit, name)
        known, self.trails.view = _Past(self, dot, None), None
        if edit.is_rewrite:  # it may be here, brought by another change
            known[names[OWN]] = 0
        end, pairs = self._judge(edit, names, known, 0, was_accepted=True)
        self._bring(edit, dot, name, names, end, pairs)

    def _own_name(self, edit: TextEdit, actor: bytes) -> bytes:
        return rewrite_name(self.genesis, edit) if edit.is_rewrite else actor

    def _table(self, edit: TextEdit, name: bytes) -> list[int]:
        """Return the indices here of an edit's names."""
        names = [self.index.get(name, _NEW), self.index[self.genesis]]
        for other in edit.names:
            if other in (name, self.genesis):
                raise RefusedTextError("it names in its table what needs no table")
            names.append(self.index.get(other, _UNKNOWN))
        return names

    def _judge(
        self, edit: TextEdit, names: list[int], known: Mapping[int, int], written: int, *, was_accepted: bool = False
    ) -> tuple[int, Pairs]:
        """
        Return the clock after an edit's blocks, and where their pairs are; or refuse it.

        One that was accepted before is not asked for its neighbours: others may stand between them by now.
        """
        own = names[OWN]
        first = clock = known[own] if own != _NEW else 0
        if first and edit.clock is None and edit.blocks:
            raise RefusedTextError("its author knows this very rewrite")
        if edit.clock is not None and edit.clock != first:
            raise RefusedTextError(f"it starts at clock {edit.clock}, not at {first}")
        pairs = Pairs()
        after: dict[Unit, Unit] = {}  # what stands behind a unit with the blocks so far in, where that has changed
        for left_id, right_id, text in edit.blocks:
            left, right = _unit(names, left_id), _unit(names, right_id)
            for name, at in (left, right):
                if name != EDGE[0] and at >= (clock if name == own else known[name]):
                    raise RefusedTextError("a block stands beside something unknown")
            if left in after:
                following = after[left]
            elif left[0] == own and left[1] >= first:
                following = own, left[1] + 1
            elif was_accepted or (self.trails and self.trails.is_next(own, left, right)):
                following = right
            else:
                following = self.order.after_known(left, known)
            if following != right:
                raise RefusedTextError("a block's right neighbour does not stand directly after its left one")
            if pairs.has(right[1]) if right[0] == own and right[1] >= first else self.order.is_inside(*right):
                raise RefusedTextError("a block stands inside a character")
            if not text.isascii():
                pairs.extend(pairs_of(text, clock))
            after[left] = own, clock
            clock += units(text)
            after[own, clock - 1] = right
        if written + clock - first > limits.TEXT_CLOCK_MAX:
            raise RefusedTextError("its author has written too much into the text")
        for index, at, length in edit.deletions:
            name = names[index]
            if at + length > (clock if name == own else known[name]):
                raise RefusedTextError("it deletes something unknown")
            for edge in (at, at + length):
                if pairs.has(edge) if name == own and edge >= first else self.order.is_inside(name, edge):
                    raise RefusedTextError("it deletes half a character")
        return clock, pairs

    # --- changing -----------------------------------------------------------------------------------------------------

    def _bring(
        self, edit: TextEdit, dot: Dot, name: bytes, names: list[int], end: int, pairs: Pairs, *, void: bool = False
    ) -> None:
        """Make an edit that was accepted, and note which change did it."""
        if not edit.blocks and (void or not edit.deletions):
            return
        actor, seq = dot
        author = self.author(actor)
        if edit.clock is not None or not edit.blocks:
            names[OWN] = self.index[actor]
            self._take(edit, names, pairs, void=void)
            if edit.clock is not None:
                author.insertions.add(seq, end - edit.clock)
            for index, clock, length in () if void else edit.deletions:
                author.deletions.add(seq, (names[index], clock, length))
            return
        self.trails.forget(self.index[actor])
        rewrite = self.rewrites.get(names[OWN])
        if rewrite is None:
            names[OWN] = self.named(name)
            self._take(edit, names, pairs, void=void)
            rewrite = self.rewrites[names[OWN]] = Rewrite(end, (), (dot,))
            rewrite.deletions = [] if void else _named(names, edit.deletions)
        else:  # another change brought the same
            rewrite.dots.add(dot)
            if not void and not rewrite.deletions:  # and may be void
                rewrite.deletions = _named(names, edit.deletions)
                for deleted in rewrite.deletions:
                    self.order.delete(*deleted)
                self.show(names[OWN], "".join([text for _, _, text in edit.blocks]))
        author.rewritten += end

    def show(self, name: int, text: str) -> None:
        """Show all that one name has brought, but for what somebody deleted: it may have been void until now."""
        order, size = self.order, units(text)
        order.show(name, 0, text)
        for author in self.authors.values():
            for _, deleted in author.deletions.of_units(name, 0, size):
                order.delete(*deleted)
        for rewrite in self.rewrites.values():
            for deleted in rewrite.deletions:
                if deleted[0] == name:
                    order.delete(*deleted)

    def hide_start(self) -> None:
        """Hide what the text starts with: the changes that wrote it are void."""
        if self.started:
            self.order.delete(self.index[self.genesis], 0, self.started)

    def _take(self, edit: TextEdit, names: list[int], pairs: Pairs, *, void: bool) -> None:
        """Put an edit that was accepted where it belongs; what is void is hidden there, and deletes nothing."""
        own, order, trails = names[OWN], self.order, self.trails
        if pairs.starts:
            order.pairs.setdefault(own, Pairs()).extend(pairs)
        clock = edit.clock or 0
        begun: dict[Unit, Unit] = {}  # the first unit of each block so far, and what it was written behind
        for left_id, right_id, text in edit.blocks:
            left, right = _unit(names, left_id), _unit(names, right_id)
            run = Run(own, clock, units(text), text, *left, *right)
            follows = bool(trails) and trails.before(own, left) == right
            if begun.get(right) == left or follows:
                # What YATA let pass before that block it would let pass again, and find nothing else: a shortcut, since
                # somebody may write a thousand blocks so, each before the last one, where a thousand others stand.
                order.insert_before(right, run)
            else:
                place = self.place(own, left, right)
                order.insert(place, run)
                follows = place != left
            if trails or follows:
                trails.placed(order, self.names, own, left, (own, clock), passed=follows)
            begun[own, clock] = left
            clock += run.size
        if void:
            order.delete(own, edit.clock or 0, clock - (edit.clock or 0))
            return
        for index, at, length in edit.deletions:
            order.delete(names[index], at, length)

    def place(self, name: int, left: Unit, right: Unit) -> Unit:
        """Return the unit directly after which units go that were written between two units (YATA)."""
        order = self.order
        place = left
        if order.after(left) == right:
            return place
        mine = self.names[name]
        before = order.run_of(left)  # it may go on behind the left neighbour, and only that much of it is passed
        passed: set[Run] = set()  # what stands behind the left neighbour, up to the run that is looked at
        undecided: set[Run] = set()  # what of that stands behind the place
        for run, first in order.behind(left):
            if (run.name, first) == right:
                break
            passed.add(run)
            undecided.add(run)
            origin = (run.left, run.left_clock) if first == run.clock else left
            if origin == left:
                if self.names[run.name] < mine:
                    place = run.name, run.clock + run.size - 1
                    undecided.clear()
                elif (run.right, run.right_clock) == right:
                    break
            else:
                beside = order.run_of(origin)
                if beside not in passed or (beside is before and origin[1] <= left[1]):
                    break
                if beside not in undecided:
                    place = run.name, run.clock + run.size - 1
                    undecided.clear()
        return place

    def named(self, name: bytes) -> int:
        """Return the index of a name, and give it one if it has none."""
        index = self.index.get(name)
        if index is None:
            index = self.index[name] = len(self.names)
            self.names.append(name)
        return index

    def sort_names(self) -> None:
        """Let the names' indices be in the order of the names."""
        names = sorted(self.names)
        if names == self.names:
            return
        self.trails.clear()
        self.index = {name: at for at, name in enumerate(names)}
        indices = [self.index[name] for name in self.names]
        self.names = names
        self.order.rename(indices)
        self.authors = {indices[name]: author for name, author in self.authors.items()}
        for author in self.authors.values():
            author.deletions.rename(indices)
        self.rewrites = {indices[name]: rewrite for name, rewrite in self.rewrites.items()}
        for rewrite in self.rewrites.values():
            rewrite.deletions = [(indices[name], clock, size) for name, clock, size in rewrite.deletions]

    def author(self, actor: bytes) -> Author:
        """Return what an actor did, for adding to it."""
        index = self.named(actor)
        author = self.authors.get(index)
        if author is None:
            author = self.authors[index] = Author()
        return author

    def written(self, actor: bytes) -> int:
        """Return how many units an actor has written into the text, in rewrites or not, before its chain forked as well."""
        if len(actor) == NAME_BYTES:  # nearly always
            author = self.authors.get(self.index.get(actor, _NEW))
            return 0 if author is None else author.insertions.clock + author.rewritten
        ends = range(NAME_BYTES, len(actor) + 1, NAME_BYTES)
        authors = (self.authors.get(self.index.get(actor[:end], _NEW)) for end in ends)
        return sum(author.insertions.clock + author.rewritten for author in authors if author is not None)

    # --- making -------------------------------------------------------------------------------------------------------

    def make(self, actor: bytes, hunks: Sequence[Hunk], *, whole: bool) -> TextEdit:
        """
        Say hunks of the text as it reads now as an edit; :meth:`accept` that.

        Args:
            actor: Who makes it.
            hunks: All inside the text.
            whole: Whether it is to be a rewrite.
        """
        order, own = self.order, self.index.get(actor, _NEW)
        blocks: list[tuple[Unit, Unit, str]] = []
        deleted: list[Range] = []
        for start, end, text in hunks:
            if text:
                blocks.append((*order.gap(end), text))  # behind what it replaces, as others insert before that
            if start < end:
                deleted += order.spans(start, end)
        is_rewrite = whole and bool(blocks)
        ids = {self.index[self.genesis]: GENESIS, EDGE[0]: GENESIS}
        clock = None
        if not is_rewrite:
            ids[own] = OWN
            if blocks:
                clock = self.authors[own].insertions.clock if own in self.authors else 0
        used = {name for left, right, _ in blocks for name in (left[0], right[0])}
        used.update([span[0] for span in deleted])
        table = sorted([self.names[name] for name in used if name not in ids])
        for at, name in enumerate(table, TABLE):
            ids[self.index[name]] = at
        return TextEdit(
            tuple(table),
            clock,
            tuple([(_id(ids, left), _id(ids, right), text) for left, right, text in blocks]),
            tuple(merged((ids[name], clock, length) for name, clock, length in deleted)),
        )


def _named(names: Sequence[int], deletions: Iterable[Deletion]) -> list[Range]:
    return [(names[index], clock, length) for index, clock, length in deletions]


def _unit(names: Sequence[int], unit: Id | None) -> Unit:
    return EDGE if unit is None else (names[unit[0]], unit[1])


def _id(ids: Mapping[int, int], unit: Unit) -> Id | None:
    return None if unit == EDGE else (ids[unit[0]], unit[1])


def merged(spans: Iterable[Deletion]) -> list[Deletion]:
    """Return deletions in order, and as few as they can be."""
    merged: list[Deletion] = []
    for span in sorted(spans):
        name, clock, length = span
        if merged and merged[-1][0] == name and merged[-1][1] + merged[-1][2] == clock:
            merged[-1] = name, merged[-1][1], merged[-1][2] + length
        else:
            merged.append(span)
    return merged
