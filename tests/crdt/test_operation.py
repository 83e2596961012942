from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edda_sync.crdt import operation as ops
from edda_sync.crdt.frontier import SEQ_MAX
from edda_sync.crdt.operation import Delete, Edit, Operation, Put, Touch, Unread
from edda_sync.words import limits
from edda_sync.words.model import KINDS

ID = bytes(range(16))

ENTITY, ACTOR = bytes(range(16)), bytes.fromhex("c1da55d321a4f21e76ad392620ad4900")
GENESIS = b"\7" * 16
AFTER_THE_LAST_YEAR = b"\xc7\x0c\xff" + struct.pack(
    ">Iq", 0, 253_402_300_800
)  # msgpack's own moment, of the year 10000

kinds = st.sampled_from(KINDS)
names = st.binary(min_size=16, max_size=16)
plain = (
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False) | st.text() | st.binary()
)
values = st.recursive(
    plain,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)
operations: st.SearchStrategy[Operation] = st.one_of(
    st.builds(Put, kinds, names, st.dictionaries(st.text(max_size=8), values, max_size=3)),
    st.builds(Edit, kinds, names, st.text(max_size=8), names, st.binary(max_size=20)),
    st.builds(Delete, kinds, names, st.lists(st.tuples(names, st.integers(1, SEQ_MAX)), max_size=3).map(tuple)),
    st.builds(Touch, kinds, names),
)


def packed(*fields: Any) -> bytes:
    return msgspec.msgpack.encode(fields)


def cut(*pieces: bytes) -> list[Operation | Unread]:
    return [ops.decode(each) for each in ops.cut(pieces)]


# --- one operation ----------------------------------------------------------------------------------------------------


@given(operations)
def test_an_operation_is_read_back_from_its_bytes(one: Operation) -> None:
    encoded = ops.encode(one)
    assert struct.unpack(">I", encoded[:4])[0] == len(encoded) - 4
    assert ops.decode(encoded[4:]) == one
    assert ops.decode(memoryview(encoded)[4:]) == one


def test_each_operation_has_its_published_bytes() -> None:
    """Worked out from PROTOCOL.md alone: other implementations must find the same."""
    put = (
        "000000339401a47461736bc410000102030405060708090a0b0c0d0e0f82a87072696f7269747900a57469746c65a8427579206d696c6b"
    )
    edit = (
        "0000003d9602a8646f63756d656e74c410000102030405060708090a0b0c0d0e0fa7636f6e74656e74c4100000000000000000000000000000"
        "0000c40465646974"
    )
    delete = "0000002d9403a3746167c410000102030405060708090a0b0c0d0e0f9192c410c1da55d321a4f21e76ad392620ad490005"
    touch = "000000199304a47461736bc410000102030405060708090a0b0c0d0e0f"
    published: dict[str, Operation] = {
        put: Put("task", ENTITY, {"title": "Buy milk", "priority": 0}),
        edit: Edit("document", ENTITY, "content", bytes(16), b"edit"),
        delete: Delete("tag", ENTITY, ((ACTOR, 5),)),
        touch: Touch("task", ENTITY),
    }
    assert {ops.encode(one).hex(): one for one in published.values()} == published


def test_an_operation_has_one_encoding_whatever_the_order_of_its_cells() -> None:
    one = ops.encode(Put("task", ENTITY, {"title": "t", "status": "open"}))
    assert one == ops.encode(Put("task", ENTITY, {"status": "open", "title": "t"}))


