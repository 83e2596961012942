"""The projector: a fold writes states, hashes, the digest and rows that fit each other, and only what changed."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edda_sync.crdt import digests, rows, state
from edda_sync.crdt import operation as ops
from edda_sync.crdt.keys import key_of
from edda_sync.fold.fold import Fold
from edda_sync.fold.projector import Became
from edda_sync.store.memory.edges import MemoryEdges
from edda_sync.store.memory.tables import MemoryTablesWriter
from edda_sync.store.seams import Patch, Shown, StoreWriter
from edda_sync.words import values
from edda_sync.words.errors import CorruptError
from tests.crdt.authors import Life, Peer, founded
from tests.crdt.histories import Event, histories
from tests.crdt.works import DOCUMENT, OTHER, TAG, TAG_BYTES, TASK, Work, changes, written

TASK_TEXT, OTHER_TEXT, DOCUMENT_TEXT = map(values.id_text, (TASK, OTHER, DOCUMENT))


@given(histories(changes, size=12))
def test_hashes_and_digest_and_rows_match_the_states_after_each_change(events: list[Event[list[Work]]]) -> None:
    made = written(events)
    peer = Peer(made.founder)
    peer.admit(*made.beginning)
    for event in events:
        peer.admit(made.changes[event.actor, event.seq])
        total = 0
        with peer.store.read() as reader:
            visible: dict[str, set[str]] = {kind: set() for kind in rows.COLUMNS}
            for record in reader.states.scan():
                entity = state.entity_of(record.key, record.state)
                assert record.hidden == entity.hidden
                assert record.hash == state.hash_entity(record.key, state.encode(entity), [])
                total = digests.add(total, record.hash)
                if entity.kind in visible and not entity.hidden:
                    visible[entity.kind].add(values.id_text(entity.id))
            assert reader.index.digest() == total
            for kind, table in (("task", "tasks"), ("document", "documents"), ("tag", "tags")):
                assert {row[0] for row in reader.tables.all(table)} == visible[kind]


def test_the_greater_of_two_effects_on_an_entity_counts() -> None:
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
        return self.peer.look(lambda reader: reader.index.conflicted())

    def _first(self) -> Life:
        again, _ = founded()
        return again


@pytest.fixture
def two() -> Two:
    return Two()


def test_an_entity_shows_its_reference_again_when_the_hidden_target_is_back(two: Two) -> None:
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


def test_an_entity_shows_its_reference_when_the_missing_target_arrives(two: Two) -> None:
    two.write(
        ops.Put("task", OTHER, {"title": "u", "parent_id": TASK, "tag." + TAG: True, "link." + DOCUMENT_TEXT: "see"})
    )
    assert two.peer.table("tasks")[0][9] is None
    two.write(ops.Put("task", TASK, {"title": "t"}), ops.Put("tag", TAG_BYTES, {"name": "work"}))
    two.write(ops.Put("document", DOCUMENT, {"title": "d"}))
    assert [row[9] for row in two.peer.table("tasks")] == [None, TASK_TEXT]
    assert [row[:3] for row in two.peer.table("entity_tags")] == [("task", OTHER_TEXT, TAG)]
    assert [row[:2] for row in two.peer.table("task_documents")] == [(OTHER_TEXT, DOCUMENT_TEXT)]


def test_one_edge_of_a_new_ring_is_withheld_and_shown_when_the_ring_ends(two: Two) -> None:
    two.write(ops.Put("task", TASK, {"title": "t"}), ops.Put("task", OTHER, {"title": "u"}))
    two.write(ops.Put("task", TASK, {"parent_id": OTHER}))
    two.concurrent(ops.Put("task", OTHER, {"parent_id": TASK}), wall_ms=2_000)
    assert {row[0]: row[9] for row in two.peer.table("tasks")} == {TASK_TEXT: OTHER_TEXT, OTHER_TEXT: None}
    assert two.peer.look(lambda reader: reader.edges.in_rings()) == [key_of("task", OTHER)]
    two.write(ops.Put("task", TASK, {"parent_id": None}))
    assert {row[0]: row[9] for row in two.peer.table("tasks")} == {TASK_TEXT: None, OTHER_TEXT: TASK_TEXT}
    assert two.peer.look(lambda reader: reader.edges.in_rings()) == []


def test_a_touch_of_a_visible_tag_writes_no_row(two: Two, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every change that tags something touches the tag, and would otherwise write every item that carries it."""
    two.write(ops.Put("tag", TAG_BYTES, {"name": "work"}), ops.Put("task", TASK, {"title": "t", "tag." + TAG: True}))
    shown: list[Shown] = []
    show = MemoryTablesWriter.show

    def counted(tables: Any, some: list[Shown], new: frozenset[bytes]) -> None:
        shown.extend(some)
        show(tables, some, new)

    monkeypatch.setattr(MemoryTablesWriter, "show", counted)
    digest = two.peer.look(lambda reader: reader.index.digest())
    two.write(ops.Touch("tag", TAG_BYTES))
    assert shown == []
    assert two.peer.look(lambda reader: reader.index.digest()) != digest
    two.write(ops.Touch("task", TASK))
    assert shown == []


