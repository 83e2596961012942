from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edda_sync.words import unicode14
from edda_sync.words.clauses import Term, clause, column, holds, text_of
from edda_sync.words.errors import InvalidValueError

TEXTS = st.text(st.characters(exclude_categories=["Cc", "Cs"]), max_size=12)
VALUES = TEXTS | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False, allow_infinity=False) | st.booleans()
KEYS = st.text(st.characters(exclude_characters='"\\', exclude_categories=["Cc", "Cs"]), min_size=1, max_size=8)


@pytest.mark.parametrize(
    ("text", "usual"),
    [
        ("status='open'", "status = 'open'"),
        ("  status  <>  'done' and priority<=2", "status != 'done' AND priority <= 2"),
        ("status in ('open','in_progress','open')", "status IN ('open', 'in_progress')"),
        ("due_date is not null AND parent_id IS NULL", "due_date EXISTS AND parent_id MISSING"),
        ("due_date < '2026-03-01'", "due_date < '2026-03-01T00:00:00.000Z'"),
        ("metadata.effort >= 3 AND metadata.done = TRUE", "metadata.effort >= 3 AND metadata.done = true"),
        ("metadata.\"source.id\" = 'it''s AND (x)'", "metadata.\"source.id\" = 'it''s AND (x)'"),
        ("agent_context.plan.step exists", "agent_context.plan.step EXISTS"),
        ("metadata.größe = -1.5e3", "metadata.größe = -1500.0"),
    ],
)
def test_a_clause_is_read_in_any_form_and_written_in_its_usual_one(text: str, usual: str) -> None:
    assert text_of(clause("where", "task", text)) == usual
    assert text_of(clause("where", "task", usual)) == usual


@given(st.lists(st.tuples(KEYS, st.sampled_from(["=", "!="]), VALUES), min_size=1, max_size=4))
def test_the_usual_form_of_any_terms_is_read_as_these_terms(given_terms: list[tuple[str, str, Any]]) -> None:
    terms = tuple(Term(("metadata", key), operator, (value,)) for key, operator, value in given_terms)
    usual = text_of(terms)
    if len(usual) > 1_000 or unicode14.has_control(usual):
        return  # a clause is one line, and not too long
    read = clause("where", "task", usual)
    assert [each.path for each in read] == [each.path for each in terms]
    assert [each.values[0] for each in read] == pytest.approx([each.values[0] for each in terms])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is empty"),
        ("status", "lacks what is compared"),
        ("status =", "lacks a value"),
        ("status = open", "text in single quotes"),
        ('status = "open"', "text in single quotes"),
        ("status = 'later'", "must be one of"),
        ("priority = '1'", "a number, without quotes"),
        ("title = 3", "a text, in single quotes"),
        ("title = 'it's'", "needs AND"),
        ("title = 'open", "cannot be read from"),
        ("due_date < 'soon'", "is not a date"),
        ("nothing = 1", "a task does not have"),
        ("content = 'x'", "a task does not have"),
        ("metadata = 'x'", "metadata.KEY"),
        ("metadata. = 'x'", "metadata.KEY"),
        ("metadata.a < true", "order"),
        ("metadata.a = null", "needs a number"),
        ("metadata.a = 1e999", "JSON"),
        ("status IN ()", "needs a number"),
        ("status IN ('open' 'done')", "needs )"),
        ("status = 'open' OR status = 'done'", "needs AND"),
        ("status = 'open' AND", "lacks the name"),
        ("NOT status = 'open'", "which a task does not have"),
        ("status LIKE 'o%'", "compares by"),
        ("1 = 1", "needs the name of a column"),
        ("status = 'open'; DROP TABLE tasks", "needs AND"),
        ("status = 'open' -- ", "needs AND"),
        ("(SELECT 1) = 1", "needs the name"),
        ("tasks.title = 'x'", "which a task does not have"),
        ("rowid = 1", "which a task does not have"),
        ("title = 'a' || 'b'", "needs AND"),
        ("title = 'a'\nAND priority = 1", "control character"),
        ("title = '" + "x" * 1_000 + "'", "characters are possible"),
    ],
)  # fmt: skip
def test_what_is_no_clause_is_refused_with_what_is_wrong(text: str, said: str) -> None:
    with pytest.raises(InvalidValueError) as caught:
        clause("where", "task", text)
    assert said in str(caught.value)


def test_a_column_is_one_of_its_kind_or_a_key() -> None:
    assert column("columns", "document", "doc_type") == ("doc_type",)
    assert column("columns", "task", "metadata.a.b") == ("metadata", "a", "b")
    for name in ("doc_type", "metadata", "tags", "metadata.", "x.y", ""):
        with pytest.raises(InvalidValueError):
            column("columns", "task", name)


def test_a_term_holds_as_a_query_would_say() -> None:
    row = {"status": "open", "due_date": None, "priority": 1, "metadata": {"a": 3, "b": "3"}}

    def found(text: str) -> bool:
        return all(holds(each, row) for each in clause("where", "task", text))

    assert found("status IN ('done', 'open') AND priority < 2 AND metadata.a >= 3")
    assert found("due_date MISSING AND metadata.c MISSING AND metadata.a != '3' AND due_date != '2026-01-01'")
    assert not found("metadata.b = 3")
    assert not found("due_date EXISTS")
