"""Signatures in a run: Ed25519, or a stand-in that nobody else can make either, at a hundredth of the cost."""

from __future__ import annotations

from functools import cache
from hashlib import blake2b

from edda_sync.sync.snapshots import Signer, Verify
from edda_sync.transport import identity
from edda_sync.transport.identity import Identity


@cache
def identity_of(number: int) -> Identity:
    """Return the identity of a device by its number: the same in every run."""
    return Identity.from_private(blake2b(number.to_bytes(8, "big"), digest_size=32, person=b"edda-simulated").digest())


class StandInSigner:
    """
    Signs with a hash that is keyed by the private key.

    Args:
        owner: Who signs.
    """

    def __init__(self, owner: Identity) -> None:
        self.public_key = owner.public_key
        self._private = owner.private_bytes()

    def sign(self, message: bytes) -> bytes:
        """Return what :meth:`Keys.verify` accepts of this owner only."""
        return _mac(self._private, message)


class Keys:
    """
    Who can sign what.

    Args:
        real: Whether signatures are Ed25519.
    """

    def __init__(self, *, real: bool) -> None:
        self._real = real
        self._private: dict[bytes, bytes] = {}
        self.verify: Verify = identity.verify if real else self._verify

    def signer(self, owner: Identity) -> Signer:
        """Return who signs for a device."""
        if self._real:
            return owner
        self._private[owner.public_key] = owner.private_bytes()
        return StandInSigner(owner)

    def _verify(self, public_key: bytes, signature: bytes, message: bytes) -> bool:
        private = self._private.get(public_key)
        return private is not None and _mac(private, message) == signature


def _mac(private: bytes, message: bytes) -> bytes:
    return blake2b(message, digest_size=64, key=private).digest()
