from __future__ import annotations

from tests.simulations.histories import DELETE, PUT, TOUCH, A, B, C, D, History, T, U, put, titles


def test_operations_of_a_newer_version_have_no_effect() -> None:
    history = History()
    history.make(
        A, 1, put(T, title="t"), [99, "task", U, {}], [TOUCH, "task", U, "how"], [PUT, "project", U, {}], [PUT]
    )
    assert titles(history.means()) == ["t"]


def test_a_deletion_hides_only_what_its_author_can_have_seen_and_an_invalid_one_hides_nothing() -> None:
    history = History()
    history.make(A, 1, put(T, title="t"))
    for claims in ([[D, 9]], [], [[A, 1, 1]], [["a", 1]], [[A, -1]], [[A, 1], [A, 1]]):
        history.make(B, 2, [DELETE, "task", T, claims], seen={A: 1})
    assert titles(history.means()) == ["t"]
    history.make(A, 3, put(T, title="later"))
    history.make(C, 4, [DELETE, "task", T, [[A, 2]]], seen={A: 1})
    assert titles(history.means()) == ["later"]
    history.make(C, 5, [DELETE, "task", T, [[A, 9]]], seen={A: 2})
    assert titles(history.means()) == []


def test_an_invalid_value_spoils_only_its_own_operation() -> None:
    history = History()
    history.make(A, 1, put(T, title="t", status="open"))
    history.make(B, 2, put(T, title=7, status="done"), put(T, priority=4), put(T, parent_id="me"), seen={A: 1})
    oracle = history.means()
    (task,) = oracle.tasks().values()
    assert (task["title"], task["status"], task["priority"], task["parent_id"]) == ("t", "open", 4, None)
    assert oracle.unfolded == {(history.log[1][0].hash, 1): True, (history.log[1][0].hash, 3): True}
