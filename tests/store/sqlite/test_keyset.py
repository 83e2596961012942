from __future__ import annotations

from edda_sync.store.sqlite.keyset import after
from edda_sync.words.order import title_key
from edda_sync.words.query import DocumentQuery, TaskQuery, plan

# That both stores continue behind any row in any order is shown in ``test_queries``.


def test_an_order_without_missing_values_compares_all_columns_at_once_so_that_an_index_finds_the_place() -> None:
    order = plan(DocumentQuery()).order
    assert after(order, ("2026", "a"), str) == ("(updated_at, id) < (?, ?)", ["2026", "a"])


def test_titles_are_compared_by_their_keys() -> None:
    assert after(plan(TaskQuery(order="title")).order, ("Äpfel", "a"), str)[1] == [title_key("Äpfel"), "a"]


def test_nothing_but_the_later_columns_comes_after_a_missing_date() -> None:
    order = plan(TaskQuery(order="due_date")).order
    assert after(order, (None, "a"), str) == ("((due_date IS ? AND id > ?))", [None, "a"])
    sql, parameters = after(order, ("2026", "a"), str)
    assert sql == "(((due_date > ? OR due_date IS NULL) OR due_date IS ? AND id > ?))"
    assert parameters == ["2026", "2026", "a"]


def test_the_first_column_bounds_the_rows_so_that_an_index_begins_there() -> None:
    sql, parameters = after(plan(TaskQuery()).order, (1, None, "2026", "a"), str)
    assert sql.startswith("(priority >= ? AND (priority > ? OR ")
    assert parameters[:2] == [1, 1]
