"""Messages: their bytes are the protocol, so all are pinned; a later version may add fields."""

from __future__ import annotations

from typing import Any, get_args

import msgspec
import pytest

from edda_sync.changes.change import HASH_BYTES
from edda_sync.changes.forkproof import SIDE_HASHES_MAX
from edda_sync.crdt.digests import HASH_BYTES as ROOT_BYTES
from edda_sync.crdt.digests import KEY_BYTES
from edda_sync.crdt.sketch import CELL_BYTES
from edda_sync.sync.file_messages import Has, Lacks, Range, Seek, Slice
from edda_sync.sync.messages import (
    Ack,
    Announce,
    Behind,
    Branch,
    Cells,
    Changes,
    Earlier,
    Evidence,
    Fetch,
    Found,
    Goodbye,
    Heads,
    Hello,
    Known,
    Listed,
    Message,
    Offer,
    Part,
    Pull,
    Shown,
    SignedHead,
    Snapshot,
    Summary,
    Want,
    Wish,
)
from edda_sync.sync.wire import Codec
from edda_sync.words import limits
from edda_sync.words.errors import RemoteProtocolError

ACTOR, OTHER = b"A" * 16, b"B" * 16
HASH, OTHER_HASH, SHORT = b"h" * 32, b"o" * 32, b"h" * 16
A, B, H, S = "c410" + "41" * 16, "c410" + "42" * 16, "c420" + "68" * 32, "c410" + "68" * 16
O = "c420" + "6f" * 32  # noqa: E741 - as H
SUMMARY = "93" + A + "02" + S
SIGNED = "94" + A + "02" + "c403736967" + "c400"
CHANGE = "92" + "c40468656164" + "c404626f6479"

PINNED: list[tuple[Message, str]] = [
    (
        Hello((1, 1), b"t" * 16, "dev", b"n" * 16, (Summary(ACTOR, 2, SHORT),), False, (SHORT,), 3, (Wish(OTHER, 5, 1),)),
        "9b" + "01" + "920101" + "c410" + "74" * 16 + "a3646576" + "c410" + "6e" * 16 + "91" + SUMMARY + "c2" + "91" + S
        + "03" + "91" + "93" + B + "0501" + "90",
    ),
    (Heads((Summary(ACTOR, 2, SHORT),), (SHORT,), True), "95" + "08" + "91" + SUMMARY + "91" + S + "c3" + "90"),
    (
        Changes(((b"head", b"body"),), (SignedHead(ACTOR, 2, b"sig", b""),)),
        "96" + "02" + "91" + CHANGE + "91" + SIGNED + "c0" + "c400" + "90",
    ),
    (Changes((), (), b"dev", SHORT), "96" + "02" + "90" + "90" + "c403646576" + S + "90"),
    (Announce((Shown(ACTOR, 2, HASH, b"sig"),)), "93" + "14" + "91" + "94" + A + "02" + H + "c403736967" + "90"),
    (Pull(), "92" + "13" + "90"),
    (Part(ACTOR, 3, 1, b"data"), "96" + "03" + A + "03" + "01" + "c40464617461" + "90"),
    (Snapshot(HASH, 4, 1, b"data"), "96" + "04" + H + "04" + "01" + "c40464617461" + "90"),
    (
        Ack(((ACTOR, 2),), 7, True, HASH, 1, HASH, SHORT),
        "99" + "05" + "91" + "92" + A + "02" + "07" + "c3" + H + "01" + H + S + "90",
    ),
    (Ack((), 0, False, b"", 0), "99" + "05" + "90" + "00" + "c2" + "c400" + "00" + "c400" + "c400" + "90"),
    (Cells(HASH, 64, b"cells"), "95" + "06" + H + "40" + "c40563656c6c73" + "90"),
    (Goodbye("why", "none"), "94" + "07" + "a3776879" + "a46e6f6e65" + "90"),
    (
        Listed(HASH, b"", b"k" * 17, b"records"),
        "96" + "09" + H + "c400" + "c411" + "6b" * 17 + "c4077265636f726473" + "90",
    ),
    (Evidence((b"proof",), True), "94" + "0a" + "91" + "c40570726f6f66" + "c3" + "90"),
    (Offer(HASH, 4), "94" + "0b" + H + "04" + "90"),
    (Want(HASH, 2), "94" + "0c" + H + "02" + "90"),
    (Fetch(((ACTOR, 2, HASH),)), "93" + "0d" + "91" + "93" + A + "02" + H + "90"),
    (Found(((b"head", b"body"),)), "93" + "0e" + "91" + CHANGE + "90"),
    (
        Behind(((ACTOR, 1),), (Summary(ACTOR, 2, SHORT),)),
        "95" + "0f" + "91" + "92" + A + "01" + "91" + SUMMARY + "c2" + "90",
    ),
    (
        Earlier(((b"head", b"body"),), (SignedHead(ACTOR, 2, b"sig", b""),)),
        "94" + "10" + "91" + CHANGE + "91" + SIGNED + "90",
    ),
    (
        Branch(ACTOR, b"birth", 4, HASH, (HASH,), b"sig"),
        "98" + "11" + A + "c4056269727468" + "04" + H + "91" + H + "c403736967" + "90",
    ),
    (Known((SHORT,), True), "94" + "12" + "91" + S + "c3" + "90"),
    (
        Seek(HASH, (Range(OTHER_HASH, 16_384, 262_144),)),
        "94" + "15" + H + "91" + "93" + O + "cd4000" + "ce00040000" + "90",
    ),
    (Slice(HASH, 5, 1, b"data"), "96" + "16" + H + "05" + "01" + "c40464617461" + "90"),
    (Lacks((HASH, OTHER_HASH)), "93" + "17" + "92" + H + O + "90"),
    (Has((HASH,), 2, 1_000), "95" + "18" + "91" + H + "02" + "cd03e8" + "90"),
]  # fmt: skip
NAMES: Any = lambda each: type(each).__name__ if isinstance(each, msgspec.Struct) else ""  # noqa: E731 - of a parameter


