from __future__ import annotations

import secrets

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edda_sync.transport.pairing.code import Code, make_code, parse_code
from edda_sync.words.errors import (
    InvalidValueError,
)
from tests.transport.pairing.inviting import CODE


def test_a_code_has_two_digits_and_two_groups_of_four() -> None:
    code = make_code(secrets.token_bytes)
    assert [len(part) for part in code.split("-")] == [2, 4, 4]
    assert code.replace("-", "").isdecimal()


@given(st.binary(min_size=16, max_size=16))
def test_every_code_is_read_back(drawn: bytes) -> None:
    code = make_code(lambda count: drawn[:count])
    assert str(parse_code(code)) == code
    assert code.replace("-", "") == f"{int.from_bytes(drawn, 'big') % 10**10:010d}"


@pytest.mark.parametrize(
    "typed",
    [
        "12-3456-7890",
        "1234567890",
        " 12 3456 7890\n",
        "12–3456—7890",  # a telephone's keyboard makes this from two dashes
        "12\u00a03456\u20117890",  # copied from a web page
        "١٢-٣٤٥٦-٧٨٩٠",
        "１２-３４５６-７８９０",
    ],
)
def test_a_code_is_read_as_people_type_it(typed: str) -> None:
    assert parse_code(typed) == Code("12", "34567890")


@pytest.mark.parametrize(
    "typed", ["", "12-3456-789", "12-3456-78901", "12-3456-789x", "12.3456.7890", "½2-3456-7890", "🙂"]
)
def test_an_invalid_code_is_refused_with_the_form_of_a_code(typed: str) -> None:
    with pytest.raises(InvalidValueError, match="ten digits, like 12-3456-7890"):
        parse_code(typed)


def test_a_code_in_a_log_shows_only_its_nameplate() -> None:
    assert repr(parse_code(CODE)) == "Code(nameplate='12')"