SEEN = [[ACTOR, 5]]
REFUSED: dict[str, bytes] = {
    "float-for-a-code": packed(4.0, "task", ENTITY),
    "bool-for-a-code": packed(True, "task", ENTITY, {}),
    "text-for-a-code": packed("4", "task", ENTITY),
    "nil-for-a-code": packed(None, "task", ENTITY),
    "code-below-zero": packed(-1, "task", ENTITY),
    "bytes-for-a-kind": packed(4, b"task", ENTITY),
    "text-for-an-id": packed(4, "task", "sixteen letters."),
    "list-for-an-id": packed(4, "task", list(ENTITY)),
    "short-id": packed(4, "task", ENTITY[:15]),
    "long-id": packed(4, "task", ENTITY + b"x"),
    "no-id": packed(4, "task"),
    "no-kind": packed(4),
    "no-code": packed(),
    "put-without-cells": packed(1, "task", ENTITY),
    "put-of-a-list": packed(1, "task", ENTITY, []),
    "put-with-one-more": packed(1, "task", ENTITY, {}, None),
    "put-under-a-number": packed(1, "task", ENTITY, {5: "x"}),
    "put-under-bytes": packed(1, "task", ENTITY, {b"title": "x"}),
    "edit-without-edit": packed(2, "task", ENTITY, "description", GENESIS),
    "edit-with-one-more": packed(2, "task", ENTITY, "description", GENESIS, b"", 1),
    "edit-of-a-text": packed(2, "task", ENTITY, "description", GENESIS, "text"),
    "edit-of-a-numbered-genesis": packed(2, "task", ENTITY, "description", 5, b""),
    "edit-of-a-short-genesis": packed(2, "task", ENTITY, "description", GENESIS[:15], b""),
    "edit-of-a-field-in-bytes": packed(2, "task", ENTITY, b"description", GENESIS, b""),
    "delete-without-seen": packed(3, "task", ENTITY),
    "delete-with-one-more": packed(3, "task", ENTITY, SEEN, 1),
    "delete-of-a-number": packed(3, "task", ENTITY, 5),
    "delete-of-a-map": packed(3, "task", ENTITY, {ACTOR: 5}),
    "delete-of-a-float": packed(3, "task", ENTITY, [[ACTOR, 5.0]]),
    "delete-of-a-bool": packed(3, "task", ENTITY, [[ACTOR, True]]),
    "delete-of-a-seq-in-text": packed(3, "task", ENTITY, [[ACTOR, "5"]]),
    "delete-of-seq-zero": packed(3, "task", ENTITY, [[ACTOR, 0]]),
    "delete-of-a-seq-too-large": packed(3, "task", ENTITY, [[ACTOR, SEQ_MAX + 1]]),
    "delete-of-an-actor-in-text": packed(3, "task", ENTITY, [["sixteen letters.", 5]]),
    "delete-of-a-short-actor": packed(3, "task", ENTITY, [[ACTOR[:15], 5]]),
    "delete-of-half-a-pair": packed(3, "task", ENTITY, [[ACTOR]]),
    "delete-of-three": packed(3, "task", ENTITY, [[ACTOR, 5, 5]]),
    "touch-with-one-more": packed(4, "task", ENTITY, 5),
    "touch-with-nothing-more": packed(4, "task", ENTITY, None),
    "a-time-after-the-last-year": packed(1, "task", ENTITY, {"title": None})[:-1] + AFTER_THE_LAST_YEAR,
    "a-time-after-the-last-year-in-a-newer-code": packed(9, "task", ENTITY, None)[:-1] + AFTER_THE_LAST_YEAR,
    "a-time-after-the-last-year-in-a-newer-kind": packed(1, "project", ENTITY, None)[:-1] + AFTER_THE_LAST_YEAR,
    "nothing": b"",
    "no-msgpack": b"\xc1",
    "a-map": msgspec.msgpack.encode({"a": 1}),
    "a-number": b"\1",
    "cut": packed(4, "task", ENTITY)[:-1],
    "goes-on": packed(4, "task", ENTITY) + b"\0",
    "no-utf-8": packed(1, "task", ENTITY, {"title": "x"}).replace(b"\xa1x", b"\xa1\xff"),
    "half-a-character": packed(1, "task", ENTITY, {"title": "xyz"}).replace(b"xyz", b"\xed\xa0\x80"),
    "no-utf-8-in-a-kind": packed(4, "task", ENTITY).replace(b"task", b"tas\xff"),
}


@pytest.mark.parametrize("encoded", REFUSED.values(), ids=REFUSED)
def test_an_operation_that_does_not_fit_its_type_is_refused_as_a_whole_and_never_taken_for_an_equal_one(
    encoded: bytes,
) -> None:
    found = ops.decode(encoded)
    assert isinstance(found, Unread)
    assert found.refused


def test_a_refused_operation_is_about_an_entity_if_that_can_be_read() -> None:
    about = {name: ops.decode(encoded)[1:] for name, encoded in REFUSED.items()}  # type: ignore[index]
    readable = {name for name, (kind, entity) in about.items() if (kind, entity) == ("task", ENTITY)}
    assert {name for name in REFUSED if name.startswith(("put-", "edit-", "delete-", "touch-"))} <= readable
    assert all(about[name] == (None, None) for name in REFUSED.keys() - readable)
    assert {"nothing", "no-id", "text-for-a-code", "goes-on"}.isdisjoint(readable)


