"""
The messages of a session. PROTOCOL.md has them byte by byte.

Each message is an array: its tag, its fields, and room to grow (``crdt.ext``). A reader ignores further fields that it does
not know, so a new field ends no session. A message with an unknown tag is an error: a device sends one only to peers that
list the feature in their hello.
"""

from __future__ import annotations

from typing import Annotated

import msgspec

from edda_sync.changes.change import DEP_HASH_BYTES, Hash
from edda_sync.crdt import ext as exts
from edda_sync.crdt.ext import Ext
from edda_sync.crdt.frontier import Actor, Seq
from edda_sync.sync.file_messages import FileMessage
from edda_sync.words import limits

Pairs = tuple[tuple[Actor, Seq], ...]
Count = Annotated[int, msgspec.Meta(ge=0, lt=1 << 53)]
Short = Annotated[bytes, msgspec.Meta(min_length=16, max_length=16)]


class _Message(msgspec.Struct, frozen=True, array_like=True):
    """Base of the messages: an array of its tag and its fields."""


class Summary(msgspec.Struct, frozen=True, array_like=True):
    """Where one actor's chain ends: its last seq, and the first 16 bytes of the hash of that change."""

    actor: Actor
    seq: Seq
    hash: Annotated[bytes, msgspec.Meta(min_length=DEP_HASH_BYTES, max_length=DEP_HASH_BYTES)]


class Wish(msgspec.Struct, frozen=True, array_like=True):
    """A large change that is half received: its dot, and its first missing part."""

    actor: Actor
    seq: Seq
    first: Count


class Hello(_Message, frozen=True, tag=1):
    """
    The first message of both sides.

    Attributes:
        protocol: The lowest and highest version that the sender speaks.
        workspace: Tag of workspace and device.
        device: The sender's id, as in its certificate.
        nonce: Random bytes; both sides' nonces are the key of the coded cells in this session.
        heads: A page of the sender's heads, sorted by actor.
        more: Whether :class:`Heads` follow with more heads and names.
        evidence: A page of the short names of the signed evidence that the sender holds, ascending.
        waiting: How much the sender holds but has not applied.
        wanted: Large changes that the sender has half received.
        ext: Room to grow.
    """

    protocol: tuple[Count, Count]
    workspace: Short
    device: str
    nonce: Short
    heads: tuple[Summary, ...]
    more: bool
    evidence: tuple[Short, ...]
    waiting: Count
    wanted: tuple[Wish, ...]
    ext: Ext = exts.NONE


class Heads(_Message, frozen=True, tag=8):
    """The next page of the heads and names of a hello."""

    heads: tuple[Summary, ...]
    evidence: tuple[Short, ...]
    more: bool
    ext: Ext = exts.NONE


class SignedHead(msgspec.Struct, frozen=True, array_like=True):
    """
    A signature that vouches for an actor's changes in a batch.

    ``proof`` contains the header hashes (32 bytes each) of the changes after the last one in the batch, up to ``seq``.
    """

    actor: Actor
    seq: Seq
    signature: bytes
    proof: bytes


class Changes(_Message, frozen=True, tag=2):
    """
    A batch of changes in the order of the sender's log, each a header and a body. A large change comes last; its parts
    follow.

    Attributes:
        changes, heads: The batch, and what vouches for it.
        pushed: The first 8 bytes of the id of each device to which the sender pushes its own changes, in order and without
            separators; nil if this has not changed in this session.
        seal: As in :class:`Ack`: the sender's seal, if the receiver holds everything once it has this batch; otherwise
            empty.
        ext: Room to grow.
    """

    changes: tuple[tuple[bytes, bytes], ...]
    heads: tuple[SignedHead, ...]
    pushed: bytes | None = None
    seal: Annotated[bytes, msgspec.Meta(max_length=16)] = b""
    ext: Ext = exts.NONE


