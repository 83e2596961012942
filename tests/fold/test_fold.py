"""The fold of what peers send: each operation is folded as everybody folds it, or refused, or waits, and never worse."""

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
from edda_sync.crdt import records, state
from edda_sync.crdt.entity import Entity, key_of
from edda_sync.crdt.frontier import Frontier
from edda_sync.crdt.operation import Delete, Edit, Operation, Put, Touch, Unread
from edda_sync.crdt.text import edits
from edda_sync.crdt.text.document import TextDocument, genesis_id
from edda_sync.fold.fold import UNREADABLE, Fold
from edda_sync.fold.scrub import scrub_digest, scrub_entities
from edda_sync.fold.texts import Texts
from edda_sync.store.delta import apply
from edda_sync.store.memory.store import MemoryStore
from edda_sync.store.memory.tables import MemoryWriter
from edda_sync.store.seams import Head, Logged, Record, StoreReader, StoreWriter
from edda_sync.words import limits, values
from edda_sync.words.errors import CorruptError
from edda_sync.words.model import KINDS
from tests.crdt.authors import LAPTOP, PHONE, TABLET, device
from tests.crdt.histories import ACTORS, Event, causal_order, header_of, histories
from tests.crdt.works import DOCUMENT, OTHER, TABLET_ID, TAG, TAG_BYTES, TASK, Work, as_sent, author_of, changes

A, B, C, D = ACTORS[:4]
AUTHOR = LAPTOP.public_key


class Folded:
    """A store into which operations are folded as if a peer had sent them; its log holds nothing but headers."""

    def __init__(self) -> None:
        self.texts = Texts()
        self.store = MemoryStore(lambda ok: self.texts.committed() if ok else self.texts.rolled_back())
        self.changes = 0

    def receive(
        self,
        *operations: Operation | Unread,
        actor: bytes = A,
        seq: int = 0,
        past: Frontier | None = None,
        wall_ms: int | None = None,
        author: bytes = AUTHOR,
        understood: bool = True,
        branch: bytes | None = None,
    ) -> None:
        """Fold a change. Without a past it has seen nothing; its chain goes by its actor's name, or by a branch's."""
        self.changes += 1
        seq, wall_ms = seq or self.changes, 1_000 + (seq or self.changes) if wall_ms is None else wall_ms
        deps = {} if past is None else past

        def work(tx: StoreWriter) -> None:
            name = actor if branch is None else branch
            logged = Logged(self.changes, name, seq, b"%d" % self.changes, header_of(actor, seq, wall_ms), b"")
            tx.append(logged, Head(name, seq, logged.hash, b"\x90", b"", 0, b""))
            fold = Fold(tx, self.texts, write=partial(apply, tx))
            fold.begin(name, seq, wall_ms, deps, self.changes, author)
            fold.receive(operations, understood=understood)
            fold.flush()

        self.store.transact(work)

    def refresh(self) -> None:
        self.store.transact(lambda tx: Fold(tx, self.texts, write=partial(apply, tx)).refresh())

    def look(self, look: Any) -> Any:
        def read(reader: StoreReader) -> Any:
            return look(reader)

        with self.store.read() as reader:
            return read(reader)

    @property
    def refused(self) -> int:
        return len([each for each in self.look(lambda reader: reader.unapplied()) if each.refused])

    @property
    def waiting(self) -> int:
        return int(self.look(lambda reader: reader.waiting()))

    def entity(self, kind: str, entity_id: bytes) -> Entity | None:
        key = key_of(kind, entity_id)
        found = self.look(lambda reader: reader.records([key])).get(key)
        return None if found is None else state.entity_of(key, found.state)

    def table(self, name: str) -> list[Any]:
        return list(self.look(lambda reader: reader.table(name)))

    def is_sound(self) -> bool:
        """Whether states, hashes, rows and digest fit each other."""

        def work(tx: StoreWriter) -> bool:
            found, _ = scrub_entities(tx, b"", 1_000)
            return not found and not scrub_digest(tx)

        return self.store.transact(work)


