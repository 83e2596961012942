"""How a chunk lies on disk: under which name, and as which bytes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from edda_sync.files.chunks import name_of
from edda_sync.files.coding import CONTENT, Coding, Plain, Sealed, is_name, is_sealed
from edda_sync.files.packing import pack
from edda_sync.sealing import datakeys
from edda_sync.sealing.datakeys import DataKey, DataKeys
from edda_sync.sealing.seal import Sealer
from edda_sync.words.config import EncryptionAlgorithm
from tests.encrypted import sealed_in

CHUNK = b"abc"
NAME = name_of(CHUNK)
KEY = DataKey(bytes(range(8)), "2026-11-30T06:00:00.000Z", bytes(16), bytes(range(32)))
GOLDEN_NAME = "688a7986b40b858abf351b7e19da42e8173b76e0235303f08fe24aafd8e9de25351db9dbf9f15a16e13e8d725e876287"
GOLDEN = {
    EncryptionAlgorithm.AES_256_GCM: (
        "0201010001020304050607070707070707070707070707202c2310ae88601c6cd36b19b53ea289db8da6eb"
    ),
    EncryptionAlgorithm.CHACHA20_POLY1305: (
        "02010200010203040506070707070707070707070707074edcced801957d06a6e1c045bc1482df46721c32"
    ),
    EncryptionAlgorithm.XCHACHA20_POLY1305: (
        "0201030001020304050607070707070707070707070707070707070707070707070707218d243f82e450c3f588b02fa6b7cb3c52333971"
    ),
}
"""The packed chunk ``abc`` sealed under that key, with a nonce of 7s."""


class Kept:
    """Keys that nobody replaces."""

    data = DataKeys(Path("edda.db"), None, [KEY])  # type: ignore[arg-type]

    def look(self) -> bool:
        return False


@pytest.fixture(autouse=True)
def new_process() -> Iterator[None]:
    yield
    datakeys.forget_unlocked()


def golden(algorithm: EncryptionAlgorithm) -> Sealed:
    return Sealed(Kept(), algorithm)  # type: ignore[arg-type]


@pytest.mark.parametrize("algorithm", EncryptionAlgorithm)
def test_the_name_and_the_bytes_of_a_sealed_chunk_stay_as_they_are(algorithm: EncryptionAlgorithm) -> None:
    coding = golden(algorithm)
    assert next(coding.digits(NAME)) == GOLDEN_NAME
    content = bytes.fromhex(GOLDEN[algorithm])
    assert coding.decode(NAME, content) == pack(CHUNK)
    sealer = Kept.data.sealer(CONTENT, algorithm)
    again = Sealer(algorithm, sealer._keys, KEY.id, lambda size: b"\7" * size)
    assert b"\2" + again.seal(pack(CHUNK), NAME) == content


def test_a_plain_chunk_lies_packed_under_its_hash() -> None:
    assert list(Plain().digits(NAME)) == [NAME.hex()]
    assert Plain().name(NAME.hex()) == NAME
    assert Plain().decode(NAME, Plain().encode(NAME, pack(CHUNK))) == b"\0abc"


@pytest.mark.parametrize("algorithm", EncryptionAlgorithm)
def test_a_sealed_chunk_tells_nothing_and_its_name_comes_back_from_its_file(
    tmp_path: Path, algorithm: EncryptionAlgorithm
) -> None:
    coding = sealed_in(tmp_path, algorithm)
    (digits, plain) = coding.digits(NAME)
    assert plain == NAME.hex()
    assert is_sealed(digits)
    assert coding.name(digits) == NAME
    content = coding.encode(NAME, pack(CHUNK))
    assert content[:1] == b"\2"
    assert CHUNK not in content
    assert coding.encode(NAME, pack(CHUNK)) != content, "a nonce is used once"
    assert coding.decode(NAME, content) == pack(CHUNK)


def test_a_sealed_chunk_cannot_be_put_in_the_place_of_another_one_or_changed(tmp_path: Path) -> None:
    coding = sealed_in(tmp_path)
    content = coding.encode(NAME, pack(CHUNK))
    assert coding.decode(name_of(b"other"), content) is None
    for bit in range(8, 8 * len(content)):
        flipped = bytearray(content)
        flipped[bit // 8] ^= 1 << bit % 8
        assert coding.decode(NAME, bytes(flipped)) is None
    assert coding.decode(NAME, content[:-1]) is None
    assert coding.decode(NAME, content[:5]) is None


def test_after_a_new_key_a_chunk_is_found_under_each_and_written_under_the_newest(tmp_path: Path) -> None:
    coding = sealed_in(tmp_path)
    content, (old, _) = coding.encode(NAME, pack(CHUNK)), coding.digits(NAME)
    datakeys.add(tmp_path / "store" / "edda.db")
    assert coding.look()
    new, *others = coding.digits(NAME)
    assert others == [old, NAME.hex()]
    assert coding.name(new) == coding.name(old) == NAME
    assert coding.decode(NAME, content) == coding.decode(NAME, coding.encode(NAME, pack(CHUNK))) == pack(CHUNK)


def test_a_store_that_becomes_plain_writes_plain_and_reads_both(tmp_path: Path) -> None:
    sealed, plain = sealed_in(tmp_path), sealed_in(tmp_path, seals=False)
    assert list(plain.digits(NAME)) == list(reversed(list(sealed.digits(NAME))))
    assert plain.encode(NAME, pack(CHUNK)) == pack(CHUNK)
    assert plain.decode(NAME, sealed.encode(NAME, pack(CHUNK))) == pack(CHUNK)


@pytest.mark.parametrize("digits", ["", "ab", "A" * 64, "g" * 96, "0" * 64 + "0" * 30, "0" * 98])
def test_what_is_no_name_of_a_file_of_chunks_is_none(tmp_path: Path, digits: str) -> None:
    codings: list[Coding] = [Plain(), sealed_in(tmp_path)]
    assert not is_name(digits)
    assert [coding.name(digits) for coding in codings] == [None, None]


def test_a_sealed_name_under_a_key_that_is_not_here_is_no_chunk(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    digits = next(sealed_in(tmp_path / "other").digits(NAME))
    assert is_name(digits)
    assert Plain().name(digits) is None
    assert sealed_in(tmp_path).name(digits) is None
