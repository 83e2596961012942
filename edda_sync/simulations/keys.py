"""Signatures in a run: Ed25519, or a stand-in that no other device can make either, at a hundredth of the cost."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from hashlib import blake2b

from edda_sync.sync.keys import Verify
from edda_sync.transport import identity
from edda_sync.transport.identity import Identity


@cache
def identity_of(number: int) -> Identity:
    """Return the identity of a device by its number: the same in every run."""
    return Identity.from_private(blake2b(number.to_bytes(8, "big"), digest_size=32, person=b"edda-simulated").digest())


@dataclass(frozen=True, slots=True)
class StandIn(Identity):
    """Signs with a hash that is keyed by the device's private key; :meth:`Keys.verify` accepts only its own hash."""

    private: bytes = field(default=b"", repr=False, compare=False)

    @classmethod
    def of(cls, owner: Identity) -> StandIn:
        """Return the stand-in for a device."""
        return cls(owner.device, owner.public_key, owner._key, owner._shown, owner.private_bytes())

    def sign(self, message: bytes) -> bytes:
        """Return the signature of a message."""
        return _mac(self.private, message)


class Keys:
    """
    Makes and verifies signatures.

    Args:
        real: Whether signatures are Ed25519.
    """

    def __init__(self, *, real: bool) -> None:
        self._real = real
        self._private: dict[bytes, bytes] = {}
        self.verify: Verify = identity.verify if real else self._verify

    def of(self, owner: Identity) -> Identity:
        """Return a device's identity, as it signs in this run."""
        if self._real:
            return owner
        made = StandIn.of(owner)
        self._private[owner.public_key] = made.private
        return made

    def _verify(self, public_key: bytes, signature: bytes, message: bytes) -> bool:
        private = self._private.get(public_key)
        return private is not None and _mac(private, message) == signature


def _mac(private: bytes, message: bytes) -> bytes:
    return blake2b(message, digest_size=64, key=private).digest()
