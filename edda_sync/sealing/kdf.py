"""
Keys from passphrases, by Argon2id or scrypt, and keys for one purpose from another key, by HKDF.

The parameters of a passphrase's key are kept beside what it opens. They come from a file that somebody may have changed, so
they are checked before they are used: otherwise a file could make this machine use 100 GB, or work for a year.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from edda_sync.sealing.seal import KEY_BYTES
from edda_sync.words import limits
from edda_sync.words.config import KeyDerivationFunction
from edda_sync.words.errors import CorruptError, InvalidValueError, StorageError

_SALT_BYTES: Final = 16
_SALT_BOUNDS: Final = (8, 64)


@dataclass(frozen=True, slots=True, kw_only=True)
class Argon2id:
    """
    Argon2id (RFC 9106). The defaults are its second recommended choice, for machines with little memory.

    Attributes:
        salt: 8 to 64 random bytes.
        memory_kib: Memory that it uses, in KiB.
        passes: How often it goes over that memory.
        lanes: How many parts of it can be worked on at once.
    """

    NAME: ClassVar = KeyDerivationFunction.ARGON2ID

    salt: bytes
    memory_kib: int = 64 * 1024
    passes: int = 3
    lanes: int = 4

    def derive(self, passphrase: str) -> bytes:
        """Return the key of a passphrase, 32 bytes. It takes about half a second, and ``memory_kib`` of memory."""
        from cryptography.exceptions import UnsupportedAlgorithm
        from cryptography.hazmat.primitives.kdf.argon2 import Argon2id as Library

        try:
            made = Library(
                salt=self.salt,
                length=KEY_BYTES,
                iterations=self.passes,
                lanes=self.lanes,
                memory_cost=self.memory_kib,
            )
        except UnsupportedAlgorithm:
            raise StorageError(
                "This machine's OpenSSL has no Argon2id: name scrypt instead, or update `cryptography`."
            ) from None
        return made.derive(_encoded(passphrase))

    def parameters(self) -> dict[str, Any]:
        """Return the parameters as JSON values; :func:`read` reads them."""
        numbers = {"memory_kib": self.memory_kib, "passes": self.passes, "lanes": self.lanes}
        return {"kdf": self.NAME.value, "salt": self.salt.hex(), **numbers}

    def check(self, what: str) -> None:
        """Refuse parameters out of bounds; see :func:`read`."""
        _check(what, len(self.salt), *_SALT_BOUNDS)
        _check(what, self.lanes, 1, limits.KDF_LANES_MAX)
        _check(what, self.passes, 1, limits.KDF_PASSES_MAX)
        _check(what, self.memory_kib, 8 * self.lanes, limits.KDF_MEMORY_BYTES_MAX // 1024)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scrypt:
    """
    scrypt (RFC 7914).

    Attributes:
        salt: 8 to 64 random bytes.
        log2_n: Logarithm of the number of blocks. It uses 128 * r * 2^log2_n bytes of memory.
        r: Size of a block, in units of 128 bytes.
        p: How often all of this is done.
    """

    NAME: ClassVar = KeyDerivationFunction.SCRYPT

    salt: bytes
    log2_n: int = 16
    r: int = 8
    p: int = 1

    def derive(self, passphrase: str) -> bytes:
        """Return the key of a passphrase, 32 bytes. It takes about half a second."""
        from cryptography.hazmat.primitives.kdf.scrypt import Scrypt as Library

        made = Library(salt=self.salt, length=KEY_BYTES, n=1 << self.log2_n, r=self.r, p=self.p)
        return made.derive(_encoded(passphrase))

    def parameters(self) -> dict[str, Any]:
        """Return the parameters as JSON values; :func:`read` reads them."""
        return {"kdf": self.NAME.value, "salt": self.salt.hex(), "log2_n": self.log2_n, "r": self.r, "p": self.p}

    def check(self, what: str) -> None:
        """Refuse parameters out of bounds; see :func:`read`."""
        _check(what, len(self.salt), *_SALT_BOUNDS)
        _check(what, self.r, 1, limits.KDF_PASSES_MAX)
        _check(what, self.p, 1, limits.KDF_PASSES_MAX)
        _check(what, self.log2_n, 1, 32)
        _check(what, 128 * self.r << self.log2_n, 1, limits.KDF_MEMORY_BYTES_MAX)


PassphraseKey = Argon2id | Scrypt


def new(name: KeyDerivationFunction, random: Callable[[int], bytes]) -> PassphraseKey:
    """Return a function by its name, with a new salt and the default cost."""
    kind = Argon2id if name is KeyDerivationFunction.ARGON2ID else Scrypt
    return kind(salt=random(_SALT_BYTES))


def read(found: Mapping[str, Any], what: str) -> PassphraseKey:
    """
    Return the function whose parameters were kept, once they are checked against the bounds in ``limits``.

    Args:
        found: What ``parameters`` returned.
        what: The file that holds them, for errors.

    Raises:
        CorruptError: They are damaged, or out of bounds.
    """
    kind = next((each for each in (Argon2id, Scrypt) if found.get("kdf") == each.NAME), None)
    if kind is None:
        raise CorruptError(what)
    names = [name for name in kind.__dataclass_fields__ if name not in ("salt", "NAME")]
    numbers: dict[str, Any] = {name: found.get(name) for name in names}
    if any(type(number) is not int for number in numbers.values()):
        raise CorruptError(what)
    try:
        made = kind(salt=bytes.fromhex(found["salt"]), **numbers)
    except (KeyError, TypeError, ValueError):
        raise CorruptError(what) from None
    made.check(what)
    return made


def purpose_key(key: bytes, purpose: str) -> bytes:
    """
    Return the key for one purpose that follows from another key, 32 bytes. Neither tells anything about the other.

    Source: HKDF with SHA-256 (RFC 5869), without salt, as the key is uniformly random.
    """
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    return HKDF(SHA256(), KEY_BYTES, salt=None, info=f"edda {purpose} 1".encode()).derive(key)


def check_passphrase(passphrase: str) -> str:
    """
    Return a new passphrase, if it may be used.

    Raises:
        InvalidValueError: It is too short, or too long.
    """
    if not limits.PASSPHRASE_CODE_POINTS_MIN <= len(passphrase) <= limits.PASSPHRASE_CODE_POINTS_MAX:
        bounds = f"{limits.PASSPHRASE_CODE_POINTS_MIN} to {limits.PASSPHRASE_CODE_POINTS_MAX:,}"
        raise InvalidValueError("passphrase", f"must have {bounds} characters; several words are easy to keep in mind")
    return passphrase


def _encoded(passphrase: str) -> bytes:
    """Return a passphrase as bytes: however an accent was typed, it is the same (RFC 8265, 4.2.2)."""
    return unicodedata.normalize("NFC", passphrase).encode("utf-8", "surrogatepass")


def _check(what: str, number: int, least: int, most: int) -> None:
    if not least <= number <= most:
        raise CorruptError(what)
