"""The fold of what peers send: each operation is folded as everywhere, or refused, or waits, and nothing else happens."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from itertools import permutations
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edda_sync.crdt import operation as ops
from edda_sync.crdt import state
from edda_sync.crdt.keys import key_of
from edda_sync.crdt.operation import Delete, Operation, Put, Touch, Unread
from edda_sync.fold.fold import Fold
from edda_sync.fold.unapplied import UNREADABLE
from edda_sync.store.delta import apply
from edda_sync.store.memory.states import MemoryStatesWriter
from edda_sync.store.seams import Head, Logged, Record, StoreWriter
from edda_sync.words import values
from edda_sync.words.errors import CorruptError
from edda_sync.words.model import KINDS
from tests.crdt.authors import LAPTOP, TABLET, device
from tests.crdt.histories import ACTORS, Event, causal_order, header_of, histories
from tests.crdt.works import DOCUMENT, OTHER, TABLET_ID, TAG, TAG_BYTES, TASK, Work, as_sent, author_of, changes
from tests.fold.folded import AUTHOR, GENESIS, NEWER, REFUSED, TITLE, A, B, C, Folded, all_of

# --- whatever a member sends ------------------------------------------------------------------------------------------

scalars = (
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.text(max_size=5) | st.binary(max_size=5)
    | st.datetimes() | st.sampled_from([TASK, DOCUMENT, A, B, *KINDS, "title", "description", "", 0, 1, True, 1.0, "open"])
    | st.builds(msgspec.msgpack.Ext, st.integers(-128, 127).filter(lambda code: code != -1), st.binary(max_size=3))
)  # fmt: skip
anything = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5) | st.integers(0, 9), inner, max_size=3)
    ),
    max_leaves=8,
)
names = st.sampled_from(
    ["title", "description", "content", "status", "priority", "due_date", "parent_id", "created_at", "name", "record",
     "color", "metadata.a", "agent_context.b", "tag." + TAG, "link." + values.id_text(TASK), "epoch.00", "unheard", ""]
) | st.text(max_size=5)  # fmt: skip
kinds = st.sampled_from([*KINDS, "project"])
ids = st.sampled_from([TASK, DOCUMENT, OTHER, TAG_BYTES, TABLET_ID, bytes(16)]) | anything
cell_values = anything | st.sampled_from(
    ["t", "open", ["done", "2026-03-01T09:30:00.000Z"], 2, '"x"', True, "work", TASK]
)
seen = st.lists(st.tuples(st.sampled_from([A, B, C]) | anything, st.integers(0, 5) | anything).map(list), max_size=3)
shaped = st.one_of(
    st.tuples(st.just(1), kinds, ids, st.dictionaries(names, cell_values, max_size=3)),
    st.tuples(st.just(2), kinds, ids, names | anything, st.just(GENESIS) | anything, st.binary(max_size=9) | anything),
    st.tuples(st.just(3), kinds, ids, seen | anything),
    st.tuples(st.just(4), kinds, ids),
    st.tuples(st.integers(0, 9) | anything, kinds | anything, ids, anything),
).map(list) | st.lists(anything, max_size=6)
operations = shaped.map(msgspec.msgpack.encode) | st.binary(max_size=20)
sent = st.lists(st.lists(operations, max_size=3), max_size=5)


@given(sent)
def test_anything_that_a_member_sends_becomes_readable_states_and_stops_nothing_that_follows(
    some: list[list[bytes]],
) -> None:
    folded = Folded()
    for seq, each in enumerate(some, start=1):
        folded.receive(*map(ops.decode, each), seq=seq, past={A: seq - 1} if seq > 1 else {})
    for record in folded.look(lambda reader: list(reader.states.scan())):
        entity = state.entity_of(record.key, record.state)
        assert state.decode(entity.id, state.encode(entity)) == entity
        assert state.encode(entity) == state.state_of(record.key, record.state)
        assert record.hash == state.hash_entity(record.key, state.encode(entity), [])
        assert record.hidden == entity.hidden
    assert folded.is_sound()
    folded.receive(Put("task", C, {"title": "afterwards"}), seq=len(some) + 1)
    assert "afterwards" in [row[1] for row in folded.table("tasks")]
    assert folded.is_sound()


@given(sent, st.integers(1, 3))
def test_folding_changes_singly_or_many_at_once_gives_the_same(some: list[list[bytes]], chunk: int) -> None:
    singly, together = Folded(), Folded()
    for seq, each in enumerate(some, start=1):
        singly.receive(*map(ops.decode, each), seq=seq, past={A: seq - 1} if seq > 1 else {})

    def work(tx: StoreWriter) -> None:
        fold = Fold(tx, together.texts, write=partial(apply, tx))
        for seq, each in enumerate(some, start=1):
            logged = Logged(seq, A, seq, b"%d" % seq, header_of(A, seq, 1_000 + seq), b"")
            tx.log.append(logged, Head(A, seq, logged.hash, b"\x90", b"", 0, b""))
            fold.begin(A, seq, 1_000 + seq, {A: seq - 1} if seq > 1 else {}, seq, AUTHOR)
            fold.receive(map(ops.decode, each))
            if seq % chunk == 0:
                fold.flush()
        fold.flush()

    together.store.transact(work)
    assert all_of(together) == all_of(singly)


def test_folding_a_change_longer_than_memory_gives_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    listed = [
        operation
        for number in range(20)
        for operation in (
            Put("task", number.to_bytes(16, "big"), {"title": "t", "parent_id": (number // 2).to_bytes(16, "big")}),
            Put("task", (number // 3).to_bytes(16, "big"), {"priority": number % 7}),
            Put("task", (number // 3).to_bytes(16, "big"), {"unheard": 1} if number > 10 else {"tag." + TAG: True}),
        )
    ]
    whole, cut = Folded(), Folded()
    whole.receive(*listed)
    monkeypatch.setattr("edda_sync.fold.fold.CHUNK", 4)
    saved: list[int] = []
    put = MemoryStatesWriter.put

    def counted(states: MemoryStatesWriter, some: Sequence[Record], conflicted: dict[bytes, bool]) -> None:
        saved.append(len(some))
        put(states, some, conflicted)

    monkeypatch.setattr(MemoryStatesWriter, "put", counted)
    cut.receive(*listed)
    assert max(saved) <= 2 * 4
    assert all_of(cut) == all_of(whole)
    assert whole.refused > 0
    assert whole.waiting > 0


# --- one id, several kinds --------------------------------------------------------------------------------------------

ONE_ID: list[Operation] = [
    Put("task", TASK, {"title": "a task", "link." + values.id_text(TASK): "itself"}),
    Put("document", TASK, {"title": "a document", "content": "words"}),
    Touch("tag", TASK),
    Put("device", TASK, {"name": "a device"}),
    Touch("workspace", TASK),
]


@pytest.mark.parametrize("order", list(permutations(range(5)))[::7], ids=str)
def test_one_id_written_as_several_kinds_names_several_entities_whichever_came_first(
    folded: Folded, order: tuple[int, ...]
) -> None:
    """Otherwise the first kind would own the id, and two honest devices would differ and never be proved equal."""
    for at in order:
        folded.receive(ONE_ID[at], actor=ACTORS[at], seq=1)
    text_id = values.id_text(TASK)
    assert [row[1] for row in folded.table("tasks")] == ["a task"]
    assert [(row[1], row[3]) for row in folded.table("documents")] == [("a document", "words")]
    assert [row[:3] for row in folded.table("task_documents")] == [(text_id, text_id, "itself")]
    assert [record.key for record in folded.look(lambda reader: list(reader.states.scan()))] == [
        key_of(kind, TASK) for kind in KINDS
    ]
    assert folded.refused == folded.waiting == 0
    folded.receive(Delete("document", TASK, ((ACTORS[1], 1),)), actor=ACTORS[1], seq=2, past={ACTORS[1]: 1})
    assert [row[1] for row in folded.table("tasks")] == ["a task"]
    assert folded.table("documents") == folded.table("task_documents") == []


def test_taking_an_id_for_a_task_keeps_no_tag_or_device_from_being_made(folded: Folded) -> None:
    """Both ids can be computed beforehand, from a name or a public key."""
    folded.receive(Put("task", TAG_BYTES, {"title": "taken"}), Put("document", TABLET_ID, {"title": "taken"}))
    folded.receive(Put("tag", TAG_BYTES, {"name": "work"}), device(TABLET, LAPTOP))
    assert [row[1] for row in folded.table("tags")] == ["work"]
    assert len(folded.look(lambda reader: list(reader.states.scan("device")))) == 1
    assert folded.refused == folded.waiting == 0


def test_a_state_under_the_key_of_another_kind_is_refused(folded: Folded) -> None:
    folded.receive(TITLE)
    (task,) = folded.look(lambda reader: list(reader.states.scan()))
    rotten = task._replace(key=key_of("document", TASK))
    folded.store.transact(lambda tx: tx.states.put([rotten], {rotten.key: False}))
    with pytest.raises(CorruptError, match="document"):
        folded.receive(Put("document", TASK, {"title": "d"}))


def test_a_tag_without_a_name_is_hidden_and_takes_no_name_from_another(folded: Folded) -> None:
    name = values.id_text(OTHER)
    folded.receive(Touch("tag", OTHER), Put("tag", values.id_bytes("id", values.tag_id(name)), {"name": name}))
    folded.receive(Put("task", TASK, {"title": "t", f"tag.{name}": True}))
    assert [row[1] for row in folded.table("tags")] == [name]
    assert folded.table("entity_tags") == []


def test_operations_about_nothing_readable_have_one_place(folded: Folded) -> None:
    folded.receive(Unread(True), Unread(False), Unread(True))
    assert [each.entity for each in folded.look(lambda reader: reader.unapplied.operations())] == [UNREADABLE] * 3
    assert (folded.refused, folded.waiting) == (1, 2)  # the last one stands behind one that waits


# --- which changes are about what -------------------------------------------------------------------------------------


def test_a_change_is_found_by_each_entity_that_it_is_about_whether_or_not_it_was_folded(folded: Folded) -> None:
    folded.receive(TITLE, Put("task", OTHER, {"title": ""}), Unread(False, "document", DOCUMENT))
    folded.receive(Delete("task", TASK, ((A, 1),)), Unread(True), past={A: 1})
    folded.receive(Put("document", DOCUMENT, {"title": "d"}), past={A: 2}, understood=False)
    expected = {
        key_of("task", TASK): [1, 2], key_of("task", OTHER): [1], key_of("document", DOCUMENT): [1, 3], UNREADABLE: [2],
        key_of("document", TASK): [],
    }  # fmt: skip
    assert {key: list(folded.look(lambda reader, key=key: reader.mentions.of(key))) for key in expected} == expected


# --- a function of the set of changes ---------------------------------------------------------------------------------


def shown(events: list[Event[list[Work]]], order: list[Event[list[Work]]]) -> dict[str, Any]:
    folded = Folded()
    for event in order:
        folded.receive(
            *as_sent(event, events), actor=event.actor, seq=event.seq, past=event.deps, wall_ms=event.wall_ms,
            author=author_of(event.actor).public_key,
        )  # fmt: skip
    assert folded.is_sound()
    return all_of(folded)


@given(st.data(), histories(changes, size=10))
def test_every_causal_order_of_changes_shows_the_same(data: st.DataObject, events: list[Event[list[Work]]]) -> None:
    assert shown(events, data.draw(causal_order(events))) == shown(events, events)


strange: st.SearchStrategy[list[Any]] = st.lists(
    st.sampled_from([*NEWER.values(), *list(REFUSED.values())[:6], Unread(True, "document", DOCUMENT), TITLE]),
    min_size=1, max_size=3,
)  # fmt: skip


@given(st.data(), histories(strange, size=8))
def test_every_causal_order_of_unreadable_changes_leaves_the_same_operations_waiting_and_refused(
    data: st.DataObject, events: list[Event[list[Any]]]
) -> None:
    def after(order: list[Event[list[Any]]]) -> dict[str, Any]:
        folded = Folded()
        for event in order:
            folded.receive(*event.work, actor=event.actor, seq=event.seq, past=event.deps, wall_ms=event.wall_ms)
        return all_of(folded)

    assert after(data.draw(causal_order(events))) == after(events)