@pytest.fixture
def folded() -> Folded:
    return Folded()


# --- what is refused, and the rest goes on ----------------------------------------------------------------------------

TITLE: Operation = Put("task", TASK, {"title": "t"})
GENESIS = b"\7" * 16
REFUSED: dict[str, Operation | Unread] = {
    "unreadable": Unread(True),
    "malformed": Unread(True, "task", TASK),
    "title": Put("task", TASK, {"title": ""}),
    "title-beside-a-sound-cell": Put("task", TASK, {"title": "u", "priority": 9}),
    "title-beside-an-unknown-cell": Put("task", TASK, {"title": "", "unheard": 1}),
    "bool-for-a-number": Put("task", TASK, {"priority": True}),
    "float-for-a-number": Put("task", TASK, {"priority": 1.0}),
    "number-for-a-bool": Put("task", TASK, {"tag." + TAG: 1}),
    "id-for-a-text": Put("task", TASK, {"description": bytes(16)}),
    "tag-in-capitals": Put("task", TASK, {"tag." + TAG.upper(): True}),
    "link-without-words": Put("task", TASK, {"link." + TAG: True}),
    "name-of-another-tag": Put("tag", OTHER, {"name": "not of this id"}),
    "device-without-a-record": Put("device", OTHER, {"record": b"none"}),
    "record-of-another": Put("device", OTHER, device(PHONE, LAPTOP).cells),
    "record-by-another": device(PHONE, TABLET),
    "epoch-under-another-name": Put("workspace", OTHER, {"epoch.00": b"\x90"}),
    "deletion-out-of-order": Delete("task", TASK, ((B, 1), (A, 1))),
    "deletion-twice": Delete("task", TASK, ((A, 1), (A, 1))),
    "deletion-of-a-device": Delete("device", TABLET_ID, ((A, 1),)),
    "deletion-of-a-workspace": Delete("workspace", OTHER, ()),
    "edit-of-a-title": Edit("task", TASK, "title", GENESIS, b""),
    "edit-of-a-tag": Edit("tag", TASK, "description", GENESIS, b""),
    "edit-of-another-kind's-field": Edit("task", TASK, "content", GENESIS, b""),
    "edit-of-nothing": Edit("task", TASK, "", GENESIS, b""),
}


@pytest.mark.parametrize("operation", REFUSED.values(), ids=REFUSED)
def test_an_operation_that_no_version_takes_is_refused_as_a_whole_and_the_others_are_folded(
    folded: Folded, operation: Operation | Unread
) -> None:
    folded.receive(TITLE)
    folded.receive(operation, Put("task", TASK, {"status": "done"}), past={A: 1})
    ((_, title, description, status, priority, *_),) = folded.table("tasks")
    assert (title, description, status, priority) == ("t", None, "done", 2)
    assert (folded.refused, folded.waiting) == (1, 0)
    assert folded.is_sound()


@pytest.mark.parametrize("operation", REFUSED.values(), ids=REFUSED)
def test_what_is_refused_counts_in_the_state_of_what_it_is_about(folded: Folded, operation: Operation | Unread) -> None:
    folded.receive(operation)
    (unapplied,) = folded.look(lambda reader: reader.unapplied())
    kind, entity_id = ("workspace", bytes(16)) if operation.kind is None else (operation.kind, operation.id)
    assert entity_id is not None
    assert unapplied.entity == key_of(kind, entity_id)
    entity = folded.entity(kind, entity_id)
    assert entity is not None
    assert (entity.refused.size, entity.touched, entity.deleted, entity.cells) == (1, {}, {}, {})
    assert entity.hidden
    digest = folded.look(lambda reader: reader.digest())
    folded.receive(operation)
    assert folded.look(lambda reader: reader.digest()) != digest
    assert folded.table("tasks") == folded.table("documents") == folded.table("tags") == []


