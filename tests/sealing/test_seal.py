from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edda_sync.sealing.seal import HEADER_BYTES, Sealer, cipher, key_of
from edda_sync.words.config import EncryptionAlgorithm
from edda_sync.words.errors import CorruptError, StorageError

AES, CHACHA, XCHACHA = EncryptionAlgorithm
KEY = bytes(range(32))
ID, OLD = b"key id 1", b"key id 0"
SUNSCREEN = (
    b"Ladies and Gentlemen of the class of '99: "  # RFC 8439 and the draft of XChaCha seal the same words
    b"If I could offer you only one tip for the future, sunscreen would be it."
)


def sealer(algorithm: EncryptionAlgorithm = AES) -> Sealer:
    return Sealer(algorithm, {ID: KEY, OLD: bytes(32)}, ID, random=bytes)


# --- the ciphers themselves, by the vectors of their specifications ---------------------------------------------------

VECTORS = {
    # the GCM specification (McGrew, Viega), test case 16
    AES: (
        "feffe9928665731c6d6a8f9467308308" * 2,
        "cafebabefacedbaddecaf888",
        "feedfacedeadbeeffeedfacedeadbeefabaddad2",
        (
            "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657"
            "ba637b39"
        ),
        (
            "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0a"
            "bcc9f66276fc6ece0f4e1768cddf8853bb2d551b"
        ),
    ),
    # RFC 8439, 2.8.2
    CHACHA: (
        bytes(range(0x80, 0xA0)).hex(),
        "070000004041424344454647",
        "50515253c0c1c2c3c4c5c6c7",
        SUNSCREEN.hex(),
        (
            "d31a8d34648e60db7b86afbc53ef7ec2a4aded51296e08fea9e2b5a736ee62d63dbea45e8ca9671282fafb69da92728b1a71de0a9e060b29"
            "05d6a5b67ecd3b3692ddbd7f2d778b8c9803aee328091b58fab324e4fad675945585808b4831d7bc3ff4def08e4b7a9de576d26586cec64b"
            "61161ae10b594f09e26a7e902ecbd0600691"
        ),
    ),
    # draft-irtf-cfrg-xchacha-03, A.3.1
    XCHACHA: (
        bytes(range(0x80, 0xA0)).hex(),
        bytes(range(0x40, 0x58)).hex(),
        "50515253c0c1c2c3c4c5c6c7",
        SUNSCREEN.hex(),
        (
            "bd6d179d3e83d43b9576579493c0e939572a1700252bfaccbed2902c21396cbb731c7f1b0b4aa6440bf3a82f4eda7e39ae64c6708c54c216"
            "cb96b72e1213b4522f8c9ba40db5d945b11b69b982c1bb9e3f3fac2bc369488f76b2383565d3fff921f9664c97637da9768812f615c68b13"
            "b52ec0875924c1c7987947deafd8780acf49"
        ),
    ),
}


@pytest.mark.parametrize("algorithm", EncryptionAlgorithm)
def test_each_cipher_gives_what_its_specification_says(algorithm: EncryptionAlgorithm) -> None:
    key, nonce, about, plain, sealed = map(bytes.fromhex, VECTORS[algorithm])
    made = cipher(algorithm, key)
    assert made.encrypt(nonce, plain, about).hex() == sealed.hex()
    assert made.decrypt(nonce, sealed, about) == plain
    assert made.decrypt(nonce, sealed, about + b"!") is None


# --- sealed values ----------------------------------------------------------------------------------------------------

GOLDEN = {
    AES: "01016b657920696420310000000000000000000000007ed0d4b7dbb5d8cc806e0fac70bc9ed719feafa7bb",
    CHACHA: "01026b6579206964203100000000000000000000000068d42358c39ec37522672e18dbb72c72ce5a36b47f",
    XCHACHA: (
        "01036b65792069642031000000000000000000000000000000000000000000000000e56aedae82859d12ed7e0f5354da25e8ac9b9a3b5d"
    ),
}


