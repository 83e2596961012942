from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlcipher3 import dbapi2 as sqlite

from edda_sync.store.sqlite.paths import expression, where
from edda_sync.words.paths import Condition, condition, holds, path

KEYS = st.sampled_from(["a", "b.c", "it's", "ü", "1", "[0]", "$", " ", "a]", "#"])
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.sampled_from([0, 1, 3, -1, 2**53 + 1, 2**63 - 1, 2**63, -(2**63) - 1, 10**30, 3.0, 0.1, -0.0]),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=3),
    st.sampled_from(["3", "true", "null", "", "é", "Ä", "\0", '{"a":1}']),
)
VALUES = st.recursive(SCALARS, lambda inner: st.dictionaries(KEYS, inner, max_size=2) | st.lists(inner, max_size=2))
OBJECTS = st.dictionaries(KEYS, VALUES, max_size=4)
ENCODED = OBJECTS.map(lambda each: json.dumps(each, sort_keys=True, separators=(",", ":"), ensure_ascii=False))
COLUMNS = st.one_of(st.none(), ENCODED, st.sampled_from(["", "{broken", "[1]", "3", "null"]))


@st.composite
def conditions(draw: st.DrawFn) -> Condition:
    named = ("metadata", *draw(st.lists(KEYS, min_size=1, max_size=2)))
    operator = draw(st.sampled_from(["=", "!=", "<", "<=", ">", ">=", "exists", "missing"]))
    if operator in ("exists", "missing"):
        return condition("where", (named, operator))
    ordered = SCALARS.filter(lambda value: isinstance(value, (str, int, float)) and not isinstance(value, bool))
    return condition("where", (named, operator, draw(ordered if operator[0] in "<>" else SCALARS)))


@pytest.fixture(scope="module")
def table() -> Iterator[Any]:
    connection = sqlite.connect(":memory:", isolation_level=None)
    connection.execute("CREATE TABLE tasks (id TEXT PRIMARY KEY, metadata TEXT)")
    yield connection
    connection.close()


@given(held=st.lists(COLUMNS, min_size=1, max_size=6), wanted=conditions())
def test_sql_and_memory_agree_on_every_condition(table: Any, held: list[str | None], wanted: Condition) -> None:
    table.execute("DELETE FROM tasks")
    table.executemany("INSERT INTO tasks VALUES (?, ?)", [(str(at), each) for at, each in enumerate(held)])
    sql, parameters = where(wanted)
    found = {int(row[0]) for row in table.execute(f"SELECT id FROM tasks WHERE {sql}", parameters)}
    assert found == {at for at, each in enumerate(held) if holds(wanted, {"metadata": each})}


@pytest.mark.parametrize("key", ["estimate", "it's", "b.c"])
@pytest.mark.parametrize("operator", ["=", "<", ">="])
def test_an_index_on_the_expression_of_a_path_serves_a_condition(table: Any, key: str, operator: str) -> None:
    named = path("where", ("metadata", key))
    table.execute(f"CREATE INDEX by_key ON tasks({expression(named)})")
    sql, parameters = where(Condition(named, operator, 3))
    plan = table.execute(f"EXPLAIN QUERY PLAN SELECT id FROM tasks WHERE {sql}", parameters).fetchall()
    table.execute("DROP INDEX by_key")
    assert "USING INDEX by_key" in plan[0][3]
