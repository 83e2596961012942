"""
The messages of a session. PROTOCOL.md has them byte by byte.

Each is an array: its tag, its fields, and room to grow (``crdt.ext``). What stands behind the fields that this version knows
is passed over, so one more of them ends no talk. A message of an unknown tag is an error: whoever may send one says so among
the features of its hello.
"""

from __future__ import annotations

from typing import Annotated

import msgspec

from edda_sync.changes.change import DEP_HASH_BYTES, Hash
from edda_sync.crdt import ext as exts
from edda_sync.crdt.ext import Ext
from edda_sync.crdt.frontier import Actor, Seq
from edda_sync.words import limits

Pairs = tuple[tuple[Actor, Seq], ...]
Count = Annotated[int, msgspec.Meta(ge=0, lt=1 << 53)]
Short = Annotated[bytes, msgspec.Meta(min_length=16, max_length=16)]


class _Message(msgspec.Struct, frozen=True, array_like=True):
    """A message is an array: its tag, then its fields."""


class Summary(msgspec.Struct, frozen=True, array_like=True):
    """Where one actor's chain stands: its seq and the first 16 bytes of its head's hash."""

    actor: Actor
    seq: Seq
    hash: Annotated[bytes, msgspec.Meta(min_length=DEP_HASH_BYTES, max_length=DEP_HASH_BYTES)]


class Wish(msgspec.Struct, frozen=True, array_like=True):
    """A large change that is half received: its dot, and the first part that is missing."""

    actor: Actor
    seq: Seq
    first: Count


class Hello(_Message, frozen=True, tag=1):
    """
    The first message, both ways.

    Attributes:
        protocol: Versions that the sender speaks, lowest and highest.
        workspace: Tag of workspace and device.
        device: The sender, as its certificate says.
        nonce: Random: both sides' key the coded cells of this talk.
        heads: Its frontier, with hashes, sorted by actor; a page of it.
        more: Whether :class:`Heads` follow with the rest of it, and of the names.
        evidence: Short names of the signed evidence that it holds, ascending; a page of them.
        waiting: How much is held there but not applied.
        wanted: Large changes half received.
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
    """The next page of a hello's heads and names of evidence."""

    heads: tuple[Summary, ...]
    evidence: tuple[Short, ...]
    more: bool
    ext: Ext = exts.NONE


class SignedHead(msgspec.Struct, frozen=True, array_like=True):
    """
    A signature that vouches for an actor's changes in a batch.

    ``proof`` holds the header hashes (32 bytes each) of the changes between the last one in the batch and ``seq``.
    """

    actor: Actor
    seq: Seq
    signature: bytes
    proof: bytes


class Changes(_Message, frozen=True, tag=2):
    """
    A batch in the sender's log order, each a header and a body; a large change is the last, its parts follow.

    Attributes:
        changes, heads: The batch, and what vouches for it.
        pushed: The first 8 bytes of the id of each device to which the sender pushes its own changes, one behind another,
            in order; nil where they are as it said last in this talk.
        seal: As in :class:`Ack`, of the sender once the receiver holds what is in the batch; empty when that is not all.
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
    """A segment that would bring the receiver on faster than the log: its name, and how many parts it has."""

    segment: Hash
    parts: Count
    ext: Ext = exts.NONE


class Want(_Message, frozen=True, tag=12):
    """Answers an offer: send the segment of that name, from this part on; or, past its last part, the log instead."""

    segment: Hash
    first: Count
    ext: Ext = exts.NONE


class Snapshot(_Message, frozen=True, tag=4):
    """A part of a segment that was asked for: its hash, how many parts there are, which one this is."""

    segment: Hash
    parts: Count
    number: Count
    data: bytes
    ext: Ext = exts.NONE


class Behind(_Message, frozen=True, tag=15):
    """
    Asks for the log behind a segment, a batch of it.

    Attributes:
        held: What is here of it, as the difference to what was said of that before in this talk; a page of it.
        upto: The segment's heads, sorted by actor: their hashes say which branch is meant, should a chain fork. A page;
            nothing where the question before was about the same segment, and less of its log was here then.
        more: Whether the rest of both follows.
        ext: Room to grow.
    """

    held: Pairs
    upto: tuple[Summary, ...]
    more: bool = False
    ext: Ext = exts.NONE

    def since(self, before: Behind | None) -> Behind:
        """Return what to say of this question to a peer that was asked another one before."""
        said = {} if before is None else dict(before.held)
        moved = tuple(pair for pair in self.held if said.get(pair[0]) != pair[1])
        is_further = said.keys() <= dict(self.held).keys() and all(seq > said.get(actor, 0) for actor, seq in moved)
        return Behind(moved, ()) if before is not None and before.upto == self.upto and is_further else self

    def pages(self) -> list[Behind]:
        """Return it cut up to travel: how many actors there are has no limit."""
        size = limits.HEADS_MAX // 2  # of each of the two
        most = max(len(self.held), len(self.upto), 1)
        return [
            Behind(self.held[at : at + size], self.upto[at : at + size], at + size < most)
            for at in range(0, most, size)
        ]


class Earlier(_Message, frozen=True, tag=16):
    """Answers :class:`Behind`: as :class:`Changes`; empty when the sender's log does not reach back either."""

    changes: tuple[tuple[bytes, bytes], ...]
    heads: tuple[SignedHead, ...]
    ext: Ext = exts.NONE


