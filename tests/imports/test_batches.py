"""Batches: every item comes once and in order, and no batch is too large or empty."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

import edda_sync as edda
from edda_sync.imports.batches import batches, text_length
from edda_sync.words import limits


@given(st.lists(st.integers(0, 50), max_size=60))
def test_items_come_once_and_in_order_in_batches_that_are_small_enough(lengths: list[int]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(limits, "BULK_ITEMS_MAX", 7)
        patch.setattr(limits, "BULK_CODE_POINTS_MAX", 40)
        found = list(batches(lengths, lambda length: length))
    assert [each for batch in found for each in batch] == lengths
    for batch in found:
        assert 1 <= len(batch) <= 7
        assert sum(batch) <= 40 or len(batch) == 1
    for one, next_one in pairwise(found):
        assert len(one) == 7 or sum(one) + next_one[0] > 40, "no batch is smaller than necessary"


def test_the_length_of_an_item_is_that_of_its_text() -> None:
    assert text_length(edda.Task(title="T", description="words")) == 5
    assert text_length(edda.Document(title="D", content="# D")) == 3
    assert text_length(edda.Task(title="T")) == 0