class Part(_Message, frozen=True, tag=3):
    """A part of a large change."""

    actor: Actor
    seq: Seq
    number: Count
    data: bytes
    ext: Ext = exts.NONE


class Offer(_Message, frozen=True, tag=11):
    """Offers a segment that would bring the receiver up to date faster than the log: its name, and its number of parts."""

    segment: Hash
    parts: Count
    ext: Ext = exts.NONE


class Want(_Message, frozen=True, tag=12):
    """Answers an offer: send the segment from this part on. A number past the last part asks for the log instead."""

    segment: Hash
    first: Count
    ext: Ext = exts.NONE


class Snapshot(_Message, frozen=True, tag=4):
    """A part of a segment that was asked for: the segment's hash, the number of its parts, and the number of this one."""

    segment: Hash
    parts: Count
    number: Count
    data: bytes
    ext: Ext = exts.NONE


class Behind(_Message, frozen=True, tag=15):
    """
    Asks for a batch of the log behind a segment.

    Attributes:
        held: A page of what the sender already holds of that log, as the difference to its last question in this session.
        upto: A page of the segment's heads, sorted by actor; their hashes say which branch is meant if a chain forks. Empty
            if the question continues the last one: the same segment, and more of its log is here.
        more: Whether more pages follow.
        ext: Room to grow.
    """

    held: Pairs
    upto: tuple[Summary, ...]
    more: bool = False
    ext: Ext = exts.NONE

    def since(self, before: Behind | None) -> Behind:
        """Return this question, shortened for a peer that was asked ``before``."""
        said = {} if before is None else dict(before.held)
        moved = tuple(pair for pair in self.held if said.get(pair[0]) != pair[1])
        is_further = said.keys() <= dict(self.held).keys() and all(seq > said.get(actor, 0) for actor, seq in moved)
        return Behind(moved, ()) if before is not None and before.upto == self.upto and is_further else self

    def pages(self) -> list[Behind]:
        """Return the question cut into pages, because the number of actors has no limit."""
        size = limits.HEADS_MAX // 2  # for each of the two lists
        most = max(len(self.held), len(self.upto), 1)
        return [
            Behind(self.held[at : at + size], self.upto[at : at + size], at + size < most)
            for at in range(0, most, size)
        ]


class Earlier(_Message, frozen=True, tag=16):
    """Answers :class:`Behind`, with fields as in :class:`Changes`; empty when the sender does not have that log either."""

    changes: tuple[tuple[bytes, bytes], ...]
    heads: tuple[SignedHead, ...]
    ext: Ext = exts.NONE


class Ack(_Message, frozen=True, tag=5):
    """
    Says what is durable at the sender.

    Attributes:
        moved: The sender's frontier, as the difference to what it last said in this session.
        frames: How many data frames of this session the sender has processed.
        again: The sender dropped a batch that came too early: start over from its frontier.
        proof: If both hold the same as far as the sender knows: the seal of everything that it holds (16 bytes); or, to a
            peer with another seal, the digest of its content (16 bytes) and the hash of its heads (16 bytes). Otherwise
            empty.
        waiting: How much the sender holds but has not applied.
        evidence: With digest and heads: the hash of the set of signed evidence that the sender holds.
        unread: With digest and heads: the hash of the set of operations that wait; empty when none waits.
        ext: Room to grow.
    """

    moved: Pairs
    frames: Count
    again: bool
    proof: Annotated[bytes, msgspec.Meta(max_length=32)]
    waiting: Count
    evidence: Annotated[bytes, msgspec.Meta(max_length=32)] = b""
    unread: Annotated[bytes, msgspec.Meta(max_length=16)] = b""
    ext: Ext = exts.NONE


class Shown(msgspec.Struct, frozen=True, array_like=True):
    """A signed head: the name of the chain as in acknowledgements, seq and hash of the change, and the signature."""

    name: Actor
    seq: Seq
    hash: Hash
    signature: bytes


