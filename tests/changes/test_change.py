from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edda_sync.changes import change as changes
from edda_sync.changes.change import BIRTH, DEP_HASH_BYTES, NO_HASH, PARTS, REASON, WALL, Birth, Change, Header
from edda_sync.crdt import ext as exts
from edda_sync.crdt.ext import Ext
from edda_sync.crdt.frontier import SEQ_MAX
from edda_sync.words import limits
from edda_sync.words.errors import RemoteProtocolError
from tests.crdt.authors import LAPTOP, Life

KEY = bytes(range(32))
FIRST = Birth(KEY, b"nonce of sixteen")
ACTOR = changes.actor_of(changes.encode_birth(FIRST))
ENTITY = bytes(range(16))
ONE, TWO = b"\1" * 16, b"\2" * 16
HASH, DEP_HASH = b"\x33" * 32, b"\x22" * 16
FUTURE, ASIDE = 7, 8  # numbers of an ext that this version does not know: odd and even

names = st.binary(min_size=16, max_size=16)
hashes = st.binary(min_size=32, max_size=32)
texts = st.text(max_size=30)
more = st.dictionaries(st.integers(6, (1 << 32) - 1), st.binary(max_size=10), max_size=3)
deps = st.dictionaries(names, st.tuples(st.integers(1, SEQ_MAX), names), max_size=3).map(
    lambda named: tuple((actor, *named[actor]) for actor in sorted(named) if actor != ACTOR)
)
headers = st.builds(
    lambda wall_ms, agent, reason, further, **fields: Header(
        actor=ACTOR, ext=(*changes.header_ext(wall_ms, agent=agent, reason=reason), *exts.of(further)), **fields
    ),
    wall_ms=st.integers(0, (1 << 64) - 1),
    agent=st.none() | texts,
    reason=st.none() | texts,
    further=more,
    level=st.integers(1, (1 << 16) - 1),
    seq=st.integers(2, SEQ_MAX),
    deps=deps,
    operations=st.integers(0, limits.CHANGE_OPERATIONS_MAX),
    body_bytes=st.integers(0, limits.PART_BYTES_MAX),
    content=hashes,
    previous=hashes.filter(any),
)


def header(**different: Any) -> Header:
    """A valid header that differs from the usual one in some way."""
    usual: dict[str, Any] = {
        "level": 1, "actor": ACTOR, "seq": 2, "deps": (), "operations": 1, "body_bytes": 10, "content": HASH,
        "previous": HASH, "ext": changes.header_ext(5),
    }  # fmt: skip
    return Header(**(usual | different))


def first(**different: Any) -> Header:
    """A valid header of an actor's first change."""
    return header(**({"seq": 1, "previous": NO_HASH, "ext": changes.header_ext(5, birth=FIRST)} | different))


def in_parts(parts: tuple[bytes, ...], body_bytes: int, **different: Any) -> Header:
    """A header of a body in parts."""
    ext = (*changes.header_ext(5), (PARTS, b"".join(parts)))
    return header(**({"body_bytes": body_bytes, "content": changes.hash_parts(parts), "ext": ext} | different))


# --- headers ----------------------------------------------------------------------------------------------------------


@given(headers)
def test_a_header_is_read_back_from_its_bytes(sound: Header) -> None:
    raw = changes.encode_header(sound)
    decoded = changes.decode_header(raw)
    assert decoded == sound
    assert changes.encode_header(decoded) == raw
    assert decoded.dot == (sound.actor, sound.seq)


@given(headers, st.data())
def test_a_header_that_is_cut_or_goes_on_is_refused(sound: Header, data: st.DataObject) -> None:
    raw = changes.encode_header(sound)
    with pytest.raises(RemoteProtocolError):
        changes.decode_header(raw[: data.draw(st.integers(0, len(raw) - 1))])
    with pytest.raises(RemoteProtocolError):
        changes.decode_header(raw + b"\0")


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused_and_nothing_else_happens(raw: bytes) -> None:
    try:
        decoded = changes.decode_header(raw)
    except RemoteProtocolError:
        return
    assert decoded.seq > 0