class Writes:
    """Records which rows a store is asked to write, whole and by column."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.whole: list[bytes] = []
        self.columns: list[tuple[str, ...]] = []
        self.asked_for_rings = 0
        show, patch, in_rings = MemoryTablesWriter.show, MemoryTablesWriter.patch, MemoryEdges.in_rings

        def shown(tables: Any, some: list[Shown], new: frozenset[bytes]) -> None:
            self.whole += [each.key for each in some]
            show(tables, some, new)

        def patched(tables: Any, patches: list[Patch]) -> None:
            self.columns += [each.columns for each in patches]
            patch(tables, patches)

        def asked(edges: Any) -> list[bytes]:
            self.asked_for_rings += 1
            return in_rings(edges)

        monkeypatch.setattr(MemoryTablesWriter, "show", shown)
        monkeypatch.setattr(MemoryTablesWriter, "patch", patched)
        monkeypatch.setattr(MemoryEdges, "in_rings", asked)


@pytest.mark.parametrize(
    ("cells", "columns"),
    [
        ({"title": "u"}, ("title", "updated_at")),
        ({"status": "done"}, ("status", "updated_at", "completed_at")),
        ({"priority": 0, "due_date": None}, ("priority", "updated_at", "due_date")),
        ({"metadata.a": "1", "metadata.b": "2"}, ("updated_at", "metadata")),
        ({"agent_context.a": "1"}, ("updated_at", "agent_context")),
        ({"created_at": "2020-01-02T03:04:05.678Z"}, ("created_at", "updated_at")),
    ],
)
def test_only_columns_that_may_have_changed_are_written_of_a_visible_row(
    two: Two, monkeypatch: pytest.MonkeyPatch, cells: dict[str, Any], columns: tuple[str, ...]
) -> None:
    two.write(ops.Put("task", TASK, {"title": "t", "created_at": 0, "tag." + TAG: True, "parent_id": OTHER}))
    writes = Writes(monkeypatch)
    two.write(ops.Put("task", TASK, cells))
    assert (writes.whole, writes.columns, writes.asked_for_rings) == ([], [columns], 0)


def test_a_row_that_points_elsewhere_is_written_whole(two: Two, monkeypatch: pytest.MonkeyPatch) -> None:
    two.write(ops.Put("task", TASK, {"title": "t"}), ops.Put("task", OTHER, {"title": "u"}))
    writes = Writes(monkeypatch)
    two.write(ops.Put("task", TASK, {"tag." + TAG: True}))
    assert (writes.whole, writes.asked_for_rings) == ([], 0), "only the tag that changed"
    two.write(ops.Put("task", TASK, {"parent_id": OTHER}))
    assert (writes.whole, writes.asked_for_rings) == ([key_of("task", TASK)], 1)


def test_a_reference_of_a_task_is_withheld_until_its_target_is_here(two: Two) -> None:
    two.write(ops.Put("task", TASK, {"title": "t"}))
    two.write(ops.Put("task", TASK, {"tag." + TAG: True, "link." + DOCUMENT_TEXT: "see"}))
    keys = [key_of("tag", TAG_BYTES), key_of("document", DOCUMENT)]
    assert (
        two.peer.look(lambda reader: [reader.edges.withheld_to([key]) for key in keys]) == [[key_of("task", TASK)]] * 2
    )
    two.write(ops.Put("tag", TAG_BYTES, {"name": "work"}), ops.Put("document", DOCUMENT, {"title": "d"}))
    assert [row[:3] for row in two.peer.table("entity_tags")] == [("task", TASK_TEXT, TAG)]
    two.write(ops.Put("task", TASK, {"link." + DOCUMENT_TEXT: "of another kind"}))
    assert [row[:3] for row in two.peer.table("task_documents")] == [(TASK_TEXT, DOCUMENT_TEXT, "of another kind")]
    two.write(ops.Put("task", TASK, {"tag." + TAG: None, "link." + DOCUMENT_TEXT: None}))
    assert two.peer.table("entity_tags") == two.peer.table("task_documents") == []


def test_a_task_without_a_time_of_its_own_has_the_least_visible_time(two: Two) -> None:
    two.write(ops.Put("task", TASK, {"title": "t"}))
    two.peer.admit(two.laptop.write(ops.Put("task", TASK, {"title": "u"}), wall_ms=5_000))
    assert two.peer.table("tasks")[0][5:7] == (values.time_of(5_000), values.time_of(5_000))


every_cell = st.fixed_dictionaries(
    {},
    optional={
        "title": st.sampled_from(("t", "u")),
        "description": st.none() | st.sampled_from(("one", "two")),
        "status": st.sampled_from(("open", "done", ["done", "2026-01-02T03:04:05.678Z"])),
        "priority": st.sampled_from((0, 4)),
        "due_date": st.none() | st.just("2026-01-02T03:04:05.678Z"),
        "created_at": st.sampled_from((0, "2020-01-02T03:04:05.678Z")),
        "metadata.a": st.none() | st.just("1"),
        "agent_context.a": st.none() | st.just("1"),
        "parent_id": st.none() | st.just(OTHER),
        "tag." + TAG: st.none() | st.just(True),
    },
)
edits_of_rows = st.one_of(
    every_cell.map(lambda cells: ops.Put("task", TASK, cells)),
    every_cell.map(lambda cells: ops.Put("task", OTHER, cells | ({"parent_id": TASK} if "parent_id" in cells else {}))),
    st.sampled_from((ops.Put("document", DOCUMENT, {"title": "d"}), ops.Put("document", DOCUMENT, {"content": "c"}))),
    st.sampled_from((ops.Put("tag", TAG_BYTES, {"name": "work"}), ops.Put("tag", TAG_BYTES, {"color": "red"}))),
    st.sampled_from((ops.Touch("task", TASK), ops.Touch("document", DOCUMENT), ops.Touch("tag", TAG_BYTES))),
    st.sampled_from((ops.Delete("task", TASK, ()), ops.Delete("task", OTHER, ()))),
)


@given(st.lists(st.tuples(st.booleans(), st.lists(edits_of_rows, max_size=3)), max_size=8))
def test_rows_that_are_written_by_column_are_those_that_are_written_whole(
    works: list[tuple[bool, list[ops.Operation]]],
) -> None:
    two, whole = Two(), founded()[1]
    lives = [two.laptop, Life(two.laptop.identity, continues=two._first())]
    made = []
    for number, (which, operations) in enumerate(works):
        life = lives[which]
        seen = tuple(sorted([(life.actor, life.seq)]))
        sent = [one if not isinstance(one, ops.Delete) else ops.Delete(one.kind, one.id, seen) for one in operations]
        change = life.write(*sent, wall_ms=1_000 + 500 * (number * 7 % 5))
        two.peer.admit(change)
        made.append(change)
        with two.peer.store.read() as reader:
            fold = Fold(reader, two.peer.ledger.texts)
            assert all(fold.is_sound(record) for record in reader.states.scan())
    if made:
        whole.admit(*made)
    assert two.peer.view() == whole.view()


def test_an_entity_whose_cells_have_several_values_is_marked_until_it_is_hidden_or_written_anew(two: Two) -> None:
    two.write(ops.Put("task", TASK, {"title": "t"}))
    two.concurrent(ops.Put("task", TASK, {"title": "u"}))
    key = key_of("task", TASK)
    assert two.conflicted() == [key]
    head = two.peer.frontier
    two.write(ops.Delete("task", TASK, ((two.laptop.actor, 2),)))
    assert two.conflicted() == [key]  # the other one brings it back
    other = next(actor for actor in head if actor != two.laptop.actor)
    named = two.peer.look(lambda reader: (other, 1, reader.log.heads()[other].hash[:16]))
    two.peer.admit(
        two.laptop.write(ops.Delete("task", TASK, tuple(sorted([(two.laptop.actor, 2), (other, 1)]))), deps=[named])
    )
    assert two.conflicted() == []
    two.write(ops.Touch("task", TASK))
    assert two.conflicted() == [key]
    two.write(ops.Put("task", TASK, {"title": "one"}))
    assert two.conflicted() == []


def test_a_state_that_could_not_be_read_back_is_not_kept(two: Two, monkeypatch: pytest.MonkeyPatch) -> None:
    two.write(ops.Put("task", TASK, {"title": "first"}))
    before = two.peer.view(), two.peer.frontier
    encode = state.encode
    monkeypatch.setattr(state, "encode", lambda entity: encode(entity)[:-1] + b"\xc0")
    with pytest.raises(CorruptError):
        two.write(ops.Put("task", TASK, {"title": "t"}))
    monkeypatch.undo()
    assert (two.peer.view(), two.peer.frontier) == before


@pytest.mark.parametrize("what", ["hash", "hidden", "row", "tags", "links"])
def test_a_row_that_does_not_fit_its_state_is_not_sound(two: Two, what: str) -> None:
    two.write(ops.Put("tag", TAG_BYTES, {"name": "work"}), ops.Put("document", DOCUMENT, {"title": "d"}))
    two.write(ops.Put("task", TASK, {"title": "t", "tag." + TAG: True, "link." + DOCUMENT_TEXT: "see"}))
    key = key_of("task", TASK)

    def damage(tx: Any) -> None:
        (record,) = tx.states.get([key]).values()
        if what == "hash":
            tx.states.put([record._replace(hash=bytes(32))], {key: False})
        elif what == "hidden":
            tx.states.put([record._replace(hidden=True)], {key: False})
        elif what == "row":
            row = tx.tables.row("task", TASK_TEXT)
            tx.journal.set("tasks", TASK_TEXT, (row[0], "other", *row[2:]))
        else:
            tx.journal.drop(
                "entity_tags" if what == "tags" else "task_documents",
                ("task", TASK_TEXT) if what == "tags" else TASK_TEXT,
            )

    def sound(tx: StoreWriter) -> bool:
        (record,) = tx.states.get([key]).values()
        return two.peer.ledger.fold(tx).is_sound(record)

    assert two.peer.store.transact(sound)
    two.peer.store.transact(damage)
    assert not two.peer.store.transact(sound)