class Announce(_Message, frozen=True, tag=20):
    """
    Signed heads of what the sender says that it holds, for a peer that may lack it. Claims without such a head do not count.

    Attributes:
        heads: At most ``SHOWN_HEADS_MAX``.
        ext: Room to grow.
    """

    heads: tuple[Shown, ...]
    ext: Ext = exts.NONE


class Pull(_Message, frozen=True, tag=19):
    """Asks for everything that the receiver holds and the sender has not said that it holds, by any author."""

    ext: Ext = exts.NONE


class Cells(_Message, frozen=True, tag=6):
    """
    Answers a proof that differs at an equal frontier, with coded cells of what the sender holds (``crdt.sketch``).

    Attributes:
        proof: The sender's proof at that moment.
        first: The number of the first cell; the cells before it were already sent.
        cells: Cells of the heads and the entities; of the heads alone while operations wait at either side.
        ext: Room to grow.
    """

    proof: Annotated[bytes, msgspec.Meta(min_length=32, max_length=32)]
    first: Count
    cells: bytes
    ext: Ext = exts.NONE


class Listed(_Message, frozen=True, tag=9):
    """A page of the items themselves (``crdt.pages``), when there are too many differences for coded cells."""

    proof: Annotated[bytes, msgspec.Meta(min_length=32, max_length=32)]
    after: Annotated[bytes, msgspec.Meta(max_length=17)]
    upto: Annotated[bytes, msgspec.Meta(min_length=17, max_length=17)]
    records: bytes
    ext: Ext = exts.NONE


class Evidence(_Message, frozen=True, tag=10):
    """
    Signed evidence that the receiver lacks; empty as an answer to a peer that lacks nothing.

    Attributes:
        items: The evidence.
        more: Whether the sender has more to tell.
        ext: Room to grow.
    """

    items: tuple[bytes, ...]
    more: bool
    ext: Ext = exts.NONE


class Known(_Message, frozen=True, tag=18):
    """
    Asks for evidence after proofs showed that the two hold different evidence: for everything that this message does not
    name.

    Attributes:
        evidence: A page of the short names of the evidence that the sender holds, ascending.
        more: Whether more pages follow.
        ext: Room to grow.
    """

    evidence: tuple[Short, ...]
    more: bool
    ext: Ext = exts.NONE


class Branch(_Message, frozen=True, tag=17):
    """
    A piece of an actor's chain, for a peer that holds a different one: with both pieces it can prove that the chain forks.

    Attributes:
        actor, birth: Whose chain it is.
        seq, hash: Of the change before the piece.
        headers: The header hash of each change in the piece.
        signature: The actor's signature over the last change as head.
        ext: Room to grow.
    """

    actor: Actor
    birth: bytes
    seq: Count
    hash: Hash
    headers: tuple[Hash, ...]
    signature: bytes
    ext: Ext = exts.NONE


class Fetch(_Message, frozen=True, tag=13):
    """Asks by hash for changes that rotted at the sender."""

    wanted: tuple[tuple[Actor, Seq, Hash], ...]
    ext: Ext = exts.NONE


class Found(_Message, frozen=True, tag=14):
    """Answers a fetch: header and body of each change that is here, or those of its parts that are sound."""

    changes: tuple[tuple[bytes, bytes], ...]
    ext: Ext = exts.NONE


class Goodbye(_Message, frozen=True, tag=7):
    """The last message: the reason, and whose fault it is (``none``, ``yours``, ``mine``)."""

    reason: str
    fault: str
    ext: Ext = exts.NONE


Message = (
    Hello
    | Heads
    | Changes
    | Part
    | Offer
    | Want
    | Snapshot
    | Behind
    | Earlier
    | Ack
    | Announce
    | Pull
    | Cells
    | Listed
    | Evidence
    | Known
    | Branch
    | Fetch
    | Found
    | Goodbye
    | FileMessage
)
