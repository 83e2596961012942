"""The oracle of unique indexes: what items claim, by definitions in plain Python, and what the product says of the same."""

from __future__ import annotations

from typing import Any

import pytest

from edda_sync.crdt import uniques
from edda_sync.simulations.oracle_uniques import (
    DEFINITIONS,
    GROUP,
    OF_RECORD,
    Clashing,
    Definition,
    clashes,
    in_effect,
    withheld,
)
from edda_sync.words import limits

SIZES = Definition("task", ("metadata.size",))
PAIRS = Definition("task", ("metadata.who", "metadata.size"))
A, B, C = (bytes([number]) * 16 for number in (1, 2, 3))


def item(name: bytes, kind: str = "task", **cells: Any) -> tuple[str, bytes, Any]:
    return kind, name, {f"metadata.{key}": value for key, value in cells.items()}.get


@pytest.mark.parametrize("definition", DEFINITIONS)
def test_each_definition_is_one_that_people_can_make(definition: Definition) -> None:
    index = uniques.unique("name", definition.record)
    assert (index.on, index.withheld) == (definition.on, definition.withheld)
    assert OF_RECORD[definition.record] is definition


def test_values_are_the_same_if_type_and_value_are() -> None:
    same = [item(A, size="1"), item(B, size="1.0")]
    other = [item(each, size=value) for each, value in zip((A, B, C), ('"1"', "true", "1"), strict=True)]
    nothing = [item(A), item(B), item(A, size="null"), item(B, size="null")]
    assert clashes({"a": SIZES}, same) == [Clashing("a", "task", (A, B))]
    assert clashes({"a": SIZES}, [*other, *nothing]) == []


def test_the_least_id_shows_the_value_and_the_others_do_not_show_their_last_key() -> None:
    items = [item(each, size="1", who='"ana"') for each in (C, A, B)]
    found = clashes({"a": PAIRS}, [*items, item(A, "document", size="1", who='"ana"')])
    assert found == [Clashing("a", "task", (A, B, C))]
    assert withheld({"a": PAIRS}, found) == {("task", B, "metadata.size"), ("task", C, "metadata.size")}


@pytest.mark.parametrize(
    "definition", [each for each in DEFINITIONS if each.where is not None], ids=lambda each: each.where
)
def test_a_clause_means_the_same_in_python(definition: Definition) -> None:
    index = uniques.unique("name", definition.record)
    for status in (None, "open", ["done", 1]):
        for priority in (None, 0, 4):
            for size in (None, "2"):
                cells = {"status": status, "priority": priority, "metadata.size": size, "metadata.who": '"ana"'}
                assert (definition.claim(cells.get) is None) == (uniques.claim(index, cells.get) is None), cells


def test_the_first_by_name_count_and_what_is_dropped_does_not() -> None:
    written: dict[str, bytes | None] = {f"{GROUP}{number:03}": SIZES.record for number in range(limits.UNIQUE_MAX + 2)}
    written[f"{GROUP}000"] = None
    assert list(in_effect({**written, "epoch": b"1"})) == [name[len(GROUP) :] for name in written][1:-1]
    with pytest.raises(KeyError):
        in_effect({f"{GROUP}a": b"no index"})
