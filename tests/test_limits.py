from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest

import edda_sync
from edda_sync import limits

SOURCE = inspect.getsource(limits)
NAMES = [name for name in vars(limits) if name.isupper()]


@pytest.mark.parametrize("name", NAMES)
def test_a_limit_is_a_positive_number(name: str) -> None:
    value = getattr(limits, name)
    assert type(value) in (int, float)
    assert value > 0


@pytest.mark.parametrize("name", NAMES)
def test_a_limit_says_why_it_is_what_it_is(name: str) -> None:
    assert re.search(rf"^{name} = (\(\n)?.*  # \w.*$", SOURCE, re.MULTILINE)


@pytest.mark.parametrize("name", NAMES)
def test_a_limit_is_kept_somewhere(name: str) -> None:
    folder = Path(edda_sync.__path__[0])
    assert any(re.search(rf"\b{name}\b", path.read_text()) for path in folder.rglob("*.py") if path.name != "limits.py")


def test_the_least_of_a_pair_is_less_than_the_most() -> None:
    pairs = [(name, name[:-4] + "_MAX") for name in NAMES if name.endswith("_MIN") and name[:-4] + "_MAX" in NAMES]
    assert pairs
    assert all(getattr(limits, least) < getattr(limits, most) for least, most in pairs)


def test_what_holds_something_is_larger_than_what_it_holds() -> None:
    assert limits.TEXT_BYTES_MAX < limits.TEXT_UPDATE_BYTES_MAX <= limits.OPERATION_BYTES_MAX <= limits.CHANGE_BYTES_MAX
    assert limits.PART_BYTES_MAX + limits.HEADER_BYTES_MAX < limits.FRAME_BYTES_MAX
    assert limits.BATCH_BYTES_MAX < limits.FRAME_BYTES_MAX < limits.WINDOW_BYTES_MAX


def test_a_header_has_room_for_the_hashes_of_the_largest_change_and_two_thousand_dependencies() -> None:
    hash_bytes, dependency_bytes = 34, 16  # as msgpack writes them, at most
    parts = limits.CHANGE_BYTES_MAX // limits.PART_BYTES_MAX
    assert parts * hash_bytes + 2_000 * dependency_bytes < limits.HEADER_BYTES_MAX


def test_ids_leave_room_for_the_bit_that_tells_a_genesis_from_an_actor() -> None:
    assert 2 << limits.ACTOR_BITS == 1 << 53  # the largest integers that Yjs takes for safe
    assert limits.TEXT_CLOCK_MAX < 1 << 32
