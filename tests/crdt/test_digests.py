from __future__ import annotations

import random
from hashlib import blake2b

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edda_sync.crdt import digests
from edda_sync.crdt.digests import HASH_BYTES, KEY_BYTES, Item

keys = st.binary(min_size=KEY_BYTES, max_size=KEY_BYTES)
hashes = st.binary(min_size=HASH_BYTES, max_size=HASH_BYTES)
lists = st.dictionaries(keys, hashes, max_size=8).map(lambda items: sorted(items.items()))

TASK: Item = bytes((0,)) + b"t" * 16, b"1" * 32
DOCUMENT: Item = bytes((1,)) + b"d" * 16, b"2" * 32


# --- the root ---------------------------------------------------------------------------------------------------------


def test_the_root_has_its_published_bytes() -> None:
    assert digests.root([]).hex() == "cf78e12613da1706a4de7ebb797876b1688ab4afc1c148634a5258fd7ebd4f16"
    assert digests.root([TASK, DOCUMENT]).hex() == "2030e87c32c4c5d1ada93245f63e5a20d2a923ad30fbd8bd88789e137af2287d"


@given(lists)
def test_the_root_is_one_blake2b_over_the_whole_list(items: list[Item]) -> None:
    whole = b"".join(key + entity_hash for key, entity_hash in items)
    assert digests.root(iter(items)) == blake2b(whole, digest_size=32, person=b"edda-root").digest()


@given(lists, lists)
def test_two_lists_have_one_root_only_if_they_are_equal(items: list[Item], others: list[Item]) -> None:
    assert (digests.root(items) == digests.root(others)) == (items == others)


def test_lists_with_one_sum_have_two_roots() -> None:
    """Whoever can choose hashes can find some with any sum, so only the root is trusted."""
    keys = [bytes([1]) + bytes([number]) * 16 for number in range(2)]
    true = [number.to_bytes(16, "big") + b"r" * 16 for number in (1_000, 2_000)]
    forged = [number.to_bytes(16, "big") + b"r" * 16 for number in (1, 2_999)]
    sums = [digests.add(digests.add(0, one), other) for one, other in (true, forged)]
    assert sums[0] == sums[1]
    assert digests.root(zip(keys, true, strict=True)) != digests.root(zip(keys, forged, strict=True))


def test_keys_that_do_not_ascend_have_no_root() -> None:
    with pytest.raises(ValueError, match="the key 00"):
        digests.root([DOCUMENT, TASK])


def test_a_key_that_comes_twice_has_no_root() -> None:
    with pytest.raises(ValueError, match="after"):
        digests.root([TASK, (TASK[0], DOCUMENT[1])])


@pytest.mark.parametrize(("key_bytes", "hash_bytes"), [(16, 32), (18, 32), (17, 31), (17, 33), (18, 31), (0, 32)])
def test_an_item_of_another_shape_has_no_root(key_bytes: int, hash_bytes: int) -> None:
    with pytest.raises(ValueError, match="an item of"):
        digests.root([(b"k" * key_bytes, b"h" * hash_bytes)])


# --- the sum ----------------------------------------------------------------------------------------------------------


def summed(entity_hashes: list[bytes]) -> int:
    total = 0
    for entity_hash in entity_hashes:
        total = digests.add(total, entity_hash)
    return total


def test_the_sum_is_of_the_first_sixteen_bytes_modulo_two_to_the_128() -> None:
    assert digests.add(0, bytes(15) + b"\x05" + b"\xff" * 16) == 5
    assert digests.add(2**128 - 1, bytes(15) + b"\x05" + bytes(16)) == 4
    assert digests.sub(4, bytes(15) + b"\x05" + bytes(16)) == 2**128 - 1


@given(st.lists(hashes), st.randoms(use_true_random=False))
def test_the_sum_does_not_depend_on_the_order(entity_hashes: list[bytes], chance: random.Random) -> None:
    turned = list(entity_hashes)
    chance.shuffle(turned)
    assert summed(turned) == summed(entity_hashes) < 2**128


@given(st.integers(0, 2**128 - 1), hashes)
def test_an_added_hash_can_be_taken_away(total: int, entity_hash: bytes) -> None:
    assert digests.sub(digests.add(total, entity_hash), entity_hash) == total
    assert digests.add(digests.sub(total, entity_hash), entity_hash) == total


@pytest.mark.parametrize("size", [0, 16, 31, 33])
def test_a_hash_of_another_size_is_neither_added_nor_taken_away(size: int) -> None:
    with pytest.raises(ValueError, match=f"{size} bytes"):
        digests.add(0, bytes(size))
    with pytest.raises(ValueError, match=f"{size} bytes"):
        digests.sub(0, bytes(size))
