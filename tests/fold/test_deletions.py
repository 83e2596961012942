"""Which deletions are open: nobody who had seen them has answered."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edda_sync.crdt.entity import Entity
from edda_sync.crdt.frontier import Frontier
from edda_sync.crdt.keys import key_of
from edda_sync.crdt.operation import Delete, Operation, Put, Touch
from edda_sync.fold.deletions import is_contested
from edda_sync.words import values
from tests.crdt.works import TASK
from tests.fold.folded import A, B, C, D, Folded

Dot = tuple[bytes, int]
Step = tuple[Operation, Dot, Frontier]
KEY = key_of("task", TASK)
TAG_ID = values.id_bytes("id", values.tag_id("work"))
NAMED: Operation = Put("tag", TAG_ID, {"name": "work"})
TITLE, EDIT, TOUCH = Put("task", TASK, {"title": "t"}), Put("task", TASK, {"title": "u"}), Touch("task", TASK)
BORN: Step = (TITLE, (A, 1), {})


def delete(*seen: Dot, kind: str = "task", entity: bytes = TASK) -> Operation:
    return Delete(kind, entity, tuple(sorted(seen)))


def folded(*steps: Step) -> Folded:
    found = Folded()
    for operation, (actor, seq), past in steps:
        found.receive(operation, actor=actor, seq=seq, past=past)
    return found


def state(of: Folded, key: bytes = KEY) -> tuple[list[Dot], bool]:
    """The dots of the open deletions, and whether people should look at them."""
    open_ = of.look(lambda reader: reader.index.deletions([key])).get(key, ())
    return [write[:2] for write in open_], key in of.look(lambda reader: reader.index.contested())


LOST: list[Step] = [BORN, (delete((A, 1)), (A, 2), {A: 1}), (EDIT, (B, 1), {A: 1})]


@pytest.mark.parametrize("order", [(0, 1, 2), (0, 2, 1)])
def test_a_deletion_that_an_edit_had_not_seen_is_contested_in_every_order(order: tuple[int, ...]) -> None:
    assert state(folded(*[LOST[at] for at in order])) == ([(A, 2)], True)


def test_a_deletion_that_nothing_undid_is_open_and_nobody_need_look_at_it() -> None:
    assert state(folded(*LOST[:2])) == ([(A, 2)], False)


@pytest.mark.parametrize(
    ("answer", "left"),
    [
        ((TOUCH, (B, 2), {A: 2, B: 1}), ([], False)),
        ((delete((A, 1), (B, 1)), (B, 2), {A: 2, B: 1}), ([(B, 2)], False)),
        ((EDIT, (B, 2), {A: 2, B: 1}), ([(A, 2)], True)),  # its author may not know of the deletion
        ((TOUCH, (C, 1), {A: 1}), ([(A, 2)], True)),  # it had not seen the deletion
    ],
)
def test_only_who_has_seen_a_deletion_and_answers_it_ends_it(answer: Step, left: tuple[list[Dot], bool]) -> None:
    assert state(folded(*LOST, answer)) == left


def test_a_tag_is_answered_by_whoever_defines_or_uses_it() -> None:
    tag = key_of("tag", TAG_ID)
    gone = delete((A, 1), kind="tag", entity=TAG_ID)
    steps: list[Step] = [(NAMED, (A, 1), {}), (gone, (A, 2), {A: 1}), (Touch("tag", TAG_ID), (B, 1), {A: 1})]
    assert state(folded(*steps), tag) == ([(A, 2)], True)
    for answer in (NAMED, Touch("tag", TAG_ID)):
        assert state(folded(*steps, (answer, (B, 2), {A: 2, B: 1})), tag) == ([], False)


def test_a_tag_that_was_deleted_twice_at_once_is_contested_though_it_is_gone() -> None:
    tag = key_of("tag", TAG_ID)
    gone = delete((A, 1), kind="tag", entity=TAG_ID)
    both = folded((NAMED, (A, 1), {}), (gone, (A, 2), {A: 1}), (gone, (B, 1), {A: 1}))
    assert state(both, tag) == ([(A, 2), (B, 1)], True)
    hidden = Entity(TASK, "task")
    assert not is_contested(hidden, [(A, 2, 5, None), (B, 1, 5, None)]), "of a task that says nothing"


HISTORY: list[Step] = [
    BORN,
    (delete((A, 1)), (A, 2), {A: 1}),
    (EDIT, (B, 1), {A: 1}),
    (delete((A, 1)), (C, 1), {A: 1}),
    (TOUCH, (B, 2), {A: 2, B: 1}),
    (delete((A, 1), (B, 2)), (D, 1), {A: 2, B: 2, C: 1}),
    (EDIT, (C, 2), {A: 1, C: 1, B: 1}),
]


def _causal(order: tuple[int, ...]) -> bool:
    held: Frontier = {}
    for at in order:
        _, (actor, seq), past = HISTORY[at]
        if any(held.get(each, 0) < upto for each, upto in past.items()) or held.get(actor, 0) != seq - 1:
            return False
        held[actor] = seq
    return True


ORDERS = [order for order in itertools.permutations(range(len(HISTORY))) if _causal(order)]


@given(st.sampled_from(ORDERS), st.integers(1, len(HISTORY)))
def test_what_is_open_is_the_same_in_every_order(order: tuple[int, ...], length: int) -> None:
    found: Any = [
        state(folded(*[HISTORY[at] for at in each])) for each in (order[:length], tuple(sorted(order[:length])))
    ]
    assert found[0] == found[1]
    if length == len(HISTORY):
        assert found[0] == ([(D, 1)], True)