@pytest.mark.parametrize(("message", "encoded"), PINNED, ids=NAMES)
def test_the_bytes_of_a_message_are_those_that_were_agreed_on(message: Message, encoded: str) -> None:
    assert msgspec.msgpack.encode(message).hex() == encoded
    assert Codec().decode(b"\0" + bytes.fromhex(encoded)) == message


def test_every_message_is_pinned() -> None:
    assert {type(message) for message, _ in PINNED} == set(get_args(Message))


def test_no_two_messages_share_a_tag() -> None:
    tags = {type(message): bytes.fromhex(encoded)[1] for message, encoded in PINNED}
    assert len(set(tags.values())) == len(get_args(Message))


@pytest.mark.parametrize(("message", "encoded"), PINNED, ids=NAMES)
@pytest.mark.parametrize("more", [[b"more"], [7, None], [{"a": [1]}]], ids=["one", "two", "nested"])
def test_fields_that_a_later_version_adds_are_passed_over(message: Message, encoded: str, more: list[Any]) -> None:
    fields = msgspec.msgpack.decode(bytes.fromhex(encoded))
    assert Codec().decode(b"\0" + msgspec.msgpack.encode([*fields, *more])) == message


@pytest.mark.parametrize(("message", "encoded"), PINNED, ids=NAMES)
@pytest.mark.parametrize("number", [2, 3, 1 << 31], ids=["even", "odd", "large"])
def test_whatever_stands_in_the_room_to_grow_is_kept(message: Message, encoded: str, number: int) -> None:
    fields = msgspec.msgpack.decode(bytes.fromhex(encoded))
    read = Codec().decode(b"\0" + msgspec.msgpack.encode([*fields[:-1], [[number, b"said"]]]))
    assert read == msgspec.structs.replace(message, ext=((number, b"said"),))


@pytest.mark.parametrize(("message", "encoded"), PINNED, ids=NAMES)
def test_the_room_to_grow_may_be_left_out_and_no_field_without_which_a_message_says_nothing(
    message: Message, encoded: str
) -> None:
    fields = msgspec.msgpack.decode(bytes.fromhex(encoded))
    needed = sum(field.required for field in msgspec.structs.fields(message))
    codec = Codec()
    assert codec.decode(b"\0" + msgspec.msgpack.encode(fields[:-1])) == message
    with pytest.raises(RemoteProtocolError):
        codec.decode(b"\0" + msgspec.msgpack.encode(fields[:needed]))


