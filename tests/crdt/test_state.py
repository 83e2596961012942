from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edda_sync.crdt import state
from edda_sync.crdt.entity import OWN_TIME, Entity
from edda_sync.crdt.frontier import SEQ_MAX
from edda_sync.crdt.keys import key_of
from edda_sync.words import limits, values
from edda_sync.words.errors import CorruptError
from tests.crdt.histories import ACTORS, Event, histories
from tests.crdt.test_entity import Work, folded, works

ID = bytes(range(16))
TIME = "2026-03-01T09:30:00.000Z"
A, B = ACTORS[:2]  # in ascending order
X, Y = b"\x0a" * 16, b"\x0b" * 16

PUBLISHED = (
    "95a47461736b9294c4100a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a05022894c4100b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0101069192c4100a0a0a"
    "0a0a0a0a0a0a0a0a0a0a0a0a0a049294c4100a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a050a82a673746174757392a4646f6e65b8323032362d3033"
    "2d30315430393a33303a30302e3030305aa57469746c65a17494c4100b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b011481a57469746c65a175929201"
    "c428000000000000000254b65cc0c850178fd40210b3c127cacbdd7abc0d46086dcceea446806bc0b8029202c4046d6f7265"
)


def published() -> Entity:
    """A task that two devices wrote and one of them deleted. Two of its operations are refused, and one field is unknown."""
    entity = Entity(ID, "task")
    for name, value in {"title": "t", "status": ["done", TIME]}.items():
        entity.put(name, (X, 5, 10, value), {X: 5})
    entity.put("title", (Y, 1, 20, "u"), {Y: 1})
    entity.touch(X, 5)
    entity.touch(Y, 1)
    entity.charge((X,), 2, 40)
    entity.charge((Y,), 1, 6)
    entity.delete({X: 4})
    entity.refuse(X, 5, 2)
    entity.refuse(Y, 1, 1)
    entity.ext = ((2, b"more"),)
    return entity


def furnished(description: str | bytes) -> Entity:
    """A task that has a cell of every sort, and one that two devices wrote."""
    entity = Entity(ID, "task")
    held = {
        "title": "t", "description": description, "status": ["done", TIME], "priority": 2, "due_date": TIME,
        "parent_id": bytes(16), "created_at": OWN_TIME, f"tag.{values.id_text(ID)}": True,
        f"link.{values.id_text(ID)}": "see", "metadata.number": "7", "agent_context.text": '"x"',
    }  # fmt: skip
    for name, value in held.items():
        entity.put(name, (A, 1, 5, value), {A: 1})
    entity.put("title", (B, 1, 6, "other"), {B: 1})
    entity.touch(A, 1)
    entity.touch(B, 1)
    return entity


# --- canonical bytes --------------------------------------------------------------------------------------------------


def test_a_state_has_its_published_bytes() -> None:
    """Worked out from PROTOCOL.md alone, as all vectors here: other implementations must find the same."""
    assert state.encode(published()).hex() == PUBLISHED
    assert state.decode(ID, bytes.fromhex(PUBLISHED)) == published()


@given(histories(works))
def test_a_state_is_read_back_from_its_bytes(events: list[Event[Work]]) -> None:
    entity = folded(events, events)
    encoded = state.encode(entity)
    assert state.decode(ID, encoded) == entity
    assert state.encode(state.decode(ID, encoded)) == encoded
    assert state.decode(ID, encoded).hidden == entity.hidden


def test_every_kind_of_value_is_read_back_as_it_was() -> None:
    entity = Entity(ID, "task")
    held = [None, True, 0, 2**53 - 1, "ü", b"\0\xff", ["done", TIME], ""]
    for number, value in enumerate(held):
        entity.put(f"metadata.{number}", (A, 1, 5, value), {A: 1})
    decoded = state.decode(ID, state.encode(entity))
    assert [decoded.value(f"metadata.{number}") for number in range(len(held))] == held
    assert type(decoded.value("metadata.1")) is bool


def test_cells_of_a_new_entity_are_byte_for_byte_those_of_the_operation_that_made_it() -> None:
    entity, cells = Entity(ID, "task"), {"title": "t", "priority": 2, "created_at": 0}
    for name, value in cells.items():
        entity.put(name, (A, 1, 5, value), {A: 1})
    assert msgspec.msgpack.encode(dict(sorted(cells.items()))) in state.encode(entity)


