from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edda_sync.crdt import pages
from edda_sync.crdt.digests import Item
from edda_sync.crdt.pages import BEFORE_ALL, LAST_KEY, Page
from edda_sync.crdt.sketch import Decoded
from edda_sync.words import limits
from edda_sync.words.errors import RemoteProtocolError


def key(number: int) -> bytes:
    return bytes((number % 3,)) + number.to_bytes(16, "big")


def item(number: int, state: int = 0) -> Item:
    return key(number), bytes((state,)) * 32


def record(number: int, state: int = 0) -> bytes:
    return b"".join(item(number, state))


TOO_MANY = b"".join(number.to_bytes(17, "big") + bytes(32) for number in range(1, limits.LISTED_ITEMS_MAX + 2))

stores = st.dictionaries(st.integers(0, 30), st.integers(0, 1), max_size=20).map(
    lambda states: sorted(item(number, state) for number, state in states.items())
)


def within(page: Page, items: list[Item]) -> list[Item]:
    return [each for each in items if page.covers(each[0])]


@given(stores, stores, st.integers(1, 5))
def test_all_pages_together_show_all_differences_of_two_devices(
    ours: list[Item], theirs: list[Item], size: int
) -> None:
    compared = [pages.compare(within(page, ours), page) for page in pages.pages(theirs, size)]
    assert all(each.complete for each in compared)
    assert [each for page in compared for each in page.ours_only] == sorted(set(ours) - set(theirs))
    assert [each for page in compared for each in page.theirs_only] == sorted(set(theirs) - set(ours))


@given(stores, st.integers(1, 5))
def test_pages_cover_all_keys_without_a_gap_and_none_holds_too_much(items: list[Item], size: int) -> None:
    made = list(pages.pages(iter(items), size))
    assert [page.after for page in made] == [BEFORE_ALL, *(page.upto for page in made[:-1])]
    assert made[-1].upto == LAST_KEY
    assert [len(page.records) // 49 for page in made[:-1]] == [size] * (len(made) - 1)
    assert b"".join(page.records for page in made) == b"".join(each + state for each, state in items)


def test_a_page_has_its_published_bytes() -> None:
    first, last = pages.pages([item(0, 1), item(3, 2), item(1, 3)], 2)
    assert first == Page(b"", key(3), bytes(17) + b"\x01" * 32 + bytes(16) + b"\x03" + b"\x02" * 32)
    assert last == Page(key(3), b"\xff" * 17, b"\x01" + bytes(15) + b"\x01" + b"\x03" * 32)


def test_an_empty_device_sends_one_page_that_says_so() -> None:
    (page,) = pages.pages([])
    assert page == Page(BEFORE_ALL, LAST_KEY, b"")
    assert pages.compare([item(1)], page) == Decoded([item(1)], [], complete=True)


def test_an_entity_in_two_states_is_a_difference_on_both_sides() -> None:
    (page,) = pages.pages([item(1, 5)])
    assert pages.compare([item(1, 4)], page) == Decoded([item(1, 4)], [item(1, 5)], complete=True)


def test_the_largest_page_fits_a_frame() -> None:
    (page,) = pages.pages([(number.to_bytes(17, "big"), bytes(32)) for number in range(limits.LISTED_ITEMS_MAX)])
    assert len(page.records) < limits.FRAME_BYTES_MAX // 2
    assert len(pages.compare([], page).theirs_only) == limits.LISTED_ITEMS_MAX


def test_a_scan_that_is_not_in_order_is_not_cut_into_pages() -> None:
    with pytest.raises(ValueError, match="after"):
        list(pages.pages([item(1), item(0)]))


@pytest.mark.parametrize(
    "page",
    [
        Page(BEFORE_ALL, LAST_KEY, record(3)[:-1]),
        Page(BEFORE_ALL, LAST_KEY, record(3) + b"x"),
        Page(BEFORE_ALL, LAST_KEY, record(3) + record(0)),
        Page(BEFORE_ALL, LAST_KEY, record(3) + record(3, 1)),
        Page(BEFORE_ALL, LAST_KEY, TOO_MANY),
        Page(key(3), LAST_KEY, record(0)),
        Page(key(3), LAST_KEY, record(3)),
        Page(BEFORE_ALL, key(0), record(3)),
        Page(BEFORE_ALL, key(6), record(3)),
        Page(BEFORE_ALL, key(6), b""),
        Page(key(3)[:-1], LAST_KEY, record(6)),
        Page(BEFORE_ALL, LAST_KEY + b"\xff", record(6)),
        Page(BEFORE_ALL, b"", b""),
    ],
    ids=[
        "cut short", "bytes left over", "out of order", "a key twice", "too long", "below its range",
        "at the lower bound", "above its range", "short of its bound", "empty and not the last", "a short lower bound",
        "a long upper bound", "no upper bound",
    ],
)  # fmt: skip
def test_a_page_that_no_device_makes_is_refused(page: Page) -> None:
    with pytest.raises(RemoteProtocolError):
        pages.compare([], page)


@given(st.binary(max_size=20), st.binary(max_size=20), st.binary(max_size=150))
def test_any_bytes_are_a_page_or_refused(after: bytes, upto: bytes, records: bytes) -> None:
    try:
        decoded = pages.compare([], Page(after, upto, records))
    except RemoteProtocolError:
        return
    assert b"".join(each + state for each, state in decoded.theirs_only) == records


@pytest.mark.parametrize("number", [0, 3, 9])
def test_an_item_outside_the_range_is_the_callers_fault(number: int) -> None:
    page = Page(key(3), key(6), record(6))
    assert pages.compare([item(6)], page) == Decoded([], [], complete=True)
    with pytest.raises(ValueError, match="outside the page"):
        pages.compare([item(number)], page)
