from __future__ import annotations

from itertools import permutations

import pytest

from edda_sync.crdt.operation import Operation, Put, Touch, Unread
from tests.crdt.works import OTHER, TASK
from tests.fold.folded import NEWER, REFUSED, TITLE, A, B, C, D, Folded


@pytest.mark.parametrize("operation", NEWER.values(), ids=NEWER)
def test_an_operation_of_a_newer_version_waits_and_is_not_refused(
    folded: Folded, operation: Operation | Unread
) -> None:
    folded.receive(TITLE)
    before = folded.look(lambda reader: list(reader.states.scan()))
    folded.receive(operation, past={A: 1})
    assert (folded.refused, folded.waiting) == (0, 1)
    assert folded.look(lambda reader: list(reader.states.scan())) == before
    folded.receive(Put("task", TASK, {"status": "done"}), past={A: 2})
    assert folded.table("tasks")[0][3] == "done"


def test_the_known_cells_of_a_put_with_cells_of_a_newer_version_are_written(folded: Folded) -> None:
    folded.receive(Put("task", TASK, {"title": "t", "unheard": 1, "other.x": 2, "status": "done"}))
    ((_, title, _, status, *_),) = folded.table("tasks")
    assert (title, status) == ("t", "done")
    assert (folded.refused, folded.waiting) == (0, 1)


@pytest.mark.parametrize("operation", [TITLE, Touch("task", TASK), *REFUSED.values()], ids=str)
def test_a_change_whose_header_is_not_understood_waits_with_all_its_operations(
    folded: Folded, operation: Operation | Unread
) -> None:
    folded.receive(operation, understood=False)
    assert (folded.refused, folded.waiting) == (0, 1)
    assert folded.look(lambda reader: list(reader.states.scan())) == []


def test_a_change_whose_header_is_not_understood_waits_even_without_operations(folded: Folded) -> None:
    """What it does may stand in its header."""
    folded.receive(understood=False)
    assert (folded.refused, folded.waiting) == (0, 1)


@pytest.mark.parametrize("waiting", NEWER.values(), ids=NEWER)
@pytest.mark.parametrize("in_one_change", [False, True])
def test_an_invalid_operation_waits_while_something_in_its_past_that_may_decide_it_waits(
    folded: Folded, waiting: Operation | Unread, in_one_change: bool
) -> None:
    refused = Put("task", TASK, {"title": ""})
    if in_one_change:
        folded.receive(waiting, refused)
    else:
        folded.receive(waiting)
        folded.receive(refused, past={A: 1})
    assert (folded.refused, folded.waiting) == (0, 2)
    folded.receive(refused, past={A: 1}, seq=folded.changes + 1)  # and so on
    assert (folded.refused, folded.waiting) == (0, 3)


def test_an_invalid_operation_is_refused_if_only_concurrent_or_unrelated_operations_wait(folded: Folded) -> None:
    refused = Put("task", TASK, {"title": ""})
    folded.receive(Put("task", TASK, {"unheard": 1}), actor=B, seq=1)
    folded.receive(Put("task", OTHER, {"unheard": 1}), Put("document", TASK, {"unheard": 1}), actor=A, seq=1)
    folded.receive(refused, actor=A, seq=2, past={A: 1})
    assert (folded.refused, folded.waiting) == (1, 3)
    folded.receive(refused, actor=A, seq=3, past={A: 2, B: 1})
    assert (folded.refused, folded.waiting) == (1, 4)


@pytest.mark.parametrize("order", list(permutations(range(3))), ids=str)
def test_waiting_or_refusal_does_not_depend_on_the_order_of_concurrent_changes(
    folded: Folded, order: tuple[int, ...]
) -> None:
    refused = Put("task", TASK, {"title": ""})
    concurrent: list[tuple[bytes, Operation]] = [(A, Put("task", TASK, {"unheard": 1})), (B, refused), (C, TITLE)]
    for at in order:
        actor, operation = concurrent[at]
        folded.receive(operation, actor=actor, seq=1)
    folded.receive(refused, actor=D, seq=1, past={A: 1, B: 1, C: 1})
    assert (folded.refused, folded.waiting) == (1, 2)
    entity = folded.entity("task", TASK)
    assert entity is not None
    assert entity.refused.size == 1


def test_an_operation_that_waits_on_a_branch_is_in_the_past_of_an_author_who_has_seen_that_branch(
    folded: Folded,
) -> None:
    one, other = b"\x01" * 16, b"\x02" * 16
    for branch in (one, other):
        folded.receive(NEWER["cell"] if branch == one else TITLE, actor=A, seq=5, branch=branch)
    refused = Put("task", TASK, {"title": ""})
    folded.receive(refused, actor=B, seq=1, past={A: 4, other: 5})
    assert (folded.refused, folded.waiting) == (1, 1)
    folded.receive(refused, actor=C, seq=1, past={A: 4, one: 5})
    assert (folded.refused, folded.waiting) == (1, 2)