NEWER: dict[str, tuple[bytes, Unread]] = {
    "code": (packed(5, "task", ENTITY, {"any": [thing := "thing"]}), Unread(False, "task", ENTITY)),
    "code-zero": (packed(0, "task", ENTITY), Unread(False, "task", ENTITY)),
    "large-code": (packed((1 << 64) - 1, "document", ENTITY, None, 2.5), Unread(False, "document", ENTITY)),
    "kind": (packed(1, "project", ENTITY, {"title": "x"}), Unread(False)),
    "kind-and-code": (packed(9, "project", ENTITY, thing), Unread(False)),
    "kind-with-other-fields": (packed(4, "project", ENTITY, thing), Unread(False)),
}


@pytest.mark.parametrize(("encoded", "found"), NEWER.values(), ids=NEWER)
def test_a_code_or_kind_of_a_newer_version_is_unknown_and_not_refused(encoded: bytes, found: Unread) -> None:
    assert ops.decode(encoded) == found


@given(
    st.binary(max_size=60)
    | values.map(msgspec.msgpack.encode)
    | st.lists(values, max_size=6).map(msgspec.msgpack.encode)
)
def test_any_bytes_are_an_operation_or_unreadable_and_nothing_else_happens(encoded: bytes) -> None:
    found = ops.decode(encoded)
    if not isinstance(found, Unread):
        assert ops.decode(ops.encode(found)[4:]) == found


@given(st.integers(0, 2**32 - 1), st.integers(-(2**63), 2**63 - 1), st.booleans())
def test_a_timestamp_in_a_cell_does_no_harm(nanoseconds: int, seconds: int, is_known: bool) -> None:
    moment = b"\xc7\x0c\xff" + struct.pack(">Iq", nanoseconds, seconds)
    found = ops.decode(packed(1 if is_known else 9, "task", ENTITY, {"title": None})[:-1] + moment)
    if not isinstance(found, Unread):
        assert ops.decode(ops.encode(found)[4:]) == found


@pytest.mark.parametrize("key", [b"\x80", b"\x90", b"\x91\x80", b"\xc0", b"\xcb" + bytes(8), b"\xd4\1x"], ids=bytes.hex)
def test_a_value_with_keys_of_any_type_does_no_harm(key: bytes) -> None:
    nested = packed(1, "task", ENTITY, {"unheard": None})[:-1] + b"\x81" + key + b"\0"
    assert isinstance(ops.decode(nested), Put | Unread)


# --- a function of the bytes alone ------------------------------------------------------------------------------------


def deep(levels: int) -> msgspec.Raw:
    """Lists nested to the given depth."""
    return msgspec.Raw(b"\x91" * levels + b"\xc0")


def nested(code: int, kind: str, levels: int) -> bytes:
    """An operation with a value nested to the given depth."""
    return packed(code, kind, ENTITY, {"unheard": deep(levels)} if code == 1 else deep(levels))


def on_a_deep_stack(calls: int, work: Callable[[], Operation | Unread]) -> Operation | Unread:
    return work() if calls == 0 else on_a_deep_stack(calls - 1, work)


@pytest.mark.parametrize(("code", "kind"), [(1, "task"), (9, "task"), (1, "project"), (4, "task")])
@pytest.mark.parametrize("levels", [30, 200, 600, 900, 5_000, 100_000])
def test_every_reader_takes_an_operation_for_the_same(code: int, kind: str, levels: int) -> None:
    """Otherwise a member could make one that some devices refuse for good and others keep."""
    encoded = nested(code, kind, levels)
    found = ops.decode(encoded)
    assert on_a_deep_stack(700, lambda: ops.decode(encoded)) == found


@pytest.mark.parametrize("levels", range(limits.OPERATION_LEVELS_MAX - 4, limits.OPERATION_LEVELS_MAX + 4))
def test_versions_that_know_an_operation_and_those_that_do_not_allow_the_same_depth(levels: int) -> None:
    known, unknown = (packed(code, "task", ENTITY, {"unheard": deep(levels)}) for code in (1, 9))
    found = ops.decode(unknown)
    assert isinstance(found, Unread)
    assert found.refused == (ops.decode(known) == Unread(refused=True)) == (levels > limits.OPERATION_LEVELS_MAX - 2)


