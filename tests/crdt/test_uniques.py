"""The record of a unique index, and what an entity claims."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edda_sync.crdt.uniques import check_cell, claim, decode, encode, in_effect, unique
from edda_sync.words import limits, paths, values
from edda_sync.words.errors import InvalidValueError
from edda_sync.words.indexes import IndexConfig
from edda_sync.words.paths import Condition

SAMPLE = IndexConfig(
    name="tickets",
    columns=("status", "metadata.ticket"),
    unique=True,
    where_clause="priority <= 2 AND metadata.team = 'a'",
)
TICKETS = unique("tickets", encode(IndexConfig(name="tickets", columns=("metadata.ticket",), unique=True)))
JSON = st.recursive(
    st.booleans()
    | st.integers(-3, 3)
    | st.sampled_from([0.5, 1.0, -0.0, 2.0**64])
    | st.sampled_from(["", "1", "a", "[1]"]),
    lambda inner: st.lists(inner, max_size=2),
    max_leaves=3,
)


def test_the_bytes_of_a_record_stay_as_they_are() -> None:
    golden = (
        "94a47461736b92a6737461747573af6d657461646174612e7469636b6574d9257072696f72697479203c3d203220414e44206d657461646174"
        "612e7465616d203d2027612790"
    )
    assert encode(SAMPLE).hex() == golden
    assert decode("tickets", bytes.fromhex(golden)) == SAMPLE


def test_the_bytes_of_a_claim_stay_as_they_are() -> None:
    claimed = [claim(TICKETS, {"metadata.ticket": each}.get) for each in ('"A-1"', "7", "[7]")]
    assert [each and each.hex() for each in claimed] == GOLDEN


GOLDEN = [
    "8ceed74111695387d330fc6d299fbab0",
    "5eaa16f5968335cfc013c601baaa3905",
    "6f415f9b5a383d52527135c7cadcd4a6",
]


@pytest.mark.parametrize(
    "value",
    [
        "text", b"", b"\x93", encode(SAMPLE) + b"\0", msgspec.msgpack.encode(["tag", ["metadata.a"], None, []]),
        msgspec.msgpack.encode(["task", ["title"], None, []]), msgspec.msgpack.encode(["task", [], None, []]),
        msgspec.msgpack.encode(["task", ["metadata.a"], "status='open'", []]),
        msgspec.msgpack.encode(["task", ['metadata."a"'], None, []]),
        msgspec.msgpack.encode(["task", ["metadata.a"], None, [[1, b"x"]]]),
        bytes(limits.UNIQUE_BYTES_MAX + 1),
    ],
)  # fmt: skip
def test_what_is_no_record_in_its_usual_form_is_refused(value: Any) -> None:
    with pytest.raises(InvalidValueError):
        check_cell("tickets", value)


def test_a_cell_has_the_name_of_an_index() -> None:
    check_cell("tickets", None)
    for name in ("", "Tickets", "a b", "x" * 61):
        with pytest.raises(InvalidValueError):
            check_cell(name, None)


@given(JSON, JSON)
def test_two_values_claim_the_same_if_and_only_if_a_condition_finds_them_equal(one: Any, other: Any) -> None:
    first, second = (claim(TICKETS, {"metadata.ticket": values.json_value("x", each)}.get) for each in (one, other))
    if isinstance(one, list) or isinstance(other, list):
        same = values.json_value("x", one) == values.json_value("x", other) and type(one) is type(other)
    else:
        same = paths.holds(Condition(("metadata", "a"), "=", one), {"metadata": {"a": other}})
    assert (first == second) == same


def test_nothing_is_claimed_where_a_value_is_missing_or_the_index_is_not_about_it() -> None:
    index = unique("tickets", encode(SAMPLE))
    whole = {
        "metadata.ticket": "1",
        "metadata.team": '"a"',
        "priority": 1,
        "status": ["done", "2026-01-01T00:00:00.000Z"],
    }
    assert claim(index, whole.get) is not None
    assert claim(index, (whole | {"status": "done"}).get) == claim(index, whole.get), "a status may carry its time"
    assert claim(index, (whole | {"status": "open"}).get) != claim(index, whole.get)
    for other in ({"metadata.ticket": None}, {"metadata.ticket": "null"}, {"metadata.team": '"b"'}, {"priority": 3}):
        assert claim(index, (whole | other).get) is None
    assert claim(index, {"metadata.ticket": "1", "metadata.team": '"a"'}.get) == claim(
        index, {"metadata.ticket": "1", "metadata.team": '"a"', "priority": 2, "status": "open"}.get
    ), "a cell that nobody wrote has its default"


def test_the_first_by_name_are_in_effect() -> None:
    written = {f"i{number:03}": b"x" for number in range(limits.UNIQUE_MAX + 5)} | {"a": None}
    assert list(in_effect(written)) == sorted(written)[1 : limits.UNIQUE_MAX + 1]