def test_what_was_only_spoken_of_does_not_exist(folded: Folded) -> None:
    def work(tx: StoreWriter) -> None:
        fold = Fold(tx, folded.texts, write=partial(apply, tx))
        fold.begin(A, 1, 0, {}, 1, AUTHOR)
        fold.receive([Delete("device", OTHER, ((B, 5),)), Put("task", OTHER, {"title": ""})])
        for kind in ("device", "task"):  # else whether it counts as a member hung on what came in one batch
            assert fold.entities.existing(kind, OTHER) is None
        fold.flush()
        assert Fold(tx, folded.texts, write=partial(apply, tx)).entities.existing("task", OTHER) is None

    folded.store.transact(work)


def test_of_a_deletion_only_what_its_author_had_seen_counts(folded: Folded) -> None:
    """Whatever it claims: what comes later, or from somebody else, is not hidden by a number that is too large."""
    folded.receive(TITLE)
    folded.receive(Delete("task", TASK, ((A, 99), *sorted([(B, 7), (C, 7)]))), past={A: 1})
    entity = folded.entity("task", TASK)
    assert entity is not None
    assert entity.deleted == {A: 2}  # itself is in its past
    assert folded.table("tasks") == []
    folded.receive(Touch("task", TASK), past={A: 2})
    assert len(folded.table("tasks")) == 1


# --- what waits for a newer version -----------------------------------------------------------------------------------

NEWER: dict[str, Operation | Unread] = {
    "code": Unread(False, "task", TASK),
    "kind": Unread(False),
    "cell": Put("task", TASK, {"unheard": 1}),
    "group-of-cells": Put("task", TASK, {"unheard.x": [1, {"a": None}]}),
    "cell-of-another-kind": Put("task", TASK, {"content": "x"}),
}


@pytest.mark.parametrize("operation", NEWER.values(), ids=NEWER)
def test_an_operation_of_a_newer_version_waits_and_is_not_refused(
    folded: Folded, operation: Operation | Unread
) -> None:
    folded.receive(TITLE)
    before = folded.look(lambda reader: list(reader.all_records()))
    folded.receive(operation, past={A: 1})
    assert (folded.refused, folded.waiting) == (0, 1)
    assert folded.look(lambda reader: list(reader.all_records())) == before
    folded.receive(Put("task", TASK, {"status": "done"}), past={A: 2})
    assert folded.table("tasks")[0][3] == "done"


def test_of_a_put_with_cells_of_a_newer_version_the_others_are_written(folded: Folded) -> None:
    folded.receive(Put("task", TASK, {"title": "t", "unheard": 1, "other.x": 2, "status": "done"}))
    ((_, title, _, status, *_),) = folded.table("tasks")
    assert (title, status) == ("t", "done")
    assert (folded.refused, folded.waiting) == (0, 1)


@pytest.mark.parametrize("operation", [TITLE, Touch("task", TASK), *REFUSED.values()], ids=str)
def test_a_change_of_which_the_header_is_not_understood_waits_with_all_that_is_in_it(
    folded: Folded, operation: Operation | Unread
) -> None:
    folded.receive(operation, understood=False)
    assert (folded.refused, folded.waiting) == (0, 1)
    assert folded.look(lambda reader: list(reader.all_records())) == []


def test_a_change_of_which_the_header_is_not_understood_waits_though_nothing_is_in_it(folded: Folded) -> None:
    """What it does may stand in its header."""
    folded.receive(understood=False)
    assert (folded.refused, folded.waiting) == (0, 1)


@pytest.mark.parametrize("waiting", NEWER.values(), ids=NEWER)
@pytest.mark.parametrize("in_one_change", [False, True])
def test_what_would_be_refused_waits_while_something_in_its_past_that_may_decide_it_waits(
    folded: Folded, waiting: Operation | Unread, in_one_change: bool
) -> None:
    refused = Put("task", TASK, {"title": ""})
    if in_one_change:
        folded.receive(waiting, refused)
    else:
        folded.receive(waiting)
        folded.receive(refused, past={A: 1})
    assert (folded.refused, folded.waiting) == (0, 2)
    folded.receive(refused, past={A: 1}, seq=folded.changes + 1)  # and so on
    assert (folded.refused, folded.waiting) == (0, 3)


