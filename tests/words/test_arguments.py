from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from edda_sync.words import arguments
from edda_sync.words.errors import InvalidValueError


def said(function: Any, *given: object) -> str:
    with pytest.raises(InvalidValueError) as caught:
        function("field", *given)
    return str(caught.value)


def test_what_has_the_type_is_returned_as_it_is() -> None:
    several: list[object] = []
    assert arguments.of_type("field", several, list, "a list") is several
    assert arguments.function("field", len) is len
    assert arguments.flag("field", False) is False
    assert arguments.whole_number("field", 7, 7) == 7
    assert arguments.several("field", None) == ()
    assert arguments.several("field", "home") == ("home",)
    assert arguments.several("field", {"home"}) == ("home",)
    assert arguments.parts("field", [1, 2], 2, "a pair") == (1, 2)
    assert arguments.path("field", "notes") == arguments.path("field", Path("notes")) == Path("notes")
    assert arguments.kind_of_item("document") == "document"


def test_an_error_names_the_argument_what_it_must_be_and_what_it_is() -> None:
    assert said(arguments.of_type, None, int, "a number") == "field: must be a number, not None."
    assert said(arguments.of_type, int, int, "a number") == "field: must be a number, not the class int."
    assert said(arguments.function, 3) == "field: must be a function, not int."
    assert said(arguments.flag, "no") == "field: must be True or False, not str."
    assert said(arguments.parts, (1, 2, 3), 2, "a pair") == "field: must be a pair, not tuple."
    assert said(arguments.path, 3) == "field: must be a path (text, or a pathlib.Path), not int."
    assert said(arguments.path, "") == "field: is empty; name a file or folder."
    assert "NUL" in said(arguments.path, "a\0b")


@pytest.mark.parametrize("wrong", [-1, 8, True, 1.0, "1", None])
def test_a_whole_number_is_in_its_range_and_nothing_that_is_only_like_one(wrong: object) -> None:
    assert "from 0 to 7" in said(arguments.whole_number, wrong, 7)


@pytest.mark.parametrize("wrong", [b"home", {"home": 1}, 1.5, object()])
def test_what_is_neither_one_value_nor_a_list_is_not_taken_apart(wrong: object) -> None:
    assert "one value, or a list of values" in said(arguments.several, wrong)


def test_there_are_two_kinds_of_items() -> None:
    with pytest.raises(InvalidValueError, match="task or document"):
        arguments.kind_of_item(["task"])
