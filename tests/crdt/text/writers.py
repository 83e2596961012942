"""Writers of one text without a store: each knows some changes, makes new ones, and hears of those of others."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from edda_sync.crdt.frontier import Dot, Frontier
from edda_sync.crdt.text.document import TextDocument
from edda_sync.crdt.text.edits import TextEdit
from edda_sync.crdt.text.overlaps import Overlap, overlaps
from edda_sync.words.model import Replacement
from tests.crdt.text.texts import ANNA, BORIS, CARLA, DORA, GENESIS

ACTORS = (ANNA, BORIS, CARLA, DORA)


class Change(NamedTuple):
    dot: Dot
    past: Frontier
    edit: TextEdit


class Writers:
    """Several writers, and all that they wrote; Anna's first change started the text."""

    def __init__(self, start: str, count: int = 3) -> None:
        self.start_string = start
        self.changes: list[Change] = []
        self.documents = [TextDocument.start(GENESIS, start, [(ANNA, 1)]) for _ in range(count)]
        self.known: list[Frontier] = [{ANNA: 1} for _ in range(count)]
        self.seqs: Frontier = {ANNA: 1}

    def write(self, who: int, *edits: Replacement, whole: bool = True) -> None:
        """Make a change: edits one after another, as a rewrite or not."""
        actor, document, past = ACTORS[who], self.documents[who], dict(self.known[who])
        dot = actor, self.seqs.get(actor, 0) + 1
        edit = (document.rewrite if whole else document.edit)(dot, past, edits)
        self.seqs[actor] = self.known[who][actor] = dot[1]
        self.changes.append(Change(dot, past, edit))

    def replace(self, who: int, old: str, new: str, *, whole: bool = True) -> None:
        """Replace words of the text."""
        self.write(who, (self.documents[who].string().index(old), len(old), new), whole=whole)

    def hear(self, who: int, other: int) -> None:
        """Let a writer hear of all that another one knows."""
        known, theirs = self.known[who], self.known[other]
        for change in self.changes:
            actor, seq = change.dot
            if known.get(actor, 0) < seq <= theirs.get(actor, 0):
                self.documents[who].apply(change.edit, change.dot, change.past)
                known[actor] = seq

    def meet(self) -> None:
        """Let all hear of everything."""
        count = len(self.documents)
        for other in (*range(count), *range(count)):
            for who in range(count):
                self.hear(who, other)

    def told(self, order: Iterable[int]) -> TextDocument:
        """Return the text of somebody who hears of the changes in an order, each as soon as its past is there."""
        document, known, waiting = TextDocument.start(GENESIS, self.start_string, [(ANNA, 1)]), {ANNA: 1}, list(order)
        while waiting:
            ready = next(at for at in waiting if self._is_ready(self.changes[at], known))
            change = self.changes[ready]
            document.apply(change.edit, change.dot, change.past)
            known[change.dot[0]] = change.dot[1]
            waiting.remove(ready)
        return document

    @staticmethod
    def _is_ready(change: Change, known: Frontier) -> bool:
        before = {**change.past, change.dot[0]: change.dot[1] - 1}
        return all(known.get(actor, 0) >= seq for actor, seq in before.items())

    def overlaps(self, who: int = 0) -> list[Overlap]:
        return overlaps(self.documents[who].sequence, self)

    def listed(self, who: int = 0) -> list[tuple[str, list[str]]]:
        """Return what each place shows, and its readings in order."""
        return [(each.shown, sorted(side.text for side in each.sides)) for each in self.overlaps(who)]

    # --- the log ------------------------------------------------------------------------------------------------------

    def knows(self, one: Dot, other: Dot) -> bool:
        return one == other or self._change(one).past.get(other[0], 0) >= other[1]

    def inserted(self, dot: Dot, size: int, *, rewrite: bool) -> str:
        change = self._change(dot)
        assert change.edit.is_rewrite == rewrite
        text = "".join(each for _, _, each in change.edit.blocks)
        assert len(text.encode("utf-16-le")) == 2 * size
        return text

    def start(self, dots: Iterable[Dot]) -> str:
        assert list(dots) == [(ANNA, 1)]
        return self.start_string

    def _change(self, dot: Dot) -> Change:
        return next(each for each in self.changes if each.dot == dot)


def one_place(found: Sequence[Overlap]) -> Overlap:
    (place,) = found
    return place
