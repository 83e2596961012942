"""Messages: their bytes are the protocol, so each is pinned, and what is not agreed on is no message."""

from __future__ import annotations

import msgspec
import pytest

from edda_sync import limits
from edda_sync.crdt.change import HASH_BYTES
from edda_sync.sync.messages import (
    Ack,
    Buckets,
    Changes,
    Goodbye,
    Hello,
    Message,
    Part,
    SignedHead,
    Snapshot,
    Summary,
)
from edda_sync.sync.wire import Codec

PINNED: list[tuple[Message, str]] = [
    (
        Hello((1, 1), b"t" * 4, "dev", (Summary(5, 2, b"h"),), "", 3, ((5, 3, b"", 1), (0, 0, b"s", 2))),
        "9801920101c40474747474a364657691930502c40168a00392940503c4000194" + "0000c4017302",
    ),
    (
        Changes(((b"head", b"body"),), (SignedHead(5, 2, b"sig", b""),)),
        "93029192c40468656164c404626f6479" + "91940502c403736967c400",
    ),
    (Part(5, 3, 1, b"data"), "9503050301c40464617461"),
    (Snapshot(b"name", 4, 1, b"data"), "9504c4046e616d650401c40464617461"),
    (Ack(((5, 2),), 7, True, "digest", 1), "9605919205" + "0207c3a664696765737401"),
    (Buckets((Summary(5, 2, b"hash"),), b"sums"), "930691930502c40468617368c40473756d73"),
    (Goodbye("why", "none"), "9307a3776879a46e6f6e65"),
]


@pytest.mark.parametrize(("message", "encoded"), PINNED, ids=lambda each: type(each).__name__)
def test_the_bytes_of_a_message_are_those_that_were_agreed_on(message: Message, encoded: str) -> None:
    assert msgspec.msgpack.encode(message).hex() == encoded
    assert Codec().decode(b"\0" + bytes.fromhex(encoded)) == message


def test_every_message_is_pinned() -> None:
    assert {type(message) for message, _ in PINNED} == set(Message.__args__)


def test_messages_do_not_change_after_they_are_made() -> None:
    message = Goodbye("why", "none")
    with pytest.raises(AttributeError):
        message.reason = "another"  # type: ignore[misc]


def test_the_largest_honest_messages_fit_a_frame() -> None:
    """The encoder asserts it; here are the largest that the limits allow, of what does not compress."""
    codec = Codec()
    noise = bytes(range(256)) * (limits.PART_BYTES_MAX // 256)
    actors = range((1 << limits.ACTOR_BITS) - limits.ACTORS_MAX, 1 << limits.ACTOR_BITS)
    seq = (1 << 48) - 1
    heads = tuple(Summary(actor, seq, actor.to_bytes(16, "big")) for actor in actors)
    frontier = tuple((actor, seq) for actor in actors)
    for message in (
        Hello((1, 1), b"t" * 16, "d" * 52, heads, "", 0, ()),
        Ack(frontier, 1 << 40, False, "d" * 32, 0),
        Buckets(heads, b"b" * 18 * limits.DIGEST_BUCKETS),
        Part(actors[0], seq, 255, noise),
        Snapshot(b"n" * 32, limits.SEGMENT_PARTS_MAX, 0, noise),
        Changes(
            ((b"h" * limits.HEADER_BYTES_MAX, noise),),
            (SignedHead(actors[0], seq, b"s" * 64, b"p" * HASH_BYTES * 4_000),),
        ),
    ):
        assert len(codec.encode(message)) <= limits.FRAME_BYTES_MAX
        assert codec.decode(codec.encode(message)) == message
