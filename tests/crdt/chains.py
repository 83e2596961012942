"""Chains of an actor as the format defines them: births, header hashes, change hashes, signed heads; and trees of chains."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import blake2b

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from edda_sync.changes.branches import ROOT
from edda_sync.changes.forkproof import Chain

WORKSPACE = b"sixteen of these"


def actor_of(birth: bytes) -> bytes:
    return blake2b(birth, digest_size=16, person=b"edda-actor").digest()


def header_hash(raw: bytes) -> bytes:
    return blake2b(raw, digest_size=32, person=b"edda-header").digest()


def change_hash(previous: bytes, header: bytes) -> bytes:
    return blake2b(previous + header, digest_size=32, person=b"edda-change").digest()


def signed_message(workspace: bytes, actor: bytes, seq: int, head: bytes) -> bytes:
    return b"edda head 1" + workspace + actor + seq.to_bytes(8, "big") + head


class RealSigners:
    """Births are msgpack of a public key and a nonce; signatures are Ed25519."""

    def actor_of(self, birth: bytes) -> bytes:
        return actor_of(birth)

    def signed(self, birth: bytes, workspace: bytes, seq: int, head: bytes, signature: bytes) -> bool:
        key, _ = msgspec.msgpack.decode(birth, type=tuple[bytes, bytes])
        message = signed_message(workspace, actor_of(birth), seq, head)
        try:
            Ed25519PublicKey.from_public_bytes(key).verify(signature, message)
        except InvalidSignature:
            return False
        return True


@dataclass
class Author:
    """A key and a life under it, which writes what a test wants."""

    number: int = 1
    key: Ed25519PrivateKey = field(init=False)
    birth: bytes = field(init=False)
    actor: bytes = field(init=False)

    def __post_init__(self) -> None:
        self.key = Ed25519PrivateKey.from_private_bytes(bytes([self.number]) * 32)
        self.birth = msgspec.msgpack.encode([self.key.public_key().public_bytes_raw(), bytes(16)])
        self.actor = actor_of(self.birth)

    def chain(self, words: Sequence[str], *, after: int = 0, workspace: bytes = WORKSPACE) -> Chain:
        """The rest of a chain after a number of its changes; each change says one word."""
        headers = [header_hash(f"{self.number}:{seq}:{word}".encode()) for seq, word in enumerate(words, 1)]
        hashes = [ROOT]
        for header in headers:
            hashes.append(change_hash(hashes[-1], header))
        signature = self.key.sign(signed_message(workspace, self.actor, len(words), hashes[-1]))
        return Chain(after, hashes[after], tuple(headers[after:]), signature)
