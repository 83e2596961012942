"""The ledger: dots are allocated in the commit, changes enter in causal order, log and view move together."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import edda_sync as edda
from edda_sync.changes import change as changes
from edda_sync.changes.change import Change, Header
from edda_sync.changes.drafts import Draft, EditText, Expect, Put, Touch
from edda_sync.crdt import operation as ops
from edda_sync.crdt.frontier import Dot
from edda_sync.crdt.operation import Operation
from edda_sync.engine.engine import StorageEngine
from edda_sync.ledger.admission import Admitted
from edda_sync.store.seams import Logged, StoreWriter
from edda_sync.testing import devices, sync
from edda_sync.words import limits, values
from edda_sync.words.errors import (
    CorruptError,
    InvalidValueError,
    LimitError,
    NotFoundError,
    RemoteProtocolError,
    UsageError,
)
from edda_sync.workspace.actor import actor_of, begin_life, new_life
from tests.crdt.authors import LAPTOP, PHONE, TABLET, Life, Peer, device, founded
from tests.crdt.works import OTHER, TASK


@pytest.fixture
def store(tmp_path: Path) -> Iterator[StorageEngine]:
    with edda.open(tmp_path / "home") as engine:
        yield engine


def logged(store: StorageEngine) -> list[tuple[Logged, Header]]:
    """Every change in the log."""
    with store.store.read() as reader:
        entries = [reader.log.read(position) for position in range(1, reader.log.position() + 1)]
    return [(entry, changes.decode_header(entry.raw)) for entry in entries]


def operations(store: StorageEngine) -> list[Operation]:
    """The operations of the newest change."""
    entry, _ = logged(store)[-1]
    found = [ops.decode(piece) for piece in ops.cut([entry.body])]
    return [each for each in found if not isinstance(each, ops.Unread)]


def own_actor(engine: StorageEngine) -> bytes:
    """The actor under which an engine writes."""
    with engine.store.read() as reader:
        return actor_of(reader)


# --- this device's own changes ----------------------------------------------------------------------------------------


def test_dots_count_up_without_a_gap_and_each_hash_covers_the_one_before(store: StorageEngine) -> None:
    for number in range(5):
        store.create_task(edda.Task(title=f"Task {number}"))
    previous = changes.NO_HASH
    for at, (entry, header) in enumerate(logged(store), start=1):
        assert (entry.seq, header.seq, header.previous) == (at, at, previous)
        assert entry.hash == changes.hash_change(previous, changes.hash_header(entry.raw))
        assert header.content == changes.hash_part(entry.body)
        assert header.body_bytes == len(entry.body)
        assert header.operations == len(list(ops.cut([entry.body])))
        previous = entry.hash


def test_the_first_change_of_a_founder_says_how_its_actor_began(store: StorageEngine) -> None:
    store.create_task(edda.Task(title="Task"))
    _, header = logged(store)[0]
    assert header.birth is not None
    raw = changes.encode_birth(header.birth)
    assert changes.actor_of(raw) == header.actor
    assert changes.workspace_of(raw) == store.workspace
    assert all(later.birth is None for _, later in logged(store)[1:])


def test_a_change_says_when_it_was_made_and_who_asked_for_it_and_why(store: StorageEngine) -> None:
    with store.begin_transaction(agent="claude", reason="asked by a person") as tx:
        tx.create_task(edda.Task(title="Task"))
    _, header = logged(store)[-1]
    assert (header.agent, header.reason, header.level) == ("claude", "asked by a person", changes.LEVEL)
    assert store.writing.now() * 1_000 - 3_600_000 < header.wall_ms <= store.writing.now() * 1_000
    store.create_task(edda.Task(title="Task"))
    _, header = logged(store)[-1]
    assert (header.agent, header.reason) == (None, None)


@pytest.mark.parametrize(("now_s", "written"), [(-5.0, 0), (0.0, 0), (1e12, limits.WALL_MS_MAX)])
def test_a_clock_with_an_impossible_time_is_taken_for_the_nearest_possible_time(now_s: float, written: int) -> None:
    with devices(1, backend="memory", now=lambda: now_s) as (laptop,):
        laptop.create_task(edda.Task(title="Task"))
        assert {header.wall_ms for _, header in logged(laptop)} == {written}


def test_a_transaction_that_does_nothing_makes_no_change(store: StorageEngine) -> None:
    before = store.counts()["changes"]
    with store.begin_transaction() as tx:
        pass
    assert tx.dot is None
    task = store.create_task(edda.Task(title="Task", description="text"))
    read = store.get_task(task)
    assert read is not None
    store.update_task(read)
    assert store.counts()["changes"] == before + 1


def lose_texts(store: StorageEngine) -> None:
    """Remove the stored texts, as a new process would find them."""

    def lose(tx: Any) -> None:
        for name in ("texts", "tails"):
            tx.journal.clear(name)

    store.store.transact(lose)
    store.ledger.forget()


def test_a_lost_text_is_damage_here_and_does_not_refuse_what_its_author_types() -> None:
    with devices(1, backend="memory") as (laptop,):
        note = laptop.create_document(edda.Document(title="Note", content="one"))
        laptop.edit_text(note, "content", [(3, 0, " two")])

        lose_texts(laptop)
        before = laptop.counts()["changes"]
        with pytest.raises(CorruptError, match="A text of this store"):
            laptop.edit_text(note, "content", [(0, 0, "zero ")])
        assert (laptop.counts()["changes"], laptop.refused()) == (before, 0)
        laptop.rebuild()
        laptop.edit_text(note, "content", [(0, 0, "zero ")])
        found = laptop.get_document(note)
        assert found is not None
        assert found.content == "zero one two"


def test_a_lost_text_does_not_refuse_what_a_peer_typed() -> None:
    with devices(2, backend="memory") as (laptop, phone):
        note = laptop.create_document(edda.Document(title="Note", content="one"))
        laptop.edit_text(note, "content", [(3, 0, " two")])
        sync(laptop, phone)
        lose_texts(phone)
        laptop.edit_text(note, "content", [(0, 0, "zero ")])
        with pytest.raises(CorruptError):
            sync(laptop, phone)
        assert phone.refused() == 0
        phone.rebuild()
        sync(laptop, phone)
        assert phone.refused() == 0


def test_a_failing_draft_leaves_neither_log_nor_view_behind(store: StorageEngine) -> None:
    task = store.create_task(edda.Task(title="Task"))
    before, digest = store.counts(), store.digest()
    drafts: list[Draft] = [Put.of("task", values.id_bytes("id", task), {"title": "Other"}), Expect("task", bytes(16))]
    with pytest.raises(NotFoundError):
        store.writing.commit_drafts(drafts, None, None, None)
    assert (store.counts(), store.digest()) == (before, digest)


def test_an_edit_outside_of_the_text_is_refused_and_nothing_is_written(store: StorageEngine) -> None:
    task = store.create_task(edda.Task(title="Task", description="abc"))
    empty = store.create_task(edda.Task(title="Empty"))
    before, digest = store.counts(), store.digest()
    with pytest.raises(InvalidValueError):
        store.writing.commit_drafts([EditText("task", values.id_bytes("id", task), ((9, 0, "x"),))], None, None, None)
    with pytest.raises(InvalidValueError):
        store.edit_text(empty, "description", [(1, 0, "x")])
    assert (store.counts(), store.digest()) == (before, digest)


def test_a_transaction_with_too_many_operations_is_refused_whole(
    store: StorageEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "CHANGE_OPERATIONS_MAX", 10)
    before = store.counts()
    tx = store.begin_transaction()
    for number in range(11):
        tx.create_task(edda.Task(title=f"Task {number}"))
    with pytest.raises(LimitError):
        tx.commit()
    assert store.counts() == before


def test_a_long_body_is_kept_in_parts_whose_hashes_the_header_lists(store: StorageEngine) -> None:
    with store.begin_transaction() as tx:
        for number in range(20):
            tx.create_task(edda.Task(title=f"Task {number}", description=f"{number}" * 40_000))
    entry, header = logged(store)[-1]
    assert entry.body == b""
    with store.store.read() as reader:
        parts = list(reader.log.parts(entry.position))
    assert [changes.hash_part(part) for part in parts] == list(header.parts)
    assert header.content == changes.hash_parts(header.parts)
    assert sum(map(len, parts)) == header.body_bytes
    assert all(len(part) == limits.PART_BYTES_MAX for part in parts[:-1])
    found = [ops.decode(piece) for piece in ops.cut(parts)]
    assert len(found) == header.operations == 20


def test_the_log_folded_anew_gives_the_same_tables(store: StorageEngine) -> None:
    parent = store.create_task(edda.Task(title="Parent", tags={"a", "b"}, description="text"))
    store.create_task(edda.Task(title="Child", parent_id=parent, metadata={"k": [1]}))
    store.edit_text(parent, "description", [(0, 0, "more ")])
    store.delete_task(parent)
    document = store.create_document(edda.Document(title="D", content="c", tags={"b"}))
    store.edit_text(document, "content", [(1, 0, "d")])
    names = ("tasks", "documents", "tags", "entity_tags", "task_documents")
    before, digest = {name: store.table(name) for name in names}, store.digest()
    assert store.rebuild() == store.counts()["changes"]
    assert {name: store.table(name) for name in names} == before
    assert store.digest() == digest


def test_a_store_without_a_device_writes_nothing() -> None:
    _, peer = founded()
    with pytest.raises(UsageError, match="edda init"):
        peer.store.transact(lambda tx: peer.ledger.commit(tx, [Touch("task", TASK)], 5))


# --- what a change depends on -----------------------------------------------------------------------------------------


def test_dependencies_travel_as_the_difference_to_the_change_before() -> None:
    with devices(2) as (laptop, phone):
        laptop.create_task(edda.Task(title="One"))
        sync(laptop, phone)
        phone.create_task(edda.Task(title="Two"))
        phone.create_task(edda.Task(title="Three"))
        own, other = own_actor(phone), own_actor(laptop)
        first, second = [header for _, header in logged(phone) if header.actor == own]
        (newest,) = [entry for entry, header in logged(laptop) if header.dot == (other, 3)]
        assert first.birth is not None
        assert first.birth.parent == other
        assert first.deps == ((other, 3, newest.hash[:16]),)  # changes after the one that made it a member
        assert second.deps == ()


class Writer(Peer):
    """A peer that writes as well."""

    def __init__(self, founder: Life, life: Life) -> None:
        super().__init__(founder)
        self.store.transact(lambda tx: begin_life(tx, life.birth))

    def commit(self, *drafts: Draft) -> Dot | None:
        return self.store.transact(lambda tx: self.ledger.commit(tx, drafts, 5))

    def live_anew(self, nonce: bytes) -> None:
        self.store.transact(lambda tx: new_life(tx, nonce))

    def own(self) -> list[Change]:
        """Return its own changes, as they travel."""

        def look(tx: StoreWriter) -> list[Change]:
            actor = actor_of(tx)
            found = [tx.log.read(position) for position in tx.log.positions_after({})]
            return [Change(changes.decode_header(e.raw), e.raw, e.body) for e in found if e.actor == actor]

        return self.store.transact(look)


def of_many(monkeypatch: pytest.MonkeyPatch, count: int, limit: int) -> tuple[list[Change], Writer, Peer]:
    """
    Return the changes of a number of actors, a device that took them all, and a peer that took them too.

    The second of each pair depends on the first, so that not every part of them is closed.
    """
    monkeypatch.setattr(limits, "DEPS_MAX", limit)
    laptop, _ = founded()
    made = [
        Life(LAPTOP).write(device(LAPTOP, LAPTOP, "laptop")),
        laptop.write(device(PHONE, LAPTOP), device(TABLET, LAPTOP)),
    ]
    before: list[Life] = []
    for number in range(count):
        life = Life((PHONE, TABLET)[number % 2], continues=laptop, nonce=bytes((number,)) * 16)
        made.append(life.write(ops.Touch("task", TASK), deps=[each.dep for each in before[-1:] if number % 2]))
        before.append(life)
    writer, peer = Writer(laptop, Life(LAPTOP, continues=laptop, nonce=b"another nonce...")), Peer(laptop)
    for each in (writer, peer):
        assert each.admit(*made) is Admitted.APPLIED
    return made, writer, peer


@pytest.mark.parametrize(
    ("count", "limit", "empty"), [(4, 4, 0), (5, 4, 1), (8, 4, 1), (9, 4, 2), (20, 2, 9), (31, 3, 10)]
)
def test_more_dependencies_than_a_header_has_room_for_are_spread_over_empty_changes_before_it(
    monkeypatch: pytest.MonkeyPatch, count: int, limit: int, empty: int
) -> None:
    _, writer, peer = of_many(monkeypatch, count, limit)
    dot = writer.commit(Put.of("task", OTHER, {"title": "after all of them"}))
    own = writer.own()
    assert dot is not None
    assert [change.header.seq for change in own] == list(range(1, dot[1] + 1))
    assert [change.header.operations for change in own] == [0] * (len(own) - 1) + [1]
    assert empty <= len(own) - 1 <= empty + 2
    assert all(len(change.header.deps) <= limit for change in own)
    assert (own[0].header.birth is not None, all(change.header.birth is None for change in own[1:])) == (True, True)
    for change in own:  # each is admissible on its own, in its order: what it names is closed
        assert peer.admit(change) is Admitted.APPLIED
    assert peer.view() == writer.view()
    with peer.store.read() as reader:
        past = peer.ledger.pasts.of(reader, reader.log.heads()[dot[0]])
    assert {**past, dot[0]: dot[1]} == peer.frontier


def test_new_dependencies_of_a_later_change_are_spread_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    made, writer, peer = of_many(monkeypatch, 3, 4)
    writer.commit(Put.of("task", OTHER, {"title": "before"}))
    laptop = Life(LAPTOP)
    laptop.write(device(LAPTOP, LAPTOP, "laptop"))
    laptop.write(device(PHONE, LAPTOP), device(TABLET, LAPTOP))
    for number in range(9):
        change = Life(PHONE, continues=laptop, nonce=bytes((100 + number,)) * 16).write(ops.Touch("task", TASK))
        for each in (writer, peer):
            each.admit(change)
    writer.commit(Put.of("task", OTHER, {"title": "after"}))
    assert peer.admit(*writer.own()) is Admitted.APPLIED
    assert peer.view() == writer.view()
    assert all(len(change.header.deps) <= 4 for change in writer.own())
    assert len(made) == 5


def test_empty_changes_say_nothing_and_mention_no_entities(monkeypatch: pytest.MonkeyPatch) -> None:
    _, writer, _ = of_many(monkeypatch, 9, 4)
    before = writer.view()
    writer.commit(Put.of("task", OTHER, {"title": "t"}))
    with writer.store.read() as reader:
        assert len(reader.mentions.of(b"\0" + OTHER)) == 1
        assert reader.unapplied.waiting() == 0
    assert [record for record in writer.view()["records"] if record.key[1:] != OTHER] == before["records"]


# --- lives ------------------------------------------------------------------------------------------------------------


def test_a_new_life_continues_the_present_one_and_one_that_never_wrote_what_that_continues() -> None:
    laptop, _ = founded()
    writer = Writer(laptop, laptop)
    writer.admit(Life(LAPTOP).write(device(LAPTOP, LAPTOP, "laptop")))
    births = []
    for nonce in (bytes(16), b"\1" * 16):
        writer.live_anew(nonce)
        births.append(changes.decode_birth(writer.look(lambda reader: reader.meta.get("birth")) or b""))
    assert births[0].continues == births[1].continues == laptop.dep
    assert births[0].public_key == LAPTOP.public_key
    assert writer.commit(Put.of("task", TASK, {"title": "t"})) == (changes.actor_of(changes.encode_birth(births[1])), 1)
    writer.live_anew(b"\2" * 16)
    again = changes.decode_birth(writer.look(lambda reader: reader.meta.get("birth")) or b"")
    assert again.continues is not None
    assert again.continues[:2] == (changes.actor_of(changes.encode_birth(births[1])), 1)


# --- changes of peers -------------------------------------------------------------------------------------------------


def test_a_peer_takes_and_shows_what_a_device_commits() -> None:
    laptop, _ = founded()
    writer, peer = Writer(laptop, laptop), Peer(laptop)
    first = Life(LAPTOP).write(device(LAPTOP, LAPTOP, "laptop"))
    for each in (writer, peer):
        each.admit(first)
    for drafts in (
        [Put.of("task", TASK, {"title": "t", "tag." + values.tag_id("work"): "work", "description": "words"})],
        [Put.of("task", OTHER, {"title": "child", "parent_id": TASK}), Touch("task", TASK)],
        [EditText("task", TASK, ((0, 5, "letters"),)), EditText("task", TASK, ((7, 0, "!"),))],
    ):
        writer.commit(*drafts)
    peer.admit(*writer.own()[1:])
    for each in (writer, peer):
        each.store.transact(each.ledger.refresh)
    assert peer.view() == writer.view()
    assert peer.refused == peer.waiting == 0
    assert [row[2] for row in peer.table("tasks")] == ["letters!", None]


def test_a_change_that_is_refused_leaves_no_trace_of_those_before_it_in_its_transaction() -> None:
    laptop, peer = founded()
    before = peer.view(), peer.frontier
    sound = laptop.write(ops.Put("task", TASK, {"title": "t"}))
    with pytest.raises(RemoteProtocolError):
        peer.admit(sound, Life(PHONE, continues=laptop).write())
    assert (peer.view(), peer.frontier) == before
    assert peer.admit(sound) is Admitted.APPLIED


def test_two_changes_in_one_transaction_see_each_other() -> None:
    laptop, peer = founded()
    record = laptop.write(device(PHONE, LAPTOP))
    assert peer.admit(record, Life(PHONE, continues=laptop).write(ops.Touch("task", TASK))) is Admitted.APPLIED