@given(headers, st.data())
def test_a_header_with_any_byte_changed_is_read_or_refused_and_nothing_else_happens(
    sound: Header, data: st.DataObject
) -> None:
    raw = bytearray(changes.encode_header(sound))
    raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    try:
        decoded = changes.decode_header(bytes(raw))
    except RemoteProtocolError:
        return
    assert (decoded.wall_ms, decoded.agent, decoded.reason, decoded.parts) is not None


NESTED = b"\x91" * 20_000 + b"\xc0"


@pytest.mark.parametrize("where", range(9))
def test_a_header_that_is_nested_too_deeply_is_refused_at_every_place(where: int) -> None:
    fields = msgspec.msgpack.decode(changes.encode_header(header()), type=list[msgspec.Raw])
    fields[where] = msgspec.Raw(NESTED)
    with pytest.raises(RemoteProtocolError):
        changes.decode_header(msgspec.msgpack.encode(fields))
    with pytest.raises(RemoteProtocolError):
        changes.decode_header(msgspec.msgpack.encode([*fields[:where], *fields[where + 1 :], msgspec.Raw(NESTED)]))


UNSOUND = {
    "level-zero": header(level=0),
    "level-too-large": header(level=1 << 16),
    "short-actor": header(actor=ACTOR[:15]),
    "long-actor": header(actor=ACTOR + b"x"),
    "seq-zero": first(seq=0),
    "seq-too-large": header(seq=SEQ_MAX + 1),
    "seq-below-zero": header(seq=-1),
    "operations-below-zero": header(operations=-1),
    "too-many-operations": header(operations=limits.CHANGE_OPERATIONS_MAX + 1),
    "body-below-zero": header(body_bytes=-1),
    "short-content": header(content=HASH[:31]),
    "short-previous": header(previous=HASH[:31]),
    "body-too-large": in_parts((bytes(32),) * 257, limits.CHANGE_BYTES_MAX + 1),
    "part-of-a-short-body": in_parts((bytes(32),), 10),
    "no-parts": header(body_bytes=limits.PART_BYTES_MAX + 1),
    "too-few-parts": in_parts((bytes(32),), limits.PART_BYTES_MAX + 1),
    "too-many-parts": in_parts((bytes(32),) * 3, limits.PART_BYTES_MAX + 1),
    "short-hash-of-a-part": in_parts((bytes(32), bytes(31)), limits.PART_BYTES_MAX + 1),
    "content-of-other-parts": in_parts((bytes(32),) * 2, limits.PART_BYTES_MAX + 1, content=HASH),
    "own-actor": header(deps=((ACTOR, 1, DEP_HASH),)),
    "unsorted-deps": header(deps=((TWO, 1, DEP_HASH), (ONE, 1, DEP_HASH))),
    "dep-twice": header(deps=((ONE, 1, DEP_HASH), (ONE, 2, DEP_HASH))),
    "dep-zero": header(deps=((ONE, 0, DEP_HASH),)),
    "dep-too-large": header(deps=((ONE, SEQ_MAX + 1, DEP_HASH),)),
    "short-dep-hash": header(deps=((ONE, 1, DEP_HASH[:15]),)),
    "long-dep-hash": header(deps=((ONE, 1, HASH),)),
    "unsorted-ext": header(ext=((ASIDE, b""), (WALL, bytes(8)))),
    "ext-twice": header(ext=((WALL, bytes(8)), (WALL, bytes(8)))),
    "first-without-birth": first(ext=changes.header_ext(5)),
    "first-after-another": first(previous=HASH),
    "later-after-nothing": header(previous=NO_HASH),
    "birth-of-a-later-one": header(ext=changes.header_ext(5, birth=FIRST)),
    "actor-of-another": first(ext=changes.header_ext(5, birth=Birth(KEY, b"another nonce..."))),
    "malformed-birth": first(ext=((WALL, bytes(8)), (BIRTH, b"\x90"))),
}  # fmt: skip