@pytest.mark.parametrize("ext", [((2, b"even"),), ((5, b"odd"),), ((2, b""), ((1 << 32) - 1, b"the last"))])
@pytest.mark.parametrize("refused", [False, True])
def test_what_a_newer_version_adds_to_an_entity_is_kept_byte_for_byte_through_later_operations(
    ext: tuple[tuple[int, bytes], ...], refused: bool
) -> None:
    entity = furnished("plain")
    entity.ext = ext
    if refused:
        entity.refuse(A, 1, 1)
    decoded = state.decode(ID, state.encode(entity))
    assert decoded.ext == ext
    decoded.put("title", (A, 2, 5, "later"), {A: 2, B: 1})
    decoded.refuse(A, 2, 2)
    again = state.decode(ID, state.encode(decoded))
    assert again.ext == ext
    assert again.refused == decoded.refused


# --- what is no state -------------------------------------------------------------------------------------------------

GROUP = [A, 1, 5, {"title": "t"}]
LATER = [B, 1, 5, {"title": "u"}]
REFUSED = bytes(7) + b"\1" + bytes(32)
SOUND: list[object] = ["task", [[A, 1, 2, 10], [B, 1, 0, 0]], [[A, 1]], [GROUP, LATER], [[1, REFUSED], [2, b"x"]]]
UNSOUND: dict[str, tuple[int, object]] = {
    "another-kind": (0, "project"),
    "kind-in-bytes": (0, b"task"),
    "touched-out-of-order": (1, [[B, 1, 0, 0], [A, 1, 0, 0]]),
    "touched-twice": (1, [[A, 1, 0, 0], [A, 1, 0, 0]]),
    "touched-at-zero": (1, [[A, 0, 0, 0]]),
    "touched-at-a-float": (1, [[A, 1.0, 0, 0]]),
    "touched-at-a-bool": (1, [[A, True, 0, 0]]),
    "touched-too-late": (1, [[A, SEQ_MAX + 1, 0, 0]]),
    "touched-by-a-short-actor": (1, [[A[:15], 1, 0, 0]]),
    "touched-without-what-it-cost": (1, [[A, 1]]),
    "touched-for-less-than-nothing": (1, [[A, 1, -1, 0]]),
    "touched-for-half-a-byte": (1, [[A, 1, 0, 0.5]]),
    "touched-by-text": (1, [["x" * 16, 1, 0, 0]]),
    "deleted-out-of-order": (2, [[B, 1], [A, 1]]),
    "deleted-by-nobody": (2, None),
    "changes-out-of-order": (3, [LATER, GROUP]),
    "change-twice": (3, [GROUP, GROUP]),
    "change-in-two-groups": (3, [GROUP, [A, 1, 5, {"priority": 0}]]),
    "change-without-cells": (3, [[A, 1, 5, {}]]),
    "change-before-1970": (3, [[A, 1, -1, {"title": "t"}]]),
    "change-after-9999": (3, [[A, 1, limits.WALL_MS_MAX + 1, {"title": "t"}]]),
    "change-at-a-float": (3, [[A, 1, 5.0, {"title": "t"}]]),
    "change-at-seq-zero": (3, [[A, 0, 5, {"title": "t"}]]),
    "cell-under-a-number": (3, [[A, 1, 5, {1: "t"}]]),
    "refused-of-another-length": (4, [[1, REFUSED[:39]]]),
    "refused-of-nothing": (4, [[1, bytes(40)]]),
    "refused-twice": (4, [[1, REFUSED], [1, REFUSED]]),
    "refused-out-of-order": (4, [[2, b"x"], [1, REFUSED]]),
    "ext-out-of-order": (4, [[4, b"x"], [2, b"x"]]),
    "ext-twice": (4, [[2, b"x"], [2, b"x"]]),
    "ext-in-text": (4, [[2, "x"]]),
}


@pytest.mark.parametrize(("field", "value"), UNSOUND.values(), ids=UNSOUND)
def test_bytes_that_no_entity_is_written_as_are_damage(field: int, value: object) -> None:
    assert state.decode(ID, msgspec.msgpack.encode(SOUND)).touched == {A: 1, B: 1}
    with pytest.raises(CorruptError, match=values.id_text(ID)):
        state.decode(ID, msgspec.msgpack.encode([*SOUND[:field], value, *SOUND[field + 1 :]]))


@pytest.mark.parametrize("count", [0, 3, 4, 6])
def test_a_state_has_five_fields(count: int) -> None:
    with pytest.raises(CorruptError):
        state.decode(ID, msgspec.msgpack.encode([*SOUND, None][:count]))