# --- bodies -----------------------------------------------------------------------------------------------------------


@given(st.lists(operations, max_size=6), st.data())
def test_a_body_cut_anywhere_gives_the_same_operations(listed: list[Operation], data: st.DataObject) -> None:
    body = b"".join(map(ops.encode, listed))
    at = sorted(data.draw(st.lists(st.integers(0, len(body)), max_size=5)))
    pieces = [body[start:end] for start, end in zip([0, *at], [*at, len(body)], strict=True)]
    assert cut(*pieces) == listed


@given(st.lists(operations, min_size=1, max_size=4), st.data())
def test_a_body_that_ends_inside_an_operation_yields_the_whole_ones_and_one_that_is_refused(
    listed: list[Operation], data: st.DataObject
) -> None:
    body = b"".join(map(ops.encode, listed))
    last = len(ops.encode(listed[-1]))
    assert cut(body[: len(body) - data.draw(st.integers(1, last - 1))]) == [*listed[:-1], Unread(refused=True)]


def test_an_operation_that_claims_more_than_the_limit_ends_the_body() -> None:
    whole = ops.encode(Touch("task", ENTITY))
    too_long = struct.pack(">I", limits.OPERATION_BYTES_MAX + 1)
    assert cut(whole + too_long + whole) == [Touch("task", ENTITY), Unread(refused=True)]


def test_nothing_is_read_behind_an_operation_that_claims_more_than_the_limit() -> None:
    """Otherwise memory would hold a whole body that says it is one operation."""
    pieces = iter([struct.pack(">I", limits.OPERATION_BYTES_MAX + 1), b"never read", b"never read"])
    assert list(ops.cut(pieces)) == [b""]
    assert len(list(pieces)) == 2


def test_an_operation_that_cannot_be_read_is_stepped_over() -> None:
    whole = ops.encode(Touch("task", ENTITY))
    odd = [struct.pack(">I", len(each)) + each for each in (b"", b"\xc1\xc1", packed(9, "task", ENTITY))]
    assert cut(whole, *odd, whole) == [
        Touch("task", ENTITY), Unread(True), Unread(True), Unread(False, "task", ENTITY), Touch("task", ENTITY),
    ]  # fmt: skip


def test_the_last_value_counts_for_a_cell_that_is_named_twice() -> None:
    raw = b"\x94\x01\xa4task\xc4\x10" + bytes(16) + b"\x82\xa5title\xa1a\xa5title\xa1b"
    assert ops.decode(raw) == Put("task", bytes(16), {"title": "b"})


def test_one_look_tells_which_entities_a_body_is_about() -> None:
    whole = b"".join(
        ops.encode(one) for one in (Put("task", ID, {"title": "t"}), Touch("tag", ID), Delete("document", ID, ()))
    )
    assert list(ops.about(whole, 3)) == [("task", ID), ("tag", ID), ("document", ID)]
    assert list(ops.about(whole, 2)) == [("task", ID), ("tag", ID)]


def test_the_operations_of_a_body_tell_its_kinds_and_not_the_words_in_it() -> None:
    written = [ops.encode(Put("task", bytes(16), {"title": "a device"})), ops.encode(Delete("tag", bytes(16), ()))]
    strange = ops.framed(b"\x93\x63\xd9\x06device\xc4\x10" + bytes(16))  # its kind is not as short as it might be
    for body, kinds in ((written, {"task", "tag"}), ([*written, strange], {"task", "tag", "device"})):
        whole = b"".join(body)
        assert {kind for kind in KINDS if ops.is_about(whole, len(body), kind)} == kinds
    assert not ops.is_about(b"".join([*written, strange]), 2, "device"), "nothing is read beyond what the header says"


@given(st.binary(max_size=64))
def test_reading_ahead_raises_no_error(body: bytes) -> None:
    for kind, entity_id in ops.about(body, 10):
        assert kind in KINDS
        assert len(entity_id) == 16
    framed = ops.framed(body)
    for kind, entity_id in ops.about(framed, 1):
        known = ops.decode(body)
        assert (known.kind, known.id) in ((kind, entity_id), (None, None))
