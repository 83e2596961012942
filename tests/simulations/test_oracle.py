"""The oracle: small histories, computed by hand from the definitions (schedules of the counterexamples)."""

from __future__ import annotations

from edda_sync.crdt.text.document import genesis_id
from edda_sync.simulations.oracle import UNTOLD, Oracle
from edda_sync.words import values
from tests.simulations.histories import DELETE, EDIT, PUT, TOUCH, WORK, A, B, C, D, History, T, U, edit, put, titles


def test_counterexample_2_three_writes_in_two_orders_show_the_same() -> None:
    history = History()
    history.make(A, 10, put(T, title="A"))
    history.make(B, 20, put(T, title="B"))
    history.make(D, 11, put(T, title="D"), seen={A: 1})
    for order in ((0, 1, 2), (0, 2, 1)):
        oracle = history.means(*order)
        assert titles(oracle) == ["B"]
        assert oracle.conflicts() == {(values.id_text(T), "title")}


def test_counterexample_3_a_later_edit_beats_what_it_saw_whatever_the_clocks_said() -> None:
    history = History()
    history.make(A, 999_999, put(T, title="a year ahead"))
    history.make(B, 5, put(T, title="informed"), seen={A: 1})
    oracle = history.means()
    assert titles(oracle) == ["informed"]
    assert not oracle.conflicts()


def test_counterexample_4_concurrent_transactions_over_two_cells_do_not_tear() -> None:
    history = History()
    history.make(A, 10, put(T, title="x"), put(U, title="x"))
    history.make(A, 999, put(T, title="ahead"))
    history.make(B, 20, put(T, title="B"), put(U, title="B"), seen={A: 2})
    history.make(C, 30, put(T, title="C"), put(U, title="C"), seen={A: 2})
    assert titles(history.means()) == ["C", "C"]


def test_counterexample_5_a_deletion_does_not_swallow_an_edit_that_it_had_not_seen() -> None:
    history = History()
    history.make(A, 10, put(T, title="start"))
    history.make(B, 99, put(T, title="W"), seen={A: 1})
    history.make(B, 100, [DELETE, "task", T, [[A, 1], [B, 1]]], seen={A: 1})
    assert titles(history.means()) == []
    history.make(C, 11, put(T, title="E"), seen={A: 1})
    assert titles(history.means()) == ["W"]  # the greatest stamp shows, and E is kept beside it
    assert history.means().conflicts() == {(values.id_text(T), "title"), (values.id_text(T), "deleted")}


def test_counterexample_6_a_task_deleted_twice_with_an_edit_known_to_one_deletion_stays_hidden() -> None:
    history = History()
    history.make(A, 1, put(T, title="start"))
    history.make(A, 2, put(T, title="E"))
    history.make(B, 10, [DELETE, "task", T, [[A, 2]]], seen={A: 2})
    history.make(C, 20, [DELETE, "task", T, [[A, 1]]], seen={A: 1})
    assert titles(history.means()) == []
    history.make(C, 30, [TOUCH, "task", T], seen={A: 2, B: 1})
    assert titles(history.means()) == ["E"]


def test_counterexample_19_a_ring_closed_by_edges_of_one_change_is_cut_at_the_same_place() -> None:
    history = History()
    names = [bytes(15) + bytes([number]) for number in range(1, 5)]
    a, b, c, d = names
    history.make(A, 1, *(put(name, title="t") for name in names))
    history.make(B, 5, put(a, parent_id=b), put(c, parent_id=d), seen={A: 1})
    history.make(C, 5, put(b, parent_id=c), put(d, parent_id=a), seen={A: 1})
    for order in ((0, 1, 2), (0, 2, 1)):
        parents = {name: task["parent_id"] for name, task in history.means(*order).tasks().items()}
        assert [name for name, parent in parents.items() if parent is None] == [values.id_text(d)]


def test_a_hidden_parent_shows_as_none_and_returns_with_it() -> None:
    history = History()
    history.make(A, 1, put(T, title="child", parent_id=U), put(U, title="parent"))
    history.make(A, 2, [DELETE, "task", U, [[A, 1]]])
    assert history.means().tasks()[values.id_text(T)]["parent_id"] is None
    history.make(A, 3, [TOUCH, "task", U])
    assert history.means().tasks()[values.id_text(T)]["parent_id"] == values.id_text(U)


