from __future__ import annotations

from edda_sync.words import values
from tests.simulations.histories import A, B, C, History, T, edit, put


def test_concurrent_edits_of_one_text_both_show_in_any_order() -> None:
    history = History()
    history.make(A, 1, put(T, title="t", description="one "))
    history.make(B, 2, edit(B, "one ", 4, "two "), seen={A: 1})
    history.make(C, 3, edit(C, "one ", 0, "zero "), seen={A: 1})
    for order in ((0, 1, 2), (0, 2, 1)):
        oracle = history.means(*order)
        assert [task["description"] for task in oracle.tasks().values()] == ["zero one two "]
        assert not oracle.conflicts()


def test_an_edit_does_not_replace_another_text_that_its_author_saw() -> None:
    history = History()
    history.make(A, 1, put(T, title="t", description="one "))
    history.make(B, 2, put(T, description="other "))
    history.make(C, 3, edit(C, "one ", 4, "two "), seen={A: 1, B: 1})
    oracle = history.means()
    assert [task["description"] for task in oracle.tasks().values()] == ["one two "]
    assert oracle.conflicts() == {(values.id_text(T), "description")}


def test_a_rewritten_text_shows_as_it_was_written() -> None:
    history = History()
    history.make(A, 1, put(T, title="t", description="one "))
    history.make(B, 2, edit(B, "one ", 4, "two "), seen={A: 1})
    history.make(A, 3, put(T, description="new "), seen={B: 1})
    assert [task["description"] for task in history.means().tasks().values()] == ["new "]
