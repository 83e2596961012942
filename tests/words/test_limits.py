from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest

import edda_sync
from edda_sync.words import limits

SOURCE = inspect.getsource(limits)
NAMES = [name for name in vars(limits) if name.isupper()]


@pytest.fixture(scope="module")
def product() -> set[str]:
    """All words of the product's source except those of the limits themselves."""
    files = (path for path in Path(edda_sync.__path__[0]).rglob("*.py") if path.name != "limits.py")
    return {word for path in files for word in re.findall(r"\w+", path.read_text(encoding="utf-8"))}


@pytest.mark.parametrize("name", NAMES)
def test_a_limit_is_a_positive_number(name: str) -> None:
    value = getattr(limits, name)
    assert type(value) in (int, float)
    assert value > 0


@pytest.mark.parametrize("name", NAMES)
def test_a_limit_gives_its_reason(name: str) -> None:
    assert re.search(rf"^{name} = .*  # \w|^# \w.*\n{name} = ", SOURCE, re.MULTILINE)


@pytest.mark.parametrize("name", NAMES)
def test_a_limit_is_used_somewhere(product: set[str], name: str) -> None:
    assert name in product


def test_the_least_of_a_pair_is_less_than_the_most() -> None:
    pairs = [(name, name[:-4] + "_MAX") for name in NAMES if name.endswith("_MIN") and name[:-4] + "_MAX" in NAMES]
    assert pairs
    assert all(getattr(limits, least) < getattr(limits, most) for least, most in pairs)


def test_a_container_is_larger_than_its_content() -> None:
    assert limits.TEXT_BYTES_MAX < limits.TEXT_UPDATE_BYTES_MAX <= limits.OPERATION_BYTES_MAX <= limits.CHANGE_BYTES_MAX
    assert limits.PART_BYTES_MAX + limits.HEADER_BYTES_MAX < limits.FRAME_BYTES_MAX
    assert limits.BATCH_BYTES_MAX < limits.FRAME_BYTES_MAX < limits.WINDOW_BYTES_MAX


def test_a_header_has_room_for_the_largest_change_with_the_most_dependencies_and_a_reason() -> None:
    hash_bytes, dependency_bytes, utf8_bytes = 32, 1 + 18 + 9 + 18, 4  # as msgpack writes them, at most
    parts = limits.CHANGE_BYTES_MAX // limits.PART_BYTES_MAX
    said = (limits.NAME_CODE_POINTS_MAX + limits.REASON_CODE_POINTS_MAX) * utf8_bytes
    assert parts * hash_bytes + limits.DEPS_MAX * dependency_bytes + said + 500 < limits.HEADER_BYTES_MAX


def test_the_largest_operation_fits_into_the_budget_of_a_change_for_one_entity() -> None:
    assert limits.EPOCH_BYTES_MAX < limits.ENTITY_CHANGE_BYTES_MAX < limits.OPERATION_BYTES_MAX
    assert limits.CERTIFICATE_BYTES_MAX + 8 * limits.SEALING_KEY_BYTES_MAX < limits.ENTITY_CHANGE_BYTES_MAX
    assert limits.JSON_BYTES_MAX < limits.ENTITY_CHANGE_BYTES_MAX


def test_the_units_that_one_life_writes_into_a_text_are_counted_in_32_bits() -> None:
    assert limits.TEXT_BYTES_MAX < limits.TEXT_CLOCK_MAX < 1 << 31