def test_what_would_be_refused_is_refused_when_what_waits_is_concurrent_or_about_something_else(folded: Folded) -> None:
    refused = Put("task", TASK, {"title": ""})
    folded.receive(Put("task", TASK, {"unheard": 1}), actor=B, seq=1)
    folded.receive(Put("task", OTHER, {"unheard": 1}), Put("document", TASK, {"unheard": 1}), actor=A, seq=1)
    folded.receive(refused, actor=A, seq=2, past={A: 1})
    assert (folded.refused, folded.waiting) == (1, 3)
    folded.receive(refused, actor=A, seq=3, past={A: 2, B: 1})
    assert (folded.refused, folded.waiting) == (1, 4)


@pytest.mark.parametrize("order", list(permutations(range(3))), ids=str)
def test_whether_something_waits_or_is_refused_does_not_hang_on_the_order_of_what_is_concurrent(
    folded: Folded, order: tuple[int, ...]
) -> None:
    refused = Put("task", TASK, {"title": ""})
    concurrent: list[tuple[bytes, Operation]] = [(A, Put("task", TASK, {"unheard": 1})), (B, refused), (C, TITLE)]
    for at in order:
        actor, operation = concurrent[at]
        folded.receive(operation, actor=actor, seq=1)
    folded.receive(refused, actor=D, seq=1, past={A: 1, B: 1, C: 1})
    assert (folded.refused, folded.waiting) == (1, 2)
    entity = folded.entity("task", TASK)
    assert entity is not None
    assert entity.refused.size == 1


def test_what_waits_on_a_branch_of_a_chain_is_in_the_past_of_who_has_seen_that_branch(folded: Folded) -> None:
    one, other = b"\x01" * 16, b"\x02" * 16
    for branch in (one, other):
        folded.receive(NEWER["cell"] if branch == one else TITLE, actor=A, seq=5, branch=branch)
    refused = Put("task", TASK, {"title": ""})
    folded.receive(refused, actor=B, seq=1, past={A: 4, other: 5})
    assert (folded.refused, folded.waiting) == (1, 1)
    folded.receive(refused, actor=C, seq=1, past={A: 4, one: 5})
    assert (folded.refused, folded.waiting) == (1, 2)


# --- devices ----------------------------------------------------------------------------------------------------------


def test_a_device_s_record_is_written_once(folded: Folded) -> None:
    folded.receive(device(TABLET, LAPTOP, "tablet"))
    again = Put("device", TABLET_ID, {"record": device(TABLET, LAPTOP).cells["record"], "name": "renamed"})
    folded.receive(again, past={A: 1})
    folded.receive(device(TABLET, PHONE), past={A: 2}, author=PHONE.public_key, actor=B, seq=1)
    entity = folded.entity("device", TABLET_ID)
    assert entity is not None
    assert [write[:2] for write in entity.cells["record"]] == [(A, 1)]
    assert entity.value("name") == "tablet"
    assert (folded.refused, folded.waiting) == (2, 0)


@pytest.mark.parametrize("phone_first", [False, True])
def test_of_records_of_one_device_that_two_members_write_at_once_both_stay(folded: Folded, phone_first: bool) -> None:
    written = [(A, LAPTOP), (B, PHONE)]
    for actor, identity in reversed(written) if phone_first else written:
        folded.receive(device(TABLET, identity), actor=actor, seq=1, author=identity.public_key)
    entity = folded.entity("device", TABLET_ID)
    assert entity is not None
    said = {write[0]: records.decode_device(write[3]).added_by for write in entity.cells["record"]}
    assert said == {A: LAPTOP.public_key, B: PHONE.public_key}
    assert folded.refused == 0


