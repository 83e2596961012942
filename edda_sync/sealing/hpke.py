"""
Secrets sealed for a public key, which only the holder of the private key can open: HPKE in its base mode (RFC 9180), with
X25519, HKDF-SHA256 and ChaCha20-Poly1305. It does not say who sealed them: sign what is inside.
"""

from __future__ import annotations

from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

from edda_sync.words.errors import InvalidValueError

OVERHEAD_BYTES: Final = 48  # the ephemeral public key and the tag

_SUITE: Final = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.CHACHA20_POLY1305)


def seal_for(public_key: bytes, plain: bytes, about: bytes) -> bytes:
    """
    Return a secret, sealed; :func:`open_with` opens it.

    Args:
        public_key: The receiver's X25519 key, 32 bytes.
        plain: The secret.
        about: What it is about. It is not in the result, and must be given again to open it.

    Raises:
        InvalidValueError: That is no key for which anything can be sealed.
    """
    try:
        return _SUITE.encrypt(plain, X25519PublicKey.from_public_bytes(public_key), about)
    except ValueError:  # another length, or a point of small order
        raise InvalidValueError("sealing key", "is no X25519 key", None) from None


def open_with(private_key: X25519PrivateKey, sealed: bytes, about: bytes) -> bytes | None:
    """Return what :func:`seal_for` sealed for a key; None if it was not sealed for that key, or about something else."""
    if len(sealed) < OVERHEAD_BYTES:
        return None
    try:
        return _SUITE.decrypt(sealed, private_key, about)
    except (InvalidTag, ValueError):  # a point of small order is a ValueError
        return None
