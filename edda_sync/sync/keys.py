"""What sync needs of keys: this device's, to sign with, and a way to check anybody's signature."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol


class Signer(Protocol):
    """The key of this device."""

    @property
    def public_key(self) -> bytes:
        """The raw Ed25519 public key."""
        ...

    def sign(self, message: bytes) -> bytes:
        """Return this device's signature."""
        ...


Verify = Callable[[bytes, bytes, bytes], bool]
"""``(public_key, signature, message)``: whether the signature is the key's over the message."""
