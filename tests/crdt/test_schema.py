from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edda_sync.crdt import operation, records, schema, uniques
from edda_sync.crdt.entity import OWN_TIME, Entity
from edda_sync.crdt.records import DeviceRecord, EpochRecord
from edda_sync.crdt.schema import check_cell, check_state, unknown_cells
from edda_sync.words import values
from edda_sync.words.errors import InvalidValueError
from edda_sync.words.indexes import IndexConfig
from tests.crdt.authors import LAPTOP, PHONE
from tests.crdt.histories import ACTORS

ID = bytes(range(16))
TIME = "2026-03-01T09:30:00.000Z"
TAG = values.tag_id("work")
A, B = ACTORS[:2]
EPOCH = records.encode(EpochRecord(0, None, bytes(32)))
EPOCH_CELL = f"epoch.{records.epoch_name(EPOCH).hex()}"
UNIQUE = uniques.encode(IndexConfig(name="tickets", columns=("metadata.ticket",), unique=True))
RECORD = records.encode(DeviceRecord(LAPTOP.public_key, LAPTOP.certificate, (), "member", LAPTOP.public_key))
LAPTOP_ID, PHONE_ID = map(records.device_entity, (LAPTOP.public_key, PHONE.public_key))

# --- which cells there are, and what may stand in them ----------------------------------------------------------------

SOUND: list[tuple[str, str, Any]] = [
    ("task", "title", "t"), ("task", "description", None), ("task", "description", ""), ("task", "status", "open"),
    ("task", "status", ["done", TIME]), ("task", "priority", 0), ("task", "due_date", TIME), ("task", "due_date", None),
    ("task", "parent_id", ID), ("task", "parent_id", None), ("task", "created_at", OWN_TIME), ("task", "created_at", TIME),
    ("task", "metadata.a b", '{"b":[1,2.5,null]}'), ("task", "agent_context.x", None), ("task", "tag." + TAG, True),
    ("task", "tag." + TAG, None), ("task", "link." + TAG, "reference"), ("task", "link." + TAG, None),
    ("document", "content", "text"), ("document", "content_type", "text/plain"), ("document", "doc_type", "note"),
    ("document", "tag." + TAG, True), ("tag", "name", "work"), ("tag", "color", "#fff"), ("tag", "description", None),
    ("device", "record", RECORD), ("device", "name", "laptop"), ("device", "created_at", OWN_TIME),
    ("workspace", EPOCH_CELL, EPOCH), ("workspace", "unique.tickets", UNIQUE), ("workspace", "unique.tickets", None),
]  # fmt: skip
UNSOUND: list[tuple[str, str, Any]] = [
    ("task", "title", ""), ("task", "title", None), ("task", "title", "a" * 501), ("task", "title", "two\nlines"),
    ("task", "title", 5), ("task", "title", b"t"), ("task", "description", 5), ("task", "description", "\ud800"),
    ("task", "description", ID), ("document", "content", ID), ("task", "status", "later"), ("task", "status", b"open"),
    ("task", "status", ["open", TIME]), ("task", "status", ["done"]), ("task", "status", ["done", "2026-03-01"]),
    ("task", "status", ["done", None]), ("task", "status", ["done", TIME, TIME]), ("task", "status", {"done": TIME}),
    ("task", "priority", 5), ("task", "priority", True), ("task", "priority", 1.0), ("task", "priority", "1"),
    ("task", "due_date", "2026-03-01"), ("task", "due_date", "2026-W09-7T09:30:00.000Z"),
    ("task", "due_date", "2026-03-01 09:30:00.000Z"), ("task", "due_date", 5), ("task", "parent_id", ID[:15]),
    ("task", "parent_id", values.id_text(ID)), ("task", "parent_id", list(ID)), ("task", "created_at", 1),
    ("task", "created_at", None), ("task", "created_at", False), ("task", "created_at", 0.0),
    ("task", "metadata.a", '{"b": 1}'), ("task", "metadata.a", '{"b":1,"a":2}'), ("task", "metadata.a", "NaN"),
    ("task", "metadata.a", '{"a":1,"a":1}'), ("task", "metadata.a", "[" * 66 + "]" * 66), ("task", "metadata.a", 5),
    ("task", "metadata.a", {"b": 1}), ("task", "metadata.a", b"1"), ("task", "metadata.a", '"\\u00fc"'),
    ("task", "metadata.", "1"), ("task", "metadata." + "k" * 257, "1"), ("task", "tag." + TAG, False),
    ("task", "tag." + TAG, 1), ("task", "tag." + TAG, 1.0), ("task", "tag." + TAG.upper(), True),
    ("task", "tag." + TAG.replace("-", ""), True), ("task", "tag.x", True), ("task", "link." + TAG, True),
    ("task", "link." + TAG, ""), ("task", "link." + TAG.upper(), "reference"), ("tag", "name", ""), ("tag", "name", None),
    ("device", "record", b""), ("device", "record", bytes(4097)), ("device", "record", "text"), ("device", "record", None),
    ("device", "record", RECORD + b"\0"), ("device", "name", None), ("workspace", EPOCH_CELL, EPOCH[:-1]),
    ("workspace", "unique.tickets", UNIQUE[:-1]), ("workspace", "unique.Big", UNIQUE),
    ("workspace", EPOCH_CELL, None), ("workspace", EPOCH_CELL.upper().replace("EPOCH", "epoch"), EPOCH),
    ("workspace", "epoch.", EPOCH), ("workspace", "epoch." + bytes(32).hex(), EPOCH),
]  # fmt: skip
UNKNOWN = [
    ("task", "content"), ("task", "color"), ("task", "unheard"), ("task", ""), ("task", "."), ("task", "unheard.x"),
    ("task", "metadata"), ("document", "link." + TAG), ("document", "status"), ("tag", "metadata.a"), ("tag", "tag." + TAG),
    ("tag", "title"), ("device", "certificate"), ("device", "metadata.a"), ("device", "epoch.x"), ("workspace", "name"),
    ("workspace", "record"), ("workspace", "metadata.a"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "name", "value"), SOUND)
