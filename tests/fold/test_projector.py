"""The projector: what a fold writes is states, hashes, the digest and rows that fit each other, and no more than changed."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given

from edda_sync.crdt import digests, rows, state
from edda_sync.crdt import operation as ops
from edda_sync.crdt.entity import key_of
from edda_sync.fold.projector import Became
from edda_sync.store.memory.tables import MemoryWriter
from edda_sync.store.seams import Shown, StoreWriter
from edda_sync.words import values
from edda_sync.words.errors import CorruptError
from tests.crdt.authors import Life, Peer, founded
from tests.crdt.histories import Event, histories
from tests.crdt.works import DOCUMENT, OTHER, TAG, TAG_BYTES, TASK, Work, changes, written

TASK_TEXT, OTHER_TEXT, DOCUMENT_TEXT = map(values.id_text, (TASK, OTHER, DOCUMENT))


@given(histories(changes, size=12))
def test_after_each_change_hashes_digest_and_rows_are_what_the_states_say(events: list[Event[list[Work]]]) -> None:
    made = written(events)
    peer = Peer(made.founder)
    peer.admit(*made.beginning)
    for event in events:
        peer.admit(made.changes[event.actor, event.seq])
        total = 0
        with peer.store.read() as reader:
            visible: dict[str, set[str]] = {kind: set() for kind in rows.COLUMNS}
            for record in reader.all_records():
                entity = state.entity_of(record.key, record.state)
                assert record.hidden == entity.hidden
                assert record.hash == state.hash_entity(record.key, state.encode(entity), [])
                total = digests.add(total, record.hash)
                if entity.kind in visible and not entity.hidden:
                    visible[entity.kind].add(values.id_text(entity.id))
            assert reader.digest() == total
            for kind, table in (("task", "tasks"), ("document", "documents"), ("tag", "tags")):
                assert {row[0] for row in reader.table(table)} == visible[kind]


def test_the_more_of_what_became_of_an_entity_counts() -> None:
    assert Became.EDITED < Became.TOUCHED < Became.SHOWN


class Two:
    """A peer, and a life that writes into it."""

    def __init__(self) -> None:
        self.laptop, self.peer = founded()

    def write(self, *operations: ops.Operation) -> None:
        self.peer.admit(self.laptop.write(*operations))

    def concurrent(self, *operations: ops.Operation, wall_ms: int = 1_000) -> None:
        """Write in a life that has seen nothing of the others."""
        self.peer.admit(Life(self.laptop.identity, continues=self._first()).write(*operations, wall_ms=wall_ms))

    def conflicted(self) -> list[bytes]:
        return self.peer.look(lambda reader: reader.conflicted())

    def _first(self) -> Life:
        again, _ = founded()
        return again


@pytest.fixture
def two() -> Two:
    return Two()


def test_what_points_at_something_hidden_shows_it_again_when_it_is_back(two: Two) -> None:
    two.write(ops.Put("tag", TAG_BYTES, {"name": "work"}), ops.Put("document", DOCUMENT, {"title": "d"}))
    two.write(ops.Put("task", TASK, {"title": "t"}))
    edges = {"parent_id": TASK, "tag." + TAG: True, "link." + DOCUMENT_TEXT: "see"}
    two.write(ops.Put("task", OTHER, {"title": "u", **edges}))
    whole = two.peer.view()
    assert [row[9] for row in two.peer.table("tasks")] == [None, TASK_TEXT]
    targets = (("task", TASK, 3), ("tag", TAG_BYTES, 2), ("document", DOCUMENT, 2))
    for kind, entity, seq in targets:
        two.write(ops.Delete(kind, entity, ((two.laptop.actor, seq),)))
    assert [row[9] for row in two.peer.table("tasks")] == [None]
    assert two.peer.table("entity_tags") == two.peer.table("task_documents") == []
    for kind, entity, _ in targets:
        two.write(ops.Touch(kind, entity))
    back = two.peer.view()
    for name in ("tasks", "tags", "entity_tags", "task_documents"):
        assert back[name] == whole[name]


def test_what_points_at_something_that_is_not_here_yet_shows_it_when_it_comes(two: Two) -> None:
    two.write(
        ops.Put("task", OTHER, {"title": "u", "parent_id": TASK, "tag." + TAG: True, "link." + DOCUMENT_TEXT: "see"})
    )
    assert two.peer.table("tasks")[0][9] is None
    two.write(ops.Put("task", TASK, {"title": "t"}), ops.Put("tag", TAG_BYTES, {"name": "work"}))
    two.write(ops.Put("document", DOCUMENT, {"title": "d"}))
    assert [row[9] for row in two.peer.table("tasks")] == [None, TASK_TEXT]
    assert [row[:3] for row in two.peer.table("entity_tags")] == [("task", OTHER_TEXT, TAG)]
    assert [row[:2] for row in two.peer.table("task_documents")] == [(OTHER_TEXT, DOCUMENT_TEXT)]


def test_of_a_ring_that_is_closed_at_once_one_edge_is_withheld_and_shown_when_the_ring_ends(two: Two) -> None:
    two.write(ops.Put("task", TASK, {"title": "t"}), ops.Put("task", OTHER, {"title": "u"}))
    two.write(ops.Put("task", TASK, {"parent_id": OTHER}))
    two.concurrent(ops.Put("task", OTHER, {"parent_id": TASK}), wall_ms=2_000)
    assert {row[0]: row[9] for row in two.peer.table("tasks")} == {TASK_TEXT: OTHER_TEXT, OTHER_TEXT: None}
    assert two.peer.look(lambda reader: reader.in_rings()) == [key_of("task", OTHER)]
    two.write(ops.Put("task", TASK, {"parent_id": None}))
    assert {row[0]: row[9] for row in two.peer.table("tasks")} == {TASK_TEXT: None, OTHER_TEXT: TASK_TEXT}
    assert two.peer.look(lambda reader: reader.in_rings()) == []


def test_a_touch_of_a_tag_that_shows_writes_no_row(two: Two, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every change that tags something touches the tag: else it would write all that carries it, each time."""
    two.write(ops.Put("tag", TAG_BYTES, {"name": "work"}), ops.Put("task", TASK, {"title": "t", "tag." + TAG: True}))
    shown: list[Shown] = []
    show = MemoryWriter.show

    def counted(tx: Any, some: list[Shown], new: frozenset[bytes]) -> None:
        shown.extend(some)
        show(tx, some, new)

    monkeypatch.setattr(MemoryWriter, "show", counted)
    digest = two.peer.look(lambda reader: reader.digest())
    two.write(ops.Touch("tag", TAG_BYTES))
    assert shown == []
    assert two.peer.look(lambda reader: reader.digest()) != digest
    two.write(ops.Touch("task", TASK))
    assert [each.key for each in shown] == [key_of("task", TASK)]


