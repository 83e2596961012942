from __future__ import annotations

import random
from collections.abc import Callable

import msgspec
import pytest

from edda_sync.crdt.text.document import TextDocument
from tests.crdt.text_histories import Device, History, causal_order, make
from tests.crdt.text_joining import merged, put_in_order

ANNA, BORIS, CARLA = b"A" * 16, b"B" * 16, b"C" * 16
GENESIS = b"G" * 16
HERE = {ANNA: 1}


def start(string: str = "a🙂b") -> TextDocument:
    return TextDocument.start(GENESIS, string, [(ANNA, 1)])


def halves(history: History, seed: int) -> tuple[Device, Device]:
    """Two devices that each know a part of a history."""
    chance = random.Random(seed)
    both = Device(history.genesis, history.start), Device(history.genesis, history.start)
    for change in causal_order(chance, history.changes):
        for device in both:
            if chance.random() < 0.7 and all(seq <= device.frontier.get(a, 0) for a, seq in change.past.items()):
                device.take(change)
    return both


def test_a_joined_state_is_the_one_that_the_changes_of_both_would_have_made() -> None:
    joined = 0
    for seed in range(150):
        history = make(seed)
        one, other = halves(history, seed)
        if one.document is None or other.document is None:
            continue
        there = merged(one.document, other.document.state())
        back = merged(other.document, one.document.state())
        one.pull(other)
        assert there.state() == back.state() == one.document.state(), f"seed {seed}"
        assert there.string() == one.document.string()
        joined += 1
    assert joined > 50


def test_a_joined_text_goes_on_as_any_other() -> None:
    laptop, phone = start(), start()
    laptop.edit((BORIS, 1), HERE, [(1, 0, "x🙂"), (2, 1, "")])
    phone.edit((CARLA, 1), HERE, [(1, 1, "y")])
    laptop, phone = merged(laptop, phone.state()), merged(phone, laptop.state())
    assert laptop.state() == phone.state()
    past = {**HERE, BORIS: 1, CARLA: 1}
    edit = laptop.edit((BORIS, 2), past, [(0, 0, "!")])
    phone.apply(edit, (BORIS, 2), past)
    assert laptop.state() == phone.state()


def test_joining_a_text_with_itself_or_an_older_state_changes_nothing() -> None:
    document = start()
    older = document.state()
    document.edit((BORIS, 1), HERE, [(1, 0, "x🙂"), (0, 1, "")])
    state = document.state()
    for other in (state, older):
        assert merged(document, other).state() == state


def forged(change: Callable[[list[object]], None]) -> bytes:
    """The state of a text of two authors, a rewrite and a deletion, with something changed in it."""
    document = start()
    document.edit((BORIS, 1), HERE, [(1, 0, "x"), (0, 1, "")])
    document.edit((CARLA, 1), {**HERE, BORIS: 1}, [(1, 0, "y"), (0, 1, "")])
    document.rewrite((CARLA, 2), {**HERE, BORIS: 1, CARLA: 1}, [(1, 1, "z")])
    state = msgspec.msgpack.decode(document.state())
    change(state)
    return msgspec.msgpack.encode(state)


def swap_runs(state: list[object]) -> None:
    runs = state[7]
    assert isinstance(runs, list)
    runs[0], runs[1] = runs[1], runs[0]


def ring(state: list[object]) -> None:
    """Two units, each of which was written behind the other."""
    runs = {run[0]: run for run in state[7] if run[3] != "b"}  # type: ignore[attr-defined]
    names = state[1]
    boris, carla = names.index(BORIS), names.index(CARLA)  # type: ignore[attr-defined]
    runs[boris][4:6], runs[carla][4:6] = [carla, 0], [boris, 0]


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda state: state.__setitem__(1, [name.replace(b"G", b"F") for name in state[1]]), "another text"),
        (swap_runs, "units in another order"),
        (ring, "units beside units that come after them"),
    ],
    ids=["another text", "another order", "a ring"],
)
def test_a_state_of_another_text_is_refused(change: Callable[[list[object]], None], why: str) -> None:
    document = start()
    document.edit((BORIS, 1), HERE, [(1, 0, "x")])
    with pytest.raises(ValueError, match=why):
        merged(document, forged(change))


def test_the_same_author_with_other_units_or_deletions_is_refused() -> None:
    ours = start()
    ours.edit((BORIS, 1), HERE, [(1, 0, "x")])
    ours.edit((BORIS, 2), {**HERE, BORIS: 1}, [(0, 1, "")])
    other_units, other_deletions, earlier = start(), start(), start()
    other_units.edit((BORIS, 1), HERE, [(1, 0, "xy")])
    other_deletions.edit((BORIS, 1), HERE, [(1, 0, "x")])
    other_deletions.edit((BORIS, 2), {**HERE, BORIS: 1}, [(1, 1, "")])
    other_deletions.edit((BORIS, 3), {**HERE, BORIS: 2}, [(0, 1, "")])
    earlier.edit((BORIS, 1), HERE, [(1, 0, "x")])
    for other, why in ((other_units, "an author of other units"), (other_deletions, "an author of other deletions")):
        for one, two in ((ours, other), (other, ours)):
            with pytest.raises(ValueError, match=why):
                merged(one, two.state())
    assert merged(earlier, ours.state()).state() == ours.state()


def test_a_state_in_which_a_run_stands_elsewhere_is_no_text() -> None:
    put_in_order(TextDocument.load(forged(lambda _: None))._text)
    with pytest.raises(ValueError, match="units in another order"):
        put_in_order(TextDocument.load(forged(swap_runs))._text)
