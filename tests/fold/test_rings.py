from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edda_sync.crdt import operation as ops
from edda_sync.crdt.cells import rank, visible
from edda_sync.crdt.keys import key_of
from edda_sync.crdt.state import entity_of
from edda_sync.fold import rings
from edda_sync.fold.entities import Entities
from edda_sync.fold.fold import Fold
from edda_sync.fold.rings import Rings
from edda_sync.fold.scrub import scrub_entities
from edda_sync.fold.texts import Texts
from edda_sync.store.composed import ComposedReader, over
from edda_sync.store.memory.writer import MemoryWriter
from edda_sync.store.seams import EdgesReader, StoreReader, StoreWriter
from edda_sync.words import values
from edda_sync.words.errors import InvalidValueError
from tests.crdt.authors import Life, Peer, founded

TASKS = 7


def task(number: int) -> bytes:
    return number.to_bytes(16, "big")


def key(number: int) -> bytes:
    return key_of("task", task(number))


def put(number: int, parent: int | None) -> ops.Put:
    return ops.Put("task", task(number), {"parent_id": None if parent is None else task(parent)})


def with_parents(parents: list[int | None]) -> Peer:
    """A peer with tasks of these parents, each written by a change of its own."""
    laptop, peer = founded()
    for number, parent in enumerate(parents):
        peer.admit(laptop.write(put(number, parent)))
    return peer


def shown(reader: StoreReader) -> dict[bytes, tuple[bytes | None, bool]]:
    """The parent that each visible task shows, and whether it is withheld because of a ring."""
    ringed = reader.edges.in_rings()
    assert reader.edges.has_rings() == bool(ringed)
    found = {}
    for row in reader.tables.all("tasks"):
        own, parent = values.id_bytes("id", row[0]), row[9]
        found[own] = None if parent is None else values.id_bytes("id", parent), key_of("task", own) in ringed
    return found


def expected(reader: StoreReader) -> dict[bytes, tuple[bytes | None, bool]]:
    """The same, computed from all states at once."""
    stored = [entity_of(record.key, record.state) for record in reader.states.scan("task")]
    tasks = {entity.id: entity for entity in stored if not entity.hidden}
    named = {own: entity.value("parent_id") for own, entity in tasks.items()}
    parents: dict[bytes, bytes | None] = {own: parent if parent in tasks else None for own, parent in named.items()}
    withheld = set()
    at: bytes | None
    for own in tasks:
        at, passed = own, list[bytes]()
        while at is not None and at not in passed:
            passed.append(at)
            at = parents[at]
        if at is not None:
            ring = passed[passed.index(at) :]
            withheld.add(max(ring, key=lambda each: (rank(visible(tasks[each].cells["parent_id"])), each)))
    return {own: (None if own in withheld else parent, own in withheld) for own, parent in parents.items()}


@st.composite
def deeds(draw: st.DrawFn) -> tuple[int, int | str | None]:
    """A task, and what happens to it: it gets a parent, loses it, goes to the trash, or comes back."""
    return draw(st.integers(0, TASKS - 1)), draw(
        st.integers(0, TASKS - 1) | st.none() | st.sampled_from(["delete", "restore", "tag"])
    )


def operation(laptop: Life, number: int, deed: int | str | None) -> ops.Operation:
    if deed == "delete":
        return ops.Delete("task", task(number), ((laptop.actor, laptop.seq),))
    if deed == "restore":
        return ops.Touch("task", task(number))
    if deed == "tag":  # then all of the row is written, though its parent is as before
        return ops.Put("task", task(number), {f"tag.{values.tag_id('work')}": True})
    assert not isinstance(deed, str)
    return put(number, deed)


@given(st.lists(st.lists(st.lists(deeds(), min_size=1, max_size=4), min_size=1, max_size=3), max_size=9))
def test_one_edge_of_each_ring_is_withheld_whatever_moves_or_goes(
    turns: list[list[list[tuple[int, int | str | None]]]],
) -> None:
    """Each turn is a transaction of some changes of some operations."""
    laptop, peer = founded()
    for turn in turns:
        peer.admit(*(laptop.write(*(operation(laptop, *each) for each in change)) for change in turn))
        with peer.store.read() as reader:
            assert shown(reader) == expected(reader)
            assert scrub_entities(reader, b"", 100)[0] == []


@given(
    st.lists(st.lists(deeds(), min_size=1, max_size=4), min_size=1, max_size=9),
    st.sets(st.integers(0, TASKS - 1), min_size=1),
    st.data(),
)
def test_tasks_folded_anew_with_or_without_a_change_are_withheld_as_before(
    some: list[list[tuple[int, int | str | None]]], again: set[int], data: st.DataObject
) -> None:
    laptop, peer = founded()
    for change in some:
        peer.admit(laptop.write(*(operation(laptop, *each) for each in change)))
    void = data.draw(st.none() | st.integers(2, laptop.seq))
    without = [] if void is None else [(laptop.actor, void)]

    def refold(tx: StoreWriter) -> None:
        positions = [tx.log.position_of(*dot) for dot in without]
        peer.ledger.refold(
            tx, {*map(key, again), *tx.mentions.entities_at([at for at in positions if at is not None])}, without
        )

    peer.store.transact(refold)
    with peer.store.read() as reader:
        assert shown(reader) == expected(reader)


