from __future__ import annotations

from typing import Any

import pytest

from edda_sync.sealing import kdf
from edda_sync.sealing.kdf import Argon2id, Scrypt, check_passphrase, purpose_key
from edda_sync.words.config import KeyDerivationFunction
from edda_sync.words.errors import CorruptError, InvalidValueError

SALT = bytes(range(16))


def test_argon2id_gives_what_its_reference_says() -> None:
    # The tests of its reference implementation, version 1.3: t = 2, m = 65,536 KiB, p = 1.
    made = Argon2id(salt=b"somesalt", memory_kib=65_536, passes=2, lanes=1).derive("password")
    assert made.hex() == "09316115d5cf24ed5a15a31a3ba326e5cf32edc24702987c02b6566f61913cf7"


def test_scrypt_gives_what_rfc_7914_says() -> None:
    made = Scrypt(salt=b"SodiumChloride", log2_n=14, r=8, p=1).derive("pleaseletmein")  # section 12, its first 32 bytes
    assert made.hex() == "7023bdcb3afd7348461c06cd81fd38ebfda8fbba904f8e3ea9b543f6545da1f2"


@pytest.mark.parametrize("name", KeyDerivationFunction)
def test_a_function_is_made_by_its_name_and_read_back_from_its_parameters(name: KeyDerivationFunction) -> None:
    made = kdf.new(name, bytes)
    assert made.NAME is name
    assert len(made.salt) == 16
    assert kdf.read(made.parameters(), "it") == made


def test_the_parameters_are_written_alike_in_every_version() -> None:
    assert Argon2id(salt=SALT).parameters() == {
        "kdf": "argon2id", "salt": SALT.hex(), "memory_kib": 65_536, "passes": 3, "lanes": 4,
    }  # fmt: skip
    assert Scrypt(salt=SALT).parameters() == {"kdf": "scrypt", "salt": SALT.hex(), "log2_n": 16, "r": 8, "p": 1}


ARGON2ID, SCRYPT = Argon2id(salt=SALT).parameters(), Scrypt(salt=SALT).parameters()


@pytest.mark.parametrize(
    "found",
    [
        {**ARGON2ID, "memory_kib": 100 * 1024 * 1024},
        {**ARGON2ID, "memory_kib": 31},
        {**ARGON2ID, "passes": 17},
        {**ARGON2ID, "passes": 0},
        {**ARGON2ID, "lanes": 17},
        {**ARGON2ID, "lanes": True},
        {**ARGON2ID, "passes": "3"},
        {**ARGON2ID, "passes": 3.0},
        {**ARGON2ID, "salt": "00"},
        {**ARGON2ID, "salt": "00" * 65},
        {**ARGON2ID, "salt": "zz"},
        {**ARGON2ID, "salt": None},
        {**ARGON2ID, "kdf": "md5"},
        {**ARGON2ID, "kdf": None},
        {**ARGON2ID, "kdf": ["argon2id"]},
        {**SCRYPT, "log2_n": 30},
        {**SCRYPT, "log2_n": 1_000_000_000},
        {**SCRYPT, "log2_n": -1},
        {**SCRYPT, "r": 1_000},
        {**SCRYPT, "p": 17},
        {"kdf": "scrypt"},
        {},
    ],
    ids=str,
)
def test_parameters_out_of_bounds_are_refused_before_they_are_used(found: dict[str, Any]) -> None:
    with pytest.raises(CorruptError, match=r"^the key file is damaged"):
        kdf.read(found, "the key file")


def test_a_passphrase_is_the_same_however_an_accent_was_typed() -> None:
    cheap = Scrypt(salt=SALT, log2_n=2)
    assert cheap.derive("caf\u00e9 au lait") == cheap.derive("cafe\u0301 au lait") != cheap.derive("cafe au lait")


def test_a_short_passphrase_is_refused_and_says_what_would_do() -> None:
    assert check_passphrase("12345678") == "12345678"
    for wrong in ("", "1234567", "x" * 1_025):
        with pytest.raises(InvalidValueError, match=r"8 to 1,024 characters"):
            check_passphrase(wrong)


def test_each_purpose_has_a_key_of_its_own_and_always_the_same() -> None:
    key = bytes(range(32))
    assert purpose_key(key, "database").hex() == "dc8294b9d70021219bdd2abaa06c1401fe306a7b28790eab771616f3f0a1c981"
    assert len({purpose_key(key, each) for each in ("database", "values", "files")} | {key}) == 4
    assert purpose_key(key, "database") != purpose_key(bytes(32), "database")