def test_a_valid_cell_of_a_peer_is_taken(kind: str, name: str, value: Any) -> None:
    assert check_cell(kind, name, value) is True


@pytest.mark.parametrize(("kind", "name", "value"), UNSOUND)
def test_an_invalid_cell_of_a_peer_is_refused_and_never_taken_for_an_equal_value(
    kind: str, name: str, value: Any
) -> None:
    with pytest.raises(InvalidValueError):
        unknown_cells(kind, ID, {name: value})


@pytest.mark.parametrize(("kind", "name"), UNKNOWN)
@pytest.mark.parametrize("value", [None, 1, ["x"], {"a": b""}])
def test_a_cell_of_a_newer_version_is_unknown_whatever_it_holds(kind: str, name: str, value: Any) -> None:
    assert check_cell(kind, name, value) is False


anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats()
    | st.text()
    | st.binary()
    | st.datetimes(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)


@given(kind=st.sampled_from(["task", "document", "tag", "device", "workspace"]),
       name=st.sampled_from([n for _, n, _ in SOUND] + [n for _, n in UNKNOWN]), value=anything)  # fmt: skip
def test_anything_that_a_peer_writes_is_taken_or_refused_and_nothing_else_happens(
    kind: str, name: str, value: Any
) -> None:
    try:
        unknown = unknown_cells(kind, ID, {name: value})
    except InvalidValueError:
        return
    encoded = msgspec.msgpack.encode(value)
    assert (
        unknown_cells(kind, ID, {name: msgspec.msgpack.decode(encoded)}) == unknown
    )  # and everybody else finds the same


def test_unknown_cells_of_an_operation_are_named_unless_another_cell_is_refused() -> None:
    cells = {"title": "t", "unheard": 1, "priority": 0, "other": [2]}
    assert unknown_cells("task", ID, cells) == ["unheard", "other"]
    with pytest.raises(InvalidValueError):
        unknown_cells("task", ID, {**cells, "status": "later"})
    assert unknown_cells("task", ID, {}) == []


def test_a_tag_has_the_name_that_its_id_is_made_of() -> None:
    tag = values.id_bytes("id", TAG)
    for name in ("work", "WORK", "\uff37ork"):  # one tag, in different spellings
        assert unknown_cells("tag", tag, {"name": name}) == []
    with pytest.raises(InvalidValueError, match="not the name of this tag"):
        unknown_cells("tag", tag, {"name": "home"})
    assert unknown_cells("tag", tag, {"color": "red"}) == []


