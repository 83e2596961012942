from __future__ import annotations

import struct
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edda_sync import limits
from edda_sync.crdt import change as changes
from edda_sync.crdt.change import NO_HASH, PUT, TOUCH, Birth, Change, Header
from edda_sync.crdt.frontier import Frontier
from edda_sync.errors import RemoteProtocolError

BIRTH = Birth(bytes(range(32)), b"nonce of sixteen")
ACTOR = changes.actor_of(BIRTH)
ENTITY = bytes(16)

headers = st.builds(
    Header,
    version=st.just(changes.VERSION),
    actor=st.integers(0, (1 << limits.ACTOR_BITS) - 1),
    seq=st.integers(2, (1 << 48) - 1),
    wall_ms=st.integers(0, limits.WALL_MS_MAX),
    deps=st.just(()),
    operations=st.integers(0, limits.CHANGE_OPERATIONS_MAX),
    body_bytes=st.integers(0, limits.PART_BYTES_MAX),
    parts=st.just(()),
    agent=st.none() | st.text(max_size=limits.NAME_CODE_POINTS_MAX),
    reason=st.none() | st.text(max_size=50),
)
plain = st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.text(max_size=20) | st.binary(max_size=20)
operations = st.lists(plain | st.dictionaries(st.text(max_size=5), plain, max_size=3), max_size=4)


def header(**different: Any) -> Header:
    """A sound header that differs in some way from the usual."""
    usual: dict[str, Any] = {
        "version": 1, "actor": ACTOR, "seq": 2, "wall_ms": 5, "deps": (), "operations": 1, "body_bytes": 10,
    }  # fmt: skip
    return Header(**(usual | different))


# --- headers ----------------------------------------------------------------------------------------------------------


@given(headers)
def test_a_header_is_read_back_from_its_bytes(sound: Header) -> None:
    raw = changes.encode_header(sound)
    decoded = changes.decode_header(raw)
    assert decoded == sound
    assert changes.encode_header(decoded) == raw
    assert decoded.dot == (sound.actor, sound.seq)


def test_the_bytes_of_a_header_are_those_of_the_protocol() -> None:
    raw = changes.encode_header(header(deps=((1, 2),), agent="claude"))
    assert raw == msgspec.msgpack.encode([1, ACTOR, 2, 5, [[1, 2]], 1, 10, [], "claude", None, None])


@given(headers, st.data())
def test_a_header_that_is_cut_or_goes_on_is_refused(sound: Header, data: st.DataObject) -> None:
    raw = changes.encode_header(sound)
    with pytest.raises(RemoteProtocolError):
        changes.decode_header(raw[: data.draw(st.integers(0, len(raw) - 1))])
    with pytest.raises(RemoteProtocolError):
        changes.decode_header(raw + b"\0")


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused_and_never_worse(raw: bytes) -> None:
    try:
        decoded = changes.decode_header(raw)
    except RemoteProtocolError:
        return
    assert decoded.version == changes.VERSION


@pytest.mark.parametrize(
    "unsound",
    [
        header(version=2),
        header(actor=-1),
        header(actor=1 << limits.ACTOR_BITS),
        header(seq=0, birth=BIRTH),
        header(seq=1 << 48),
        header(wall_ms=-1),
        header(wall_ms=limits.WALL_MS_MAX + 1),
        header(operations=-1),
        header(operations=limits.CHANGE_OPERATIONS_MAX + 1),
        header(body_bytes=-1),
        header(body_bytes=limits.CHANGE_BYTES_MAX + 1, parts=(bytes(32),) * 257),
        header(parts=(bytes(32),)),
        header(body_bytes=limits.PART_BYTES_MAX + 1),
        header(body_bytes=limits.PART_BYTES_MAX + 1, parts=(bytes(32),)),
        header(body_bytes=limits.PART_BYTES_MAX + 1, parts=(bytes(32), bytes(31))),
        header(deps=((ACTOR, 1),)),
        header(deps=((2, 1), (1, 1))),
        header(deps=((1, 1 << 48),)),
        header(agent="a" * (limits.NAME_CODE_POINTS_MAX + 1)),
        header(reason="a" * (limits.REASON_CODE_POINTS_MAX + 1)),
        header(seq=1),
        header(birth=BIRTH),
        header(seq=1, birth=Birth(BIRTH.public_key, b"another nonce")),
    ],
    ids=[
        "version", "actor-below-zero", "actor-too-large", "seq-zero", "seq-too-large", "wall-below-zero", "wall-too-late",
        "operations-below-zero", "too-many-operations", "body-below-zero", "body-too-large", "part-of-a-short-body",
        "no-parts", "too-few-parts", "short-hash", "own-actor", "unsorted-deps", "dep-too-large", "long-agent",
        "long-reason", "first-without-birth", "birth-of-a-later-one", "actor-of-another",
    ],
)  # fmt: skip
def test_a_header_out_of_bounds_is_refused(unsound: Header) -> None:
    with pytest.raises(RemoteProtocolError):
        changes.decode_header(changes.encode_header(unsound))


