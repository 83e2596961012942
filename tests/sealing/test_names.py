"""Sealed names: always the same, found only with the key, and changed by nobody."""

from __future__ import annotations

from edda_sync.sealing.names import NAME_KEY_BYTES, NAME_TAG_BYTES, NameSealer

KEY = bytes(range(NAME_KEY_BYTES))
NAME = bytes(range(32))


def test_the_bytes_of_a_sealed_name_stay_as_they_are() -> None:
    golden = "adf9d6e20c50519fc212909e8617ecad15ba642de942e870b5d778f15a5f5bede2bd2886ba586ccadae406ca79245cd0"
    assert NameSealer(KEY).seal(NAME).hex() == golden
    assert len(golden) == 2 * (len(NAME) + NAME_TAG_BYTES)
    assert NameSealer(KEY).unseal(bytes.fromhex(golden)) == NAME


def test_an_equal_name_is_sealed_to_equal_bytes_and_another_one_or_key_to_others() -> None:
    sealed = {NameSealer(key).seal(name) for key in (KEY, KEY[::-1]) for name in (NAME, NAME[::-1]) for _ in range(2)}
    assert len(sealed) == 4
    assert all(name not in each for each in sealed for name in (NAME, NAME[::-1]))


def test_what_was_not_sealed_under_this_key_is_no_name() -> None:
    sealed = NameSealer(KEY).seal(NAME)
    assert NameSealer(KEY[::-1]).unseal(sealed) is None
    for bit in range(8 * len(sealed)):
        flipped = bytearray(sealed)
        flipped[bit // 8] ^= 1 << bit % 8
        assert NameSealer(KEY).unseal(bytes(flipped)) is None
    for size in (0, 1, NAME_TAG_BYTES, len(sealed) - 1):
        assert NameSealer(KEY).unseal(sealed[:size]) is None
