"""
Sealed names: what a file is called when its name would tell what is in it, such as the hash of a known picture.

An equal name is always sealed to equal bytes, so that a file is found by its name; nobody without the key can tell what it
is, or whether it is the name of something that they know. With the key, the name can be had back, so that the files in a
folder can be listed.
"""

from __future__ import annotations

from typing import Final

NAME_KEY_BYTES: Final = 64
NAME_TAG_BYTES: Final = 16


class NameSealer:
    """
    Seals names under one key.

    Args:
        key: The key, 64 bytes.

    Source: AES-SIV (RFC 5297), with the keys of AES-256. It needs no nonce.
    """

    def __init__(self, key: bytes) -> None:
        from cryptography.hazmat.primitives.ciphers.aead import AESSIV

        self._cipher = AESSIV(key)

    def seal(self, name: bytes) -> bytes:
        """Return a name, sealed: 16 bytes longer. :meth:`unseal` returns it again."""
        return self._cipher.encrypt(name, None)

    def unseal(self, sealed: bytes) -> bytes | None:
        """Return the name that :meth:`seal` sealed under this key; None if it did not."""
        from cryptography.exceptions import InvalidTag

        try:
            return self._cipher.decrypt(sealed, None)
        except (InvalidTag, ValueError):  # the latter if it is too short
            return None