def test_an_entity_whose_cells_have_several_values_is_marked_until_it_is_hidden_or_written_anew(two: Two) -> None:
    two.write(ops.Put("task", TASK, {"title": "t"}))
    two.concurrent(ops.Put("task", TASK, {"title": "u"}))
    key = key_of("task", TASK)
    assert two.conflicted() == [key]
    head = two.peer.frontier
    two.write(ops.Delete("task", TASK, ((two.laptop.actor, 2),)))
    assert two.conflicted() == [key]  # the other one brings it back
    other = next(actor for actor in head if actor != two.laptop.actor)
    named = two.peer.look(lambda reader: (other, 1, reader.heads()[other].hash[:16]))
    two.peer.admit(
        two.laptop.write(ops.Delete("task", TASK, tuple(sorted([(two.laptop.actor, 2), (other, 1)]))), deps=[named])
    )
    assert two.conflicted() == []
    two.write(ops.Touch("task", TASK))
    assert two.conflicted() == [key]
    two.write(ops.Put("task", TASK, {"title": "one"}))
    assert two.conflicted() == []


def test_what_could_not_be_read_back_is_not_kept(two: Two, monkeypatch: pytest.MonkeyPatch) -> None:
    two.write(ops.Put("task", TASK, {"title": "first"}))
    before = two.peer.view(), two.peer.frontier
    encode = state.encode
    monkeypatch.setattr(state, "encode", lambda entity: encode(entity)[:-1] + b"\xc0")
    with pytest.raises(CorruptError):
        two.write(ops.Put("task", TASK, {"title": "t"}))
    monkeypatch.undo()
    assert (two.peer.view(), two.peer.frontier) == before


@pytest.mark.parametrize("what", ["hash", "hidden", "row", "tags", "links"])
def test_what_does_not_fit_its_state_is_not_sound(two: Two, what: str) -> None:
    two.write(ops.Put("tag", TAG_BYTES, {"name": "work"}), ops.Put("document", DOCUMENT, {"title": "d"}))
    two.write(ops.Put("task", TASK, {"title": "t", "tag." + TAG: True, "link." + DOCUMENT_TEXT: "see"}))
    key = key_of("task", TASK)

    def damage(tx: Any) -> None:
        (record,) = tx.records([key]).values()
        if what == "hash":
            tx.save([record._replace(hash=bytes(32))], {key: False})
        elif what == "hidden":
            tx.save([record._replace(hidden=True)], {key: False})
        elif what == "row":
            row = tx.row("task", TASK_TEXT)
            tx._set("tasks", TASK_TEXT, (row[0], "other", *row[2:]))
        else:
            tx._drop(
                "entity_tags" if what == "tags" else "task_documents",
                ("task", TASK_TEXT) if what == "tags" else TASK_TEXT,
            )

    def sound(tx: StoreWriter) -> bool:
        (record,) = tx.records([key]).values()
        return two.peer.ledger.fold(tx).is_sound(record)

    assert two.peer.store.transact(sound)
    two.peer.store.transact(damage)
    assert not two.peer.store.transact(sound)