def test_a_device_is_added_in_the_name_of_its_author_and_of_nobody_else(folded: Folded) -> None:
    folded.receive(device(TABLET, PHONE))
    assert folded.entity("device", TABLET_ID).cells == {}  # type: ignore[union-attr]
    folded.receive(device(TABLET, PHONE), author=PHONE.public_key, actor=B, seq=1)
    assert "record" in folded.entity("device", TABLET_ID).cells  # type: ignore[union-attr]
    assert folded.refused == 1


def test_a_device_is_never_deleted(folded: Folded) -> None:
    folded.receive(device(TABLET, LAPTOP))
    folded.receive(Delete("device", TABLET_ID, ((A, 1),)), past={A: 1})
    entity = folded.entity("device", TABLET_ID)
    assert entity is not None
    assert not entity.hidden
    assert entity.deleted == {}
    assert folded.refused == 1


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


def all_of(folded: Folded) -> dict[str, Any]:
    """All that a store holds of what was folded into it."""
    found: dict[str, Any] = {name: folded.table(name) for name in TABLES}
    found["digest"] = folded.look(lambda reader: reader.digest())
    found["records"] = folded.look(lambda reader: list(reader.all_records()))
    found["conflicted"] = folded.look(lambda reader: reader.conflicted())
    found["rings"] = folded.look(lambda reader: reader.in_rings())
    found["unapplied"] = sorted((e.entity, e.refused) for e in folded.look(lambda reader: reader.unapplied()))
    return found


TABLES = ("tasks", "documents", "tags", "entity_tags", "task_documents")


@given(sent)
def test_whatever_a_member_sends_becomes_states_that_are_read_back_and_stops_nothing_that_follows(
    some: list[list[bytes]],
) -> None:
    folded = Folded()
    for seq, each in enumerate(some, start=1):
        folded.receive(*map(ops.decode, each), seq=seq, past={A: seq - 1} if seq > 1 else {})
    for record in folded.look(lambda reader: list(reader.all_records())):
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
def test_changes_that_are_folded_singly_or_many_at_once_come_to_the_same(some: list[list[bytes]], chunk: int) -> None:
    singly, together = Folded(), Folded()
    for seq, each in enumerate(some, start=1):
        singly.receive(*map(ops.decode, each), seq=seq, past={A: seq - 1} if seq > 1 else {})

    def work(tx: StoreWriter) -> None:
        fold = Fold(tx, together.texts, write=partial(apply, tx))
        for seq, each in enumerate(some, start=1):
            logged = Logged(seq, A, seq, b"%d" % seq, header_of(A, seq, 1_000 + seq), b"")
            tx.append(logged, Head(A, seq, logged.hash, b"\x90", b"", 0, b""))
            fold.begin(A, seq, 1_000 + seq, {A: seq - 1} if seq > 1 else {}, seq, AUTHOR)
            fold.receive(map(ops.decode, each))
            if seq % chunk == 0:
                fold.flush()
        fold.flush()

    together.store.transact(work)
    assert all_of(together) == all_of(singly)


def test_a_change_that_is_longer_than_memory_holds_comes_to_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
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
    save = MemoryWriter.save

    def counted(tx: MemoryWriter, some: Sequence[Record], conflicted: dict[bytes, bool]) -> None:
        saved.append(len(some))
        save(tx, some, conflicted)

    monkeypatch.setattr(MemoryWriter, "save", counted)
    cut.receive(*listed)
    assert max(saved) <= 2 * 4
    assert all_of(cut) == all_of(whole)
    assert whole.refused > 0
    assert whole.waiting > 0


# --- what one change may write into one entity ------------------------------------------------------------------------


def metadata(count: int, *, first: int = 0, value: str = "1") -> dict[str, Any]:
    return {f"metadata.{number}": value for number in range(first, first + count)}