def test_a_message_of_an_unknown_tag_is_none() -> None:
    for tag in (0, 19, 99, 1 << 20, -1):
        with pytest.raises(RemoteProtocolError):
            Codec().decode(b"\0" + msgspec.msgpack.encode([tag, b"whatever"]))


@pytest.mark.parametrize(
    "fields",
    [
        [5, [[b"short", 1]], 0, False, b"", 0],  # an actor of five bytes
        [5, [[ACTOR, 0]], 0, False, b"", 0],  # a change number 0
        [5, [[ACTOR, 1 << 48]], 0, False, b"", 0],  # a change number that no chain reaches
        [5, [[ACTOR, True]], 0, False, b"", 0],  # no number
        [5, [], -1, False, b"", 0],
        [5, [], 1.0, False, b"", 0],
        [5, [], 0, False, b"p" * 33, 0],
        [6, b"p" * 31, 0, b""],
        [9, HASH, b"a" * 18, b"u" * 17, b""],
        [11, b"h" * 31, 1],
        [13, [[ACTOR, 1, b"h" * 16]]],
        [15, [[ACTOR, 1], [ACTOR]], []],
        [15, [], [[ACTOR, 1]]],
        [18, [b"h" * 15], False],
        [17, ACTOR, b"birth", 0, HASH, [b"h" * 31], b"sig"],
    ],
)
def test_a_field_out_of_bounds_is_none(fields: list[Any]) -> None:
    with pytest.raises(RemoteProtocolError):
        Codec().decode(b"\0" + msgspec.msgpack.encode(fields))


def test_messages_do_not_change_after_they_are_made() -> None:
    message = Goodbye("why", "none")
    with pytest.raises(AttributeError):
        message.reason = "another"  # type: ignore[misc]


def test_the_largest_honest_messages_fit_a_frame() -> None:
    """The encoder asserts it; these are the largest messages that the limits allow, with data that does not compress."""
    codec = Codec()
    noise = bytes(range(256)) * (limits.PART_BYTES_MAX // 256)
    seq = (1 << 48) - 1
    heads = tuple(Summary(n.to_bytes(16, "little"), seq, n.to_bytes(16, "big")) for n in range(limits.HEADS_MAX))
    pairs = tuple((n.to_bytes(16, "little"), seq) for n in range(limits.HEADS_MAX))
    wishes = tuple(Wish(ACTOR, seq, 255) for _ in range(limits.INCOMING_MAX * limits.MEMBERS_MAX))
    names = tuple(n.to_bytes(16, "big") for n in range(limits.HEADS_MAX))
    records = limits.LISTED_ITEMS_MAX * (KEY_BYTES + ROOT_BYTES)
    signed = (SignedHead(ACTOR, seq, b"s" * 64, b"p" * HASH_BYTES * 4_000),)
    for message in (
        Hello((1, 1), b"t" * 16, "d" * 52, b"n" * 16, heads, True, names, 0, wishes),
        Heads(heads, names, True),
        Known(names, True),
        Ack(pairs, 1 << 40, False, HASH, 0),
        Behind(pairs, heads[: limits.HEADS_MAX // 2]),
        Announce(
            tuple(Shown(number.to_bytes(16, "big"), seq, HASH, b"s" * 64) for number in range(limits.SHOWN_HEADS_MAX))
        ),
        Cells(HASH, 0, noise[: limits.CODED_CELLS_MAX * CELL_BYTES]),
        Listed(HASH, b"", b"k" * KEY_BYTES, noise[:records]),
        Branch(ACTOR, noise[:4_096], seq - SIDE_HASHES_MAX, HASH, (HASH,) * SIDE_HASHES_MAX, b"s" * 64),
        Part(ACTOR, seq, 255, noise),
        Snapshot(b"n" * 32, limits.SEGMENT_PARTS_MAX, 0, noise),
        Changes(((b"h" * limits.HEADER_BYTES_MAX, noise),), signed),
        Earlier(((b"h" * limits.HEADER_BYTES_MAX, noise),), signed),
        Found(((b"h" * limits.HEADER_BYTES_MAX, noise),)),
    ):
        assert len(codec.encode(message)) <= limits.FRAME_BYTES_MAX
        assert codec.decode(codec.encode(message)) == message