def test_the_largest_change_has_a_header_that_fits() -> None:
    size = limits.CHANGE_BYTES_MAX
    parts = tuple(bytes(32) for _ in range(size // limits.PART_BYTES_MAX))
    deps = tuple((actor, (1 << 48) - 1) for actor in range(1_000))
    largest = header(body_bytes=size, parts=parts, deps=deps, operations=limits.CHANGE_OPERATIONS_MAX)
    assert changes.decode_header(changes.encode_header(largest)) == largest


def test_a_header_of_too_many_bytes_is_refused_before_it_is_read() -> None:
    with pytest.raises(RemoteProtocolError, match="65,537 bytes"):
        changes.decode_header(bytes(limits.HEADER_BYTES_MAX + 1))


# --- names and hashes -------------------------------------------------------------------------------------------------


@given(st.binary(max_size=40), st.binary(max_size=40))
def test_an_actor_has_52_bits_and_hangs_on_key_and_nonce(key: bytes, nonce: bytes) -> None:
    actor = changes.actor_of(Birth(key, nonce))
    assert 0 <= actor < 1 << 52
    assert actor == changes.actor_of(Birth(key, nonce))
    assert actor != changes.actor_of(Birth(key + b"x", nonce + b"y"))


def test_published_vectors_of_names_and_hashes() -> None:
    """Worked out from PROTOCOL.md alone: other implementations must find the same."""
    assert ACTOR == 0x9F14FFC3199F6
    content = changes.hash_content(b"header", b"body")
    assert content.hex() == "0145110d63fd1cb40e5b7591c576bf77e26637ca3291716a9515b163afb40204"
    chained = changes.hash_change(NO_HASH, content)
    assert chained.hex() == "134826a8bd93c0acf5491e6caf3a87f8b43396fab4cd6cf8400f910b46833aa0"
    part = changes.hash_part(b"part")
    assert part.hex() == "4dd38a6ae3128d915252516b15fa9028c2ea4faa5f97499fae3c75a39f7b36bd"


def test_hashes_tell_apart_where_a_header_ends_and_what_came_before() -> None:
    assert changes.hash_content(b"ab", b"c") != changes.hash_content(b"a", b"bc")
    content = changes.hash_content(b"a", b"b")
    assert changes.hash_change(NO_HASH, content) != changes.hash_change(b"\1" * 32, content)
    assert changes.hash_part(b"a") != changes.hash_content(b"a", b"")
    assert Change(header(), b"a", b"b").content == content
    assert Change(header(), b"a", b"bc").size == 3


def test_a_signature_covers_the_workspace_the_dot_and_the_hash() -> None:
    usual = (bytes(16), 1, 2, bytes(32))
    others = [(b"\1" * 16, *usual[1:]), (usual[0], 2, *usual[2:]), (*usual[:2], 3, usual[3]), (*usual[:3], b"\1" * 32)]
    signed = [changes.signed_message(*each) for each in (usual, *others)]
    assert len(set(signed)) == 5
    assert len({len(each) for each in signed}) == 1


# --- dependencies -----------------------------------------------------------------------------------------------------


def test_full_dependencies_are_the_previous_ones_with_the_difference_and_the_own_actor() -> None:
    previous: Frontier = {1: 5, 2: 7, ACTOR: 3}
    assert changes.full_deps(header(seq=5, deps=((2, 9), (3, 1))), previous) == {1: 5, 2: 9, 3: 1, ACTOR: 4}
    assert changes.full_deps(header(seq=1, birth=BIRTH, deps=((2, 9),)), {}) == {2: 9}
    assert previous == {1: 5, 2: 7, ACTOR: 3}


# --- bodies -----------------------------------------------------------------------------------------------------------


@given(st.lists(operations, max_size=6), st.data())
def test_a_body_cut_anywhere_gives_the_same_operations(listed: list[list[Any]], data: st.DataObject) -> None:
    body = b"".join(map(changes.encode_operation, listed))
    at = sorted(data.draw(st.lists(st.integers(0, len(body)), max_size=5)))
    pieces = [body[start:end] for start, end in zip([0, *at], [*at, len(body)], strict=True)]
    assert [changes.decode_operation(each) for each in changes.cut_operations(pieces)] == listed


@given(st.lists(operations, min_size=1, max_size=4), st.data())
def test_a_body_that_ends_inside_an_operation_yields_the_whole_ones_and_one_that_is_unknown(
    listed: list[list[Any]], data: st.DataObject
) -> None:
    body = b"".join(map(changes.encode_operation, listed))
    last = len(changes.encode_operation(listed[-1]))
    cut = body[: len(body) - data.draw(st.integers(1, last - 1))]
    found = [changes.decode_operation(each) for each in changes.cut_operations([cut])]
    assert found == [*listed[:-1], None]


def test_an_operation_that_claims_more_than_the_limit_ends_the_body() -> None:
    whole = changes.encode_operation([TOUCH, "task", ENTITY])
    too_long = struct.pack(">I", limits.OPERATION_BYTES_MAX + 1)
    found = [changes.decode_operation(each) for each in changes.cut_operations([whole + too_long + whole])]
    assert found == [[TOUCH, "task", ENTITY], None]


@pytest.mark.parametrize(
    "encoded",
    [b"", b"\xc1", msgspec.msgpack.encode({"a": 1}), b"\x91" * 100_000 + b"\xc0", b"\x92\x01", b"\x90\x90"],
    ids=["nothing", "no-msgpack", "no-list", "nested-too-deep", "cut", "goes-on"],
)
def test_what_is_no_list_is_an_unknown_operation(encoded: bytes) -> None:
    assert changes.decode_operation(encoded) is None


def test_an_operation_has_one_encoding_whatever_the_order_of_its_cells() -> None:
    one = changes.encode_operation([PUT, "task", ENTITY, {"title": "t", "status": "open"}])
    other = changes.encode_operation([PUT, "task", ENTITY, {"status": "open", "title": "t"}])
    assert one == other
    assert struct.unpack(">I", one[:4])[0] == len(one) - 4