@pytest.mark.parametrize("in_one_operation", [False, True])
def test_what_a_change_writes_into_an_entity_beyond_its_budget_of_cells_is_refused(
    folded: Folded, monkeypatch: pytest.MonkeyPatch, in_one_operation: bool
) -> None:
    monkeypatch.setattr(limits, "ENTITY_CHANGE_CELLS_MAX", 10)
    if in_one_operation:
        written, rest = [Put("task", TASK, metadata(11))], metadata(10)
    else:
        written, rest = [Put("task", TASK, metadata(6)), Put("task", TASK, metadata(5, first=6))], metadata(4, first=6)
    folded.receive(TITLE)
    folded.receive(*written, Put("task", TASK, rest), Put("task", OTHER, metadata(10)), past={A: 1})
    assert folded.refused == 1  # it has spent nothing, and other entities have a budget of their own
    entity = folded.entity("task", TASK)
    assert entity is not None
    assert len(entity.cells) == 1 + 10
    assert len(folded.entity("task", OTHER).cells) == 10  # type: ignore[union-attr]
    folded.receive(Put("task", TASK, metadata(10)), past={A: 2})  # as has each change
    assert folded.refused == 1


def test_what_a_change_writes_into_an_entity_beyond_its_budget_of_bytes_is_refused_but_for_its_text(
    folded: Folded, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "ENTITY_CHANGE_BYTES_MAX", 1_000)
    long = '"' + "x" * 600 + '"'
    folded.receive(Put("task", TASK, {"title": "t", "description": "y" * 5_000, **metadata(1, value=long)}))
    assert folded.refused == 0
    folded.receive(*(Put("task", TASK, metadata(1, first=n, value=long)) for n in (1, 2)), past={A: 1})
    assert folded.refused == 1


def test_a_record_that_is_refused_spends_nothing_of_what_its_change_may_write(
    folded: Folded, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "ENTITY_CHANGE_CELLS_MAX", 3)
    folded.receive(device(TABLET, PHONE), Put("device", TABLET_ID, {"name": "tablet"}))
    assert folded.refused == 1
    assert folded.entity("device", TABLET_ID).value("name") == "tablet"  # type: ignore[union-attr]


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
    """Else the kind that came first had the id, two honest devices showed two things, and neither was ever proved equal."""
    for at in order:
        folded.receive(ONE_ID[at], actor=ACTORS[at], seq=1)
    text_id = values.id_text(TASK)
    assert [row[1] for row in folded.table("tasks")] == ["a task"]
    assert [(row[1], row[3]) for row in folded.table("documents")] == [("a document", "words")]
    assert [row[:3] for row in folded.table("task_documents")] == [(text_id, text_id, "itself")]
    assert [record.key for record in folded.look(lambda reader: list(reader.all_records()))] == [
        key_of(kind, TASK) for kind in KINDS
    ]
    assert folded.refused == folded.waiting == 0
    folded.receive(Delete("document", TASK, ((ACTORS[1], 1),)), actor=ACTORS[1], seq=2, past={ACTORS[1]: 1})
    assert [row[1] for row in folded.table("tasks")] == ["a task"]
    assert folded.table("documents") == folded.table("task_documents") == []


def test_nobody_keeps_a_tag_or_a_device_from_being_made_by_taking_its_id_for_a_task(folded: Folded) -> None:
    """Both ids follow from what is known beforehand: a name, a public key."""
    folded.receive(Put("task", TAG_BYTES, {"title": "taken"}), Put("document", TABLET_ID, {"title": "taken"}))
    folded.receive(Put("tag", TAG_BYTES, {"name": "work"}), device(TABLET, LAPTOP))
    assert [row[1] for row in folded.table("tags")] == ["work"]
    assert len(folded.look(lambda reader: list(reader.all_records("device")))) == 1
    assert folded.refused == folded.waiting == 0