def test_a_record_stands_in_the_entity_of_its_device() -> None:
    assert unknown_cells("device", LAPTOP_ID, {"record": RECORD}) == []
    with pytest.raises(InvalidValueError, match="another device's"):
        unknown_cells("device", PHONE_ID, {"record": RECORD})


# --- states of peers --------------------------------------------------------------------------------------------------


def task(**cells: Any) -> Entity:
    """A task that one device wrote in its fifth change."""
    entity = Entity(ID, "task")
    for name, value in ({"title": "t"} | cells).items():
        entity.put(name, (A, 5, 10, value), {A: 5})
    entity.touch(A, 5)
    return entity


AT = {A: 5, B: 3}


def test_a_state_of_valid_cells_within_its_frontier_is_taken() -> None:
    entity = task(description=b"\7" * 16)
    entity.put("title", (B, 3, 10, "u"), {B: 3})
    entity.touch(B, 3)
    entity.delete({A: 4})
    check_state(entity, AT)


def test_a_state_is_not_touched_beyond_its_frontier() -> None:
    """Otherwise writes of the changes that it claims to have seen would count as seen, and be lost."""
    for at in ({}, {A: 4}, {B: 5}):
        with pytest.raises(InvalidValueError, match="touched"):
            check_state(task(), at)


def test_a_state_is_not_deleted_beyond_its_frontier() -> None:
    """Otherwise a deletion that nobody made would hide a change that nobody has seen."""
    for seen in ({A: 6}, {B: 4}, {ACTORS[2]: 1}):
        entity = task()
        entity.delete(seen)
        with pytest.raises(InvalidValueError):
            check_state(entity, AT)


@pytest.mark.parametrize(("actor", "seq"), [(A, 6), (B, 1), (ACTORS[2], 1)])
def test_a_state_holds_no_write_that_did_not_touch_it(actor: bytes, seq: int) -> None:
    entity = task()
    entity.cells["title"].append((actor, seq, 10, "u"))
    with pytest.raises(InvalidValueError, match="title"):
        check_state(entity, AT | {actor: 9})


@pytest.mark.parametrize(
    "cells",
    [
        {"title": ""}, {"priority": True}, {"status": ["open", TIME]}, {"unheard": 1}, {"description": b"\7" * 15},
        {"description": b"\7" * 17}, {"description": 77}, {"due_date": b"\7" * 16}, {"metadata.a": [[[[]]]]},
        {"content": b"\7" * 16},
    ],
    ids=str,
)  # fmt: skip
def test_a_state_holds_no_value_that_its_operations_could_not_have_written(cells: dict[str, Any]) -> None:
    with pytest.raises(InvalidValueError):
        check_state(task(**cells), AT)


def test_a_state_of_a_device_holds_the_record_of_that_device() -> None:
    for entity_id, sound in ((LAPTOP_ID, True), (PHONE_ID, False)):
        entity = Entity(entity_id, "device")
        entity.put("record", (A, 5, 10, RECORD), {A: 5})
        entity.touch(A, 5)
        if sound:
            check_state(entity, AT)
        else:
            with pytest.raises(InvalidValueError):
                check_state(entity, AT)


def test_a_version_that_reads_more_reads_anew_what_waits() -> None:
    """
    What older versions could not read waits in their stores until a migration says that it can be read.

    If this fails because you taught this version a cell, kind or operation: put ``READ_ANEW`` into the next migration
    (``edda_sync/store/sqlite/schema.py``), and change the names here.
    """
    known = {kind: sorted((*schema._FIELDS[kind], *schema._GROUPS.get(kind, ()))) for kind in schema._FIELDS}
    assert known == {
        "task": [
            "agent_context", "created_at", "description", "due_date", "link", "metadata", "parent_id", "priority",
            "status", "tag", "title",
        ],
        "document": [
            "agent_context", "content", "content_type", "created_at", "doc_type", "file", "metadata", "tag", "title",
        ],
        "tag": ["color", "created_at", "description", "name"],
        "device": ["created_at", "name", "record"],
        "workspace": ["epoch", "unique"],
    }  # fmt: skip
    assert sorted(each.__name__ for each in operation.Operation.__args__) == ["Delete", "Edit", "Put", "Touch"]