def test_a_task_that_closed_a_ring_shows_its_parent_again_when_another_edge_is_taken_out() -> None:
    laptop, peer = founded()
    for number, parent in ((0, None), (1, None), (2, None), (0, 1), (1, 2), (2, 0)):
        peer.admit(laptop.write(put(number, parent)))
    with peer.store.read() as reader:
        assert reader.edges.in_rings() == [key(2)]
    peer.store.transact(lambda tx: peer.ledger.refold(tx, [key(1)], [(laptop.actor, 6)]))
    with peer.store.read() as reader:
        assert shown(reader) == expected(reader)
        assert shown(reader)[task(2)] == (task(0), False)


# --- what is walked ---------------------------------------------------------------------------------------------------


class Asked:
    """Edges that record which tasks' parents they were asked for."""

    def __init__(self, edges: EdgesReader) -> None:
        self._edges = edges
        self.tasks: list[bytes] = []

    def parent(self, task: bytes) -> bytes | None:
        self.tasks.append(task)
        return self._edges.parent(task)


def with_edges(reader: StoreReader, asked: Asked) -> StoreReader:
    return replace(ComposedReader.of(reader), edges=over(reader.edges, asked))


def walked(peer: Peer, born: list[int], moved: list[int]) -> tuple[list[bytes], list[bytes]]:
    """What a flush would have to show anew, and the tasks whose parents it read."""
    with peer.store.read() as reader:
        asked = Asked(reader.edges)
        watched = with_edges(reader, asked)
        changed = Rings(watched, Entities(watched)).look(list(map(key, born)), list(map(key, moved)))
        return changed, asked.tasks


def test_a_way_up_is_walked_once_for_all_tasks_on_it() -> None:
    peer = with_parents([None, 0, 1, 2, 2])
    changed, asked = walked(peer, [], [2, 1])
    assert changed == []
    assert max(map(asked.count, asked)) <= 2, "once for what is named, and once on the way"


def test_a_task_that_is_nobodys_parent_closes_no_ring() -> None:
    peer = with_parents([None, 0, 1, 2, 3, 4])
    assert walked(peer, [], [5]) == ([], [key(5)])


def test_a_walk_up_ends_at_a_task_without_a_row() -> None:
    peer = with_parents([None, 0, 1, 2])
    assert walked(peer, [3, 9], []) == ([], [key(3), key(9)])


def test_an_unchanged_ring_is_not_written_anew() -> None:
    peer = with_parents([1, 2, 0, 0, 3])
    assert walked(peer, [], [3])[0] == []
    assert walked(peer, [], [1])[0] == [key(2)]


def test_a_ring_that_moves_is_named_with_what_it_withholds() -> None:
    peer = with_parents([1, 2, 0, 4, 3])
    with peer.store.read() as reader:
        assert rings.ended(reader, []) == rings.ended(reader, [key(9)]) == []
        assert rings.ended(reader, [key(1)]) == [key(2)]
        assert rings.ended(reader, [key(1), key(0), key(3)]) == [key(2), key(4)]


# --- what this device writes ------------------------------------------------------------------------------------------


def test_a_task_of_this_device_closes_no_ring_and_may_be_below_one() -> None:
    peer = with_parents([1, 0, None, 2])

    def write(*parents: tuple[int, int | None]) -> None:
        def work(tx: StoreWriter) -> None:
            fold = peer.ledger.fold(tx)
            fold.begin(task(99), 1, 5_000, {}, 50, b"")
            for number, parent in parents:
                fold.write(put(number, parent))
                fold.forbid_ring(task(number))
            fold.flush()

        peer.store.transact(work)

    for parents in ([(2, 3)], [(8, 9), (9, 8)]):
        with pytest.raises(InvalidValueError) as caught:
            write(*parents)
        assert caught.value.value == values.id_text(task(parents[-1][0]))
    write((2, 0))
    write((2, 3), (3, None))
    with peer.store.read() as reader:
        assert shown(reader) == expected(reader)


# --- the scrub --------------------------------------------------------------------------------------------------------


def forged(peer: Peer, forge: Any) -> set[bytes]:
    """What the scrub names once somebody wrote other parents into the tables."""
    peer.store.transact(lambda tx: forge(tx.journal.tables))
    with peer.store.read() as reader:
        return {damage.key for damage in scrub_entities(reader, b"", 100)[0] if damage.key is not None}


def test_a_ring_without_a_withheld_edge_or_with_a_wrong_one_is_damage(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(MemoryWriter, "check", lambda _: None)

    def show(tables: Any, number: int, parent: int | None) -> None:
        row = list(tables["tasks"][values.id_text(task(number))])
        row[9] = None if parent is None else values.id_text(task(parent))
        tables["tasks"][values.id_text(task(number))] = tuple(row)

    def nowhere(tables: Any) -> None:
        show(tables, 3, 1)
        del tables["withheld"][key(3)]

    def elsewhere(tables: Any) -> None:
        nowhere(tables)
        show(tables, 1, None)
        tables["withheld"][key(1)] = (("parent_id", key(2), "ring"),)

    def without_need(tables: Any) -> None:
        show(tables, 5, None)
        tables["withheld"][key(5)] = (("parent_id", key(4), "ring"),)

    parents = [None, 2, 3, 1, 1, 4]
    assert forged(with_parents(parents), lambda _: None) == set()
    assert forged(with_parents(parents), nowhere)
    assert key(1) in forged(with_parents(parents), elsewhere)
    assert forged(with_parents(parents), without_need) == {key(5)}


def test_the_scrub_walks_a_chain_once() -> None:
    size = 60
    for parents in ([None, *range(size - 1)], [*range(1, size), None]):
        peer = with_parents(parents)
        with peer.store.read() as reader:
            asked = Asked(reader.edges)
            fold = Fold(with_edges(reader, asked), Texts())
            assert all(fold.is_sound(record) for record in reader.states.scan("task"))
            assert len(asked.tasks) <= 2 * size
