"""
The messages of a session. PROTOCOL.md has them byte by byte.

Adding a field needs a new protocol version: a frame with unknown fields or of an unknown kind is an error, since a
peer that sends what was not agreed on cannot be understood by guessing.
"""

from __future__ import annotations

import msgspec

Pairs = tuple[tuple[int, int], ...]


class _Message(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """A message is an array: its tag, then its fields."""


class Summary(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Where one actor's chain stands: its seq and the first 16 bytes of its head's hash."""

    actor: int
    seq: int
    hash: bytes


class Hello(_Message, frozen=True, tag=1):
    """
    The first message, both ways.

    Attributes:
        protocol: Versions that the sender speaks, lowest and highest.
        workspace: Tag of workspace and device; 16 bytes.
        device: The sender, as its certificate says.
        heads: Its frontier, with hashes.
        digest: Hash of its content; empty when it would cost to know.
        waiting: How much is held there but not applied.
        wanted: Large changes and segments half received: actor and seq (0 and 0 for a segment), hash, first part
            missing.
    """

    protocol: tuple[int, int]
    workspace: bytes
    device: str
    heads: tuple[Summary, ...]
    digest: str
    waiting: int
    wanted: tuple[tuple[int, int, bytes, int], ...]


class SignedHead(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """
    A signature that vouches for an actor's changes in a batch.

    ``proof`` holds the content hashes (32 bytes each) of the changes between the last one in the batch and ``seq``.
    """

    actor: int
    seq: int
    signature: bytes
    proof: bytes


class Changes(_Message, frozen=True, tag=2):
    """A batch in the sender's log order, each a header and a body; a large change is the last, its parts follow."""

    changes: tuple[tuple[bytes, bytes], ...]
    heads: tuple[SignedHead, ...]


class Part(_Message, frozen=True, tag=3):
    """A part of a large change."""

    actor: int
    seq: int
    number: int
    data: bytes


class Snapshot(_Message, frozen=True, tag=4):
    """A part of a segment: its hash, how many parts there are, which one this is."""

    segment: bytes
    parts: int
    number: int
    data: bytes


class Ack(_Message, frozen=True, tag=5):
    """
    What is durable at the sender.

    Attributes:
        frontier: All that it holds.
        frames: How many frames of data it has dealt with in this session.
        again: It dropped a batch that came too early: start over from ``frontier``.
        digest: Hash of its content at this frontier; empty when not asked for.
        waiting: How much is held but not applied.
    """

    frontier: Pairs
    frames: int
    again: bool
    digest: str
    waiting: int


class Buckets(_Message, frozen=True, tag=6):
    """
    Answers a digest that differs at an equal frontier.

    Attributes:
        heads: The frontier, with hashes: they differ where a dot was made twice.
        sums: All non-zero bucket sums: bucket (2 bytes) and sum (16 bytes) each.
    """

    heads: tuple[Summary, ...]
    sums: bytes


class Goodbye(_Message, frozen=True, tag=7):
    """The last message: why, and whose fault (``none``, ``yours``, ``mine``)."""

    reason: str
    fault: str


Message = Hello | Changes | Part | Snapshot | Ack | Buckets | Goodbye