@given(st.binary(max_size=60) | st.binary(max_size=60).map(lambda raw: msgspec.msgpack.encode(["task", raw])))
def test_bytes_that_are_no_state_are_damage(raw: bytes) -> None:
    with pytest.raises(CorruptError, match=values.id_text(ID)):
        state.decode(ID, raw)


@given(st.data())
def test_a_state_with_any_byte_changed_is_read_or_damage_and_nothing_else_happens(data: st.DataObject) -> None:
    raw = bytearray(bytes.fromhex(PUBLISHED))
    raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    try:
        decoded = state.decode(ID, bytes(raw))
    except CorruptError:
        return
    assert state.decode(ID, state.encode(decoded)) == decoded


@pytest.mark.parametrize("levels", [900, 100_000])
def test_a_value_that_is_nested_too_deeply_is_damage(levels: int) -> None:
    endless = msgspec.Raw(b"\x91" * levels + b"\xc0")
    for field, value in ((3, [[A, 1, 5, {"title": endless}]]), (3, endless), (1, endless), (4, endless)):
        with pytest.raises(CorruptError):
            on_a_deep_stack(700, msgspec.msgpack.encode([*SOUND[:field], value, *SOUND[field + 1 :]]))


def on_a_deep_stack(calls: int, encoded: bytes) -> Entity:
    return state.decode(ID, encoded) if calls == 0 else on_a_deep_stack(calls - 1, encoded)


# --- in a store -------------------------------------------------------------------------------------------------------


def flipped(raw: bytes) -> Iterator[bytes]:
    """The same bytes, each time with one other bit."""
    for bit in range(8 * len(raw)):
        changed = bytearray(raw)
        changed[bit // 8] ^= 1 << bit % 8
        yield bytes(changed)


def test_a_stored_state_has_its_published_checksum() -> None:
    encoded = bytes.fromhex(PUBLISHED)
    assert state.to_stored(key_of("task", ID), encoded) == encoded + bytes.fromhex("68efa31769f1cc24")


@pytest.mark.parametrize("description", ["plain", b"\x77" * 16])
def test_an_entity_is_read_back_from_a_store(description: str | bytes) -> None:
    entity = furnished(description)
    stored = state.to_stored(entity.key, state.encode(entity))
    assert state.state_of(entity.key, stored) == state.encode(entity)
    assert state.entity_of(entity.key, stored) == entity


@pytest.mark.parametrize("entity", [furnished("plain"), furnished(b"\x77" * 16), published()])
def test_a_flip_of_any_bit_of_a_stored_entity_is_noticed(entity: Entity) -> None:
    for rotten in flipped(state.to_stored(entity.key, state.encode(entity))):
        with pytest.raises(CorruptError, match=f"The task {values.id_text(ID)} is damaged"):
            state.entity_of(entity.key, rotten)


def test_a_state_under_another_key_or_too_short_is_damage() -> None:
    entity = furnished("plain")
    stored = state.to_stored(entity.key, state.encode(entity))
    for key, raw in ((key_of("document", ID), stored), (entity.key, stored[:5]), (entity.key, b"")):
        with pytest.raises(CorruptError, match=values.id_text(ID)):
            state.entity_of(key, raw)


# --- compared between devices -----------------------------------------------------------------------------------------


def test_entities_have_their_published_hashes() -> None:
    key, encoded = key_of("task", ID), bytes.fromhex(PUBLISHED)
    assert state.hash_entity(key, encoded, []).hex() == (
        "5e14123eb35ebfc4991b7454af82c0b5022cbb8c1f1f0e578d10f0e5f0dc3692"
    )
    assert state.hash_entity(key, encoded, [b"\1" * 32, b"\2" * 32]).hex() == (
        "59e29d813434dec12bae823e137088fb618f195eaf1ab4c3ea0888cd020aa0f1"
    )


def test_the_hash_of_an_entity_covers_its_key_and_state_and_each_text() -> None:
    key, one, two = key_of("task", ID), b"\1" * 32, b"\2" * 32
    usual = (key, b"state", [one, two])
    others: list[tuple[Any, ...]] = [
        (key_of("document", ID), b"state", [one, two]), (key, b"other", [one, two]), (key, b"state", [two, one]),
        (key, b"state", [one]), (key, b"state" + one, [two]),
    ]  # fmt: skip
    hashes = [state.hash_entity(*each) for each in (usual, *others)]
    assert len(set(hashes)) == 6
    assert {len(each) for each in hashes} == {32}
