"""The newborn path: it keeps and shows an entity that one operation wrote as the ordinary path does."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edda_sync.crdt import state
from edda_sync.crdt.entity import OWN_TIME
from edda_sync.crdt.keys import key_of
from edda_sync.crdt.operation import Operation, Put, Touch
from edda_sync.fold import newborn
from edda_sync.fold.entities import Entities
from edda_sync.fold.newborn import Newborn
from edda_sync.words import limits, values
from edda_sync.words.errors import CorruptError
from tests.crdt.authors import Peer, founded
from tests.crdt.histories import Event, histories
from tests.crdt.works import DOCUMENT, OTHER, TAG, TAG_BYTES, TASK, Work, changes, written
from tests.store.samples import dump

DOCUMENT_TEXT = values.id_text(DOCUMENT)


@contextmanager
def only_the_ordinary_path() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(newborn, "KINDS", ())
        yield


def view_of(peer: Peer) -> dict[str, Any]:
    with peer.store.read() as reader:
        return dump(reader)


def both_ways(*works: tuple[Operation, ...]) -> tuple[dict[str, Any], dict[str, Any]]:
    """What a store holds after some changes, on either path."""
    laptop, fast = founded()
    _, slow = founded()
    for work in works:
        change = laptop.write(*work)
        fast.admit(change)
        with only_the_ordinary_path():
            slow.admit(change)
    return view_of(fast), view_of(slow)


text = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=8).filter(lambda s: s.strip())
json = st.sampled_from(("1", "null", '"x"', "[1,2]", '{"a":1}'))
task_cells = st.fixed_dictionaries(
    {},
    optional={
        "title": text,
        "description": st.none() | text,
        "status": st.sampled_from(("open", "done", "blocked", ["done", "2026-01-02T03:04:05.678Z"])),
        "priority": st.integers(-1, 5),  # some are refused
        "due_date": st.none() | st.just("2026-01-02T03:04:05.678Z"),
        "parent_id": st.none() | st.just(OTHER),
        "created_at": st.sampled_from((OWN_TIME, "2020-01-02T03:04:05.678Z")),
        "metadata.b": st.none() | json,
        "metadata.a b": json,
        "agent_context.x": json,
        "tag." + TAG: st.none() | st.just(True),
        "link." + DOCUMENT_TEXT: st.none() | st.just("see"),
        "of a newer version": st.just(1),
    },
)
document_cells = st.fixed_dictionaries(
    {}, optional={"title": text, "content": st.none() | text, "doc_type": text, "tag." + TAG: st.just(True)}
)
operations = st.one_of(
    task_cells.map(lambda cells: Put("task", TASK, cells)),
    task_cells.map(lambda cells: Put("task", OTHER, cells)),
    document_cells.map(lambda cells: Put("document", DOCUMENT, cells)),
    st.just(Put("tag", TAG_BYTES, {"name": "work"})),
    st.just(Put("tag", TAG_BYTES, {"color": "red"})),
    st.just(Touch("tag", TAG_BYTES)),
    st.just(Touch("task", TASK)),
)


@given(st.lists(st.lists(operations, min_size=1, max_size=5).map(tuple), min_size=1, max_size=3))
def test_both_paths_keep_and_show_the_same(works: list[tuple[Operation, ...]]) -> None:
    fast, slow = both_ways(*works)
    assert fast == slow


@given(histories(changes, size=10))
def test_both_paths_make_the_same_of_histories_of_several_authors(events: list[Event[list[Work]]]) -> None:
    made = written(events)
    fast, slow = Peer(made.founder), Peer(made.founder)
    fast.admit(*made.beginning, *[made.changes[each.actor, each.seq] for each in events])
    with only_the_ordinary_path():
        slow.admit(*made.beginning, *[made.changes[each.actor, each.seq] for each in events])
    assert view_of(fast) == view_of(slow)


def test_readers_and_writers_take_the_newborn_path(monkeypatch: pytest.MonkeyPatch) -> None:
    borne: list[bytes] = []
    bear = Entities.bear

    def noted(entities: Entities, one: Newborn) -> None:
        borne.append(one.key)
        bear(entities, one)

    monkeypatch.setattr(Entities, "bear", noted)
    laptop, peer = founded()
    key = key_of("task", TASK)
    change = laptop.write(Put("task", TASK, {"title": "t"}))
    assert borne == []  # these tests' authors write bytes, and fold nothing
    peer.admit(change)
    assert borne == [key]
    peer.admit(laptop.write(Put("task", TASK, {"title": "again"})))
    assert borne == [key]


def test_an_entity_that_is_read_in_its_own_pass_becomes_an_ordinary_one() -> None:
    laptop, peer = founded()
    peer.admit(laptop.write(Put("task", TASK, {"title": "t"}), Put("task", TASK, {"status": "done"})))
    with peer.store.read() as reader:
        (record,) = reader.states.get([key_of("task", TASK)]).values()
    entity = state.entity_of(record.key, record.state)
    assert (entity.value("title"), entity.value("status")) == ("t", "done")
    assert [cells for cells, _ in entity.spent.values()] == [2]


def test_a_state_that_cannot_be_read_back_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    laptop, peer = founded()
    before = peer.view(), peer.frontier
    encode = state.encode_new
    monkeypatch.setattr(state, "encode_new", lambda *given: encode(*given)[:-1] + b"\xc0")
    with pytest.raises(CorruptError):
        peer.admit(laptop.write(Put("task", TASK, {"title": "t"})))
    monkeypatch.undo()
    assert (peer.view(), peer.frontier) == before


def test_an_entity_made_of_a_newborn_has_the_same_bytes() -> None:
    cells = {"title": "t", "metadata.b": "1", "created_at": OWN_TIME}
    one = Newborn("task", TASK, key_of("task", TASK), (b"a" * 16, 3), 1_000, cells, 12, is_strange=True)
    entity = one.entity()
    assert state.entity_of(one.key, one.record().state) == entity
    assert one.record().hash == state.hash_entity(one.key, state.encode(entity), [])
    assert entity.weight == 3 * limits.ENTITY_CELL_BYTES + 12
