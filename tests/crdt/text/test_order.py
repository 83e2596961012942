from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import NamedTuple

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edda_sync.crdt.text.order import Order
from edda_sync.crdt.text.runs import EDGE, Run, Unit
from edda_sync.crdt.text.units import Pairs, pairs_of, units
from edda_sync.words import limits

words = st.text(st.sampled_from("ab é日🙂🙃"), min_size=1, max_size=5)


class One(NamedTuple):
    """A code point of the model, with its units."""

    name: int
    clock: int
    character: str
    is_deleted: bool = False

    @property
    def units(self) -> list[Unit]:
        return [(self.name, self.clock + at) for at in range(units(self.character))]


class Model:
    """The same order as a plain list, to compare with."""

    def __init__(self) -> None:
        self.order = Order([], {})
        self.all: list[One] = []
        self.clocks: dict[int, int] = {}

    def insert(self, name: int, at: int, text: str) -> None:
        """Let a name write behind a number of code points, deleted ones included."""
        left = self.all[at - 1].units[-1] if at else EDGE
        right = self.all[at].units[0] if at < len(self.all) else EDGE
        clock = self.clocks.get(name, 0)
        if pairs := pairs_of(text, clock):
            self.order.pairs.setdefault(name, Pairs()).extend(pairs)
        run = Run(name, clock, units(text), text, *left, *right)
        if right != EDGE and at % 2:
            self.order.insert_before(right, run)
        else:
            self.order.insert(left, run)
        for number, character in enumerate(text):
            self.all.insert(at + number, One(name, clock, character))
            clock += units(character)
        self.clocks[name] = clock

    def delete(self, at: int) -> None:
        """Delete the units of a code point; perhaps once more."""
        one = self.all[at]
        self.order.delete(one.name, one.clock, len(one.units))
        self.all[at] = one._replace(is_deleted=True)

    def check(self) -> None:
        order, shown = self.order, [one for one in self.all if not one.is_deleted]
        assert order.string() == "".join(one.character for one in shown)
        assert order.points == len(shown)
        assert order.size_bytes == len(order.string().encode())
        stood = [unit for one in self.all for unit in one.units]
        assert [(run.name, run.clock + at) for run in order for at in range(run.size)] == stood
        for unit, following in zip([EDGE, *stood], [*stood, EDGE], strict=True):
            assert order.after(unit) == following
        for position in range(len(shown) + 1):
            left, right = order.gap(position)
            assert left == (shown[position - 1].units[-1] if position else EDGE)
            assert right == order.after(left)
        for start, end in ((0, len(shown)), (len(shown) // 3, 2 * len(shown) // 3)):
            spans = order.spans(start, end)
            found = [(name, clock + at) for name, clock, size in spans for at in range(size)]
            assert found == [unit for one in shown[start:end] for unit in one.units]


@given(st.data())
@settings(deadline=None)
def test_an_order_agrees_with_a_plain_list(data: st.DataObject) -> None:
    model = Model()
    for _ in range(data.draw(st.integers(1, 60))):
        if model.all and data.draw(st.integers(0, 3)) == 0:
            model.delete(data.draw(st.integers(0, len(model.all) - 1)))
        else:
            model.insert(data.draw(st.integers(0, 2)), data.draw(st.integers(0, len(model.all))), data.draw(words))
        if data.draw(st.integers(0, 7)) == 0:
            model.order.packed()  # from here on only what changes is written anew
    model.check()
    assert model.order.packed() == msgspec.msgpack.encode(model.order.whole())
    runs = model.order.whole()
    assert not any(run.goes_on(before) for before, run in itertools.pairwise(runs)), "two runs are one"
    model.order = Order(runs, model.order.pairs)
    model.check()
    model.order.rename([2, 0, 1])
    model.all = [one._replace(name=(2, 0, 1)[one.name]) for one in model.all]
    model.check()
    assert model.order.packed() == msgspec.msgpack.encode(model.order.whole())


@pytest.mark.parametrize("runs", [0, 1, 15, 16, 17, 33, 1_000, 65_535, 65_536])
def test_runs_are_packed_as_msgpack_has_an_array_of_them(runs: int) -> None:
    apart = [Run(0, 2 * at, 1, "a", *EDGE, *EDGE) for at in range(runs)]
    order = Order(apart, {})
    assert order.packed() == order.packed() == msgspec.msgpack.encode(apart)


@pytest.mark.parametrize("character", ["b", "日", "🙂", "a🙂"])
def test_a_run_ends_at_a_multiple_of_its_limit_and_never_inside_a_character(character: str) -> None:
    size, text = limits.TEXT_RUN_UNITS, character * 9_001
    model = Model()
    model.insert(0, 0, text)
    runs = model.order.whole()
    ends = [run.clock + run.size for run in runs]
    assert ends[:-1] == [at + _over(text, at) for at in range(size, units(text), size)]
    assert all((run.left, run.left_clock) == (0, run.clock - 1) for run in runs[1:])
    assert "".join(run.text or "" for run in runs) == text
    letter_by_letter = Model()
    for at, one in enumerate(text):
        letter_by_letter.insert(0, at, one)
    assert [*map(_told, letter_by_letter.order.whole())] == [*map(_told, runs)]


def _over(text: str, clock: int) -> int:
    """1 if a clock is inside a character of a text, else 0."""
    return int(Pairs(pairs_of(text, 0)).has(clock))


def _told(run: Run) -> tuple[object, ...]:
    return tuple(getattr(run, name) for name in run.__struct_fields__)


def test_runs_that_are_deleted_letter_by_letter_become_one() -> None:
    for letters in (range(1, 9), reversed(range(1, 9)), (3, 1, 2, 8, 6, 4, 7, 5)):
        model = Model()
        model.insert(0, 0, "0123456789")
        for at in letters:
            model.delete(at)
        assert [(run.clock, run.size, run.text) for run in model.order.whole()] == [
            (0, 1, "0"),
            (1, 8, None),
            (9, 1, "9"),
        ]


def steps(work: Callable[[], object]) -> int:
    """How many lines of Python a piece of work runs: a measure that no clock disturbs."""
    import sys

    count = 0

    def trace(*_: object) -> object:
        nonlocal count
        count += 1
        return trace

    before = sys.gettrace()
    sys.settrace(trace)  # type: ignore[arg-type]
    try:
        work()
    finally:
        sys.settrace(before)
    return count


def scattered(count: int) -> Model:
    """A text with the given number of runs."""
    model = Model()
    model.insert(0, 0, "ab" * count)
    for at in range(count):
        model.insert(1, 3 * at + 1, "-")
    return model


def test_typing_costs_the_same_in_a_text_of_ten_times_the_runs() -> None:
    costs = []
    for count in (500, 5_000):
        cost = 0
        for place in range(8):  # in the midst of a chunk, and near its ends
            order, at = scattered(count).order, count + place
            left, right = order.gap(at)
            order.insert(left, Run(2, 0, 1, "x", *left, *right))

            def type_on(order: Order = order, at: int = at) -> None:
                for clock in range(1, 100):
                    left, right = order.gap(at + clock)
                    order.insert(left, Run(2, clock, 1, "x", *left, *right))

            cost += steps(type_on)
        costs.append(cost)
    assert costs[1] < 1.2 * costs[0]


def test_positions_are_right_even_with_thousands_of_runs_at_one_place() -> None:
    order = Order([], {})
    order.insert(EDGE, Run(0, 0, 2, "ab", *EDGE, *EDGE))
    for clock in range(3_000):
        right = order.after((0, 0))
        order.insert((0, 0), Run(1, clock, 1, "x", 0, 0, *right))
        if clock % 7 == 0:
            assert order.gap(clock // 2 + 1)[0] == ((1, clock - clock // 2 + 1) if clock > 1 else (0, 0))
        if clock % 50 == 0:
            assert order.gap(order.points)[0] == (0, 1)
    ranks = [chunk.rank for chunk in order._chunks()]
    assert ranks == sorted(set(ranks))