class Ack(_Message, frozen=True, tag=5):
    """
    What is durable at the sender.

    Attributes:
        moved: Its frontier, as the difference to what it said of it before in this talk.
        frames: How many frames of data it has dealt with in this talk.
        again: It dropped a batch that came too early: start over from its frontier.
        proof: Where both hold the same, for all that the sender knows: the seal of all that it holds (16 bytes); to a peer
            whose seal is another one, digest of its content (16 bytes) and hash of its heads (16 bytes). Else empty.
        waiting: How much is held but not applied.
        evidence: With digest and heads: hash of the set of signed evidence that it holds.
        unread: With digest and heads: hash of the set of operations that wait; empty when nothing does.
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
    """A signed head: the name of the chain as an acknowledgement says it, seq and hash of the change, and the signature."""

    name: Actor
    seq: Seq
    hash: Hash
    signature: bytes


class Announce(_Message, frozen=True, tag=20):
    """
    Signed heads of what the sender said that it holds, to a peer that may lack it: claims beyond these count for nothing.

    Attributes:
        heads: At most ``SHOWN_HEADS_MAX``.
        ext: Room to grow.
    """

    heads: tuple[Shown, ...]
    ext: Ext = exts.NONE


class Pull(_Message, frozen=True, tag=19):
    """Asks for all that the receiver holds and the sender has not said that it holds, whoever wrote it."""

    ext: Ext = exts.NONE


class Cells(_Message, frozen=True, tag=6):
    """
    Answers a proof that differs at an equal frontier: coded cells of what the sender holds (``crdt.sketch``).

    Attributes:
        proof: The sender's, of that moment.
        first: Number of the first cell; cells before it were sent already.
        cells: Of the heads and the entities; of the heads alone while something waits at either side.
        ext: Room to grow.
    """

    proof: Annotated[bytes, msgspec.Meta(min_length=32, max_length=32)]
    first: Count
    cells: bytes
    ext: Ext = exts.NONE


class Listed(_Message, frozen=True, tag=9):
    """The items themselves, where there is too much for coded cells: a page of them (``crdt.pages``)."""

    proof: Annotated[bytes, msgspec.Meta(min_length=32, max_length=32)]
    after: Annotated[bytes, msgspec.Meta(max_length=17)]
    upto: Annotated[bytes, msgspec.Meta(min_length=17, max_length=17)]
    records: bytes
    ext: Ext = exts.NONE


class Evidence(_Message, frozen=True, tag=10):
    """
    Signed evidence that the receiver lacks; empty to one who asked and lacks nothing.

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
    Asks for evidence, where proofs show that the two hold other: for all that is not named in it.

    Attributes:
        evidence: Short names of the evidence that the sender holds, ascending; a page of them.
        more: Whether the rest follows.
        ext: Room to grow.
    """

    evidence: tuple[Short, ...]
    more: bool
    ext: Ext = exts.NONE


class Branch(_Message, frozen=True, tag=17):
    """
    A piece of an actor's chain, to the peer that holds another one: with its own it can prove that the chain forks.

    Attributes:
        actor, birth: Whose chain it is.
        seq, hash: Of the change before the piece.
        headers: The header hash of each change of it.
        signature: The actor's, over the last one as head.
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
    """Asks for changes that rotted here, by their hashes."""

    wanted: tuple[tuple[Actor, Seq, Hash], ...]
    ext: Ext = exts.NONE


class Found(_Message, frozen=True, tag=14):
    """Answers a fetch: of each change that is here its header and body, or those of its parts that fit."""

    changes: tuple[tuple[bytes, bytes], ...]
    ext: Ext = exts.NONE


class Goodbye(_Message, frozen=True, tag=7):
    """The last message: why, and whose fault (``none``, ``yours``, ``mine``)."""

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
)