def test_counterexample_20_a_tag_added_and_removed_concurrently_stays() -> None:
    history = History()
    cell = {f"tag.{values.id_text(WORK)}": True}
    history.make(A, 1, [PUT, "task", T, {"title": "t", **cell}], [PUT, "tag", WORK, {"name": "work"}])
    history.make(B, 2, [PUT, "task", T, dict.fromkeys(cell)], seen={A: 1})
    assert history.means().edges("tag.", "tag") == set()
    history.make(C, 1, [PUT, "task", T, cell], [TOUCH, "tag", WORK], seen={A: 1})
    assert history.means().edges("tag.", "tag") == {(values.id_text(T), values.id_text(WORK))}


def test_counterexample_21_edits_of_different_fields_are_no_conflict() -> None:
    history = History()
    history.make(A, 1, put(T, title="t", status="open"))
    history.make(B, 2, put(T, title="T"), seen={A: 1})
    history.make(C, 3, put(T, status="done"), seen={A: 1})
    oracle = history.means()
    (task,) = oracle.tasks().values()
    assert (task["title"], task["status"], oracle.conflicts()) == ("T", "done", set())


def test_the_last_write_of_a_change_counts() -> None:
    history = History()
    history.make(A, 1, put(T, title="first"), put(T, title="second"))
    assert titles(history.means()) == ["second"]


def test_a_task_and_a_document_with_one_id_are_separate_items() -> None:
    history = History()
    history.make(A, 1, [PUT, "document", T, {"title": "d"}], put(T, title="t"))
    history.make(B, 2, [DELETE, "document", T, [[A, 1]]], put(T, title="u"), seen={A: 1})
    oracle = history.means()
    assert [each["title"] for each in oracle.tasks().values()] == ["u"]
    assert not oracle.documents()


def test_a_tag_without_a_name_or_with_the_name_of_another_is_hidden() -> None:
    history = History()
    cell = {f"tag.{values.id_text(WORK)}": True}
    history.make(A, 1, [PUT, "task", T, {"title": "t", **cell}], [PUT, "tag", WORK, {"name": "home"}])
    assert history.means().tags() == {}
    assert history.means().edges("tag.", "tag") == set()


def test_a_text_reads_without_a_refused_edit() -> None:
    history = History()
    history.make(A, 1, put(T, title="t", description="one "))
    history.make(B, 2, [EDIT, "task", T, "description", genesis_id(T, "description", "one "), b"no edit"], seen={A: 1})
    refused = history.log[1][0].hash, 1
    oracle = Oracle(history.log, untaken={refused})
    (task,) = oracle.tasks().values()
    assert (task["title"], task["description"]) == ("t", "one ")
    assert oracle.unfolded == {refused: True}


def test_the_oracle_says_nothing_about_a_text_that_a_forked_chain_wrote() -> None:
    history = History()
    history.make(A, 1, put(T, title="t", description="one "))
    history.make(B, 2, put(T, status="done"), seen={A: 1})
    history.make(B, 3, edit(B, "one ", 4, "two "))
    logged, body = history.log[2]
    history.log[2] = logged._replace(actor=b"name of a branch"), body
    (task,) = history.means().tasks().values()
    assert (task["title"], task["status"], task["description"]) == ("t", "done", UNTOLD)


def test_a_deletion_is_open_until_somebody_who_has_seen_it_answers() -> None:
    history = History()
    history.make(A, 1, put(T, title="t"))
    history.make(B, 2, put(T, title="u"), seen={A: 1})
    history.make(A, 3, [DELETE, "task", T, [[A, 1]]])
    lost = {(values.id_text(T), "deleted")}
    assert history.means().conflicts() == lost
    history.make(B, 4, put(T, title="v"), seen={A: 2})
    assert history.means().conflicts() == lost
    history.make(B, 5, [TOUCH, "task", T], seen={A: 2})
    assert history.means().conflicts() == set()


def test_a_tag_that_was_renamed_twice_at_once_is_in_conflict_while_an_item_carries_both() -> None:
    history = History()
    names = {name: values.id_bytes("id", values.tag_id(name)) for name in ("job", "office")}
    old, *new = [f"tag.{values.id_text(tag)}" for tag in (WORK, *names.values())]
    history.make(A, 1, [PUT, "tag", WORK, {"name": "work"}], [PUT, "task", T, {"title": "t", old: True}])
    for actor, (name, tag), cell in zip((B, C), names.items(), new, strict=True):
        gone = [DELETE, "tag", WORK, [[A, 1]]]
        given = [PUT, "tag", tag, {"name": name}], [PUT, "task", T, {cell: True, old: None}]
        history.make(actor, 2, *given, gone, seen={A: 1})
    assert history.means().conflicts() == {(values.id_text(WORK), "renamed")}
    history.make(A, 3, [PUT, "task", T, {new[0]: None}], seen={B: 1, C: 1})
    assert history.means().conflicts() == set()
