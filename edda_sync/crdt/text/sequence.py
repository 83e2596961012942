"""
A text as its accepted edits made it: the order of its units, and the changes that inserted and deleted each.

Units are ordered by YATA (Nicolaescu et al. 2016, "Near real-time peer-to-peer shared editing on extensible data
types", with the conflict rule of Yjs 13.6). Of two concurrent units at one place, their names decide which is first.
YATA never moves a unit, and the order of what an author knew is part of the order of everything. So an edit can be
judged by what its author knew, whatever else is here.

``judging`` has the rules for accepting an edit. An edit that breaks a rule is refused as a whole and changes nothing,
and every later edit is judged without it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from edda_sync.crdt.frontier import Dot
from edda_sync.crdt.text.attribution import Author, Range, Rewrite, meets
from edda_sync.crdt.text.clients import NAME_BYTES
from edda_sync.crdt.text.disputed import disputed
from edda_sync.crdt.text.edits import OWN, Deletion, TextEdit, rewrite_name
from edda_sync.crdt.text.judging import NEW, UNKNOWN, Past, judge, unit_of
from edda_sync.crdt.text.order import Order
from edda_sync.crdt.text.runs import EDGE, Run, Unit
from edda_sync.crdt.text.trails import Trails, View
from edda_sync.crdt.text.units import Pairs, pairs_of, units
from edda_sync.words.errors import RefusedTextError


class TextSequence:
    """One text. ``making.make`` makes an edit of this device; :meth:`accept` applies it, like that of any other device."""

    __slots__ = (
        "_disputed",
        "authors",
        "genesis",
        "index",
        "names",
        "order",
        "rewrites",
        "started",
        "starts",
        "trails",
    )

    def __init__(self, genesis: bytes, start: str, starts: Iterable[Dot]) -> None:
        self.genesis = genesis
        self.starts = set(starts)  # the changes that started the text
        self.started = units(start)
        self.names = [genesis]  # in the order in which they came
        self.index = {genesis: 0}
        self.authors: dict[int, Author] = {}  # by the index of their name, like
        self.rewrites: dict[int, Rewrite] = {}
        pairs = Pairs(pairs_of(start, 0))
        self.order = Order([], {0: pairs} if pairs.starts else {})
        if start:
            self.order.insert(EDGE, Run(0, 0, self.started, start, *EDGE, *EDGE))
        self.trails = Trails()
        self._disputed: bool | None = None  # None until it is known

    @property
    def is_disputed(self) -> bool:
        """Whether several authors or rewrites deleted the same units: then changes may overlap (``overlaps``)."""
        if self._disputed is None:
            self._disputed = bool(disputed(self.authors.values(), self.rewrites.values()))
        return self._disputed

    # --- judging ------------------------------------------------------------------------------------------------------

    def accept(
        self, edit: TextEdit, dot: Dot, past: Mapping[bytes, int], own: bytes | None = None, *, void: bool = False
    ) -> None:
        """
        Apply an edit, or refuse it. The verdict depends only on the edit and its past.

        Args:
            edit: In canonical form: from ``edits.decode``, or from ``making.make``.
            dot: The change that contains it. Its actor is the author of the edit.
            past: What that change depends on, with its actor's previous change: actor to seq.
            own: The name of the edit's units, if the edit itself does not tell it (``item_names``).
            void: Whether the change is void.

        Raises:
            RefusedTextError: No honest device writes this, with the reason. Nothing has changed.
        """
        if not meets(self.starts, dot, past):
            raise RefusedTextError("its author does not know the text")
        name = self._own_name(edit, dot[0]) if own is None else own
        names = self._table(edit, name)
        self.trails.view = View(dot, past)
        end, pairs = judge(self, edit, names, Past(self, dot, past), self.written(dot[0]))
        self._bring(edit, dot, name, names, end, pairs, void=void)

    def replay(self, edit: TextEdit, dot: Dot, own: bytes | None = None) -> None:
        """
        Apply an edit that this device's own store accepted before, after the same edits as then.

        Args:
            edit: From ``edits.decode``.
            dot: The change that contains it.
            own: As for :meth:`accept`.

        Raises:
            RefusedTextError: It cannot have been accepted. Nothing has changed.
        """
        name = self._own_name(edit, dot[0]) if own is None else own
        names = self._table(edit, name)
        known, self.trails.view = Past(self, dot, None), None
        if edit.is_rewrite:  # another change may have brought the same rewrite
            known[names[OWN]] = 0
        end, pairs = judge(self, edit, names, known, 0, was_accepted=True)
        self._bring(edit, dot, name, names, end, pairs)

    def _own_name(self, edit: TextEdit, actor: bytes) -> bytes:
        return rewrite_name(self.genesis, edit) if edit.is_rewrite else actor

    def _table(self, edit: TextEdit, name: bytes) -> list[int]:
        """Return the indices that an edit's names have here."""
        names = [self.index.get(name, NEW), self.index[self.genesis]]
        for other in edit.names:
            if other in (name, self.genesis):
                raise RefusedTextError("it names in its table what needs no table")
            names.append(self.index.get(other, UNKNOWN))
        return names

    # --- changing -----------------------------------------------------------------------------------------------------

    def _bring(
        self, edit: TextEdit, dot: Dot, name: bytes, names: list[int], end: int, pairs: Pairs, *, void: bool = False
    ) -> None:
        """Apply an accepted edit, and note which change made it."""
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
        else:  # another change brought the same rewrite
            rewrite.dots.add(dot)
            if not void and not rewrite.deletions:  # that change may be void
                rewrite.deletions = _named(names, edit.deletions)
                self._disputed = None
                for deleted in rewrite.deletions:
                    self.order.delete(*deleted)
                self.show(names[OWN], "".join([text for _, _, text in edit.blocks]))
        author.rewritten += end

    def show(self, name: int, text: str) -> None:
        """Show everything that a name inserted, without what somebody deleted. It may have been void until now."""
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
        """Hide the start of the text: the changes that wrote it are void."""
        if self.started:
            self.order.delete(self.index[self.genesis], 0, self.started)

    def _take(self, edit: TextEdit, names: list[int], pairs: Pairs, *, void: bool) -> None:
        """Place an accepted edit. A void edit is hidden there, and deletes nothing."""
        own, order, trails = names[OWN], self.order, self.trails
        if pairs.starts:
            order.pairs.setdefault(own, Pairs()).extend(pairs)
        clock = edit.clock or 0
        begun: dict[Unit, Unit] = {}  # the first unit of each earlier block, and what it was written after
        for left_id, right_id, text in edit.blocks:
            left, right = unit_of(names, left_id), unit_of(names, right_id)
            run = Run(own, clock, units(text), text, *left, *right)
            follows = bool(trails) and trails.before(own, left) == right
            if begun.get(right) == left or follows:
                # YATA would pass over the same units as for that block, and find nothing else. This shortcut matters
                # because somebody may write a thousand blocks, each before the last one, where a thousand others stand.
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
            if not order.delete(names[index], at, length) and not self._disputed:
                self._disputed = None

    def place(self, name: int, left: Unit, right: Unit) -> Unit:
        """Return the unit directly after which units belong that were written between two units (YATA)."""
        order = self.order
        place = left
        if order.after(left) == right:
            return place
        mine = self.names[name]
        before = order.run_of(left)  # it may continue after the left neighbour, and only that part is passed
        passed: set[Run] = set()  # the runs after the left neighbour, up to the run that is looked at
        undecided: set[Run] = set()  # those of them that are after the place
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
        """Return the index of a name. A new name gets a new index."""
        index = self.index.get(name)
        if index is None:
            index = self.index[name] = len(self.names)
            self.names.append(name)
        return index

    def sort_names(self) -> None:
        """Give the names indices in the order of the names."""
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
        """Return the record of what an actor did, so that it can be added to."""
        index = self.named(actor)
        author = self.authors.get(index)
        if author is None:
            author = self.authors[index] = Author()
        return author

    def written(self, actor: bytes) -> int:
        """Return how many units an actor has written into the text, in rewrites or not, and before its chain forked."""
        if len(actor) == NAME_BYTES:  # the usual case
            author = self.authors.get(self.index.get(actor, NEW))
            return 0 if author is None else author.insertions.clock + author.rewritten
        ends = range(NAME_BYTES, len(actor) + 1, NAME_BYTES)
        authors = (self.authors.get(self.index.get(actor[:end], NEW)) for end in ends)
        return sum(author.insertions.clock + author.rewritten for author in authors if author is not None)


def _named(names: Sequence[int], deletions: Iterable[Deletion]) -> list[Range]:
    return [(names[index], clock, length) for index, clock, length in deletions]
