"""Trails: they save steps, and never change a place or a verdict."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest

from edda_sync.crdt.text import trails
from edda_sync.crdt.text.edits import TextEdit
from edda_sync.crdt.text.order import Order
from edda_sync.crdt.text.runs import Run, Unit
from edda_sync.crdt.text.sequence import TextSequence
from edda_sync.words.errors import RefusedTextError

GENESIS = b"G" * 16
ANNA, BORIS, CARLA, DORA, EMIL = (bytes([65 + n]) * 16 for n in range(5))
AUTHORS = (ANNA, BORIS, CARLA, DORA, EMIL)
HERE = {ANNA: 1}
A, B = (1, 0), (1, 1)  # the letters of the text as it starts, in an edit


def start() -> TextSequence:
    return TextSequence(GENESIS, "ab", [(ANNA, 1)])


def letter(clock: int, left: tuple[int, int] = A, right: tuple[int, int] | None = None) -> TextEdit:
    """Another letter by the same author, behind the first letter of the text and in front of the author's last one."""
    return TextEdit((), clock, ((left, right or (B if not clock else (0, clock - 1)), "x"),), ())


@pytest.fixture
def passed(monkeypatch: pytest.MonkeyPatch) -> list[Run]:
    """The units that are passed in the search for a place or a neighbour."""
    found: list[Run] = []
    behind = Order.behind

    def counted(self: Order, unit: Unit) -> Iterator[tuple[Run, int]]:
        for run, first in behind(self, unit):
            found.append(run)
            yield run, first

    monkeypatch.setattr(Order, "behind", counted)
    return found


def crowded(count: int) -> TextSequence:
    """A text in which somebody wrote a number of letters behind the first one, each in front of the one before."""
    text = start()
    for clock in range(count):
        text.accept(letter(clock), (ANNA, 2), HERE)
    assert len(text.order.whole()) >= count
    return text


@pytest.mark.parametrize("others", [(BORIS,), (BORIS, CARLA, DORA, EMIL), (EMIL, BORIS)])
def test_an_author_who_writes_letter_after_letter_at_one_place_passes_the_words_of_others_once(
    passed: list[Run], others: tuple[bytes, ...]
) -> None:
    for count in (100, 200):
        text = crowded(count)
        passed.clear()
        for clock in range(count):
            for author in others:  # in turns
                text.accept(letter(clock), (author, 1 + clock // 2), HERE)
        assert len(passed) <= 3 * len(others) * (count + len(others))


def test_accepted_edits_are_made_again_in_as_few_steps(passed: list[Run]) -> None:
    text = crowded(100)
    passed.clear()
    for clock in range(100):
        text.replay(letter(clock), (BORIS, 1))
    assert len(passed) <= 300


def test_a_trail_is_not_used_after_its_author_learned_of_units_in_between() -> None:
    text = crowded(3)
    text.accept(letter(0), (BORIS, 1), HERE)
    with pytest.raises(RefusedTextError, match="directly after"):
        text.accept(letter(1), (BORIS, 2), {ANNA: 2, BORIS: 1})
    text.accept(letter(1), (BORIS, 2), {ANNA: 1, BORIS: 1})


def test_a_trail_is_not_used_after_its_author_wrote_a_rewrite_in_between() -> None:
    text = crowded(3)
    text.accept(letter(0), (BORIS, 1), HERE)
    rewrite = TextEdit((BORIS,), None, ((A, (2, 0), "r"),), ())
    text.accept(rewrite, (BORIS, 2), {ANNA: 1, BORIS: 1})
    with pytest.raises(RefusedTextError, match="directly after"):
        text.accept(letter(1), (BORIS, 3), {ANNA: 1, BORIS: 2})


def test_few_trails_are_kept_and_the_oldest_goes() -> None:
    text = crowded(2)
    for number in range(2 * trails.TRAILS_MAX):
        text.accept(letter(0), (number.to_bytes(16, "big"), 1), HERE)
    assert len(text.trails._of) == trails.TRAILS_MAX
    text.sort_names()
    assert not text.trails


# --- nothing but steps ------------------------------------------------------------------------------------------------


class Writer:
    """An author of a random history: what it knows, and what it wrote."""

    def __init__(self, name: bytes, source: random.Random) -> None:
        self.name, self.source = name, source
        self.seq, self.clock = int(name == ANNA), 0
        self.past = dict(HERE)
        self.habit = source.choice(["before its last", "before its last", "behind its last", "anywhere"])

    def known(self, text: TextSequence) -> list[tuple[bytes, int]]:
        """The units that it knows, in order."""
        found = []
        for run in text.order:
            name = text.names[run.name]
            end = run.clock + run.size
            if run.name in text.rewrites:
                dots = text.rewrites[run.name].dots
                end = end if any(a == self.name or seq <= self.past.get(a, 0) for a, seq in dots) else 0
            elif name not in (GENESIS, self.name):
                end = min(end, text.authors[run.name].insertions.known(self.past.get(name, 0)))
            found += [(name, clock) for clock in range(run.clock, end)]
        return found

    def edit(self, text: TextSequence) -> TextEdit:
        """An edit whose neighbours are nearly always true."""
        source, places = self.source, [None, *self.known(text), None]
        at = source.choice([0, 1])
        if self.habit == "behind its last":
            at = max((n for n, unit in enumerate(places) if unit and unit[0] == self.name), default=1)
        elif self.habit == "anywhere" or source.random() < 0.1:
            at = source.randrange(len(places) - 1)
        left, right = places[at], places[at + 1 if source.random() < 0.9 else source.randrange(1, len(places))]
        rewrites = source.random() < 0.08
        plain = {GENESIS: 1} if rewrites else {GENESIS: 1, self.name: 0}
        table = sorted({unit[0] for unit in (left, right) if unit} - plain.keys())
        ids = plain | {name: number for number, name in enumerate(table, 2)}
        first = 0 if rewrites else self.clock
        sides = [None if unit is None else (ids[unit[0]], unit[1]) for unit in (left, right)]
        blocks = []
        for number in range(source.choice([1, 1, 1, 3])):
            blocks.append((sides[0], (0, first + number - 1) if number else sides[1], source.choice("xyz")))
        return TextEdit(tuple(table), None if rewrites else first, tuple(blocks), ())


@pytest.mark.parametrize("seed", range(60))
def test_texts_read_and_refuse_the_same_with_trails_and_without(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    source = random.Random(seed)
    writers = [Writer(name, source) for name in AUTHORS[: source.randint(2, 5)]]
    texts = {trails.TRAILS_MAX: start(), 0: start()}
    for _ in range(60):
        writer, other = source.choice(writers), source.choice(writers)
        if other is not writer and source.random() < 0.15:
            for name, seq in {**other.past, other.name: other.seq}.items():
                if name != writer.name:
                    writer.past[name] = max(seq, writer.past.get(name, 0))
        writer.seq += 1
        for _ in range(source.choice([1, 1, 2])):
            edit, reasons = writer.edit(texts[0]), list[str]()
            for most, text in texts.items():
                monkeypatch.setattr(trails, "TRAILS_MAX", most)
                try:
                    text.accept(edit, (writer.name, writer.seq), writer.past)
                except RefusedTextError as refused:
                    reasons.append(refused.reason)
            assert len(set(reasons)) <= 1
            assert len(reasons) != 1
            if not reasons and not edit.is_rewrite:
                writer.clock += len(edit.blocks)
            shown = [[(t.names[r.name], r.clock, r.size) for r in t.order.whole()] for t in texts.values()]
            assert shown[0] == shown[1]
        writer.past[writer.name] = writer.seq
