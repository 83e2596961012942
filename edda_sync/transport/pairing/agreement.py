"""
The agreement: the strong key that SPAKE2 makes of a short code, and the keys that follow from it.

Every key is HKDF-SHA256 (RFC 5869) of the SPAKE2 key, salted with the transcript. A key has one label and one use, so the
AEAD (RFC 8439) needs no nonces.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field
from hashlib import sha256

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from spake2 import SPAKE2_A, SPAKE2_B, SPAKEError
from spake2.ed25519_basic import NotOnCurve

from edda_sync.words.errors import RemoteProtocolError

PURPOSE = b"edda-sync pairing 1 "
IDENTITIES = (PURPOSE + b"joiner", PURPOSE + b"inviter")  # SPAKE2's idA and idB
NONCE = bytes(12)  # each key seals only one message


@dataclass(frozen=True, slots=True)
class Agreement:
    """What both sides have after SPAKE2; equal only if code, certificate and both messages were equal."""

    key: bytes = field(repr=False)
    transcript: bytes

    @classmethod
    def reached(cls, spake: SPAKE2_A | SPAKE2_B, message: bytes, *transcript: bytes) -> Agreement:
        """
        Finish SPAKE2, and return the agreement.

        Args:
            spake: This side's SPAKE2, already started.
            message: The other side's message.
            transcript: The certificate as this side saw it, and both first frames.

        Raises:
            RemoteProtocolError: The message is no point of the group.
        """
        try:
            key = spake.finish(message)
        except (SPAKEError, NotOnCurve, ValueError) as error:
            raise RemoteProtocolError("a SPAKE2 message that is no point of its group") from error
        return cls(key, sha256(PURPOSE + _hashes(transcript)).digest())

    def derived(self, label: bytes) -> bytes:
        """Return the key of this label, 32 bytes."""
        return HKDF(SHA256(), 32, salt=self.transcript, info=PURPOSE + label).derive(self.key)

    def mac(self, label: bytes, *covered: bytes) -> bytes:
        """Return the proof, under this label, that its sender has the key and the same transcript and bytes."""
        return hmac.digest(self.derived(label), self.transcript + _hashes(covered), "sha256")

    def sealed(self, label: bytes, content: bytes) -> bytes:
        """Return the content encrypted; seal only once under one label."""
        return ChaCha20Poly1305(self.derived(label)).encrypt(NONCE, content, None)

    def opened(self, label: bytes, sealed: bytes) -> bytes | None:
        """Return what was sealed under this label; None if it was changed, or sealed with another key."""
        try:
            return ChaCha20Poly1305(self.derived(label)).decrypt(NONCE, sealed, None)
        except InvalidTag:
            return None


def _hashes(parts: tuple[bytes, ...]) -> bytes:
    return b"".join(sha256(part).digest() for part in parts)  # of fixed length, so that no two lists are alike