def test_a_state_under_the_key_of_another_kind_is_refused(folded: Folded) -> None:
    folded.receive(TITLE)
    (task,) = folded.look(lambda reader: list(reader.all_records()))
    rotten = task._replace(key=key_of("document", TASK))
    folded.store.transact(lambda tx: tx.save([rotten], {rotten.key: False}))
    with pytest.raises(CorruptError, match="document"):
        folded.receive(Put("document", TASK, {"title": "d"}))


def test_a_tag_without_a_name_does_not_show_and_takes_no_name_from_another(folded: Folded) -> None:
    name = values.id_text(OTHER)
    folded.receive(Touch("tag", OTHER), Put("tag", values.id_bytes("id", values.tag_id(name)), {"name": name}))
    folded.receive(Put("task", TASK, {"title": "t", f"tag.{name}": True}))
    assert [row[1] for row in folded.table("tags")] == [name]
    assert folded.table("entity_tags") == []


def test_what_is_about_nothing_that_can_be_read_has_one_place(folded: Folded) -> None:
    folded.receive(Unread(True), Unread(False), Unread(True))
    assert [each.entity for each in folded.look(lambda reader: reader.unapplied())] == [UNREADABLE] * 3
    assert (folded.refused, folded.waiting) == (1, 2)  # the last one stands behind one that waits


# --- which changes are about what -------------------------------------------------------------------------------------


def test_a_change_is_found_by_each_entity_that_it_is_about_whatever_became_of_it(folded: Folded) -> None:
    folded.receive(TITLE, Put("task", OTHER, {"title": ""}), Unread(False, "document", DOCUMENT))
    folded.receive(Delete("task", TASK, ((A, 1),)), Unread(True), past={A: 1})
    folded.receive(Put("document", DOCUMENT, {"title": "d"}), past={A: 2}, understood=False)
    expected = {
        key_of("task", TASK): [1, 2], key_of("task", OTHER): [1], key_of("document", DOCUMENT): [1, 3], UNREADABLE: [2],
        key_of("document", TASK): [],
    }  # fmt: skip
    assert {key: list(folded.look(lambda reader, key=key: reader.mentions(key))) for key in expected} == expected


# --- texts ------------------------------------------------------------------------------------------------------------


def edit_of(
    start: str, dot: tuple[bytes, int], deps: Frontier, made: list[tuple[int, int, str]], entity: bytes = TASK
) -> Edit:
    """An edit, by a change that has seen others, of a description that the first change of A started."""
    genesis = genesis_id(entity, "description", start)
    document = TextDocument.start(genesis, start, [(A, 1)])
    return Edit("task", entity, "description", genesis, edits.encode(document.edit(dot, deps, made)))


STARTED = Put("task", TASK, {"title": "t", "description": "hello"})


def test_texts_of_one_id_are_edited_apart(folded: Folded) -> None:
    folded.receive(STARTED)
    folded.receive(Put("document", TASK, {"title": "d", "content": "hello"}), past={A: 1})
    folded.receive(edit_of("hello", (A, 3), {A: 2}, [(5, 0, "!")]), past={A: 2})
    assert folded.look(lambda reader: reader.stale_texts()) == [key_of("task", TASK)]
    folded.refresh()
    assert (folded.table("tasks")[0][2], folded.table("documents")[0][3]) == ("hello!", "hello")


def test_an_edited_text_that_is_replaced_waits_for_nothing_any_more(folded: Folded) -> None:
    folded.receive(STARTED)
    folded.receive(edit_of("hello", (A, 2), {A: 1}, [(5, 0, "!")]), past={A: 1})
    assert folded.look(lambda reader: reader.stale_texts()) == [key_of("task", TASK)]
    folded.receive(Put("task", TASK, {"description": None}), past={A: 2})
    assert folded.look(lambda reader: reader.stale_texts()) == []
    assert folded.table("tasks")[0][2] is None


