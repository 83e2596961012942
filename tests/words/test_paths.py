from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edda_sync.words.errors import InvalidValueError
from edda_sync.words.paths import MISSING, Condition, condition, holds, path, text_of, type_of, value_at

KEYS = st.text(st.characters(exclude_characters='"\\', exclude_categories=["Cc", "Cs"]), min_size=1, max_size=8)


def test_a_path_is_text_with_dots_or_a_tuple_of_keys() -> None:
    assert path("where", "metadata.estimate") == ("metadata", "estimate")
    assert path("where", "agent_context.plan.step") == ("agent_context", "plan", "step")
    assert path("where", 'metadata."source.id".x') == ("metadata", "source.id", "x")
    assert path("where", ["metadata", "a.b"]) == ("metadata", "a.b")
    assert path("where", "title") == path("where", ["title"]) == ("title",)


@pytest.mark.parametrize(
    "given_path",
    [
        "metadata", "status", "title.x", "metadata.", "metadata..a", ".metadata.a", 'metadata."a', 'metadata."a"b', "",
        'metadata.""', "metadata.a\\b", ("metadata",), ("metadata", 3), ("metadata", 'a"b'), ("metadata", ""), 5, None,
        ("metadata", *"a" * 64),
    ],
)  # fmt: skip
def test_a_path_that_names_no_key_is_refused(given_path: object) -> None:
    with pytest.raises(InvalidValueError) as caught:
        path("where", given_path)
    assert caught.value.field == "where"


@given(st.sampled_from(["metadata", "agent_context"]), st.lists(KEYS, min_size=1, max_size=4))
def test_the_text_of_a_path_is_read_as_the_same_path(column: str, keys: list[str]) -> None:
    named = path("where", (column, *keys))
    assert path("where", text_of(named)) == named


@pytest.mark.parametrize(
    "given_condition",
    [
        "metadata.a=3", ("metadata.a",), ("metadata.a", "~", 1), ("metadata.a", "="), ("metadata.a", "exists", 1),
        ("metadata.a", "<", None), ("metadata.a", ">=", True), ("metadata.a", "=", [1]), ("metadata.a", "=", {}),
        ("metadata.a", "=", float("nan")), ("metadata.a", "=", "\ud800"), ("metadata.a", "=", 10**5_000), ("a", "=", 1),
        ("metadata.a", "contains", 5), ("metadata.a", "contains", "..."), ("metadata.a", "contains"),
    ],
)  # fmt: skip
def test_a_condition_that_compares_nothing_is_refused(given_condition: object) -> None:
    with pytest.raises(InvalidValueError):
        condition("where", given_condition)


def test_values_of_different_types_are_never_equal_and_have_no_order() -> None:
    stored = {"number": 3, "text": "3", "yes": True, "one": 1, "nothing": None, "half": 3.5, "list": [3]}

    def found(operator: str, value: Any) -> set[str]:
        return {key for key in stored if holds(Condition(("metadata", key), operator, value), {"metadata": stored})}

    assert (found("=", 3), found("=", 3.0), found("=", "3")) == ({"number"}, {"number"}, {"text"})
    assert (found("=", True), found("=", 1), found("=", None)) == ({"yes"}, {"one"}, {"nothing"})
    assert (found(">", 2), found(">=", 3.5), found("<=", 1)) == ({"number", "half"}, {"half"}, {"one"})
    assert (found(">", "2"), found("<", "2")) == ({"text"}, set())
    assert found("!=", 3) == stored.keys() - {"number"}


def test_what_does_not_exist_is_missing_and_differs_from_every_value() -> None:
    row = {"metadata": '{"a":{"b":null}}', "agent_context": None}
    assert value_at(row, ("metadata", "a", "b")) is None
    for absent in (("metadata", "b"), ("metadata", "a", "b", "c"), ("agent_context", "a")):
        assert value_at(row, absent) is MISSING
        assert holds(Condition(absent, "missing", None), row)
        assert holds(Condition(absent, "!=", None), row)
        assert not holds(Condition(absent, "exists", None), row)
        assert not holds(Condition(absent, "=", None), row)
    assert holds(Condition(("metadata", "a", "b"), "exists", None), row)
    assert value_at({"metadata": "{broken"}, ("metadata", "a")) is MISSING


def test_the_type_of_a_value_is_that_of_json() -> None:
    assert [type_of(each) for each in (None, True, False, "", 0, 0.5)] == [
        "null", "true", "false", "text", "number", "number",
    ]  # fmt: skip