@pytest.mark.parametrize("algorithm", EncryptionAlgorithm)
def test_a_sealed_value_has_the_same_bytes_in_every_version(algorithm: EncryptionAlgorithm) -> None:
    made = sealer(algorithm)
    sealed = made.seal(b"plain", b"about")
    assert sealed.hex() == GOLDEN[algorithm]
    assert sealed[:HEADER_BYTES] == bytes((1, [AES, CHACHA, XCHACHA].index(algorithm) + 1)) + ID
    assert key_of(sealed, "it") == ID
    assert len(sealed) == len(b"plain") + made.overhead


@pytest.mark.parametrize("algorithm", EncryptionAlgorithm)
def test_a_value_sealed_with_one_cipher_is_opened_by_a_sealer_that_seals_with_another(
    algorithm: EncryptionAlgorithm,
) -> None:
    sealed = sealer(algorithm).seal(b"plain", b"about")
    assert sealer(AES).unseal(sealed, b"about", "it") == sealer(XCHACHA).unseal(sealed, b"about", "it") == b"plain"


@pytest.mark.parametrize("algorithm", EncryptionAlgorithm)
@given(plain=st.binary(max_size=200), about=st.binary(max_size=40))
def test_what_is_sealed_is_opened(algorithm: EncryptionAlgorithm, plain: bytes, about: bytes) -> None:
    made = Sealer(algorithm, {ID: KEY}, ID)
    sealed = made.seal(plain, about)
    assert made.unseal(sealed, about, "it") == plain
    assert len(plain) < 8 or plain not in sealed


def test_a_value_sealed_twice_has_other_bytes() -> None:
    made = Sealer(AES, {ID: KEY}, ID)
    assert made.seal(b"plain", b"") != made.seal(b"plain", b"")


def test_a_value_of_an_older_key_is_still_opened() -> None:
    older = Sealer(AES, {OLD: bytes(32)}, OLD).seal(b"plain", b"about")
    assert sealer().unseal(older, b"about", "it") == b"plain"


@pytest.mark.parametrize("algorithm", EncryptionAlgorithm)
def test_every_flipped_bit_is_noticed(algorithm: EncryptionAlgorithm) -> None:
    made = sealer(algorithm)
    sealed = made.seal(b"plain", b"about")
    for bit in range(len(sealed) * 8):
        flipped = bytearray(sealed)
        flipped[bit // 8] ^= 1 << bit % 8
        with pytest.raises(StorageError):
            made.unseal(bytes(flipped), b"about", "it")


def test_a_value_is_not_opened_in_anothers_place_nor_under_another_key() -> None:
    sealed = sealer().seal(b"plain", b"about")
    with pytest.raises(CorruptError, match=r"^the task is damaged"):
        sealer().unseal(sealed, b"about another", "the task")
    with pytest.raises(CorruptError):
        Sealer(AES, {OLD: KEY}, OLD).unseal(sealed, b"about", "it")
    with pytest.raises(CorruptError):
        Sealer(AES, {ID: bytes(32)}, ID).unseal(sealed, b"about", "it")


@pytest.mark.parametrize("length", range(HEADER_BYTES + 12 + 16))
def test_a_value_that_was_cut_is_damaged(length: int) -> None:
    sealed = sealer().seal(b"", b"")
    with pytest.raises(CorruptError):
        sealer().unseal(sealed[:length], b"", "it")


def test_a_value_of_a_newer_format_says_so() -> None:
    sealed = b"\x02" + sealer().seal(b"plain", b"")[1:]
    with pytest.raises(StorageError, match="newer edda"):
        sealer().unseal(sealed, b"", "it")
    with pytest.raises(StorageError, match="newer edda"):
        key_of(sealed, "it")


@pytest.mark.parametrize("algorithm", [AES, CHACHA])
def test_nacl_is_loaded_only_for_the_cipher_that_needs_it(algorithm: EncryptionAlgorithm) -> None:
    code = (
        "import sys; from edda_sync.sealing.seal import *; from edda_sync.words.config import EncryptionAlgorithm as E\n"
        f"s = Sealer(E('{algorithm}'), {{b'8 bytes.': bytes(32)}}, b'8 bytes.'); s.unseal(s.seal(b'', b''), b'', '')\n"
        "assert not [name for name in sys.modules if name.startswith('nacl')]"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