def test_an_edit_of_a_text_that_was_replaced_meanwhile_is_kept_as_a_conflict_with_its_words(folded: Folded) -> None:
    folded.receive(STARTED)
    folded.receive(Put("task", TASK, {"description": "other"}), past={A: 1})
    folded.receive(edit_of("hello", (B, 1), {A: 1}, [(5, 0, "!")]), actor=B, seq=1, past={A: 1})
    folded.refresh()
    assert folded.table("tasks")[0][2] == "other"  # of the later moment
    assert folded.look(lambda reader: reader.conflicted()) == [key_of("task", TASK)]
    assert folded.refused == folded.waiting == 0


def test_an_edit_that_no_honest_device_writes_is_refused_and_freezes_nothing(folded: Folded) -> None:
    folded.receive(STARTED)
    sound = edit_of("hello", (A, 2), {A: 1}, [(5, 0, "!")])
    folded.receive(
        msgspec.structs.replace(sound, edit=sound.edit[:-1]), Put("task", TASK, {"priority": 0}), past={A: 1}
    )
    ((_, _, description, _, priority, *_),) = folded.table("tasks")
    assert (description, priority) == ("hello", 0)
    assert (folded.refused, folded.waiting) == (1, 0)
    folded.receive(edit_of("hello", (A, 3), {A: 2}, [(5, 0, "?")]), past={A: 2})
    folded.refresh()
    assert folded.table("tasks")[0][2] == "hello?"


def test_a_change_writes_one_text_of_a_field(folded: Folded) -> None:
    folded.receive(STARTED)
    edit = edit_of("hello", (A, 2), {A: 1}, [(5, 0, "!")])
    folded.receive(Put("task", TASK, {"description": "other"}), edit, past={A: 1})
    assert folded.table("tasks")[0][2] == "other"
    assert folded.refused == 1


def test_a_text_first_edited_by_another_process_is_read_from_the_store_and_not_from_memory(folded: Folded) -> None:
    folded.receive(STARTED)
    sound = edit_of("hello", (A, 2), {A: 1}, [(5, 0, "!")])
    folded.receive(
        msgspec.structs.replace(sound, edit=b"\1\2\3"), past={A: 1}
    )  # the start is in memory, and not stored
    ours, folded.texts = folded.texts, Texts()  # another process
    folded.receive(edit_of("hello", (B, 1), {A: 1}, [(5, 0, " there")]), actor=B, seq=1, past={A: 1})
    folded.texts = ours
    folded.refresh()
    assert folded.table("tasks")[0][2] == "hello there"


def test_one_text_that_cannot_be_read_keeps_no_other_from_being_brought_up_to_date(folded: Folded) -> None:
    folded.receive(STARTED, msgspec.structs.replace(STARTED, id=OTHER))
    for number, task in enumerate((TASK, OTHER)):
        folded.receive(edit_of("hello", (A, 2 + number), {A: 1 + number}, [(5, 0, "!")], task), past={A: 1 + number})

    def rot(tx: StoreWriter) -> None:
        tx.save_text(key_of("task", TASK), "description", genesis_id(TASK, "description", "hello"), b"rot", 9)

    folded.store.transact(rot)
    folded.texts.forget()
    folded.refresh()
    reads = {row[0]: row[2] for row in folded.table("tasks")}
    assert reads == {values.id_text(TASK): "hello", values.id_text(OTHER): "hello!"}
    assert folded.look(lambda reader: reader.stale_texts()) == [key_of("task", TASK)], "the scrub names it"


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
def test_every_causal_order_of_changes_that_nobody_can_read_leaves_the_same_waiting_and_refused(
    data: st.DataObject, events: list[Event[list[Any]]]
) -> None:
    def after(order: list[Event[list[Any]]]) -> dict[str, Any]:
        folded = Folded()
        for event in order:
            folded.receive(*event.work, actor=event.actor, seq=event.seq, past=event.deps, wall_ms=event.wall_ms)
        return all_of(folded)

    assert after(data.draw(causal_order(events))) == after(events)