@pytest.mark.parametrize("unsound", UNSOUND.values(), ids=UNSOUND)
def test_a_header_out_of_bounds_is_refused(unsound: Header) -> None:
    with pytest.raises(RemoteProtocolError):
        changes.decode_header(changes.encode_header(unsound))


def test_the_headers_that_those_differ_from_are_valid() -> None:
    large = in_parts((bytes(32),) * 2, limits.PART_BYTES_MAX + 1)
    for sound in (header(), first(), large, header(deps=((ONE, 1, DEP_HASH), (TWO, SEQ_MAX, DEP_HASH)))):
        assert changes.decode_header(changes.encode_header(sound)) == sound


FIELDS = ["level", "actor", "seq", "deps", "operations", "body_bytes", "content", "previous", "ext"]
MISTAKEN = [
    ("level", 1.0), ("level", True), ("level", "1"), ("level", None), ("seq", 2.0), ("seq", True), ("seq", "2"),
    ("seq", b"\2"), ("operations", 1.0), ("operations", False), ("body_bytes", 10.0), ("body_bytes", None),
    ("actor", "sixteen letters."), ("actor", list(ACTOR)), ("content", "x" * 32), ("previous", None), ("deps", None),
    ("deps", {}), ("deps", [[ONE, 1.0, DEP_HASH]]), ("deps", [[ONE, True, DEP_HASH]]), ("deps", [["x" * 16, 1, DEP_HASH]]),
    ("deps", [[ONE, 1]]), ("deps", [[ONE, 1, DEP_HASH, 1]]), ("ext", None), ("ext", {}), ("ext", [[1.0, b""]]),
    ("ext", [[0, b""]]), ("ext", [[2, "text"]]), ("ext", [[2]]),
]  # fmt: skip


@pytest.mark.parametrize(("field", "value"), MISTAKEN, ids=str)
def test_a_value_of_another_type_is_never_taken_for_one_that_is_equal(field: str, value: object) -> None:
    fields: list[Any] = msgspec.msgpack.decode(changes.encode_header(header()))
    fields[FIELDS.index(field)] = value
    with pytest.raises(RemoteProtocolError):
        changes.decode_header(msgspec.msgpack.encode(fields))


@pytest.mark.parametrize("count", [0, 5, 7, 10])
def test_the_envelope_has_eight_fields_and_an_ext_and_nothing_after_it(count: int) -> None:
    fields: list[Any] = [*msgspec.msgpack.decode(changes.encode_header(header())), "a tenth"]
    with pytest.raises(RemoteProtocolError):
        changes.decode_header(msgspec.msgpack.encode(fields[:count]))


