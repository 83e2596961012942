"""
Sealed values: what edda encrypts itself, such as data keys, values of RocksDB and parts of attached files.

A sealed value is ``header || nonce || ciphertext and tag``. The header has 10 bytes: the version of this format, the number
of the cipher, and the id of the key. It is authenticated, together with what the value is about, so that a sealed value
cannot be put in another's place.

Nonces are random. At 96 bits, one key must not seal more than 2^32 values (NIST SP 800-38D, 8.3); XChaCha20-Poly1305 has
192 bits, and no such limit in practice.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, Final, NamedTuple, Protocol

from edda_sync.words.config import EncryptionAlgorithm
from edda_sync.words.errors import CorruptError, StorageError

KEY_BYTES: Final = 32
KEY_ID_BYTES: Final = 8
TAG_BYTES: Final = 16
VERSION: Final = 1
HEADER_BYTES: Final = 2 + KEY_ID_BYTES


class Cipher(Protocol):
    """An AEAD under one key."""

    def encrypt(self, nonce: bytes, plain: bytes, about: bytes) -> bytes:
        """Return the ciphertext with its tag."""
        ...

    def decrypt(self, nonce: bytes, sealed: bytes, about: bytes) -> bytes | None:
        """Return the plain bytes; None if the tag does not fit."""
        ...


class Suite(NamedTuple):
    """What a header says about a cipher."""

    number: int
    nonce_bytes: int


SUITES: Final = {
    EncryptionAlgorithm.AES_256_GCM: Suite(1, 12),
    EncryptionAlgorithm.CHACHA20_POLY1305: Suite(2, 12),
    EncryptionAlgorithm.XCHACHA20_POLY1305: Suite(3, 24),
}
BY_NUMBER: Final = {suite.number: algorithm for algorithm, suite in SUITES.items()}


class _Library:
    """An AEAD of ``cryptography``."""

    def __init__(self, aead: Any) -> None:
        self._aead = aead

    def encrypt(self, nonce: bytes, plain: bytes, about: bytes) -> bytes:
        """See :class:`Cipher`."""
        found: bytes = self._aead.encrypt(nonce, plain, about)
        return found

    def decrypt(self, nonce: bytes, sealed: bytes, about: bytes) -> bytes | None:
        """See :class:`Cipher`."""
        from cryptography.exceptions import InvalidTag

        try:
            found: bytes = self._aead.decrypt(nonce, sealed, about)
        except InvalidTag:
            return None
        return found


class _XChaCha:
    """XChaCha20-Poly1305 of PyNaCl, which is loaded only when a person named it."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def encrypt(self, nonce: bytes, plain: bytes, about: bytes) -> bytes:
        """See :class:`Cipher`."""
        from nacl import bindings

        found: bytes = bindings.crypto_aead_xchacha20poly1305_ietf_encrypt(plain, about, nonce, self._key)
        return found

    def decrypt(self, nonce: bytes, sealed: bytes, about: bytes) -> bytes | None:
        """See :class:`Cipher`."""
        from nacl import bindings
        from nacl.exceptions import CryptoError

        try:
            found: bytes = bindings.crypto_aead_xchacha20poly1305_ietf_decrypt(sealed, about, nonce, self._key)
        except CryptoError:
            return None
        return found


def cipher(algorithm: EncryptionAlgorithm, key: bytes) -> Cipher:
    """
    Return a cipher under a key.

    Args:
        algorithm: Its name.
        key: The key, 32 bytes.

    Source: NIST SP 800-38D (AES-GCM), RFC 8439 (ChaCha20-Poly1305), draft-irtf-cfrg-xchacha-03 (XChaCha20-Poly1305).
    """
    if algorithm is EncryptionAlgorithm.XCHACHA20_POLY1305:
        return _XChaCha(key)
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305

    return _Library(AESGCM(key) if algorithm is EncryptionAlgorithm.AES_256_GCM else ChaCha20Poly1305(key))


def key_of(sealed: bytes, what: str) -> bytes:
    """
    Return the id of the key under which a value was sealed.

    Raises:
        CorruptError, StorageError: It is no sealed value that this version knows; see :meth:`Sealer.unseal`.
    """
    _read_header(sealed, what)
    return sealed[2:HEADER_BYTES]


def _read_header(sealed: bytes, what: str) -> tuple[EncryptionAlgorithm, int]:
    """Return the cipher of a sealed value, and where its ciphertext begins."""
    if len(sealed) < HEADER_BYTES:
        raise CorruptError(what)
    if sealed[0] > VERSION:
        raise StorageError(f"{what} was sealed by a newer edda (format {sealed[0]}), or is damaged: update edda-sync.")
    algorithm = BY_NUMBER.get(sealed[1])
    if sealed[0] != VERSION or algorithm is None:
        raise CorruptError(what)
    begin = HEADER_BYTES + SUITES[algorithm].nonce_bytes
    if len(sealed) < begin + TAG_BYTES:
        raise CorruptError(what)
    return algorithm, begin


class Sealer:
    """
    Seals values for one purpose, and opens them again. ``DataKeys.sealer`` makes one.

    Args:
        algorithm: The cipher for what is sealed from now on. Values sealed with another one can still be opened.
        keys: The keys of this purpose, 32 bytes each, by their ids of 8 bytes.
        current: The id of the key that seals.
        random: Source of random bytes, for nonces.
    """

    def __init__(
        self,
        algorithm: EncryptionAlgorithm,
        keys: Mapping[bytes, bytes],
        current: bytes,
        random: Callable[[int], bytes] = os.urandom,
    ) -> None:
        self._keys, self._random = dict(keys), random
        self._suite = SUITES[algorithm]
        self._head = bytes((VERSION, self._suite.number)) + current
        self._cipher_of = cache(lambda algorithm, key_id: cipher(algorithm, self._keys[key_id]))
        self._sealing: Cipher = self._cipher_of(algorithm, current)

    @property
    def overhead(self) -> int:
        """How many bytes longer a sealed value is."""
        return HEADER_BYTES + self._suite.nonce_bytes + TAG_BYTES

    def seal(self, plain: bytes, about: bytes) -> bytes:
        """
        Return a value, sealed. :meth:`unseal` opens it.

        Args:
            plain: The value.
            about: What it is about, such as its key. It is not in the result, and must be given again to open it.
        """
        nonce = self._random(self._suite.nonce_bytes)
        return self._head + nonce + self._sealing.encrypt(nonce, plain, self._head + about)

    def unseal(self, sealed: bytes, about: bytes, what: str) -> bytes:
        """
        Return the value that :meth:`seal` sealed.

        Args:
            sealed: The sealed value.
            about: What it is about.
            what: What to call it in errors.

        Raises:
            CorruptError: It is damaged, is about something else, or was sealed under a key that is not here.
            StorageError: A newer version sealed it.
        """
        algorithm, begin = _read_header(sealed, what)
        head = sealed[:HEADER_BYTES]
        if head[2:] not in self._keys:
            raise CorruptError(what)
        found: bytes | None = self._cipher_of(algorithm, head[2:]).decrypt(
            sealed[HEADER_BYTES:begin], sealed[begin:], head + about
        )
        if found is None:
            raise CorruptError(what)
        return found
