from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edda_sync.crdt import ext as exts
from edda_sync.crdt.ext import Ext

entries = st.dictionaries(st.integers(1, 20), st.binary(max_size=5), max_size=6)
decode = msgspec.msgpack.Decoder(Ext).decode


@given(entries, st.sets(st.integers(1, 20)))
def test_entries_are_listed_in_order_and_found_again_and_empty_ones_are_left_out(
    held: dict[int, bytes], absent: set[int]
) -> None:
    ext = exts.of({**dict.fromkeys(absent), **held})
    assert exts.is_canonical(ext)
    assert dict(ext) == held
    assert all(exts.get(ext, number) == held.get(number) for number in range(1, 21))
    assert decode(msgspec.msgpack.encode(ext)) == ext


@given(entries)
def test_only_one_order_is_canonical_and_no_number_stands_twice(held: dict[int, bytes]) -> None:
    ext = exts.of(held)
    if len(ext) > 1:
        assert not exts.is_canonical(ext[::-1])
    if ext:
        assert not exts.is_canonical((*ext, ext[-1]))


@given(entries, st.sets(st.integers(1, 20)))
def test_unknown_numbers_are_understood_if_all_of_them_are_even(held: dict[int, bytes], known: set[int]) -> None:
    assert exts.is_understood(exts.of(held), known) == (not [n for n in held if n not in known and n % 2])


def test_there_are_no_entries_in_nothing() -> None:
    assert exts.NONE == exts.of({}) == exts.of({1: None})
    assert exts.get(exts.NONE, 1) is None
    assert exts.is_canonical(exts.NONE)
    assert exts.is_understood(exts.NONE, ())


@pytest.mark.parametrize(
    "encoded", [[[0, b""]], [[-1, b""]], [[1 << 32, b""]], [[1.0, b""]], [[True, b""]], [[1, "text"]], [[1]], [[1, b"", 2]]]
)  # fmt: skip
def test_an_entry_that_is_not_a_number_with_bytes_is_refused(encoded: object) -> None:
    with pytest.raises(msgspec.ValidationError):
        decode(msgspec.msgpack.encode(encoded))


def test_the_greatest_number_has_32_bits() -> None:
    assert decode(msgspec.msgpack.encode([[(1 << 32) - 1, b"x"]])) == (((1 << 32) - 1, b"x"),)