def test_the_header_of_the_largest_change_fits_its_limit() -> None:
    size = limits.CHANGE_BYTES_MAX
    parts = tuple(bytes((number,)) * 32 for number in range(size // limits.PART_BYTES_MAX))
    named = tuple((number.to_bytes(16, "big"), SEQ_MAX, DEP_HASH) for number in range(limits.DEPS_MAX))
    birth = Birth(KEY, bytes(16), ONE, SEQ_MAX, HASH)
    ext = changes.header_ext(
        limits.WALL_MS_MAX, birth=birth, parts=parts, agent="\U0001f642" * limits.NAME_CODE_POINTS_MAX,
        reason="\U0001f642" * limits.REASON_CODE_POINTS_MAX,
    )  # fmt: skip
    largest = first(
        actor=changes.actor_of(changes.encode_birth(birth)), body_bytes=size, deps=named, content=changes.hash_parts(parts),
        operations=limits.CHANGE_OPERATIONS_MAX, ext=ext,
    )  # fmt: skip
    assert changes.decode_header(changes.encode_header(largest)) == largest


def test_a_header_of_too_many_bytes_is_refused_before_it_is_read() -> None:
    with pytest.raises(RemoteProtocolError, match="65,537 bytes"):
        changes.decode_header(bytes(limits.HEADER_BYTES_MAX + 1))


# --- what stands in a header's ext ------------------------------------------------------------------------------------


def test_wall_time_agent_reason_birth_and_parts_are_read_from_the_ext() -> None:
    said = first(ext=changes.header_ext(1_800_000_000_000, birth=FIRST, agent="claude", reason="why"))
    assert (said.wall_ms, said.agent, said.reason, said.birth, said.parts) == (
        1_800_000_000_000, "claude", "why", FIRST, (),
    )  # fmt: skip
    bare = header(ext=())
    assert (bare.wall_ms, bare.agent, bare.reason, bare.birth, bare.parts) == (0, None, None, None, ())
    assert in_parts((ONE * 2, TWO * 2), limits.PART_BYTES_MAX + 1).parts == (ONE * 2, TWO * 2)


@pytest.mark.parametrize(
    ("wall", "shown"),
    [(b"", 0), (bytes(7), 0), (b"\1" * 9, 0), (b"\xff" * 8, limits.WALL_MS_MAX), (bytes(7) + b"\5", 5)],
)
def test_an_impossible_wall_time_becomes_the_nearest_possible_one(wall: bytes, shown: int) -> None:
    odd = header(ext=((WALL, wall),))
    assert changes.decode_header(changes.encode_header(odd)).wall_ms == shown


def test_a_reason_that_is_no_text_does_no_harm() -> None:
    odd = header(ext=(*changes.header_ext(5), (REASON, b"caf\xe9")))
    assert changes.decode_header(changes.encode_header(odd)).reason == "caf�"


@pytest.mark.parametrize(
    ("level", "further", "understood"),
    [(1, (), True), (1, ((ASIDE, b"x"),), True), (1, ((FUTURE, b"x"),), False), (2, (), False), (2, ((ASIDE, b""),), False)],
)  # fmt: skip
def test_a_header_of_a_higher_level_or_with_an_unknown_odd_number_is_not_understood(
    level: int, further: Ext, understood: bool
) -> None:
    newer = header(level=level, ext=(*changes.header_ext(5), *further))
    decoded = changes.decode_header(changes.encode_header(newer))
    assert decoded.is_understood is understood
    assert changes.encode_header(decoded) == changes.encode_header(newer)  # and kept as it is


# --- births -----------------------------------------------------------------------------------------------------------

CHILD = Birth(KEY, b"another nonce...", ACTOR, 7, KEY, ((2, b"more"),))
parents = st.none() | st.tuples(names, st.integers(1, SEQ_MAX), hashes)


@st.composite
def births(draw: st.DrawFn) -> Birth:
    parent = draw(parents)
    actor, seq, digest = (None, 0, b"") if parent is None else parent
    return Birth(draw(hashes), draw(names), actor, seq, digest, exts.of(draw(more)))


@given(births())
def test_a_birth_is_read_back_from_its_bytes_with_all_that_its_ext_says(birth: Birth) -> None:
    raw = changes.encode_birth(birth)
    assert changes.decode_birth(raw) == birth
    assert changes.encode_birth(changes.decode_birth(raw)) == raw


@given(births(), births())
def test_an_actor_depends_on_each_byte_of_its_birth(one: Birth, other: Birth) -> None:
    actors = [changes.actor_of(changes.encode_birth(each)) for each in (one, other)]
    assert (actors[0] == actors[1]) == (one == other)
    assert len(actors[0]) == 16


UNSOUND_BIRTHS: dict[str, list[object]] = {
    "short-key": [KEY[:31], bytes(16), None, 0, b"", []],
    "short-nonce": [KEY, bytes(15), None, 0, b"", []],
    "long-nonce": [KEY, bytes(17), None, 0, b"", []],
    "parent-without-seq": [KEY, bytes(16), ACTOR, 0, HASH, []],
    "parent-without-hash": [KEY, bytes(16), ACTOR, 7, b"", []],
    "parent-with-a-short-hash": [KEY, bytes(16), ACTOR, 7, HASH[:16], []],
    "parent-with-a-long-hash": [KEY, bytes(16), ACTOR, 7, HASH + b"x", []],
    "seq-without-parent": [KEY, bytes(16), None, 7, b"", []],
    "hash-without-parent": [KEY, bytes(16), None, 0, HASH, []],
    "short-parent": [KEY, bytes(16), ACTOR[:15], 7, HASH, []],
    "parent-seq-below-zero": [KEY, bytes(16), ACTOR, -1, HASH, []],
    "parent-seq-too-large": [KEY, bytes(16), ACTOR, SEQ_MAX + 1, HASH, []],
    "parent-seq-no-number": [KEY, bytes(16), ACTOR, 7.0, HASH, []],
    "unsorted-ext": [KEY, bytes(16), None, 0, b"", [[8, b""], [2, b""]]],
    "ext-twice": [KEY, bytes(16), None, 0, b"", [[2, b""], [2, b""]]],
    "a-field-too-many": [KEY, bytes(16), None, 0, b"", [], 1],
    "a-field-too-few": [KEY, bytes(16), None, 0, b""],
}


@pytest.mark.parametrize("unsound", UNSOUND_BIRTHS.values(), ids=UNSOUND_BIRTHS)
def test_an_invalid_birth_is_refused(unsound: list[object]) -> None:
    with pytest.raises(RemoteProtocolError, match="birth"):
        changes.decode_birth(msgspec.msgpack.encode(unsound))


def test_a_birth_has_one_encoding_since_its_bytes_make_a_name() -> None:
    raw = changes.encode_birth(CHILD)
    at = raw.index(b"\x07\xc4\x20")
    longer = raw[:at] + b"\xcc\x07" + raw[at + 1 :]  # 7 in two bytes
    assert msgspec.msgpack.decode(longer) == msgspec.msgpack.decode(raw)
    with pytest.raises(RemoteProtocolError, match="canonical"):
        changes.decode_birth(longer)


def test_a_birth_names_what_it_continues_as_a_change_names_what_it_depends_on() -> None:
    assert FIRST.continues is None
    assert CHILD.continues == (ACTOR, 7, KEY[:DEP_HASH_BYTES])


# --- names and hashes -------------------------------------------------------------------------------------------------

BIRTH_BYTES = (
    "96c420000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1fc4106e6f6e6365206f6620736978"
    "7465656ec000c40090"
)
HEADER_BYTES = (
    "9901c410c1da55d321a4f21e76ad392620ad4900019193c4101111111111111111111111111111111103c410222222222222222222222222222222"
    "220254c4202ad44e2f2d6edb4c6584ea40a89d05a6d4f83e9624b9eb9d726febaa0684520ec4200000000000000000000000000000000000000000"
    "000000000000000000000000949201c408000001a3185c50009202c406636c617564659203c43a" + BIRTH_BYTES + "9204c403776879"
)


def test_births_have_their_published_bytes_and_make_the_published_names() -> None:
    """These vectors, like all here, were worked out from PROTOCOL.md alone: other implementations must find the same."""
    raw = changes.encode_birth(FIRST)
    assert raw.hex() == BIRTH_BYTES
    assert changes.actor_of(raw).hex() == "c1da55d321a4f21e76ad392620ad4900"
    assert changes.workspace_of(raw).hex() == "81f109d3fdd6ad46d122c9a560d9251f"
    raw = changes.encode_birth(CHILD)
    assert raw.hex() == (
        "96c420000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1fc410616e6f74686572206e6f6e63652e2e2ec410c1da"
        "55d321a4f21e76ad392620ad490007c420000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f919202c4046d6f72"
        "65"
    )
    assert changes.actor_of(raw).hex() == "5de936de1f229f786fe41747a95c7a0d"


def test_a_header_has_its_published_bytes_and_its_chain_has_the_published_hashes() -> None:
    part = bytes.fromhex("2ad44e2f2d6edb4c6584ea40a89d05a6d4f83e9624b9eb9d726febaa0684520e")
    ext = changes.header_ext(1_800_000_000_000, birth=FIRST, agent="claude", reason="why")
    dep = (b"\x11" * 16, 3, DEP_HASH)
    raw = changes.encode_header(first(deps=(dep,), operations=2, body_bytes=84, content=part, ext=ext))
    assert raw.hex() == HEADER_BYTES
    hashed = changes.hash_header(raw)
    assert hashed.hex() == "5f7bfecadc6f1b04255c015d45972472bff27743b1ae9cf97b801dd59a07b247"
    chained = changes.hash_change(NO_HASH, hashed)
    assert chained.hex() == "bf791bf24b89af8d3a90bead23604b439652dcccc70f938070be90bd5f4b0db9"
    second = changes.hash_change(chained, changes.hash_header(b"second header"))
    assert second.hex() == "444cb354b08a50471ca46d8ced9b423209214876fc7294d4793ce8e9eca55702"
    assert changes.hash_parts((part, part)).hex() == "43f1cca32703b0ad3aa6c6f7b00998424aaf7485fa593f1137d5429e72befd8e"
    workspace = bytes.fromhex("81f109d3fdd6ad46d122c9a560d9251f")
    assert changes.signed_message(workspace, ACTOR, 1, chained).hex() == (
        "656464612068656164203181f109d3fdd6ad46d122c9a560d9251fc1da55d321a4f21e76ad392620ad49000000000000000001bf791bf24b89"
        "af8d3a90bead23604b439652dcccc70f938070be90bd5f4b0db9"
    )


def test_a_body_has_its_published_hash() -> None:
    body = bytes.fromhex(
        "000000339401a47461736bc410000102030405060708090a0b0c0d0e0f82a87072696f7269747900a57469746c65a8427579206d696c6b00000019"
        "9304a47461736bc410000102030405060708090a0b0c0d0e0f"
    )
    assert changes.hash_part(body).hex() == "2ad44e2f2d6edb4c6584ea40a89d05a6d4f83e9624b9eb9d726febaa0684520e"


def test_different_things_and_different_pasts_have_different_hashes() -> None:
    same = bytes(32)
    assert len({changes.hash_part(same), changes.hash_parts((same,)), changes.hash_header(same)}) == 3
    assert changes.hash_change(NO_HASH, HASH) != changes.hash_change(HASH, NO_HASH)
    birth = changes.encode_birth(FIRST)
    assert changes.actor_of(birth) != changes.workspace_of(birth)


def test_a_change_is_as_large_as_its_header_and_body() -> None:
    assert Change(header(), b"a", b"bc").size == 3


def test_a_signature_covers_the_workspace_the_dot_and_the_hash() -> None:
    usual = (bytes(16), ONE, 2, HASH)
    others = [
        (b"\1" * 16, *usual[1:]),
        (usual[0], TWO, *usual[2:]),
        (*usual[:2], 3, usual[3]),
        (*usual[:3], b"\1" * 32),
    ]
    signed = [changes.signed_message(*each) for each in (usual, *others)]
    assert len(set(signed)) == 5
    assert len({len(each) for each in signed}) == 1


def test_one_signed_hash_vouches_for_every_byte_before_it() -> None:
    life, other = Life(LAPTOP), Life(LAPTOP)
    for each, wall_ms in ((life, 1), (other, 2)):
        each.write(wall_ms=wall_ms)
        each.write()
    assert life.actor == other.actor
    assert life.hash != other.hash
