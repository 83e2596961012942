"""The keys that sync needs: this device's, to sign with, and a function that checks any device's signature."""

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
"""``(public_key, signature, message)``: tell whether this key made the signature over the message."""
