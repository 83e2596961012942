"""Keys of objects."""

from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edda_sync.backup.target import check_key, check_prefix, is_key
from edda_sync.words.errors import InvalidValueError


@given(st.text(alphabet="a0.-_/A\n \\é", max_size=12))
def test_a_key_stays_below_the_folder_to_which_it_is_joined(text: str) -> None:
    if is_key(text):
        assert os.path.normpath(f"/root/{text}") == f"/root/{text}"
        assert check_key(text) == text
        assert check_prefix(f"{text}/") == f"{text}/"
    else:
        with pytest.raises(InvalidValueError):
            check_key(text)


@pytest.mark.parametrize("prefix", ["", "a", "/", "a//", "../", ".a/"])
def test_a_prefix_is_a_key_with_a_slash_behind_it(prefix: str) -> None:
    with pytest.raises(InvalidValueError):
        check_prefix(prefix)
