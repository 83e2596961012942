from __future__ import annotations

import inspect
import re
from typing import Any

import pytest

from edda_sync.words import errors
from edda_sync.words.errors import EddaError
from tests.words.errors.made import MADE

BASES = {errors.EddaError, errors.LocalError, errors.StorageError, errors.RemoteError}


def classes() -> list[type[EddaError]]:
    found = [each for _, each in inspect.getmembers(errors, inspect.isclass) if issubclass(each, EddaError)]
    return [each for each in found if each.__module__.startswith(errors.__name__)]


def drawn() -> dict[str, tuple[str | None, set[str]]]:
    """The tree in the module's docstring: each class with its parent and, from the end of its line, its fields."""
    tree: dict[str, tuple[str | None, set[str]]] = {}
    path: list[str] = []
    for line in (errors.__doc__ or "").splitlines():
        if found := re.match(r"^    ([│ ]*)(?:[├└]── )?(\w*Error)\b(.*)$", line):
            indent, name, rest = found.groups()
            depth = len(indent) // 4 + ("──" in line)
            path[depth:] = [name]
            listed = re.search(r"\((\w+(?:, \w+)*)\)$", rest)
            fields = set(listed.group(1).split(", ")) if listed else set()
            tree[name] = (path[depth - 1] if depth else None, fields)
    return tree


def test_every_error_is_in_the_test_below() -> None:
    assert {type(error) for error in MADE} == set(classes()) - BASES


@pytest.mark.parametrize("error", MADE, ids=lambda error: type(error).__name__)
def test_an_error_is_one_sentence_for_a_person(error: EddaError) -> None:
    text = str(error)
    assert text.isprintable()  # so no line break either
    assert len(text) < 300
    assert len(re.findall(r"[.?](?= |$)", text)) == (
        2 if isinstance(error, errors.PairingError | errors.BugError) else 1
    )
    assert text[-1] in ".?"


def test_the_tree_in_the_docstring_is_the_tree_of_the_classes() -> None:
    tree = drawn()
    assert set(tree) == {each.__name__ for each in classes()}
    for each in classes():
        parent, _ = tree[each.__name__]
        assert parent == (None if each is EddaError else each.__mro__[1].__name__)


@pytest.mark.parametrize("error", MADE, ids=lambda error: type(error).__name__)
def test_an_error_carries_the_fields_that_the_tree_lists(error: EddaError) -> None:
    _, fields = drawn()[type(error).__name__]
    assert all(hasattr(error, field) for field in fields)


def test_the_exit_code_shows_whose_fault_an_error_is() -> None:
    codes = {type(error).__name__: error.exit_code for error in MADE}
    assert codes["InvalidValueError"] == codes["LimitError"] == codes["UsageError"] == 2
    assert codes["NotFoundError"] == codes["InTrashError"] == 3
    assert codes["ConflictError"] == 1
    assert {error.exit_code for error in MADE if not isinstance(error, errors.LocalError)} == {1}


@pytest.mark.parametrize("error", MADE, ids=lambda error: type(error).__name__)
def test_an_error_can_be_raised_and_caught_as_one_of_ours(error: Any) -> None:
    with pytest.raises(EddaError) as caught:
        raise error
    assert caught.value is error
