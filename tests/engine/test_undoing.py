"""Undoing: a change that takes others back leaves what everybody else wrote, and merges alike everywhere."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import assume, given
from hypothesis import strategies as st

from edda_sync.changes import change as changes
from edda_sync.changes.change import Change
from edda_sync.crdt import cells
from edda_sync.crdt import operation as ops
from edda_sync.crdt.frontier import Dot, Frontier, join
from edda_sync.crdt.state import entity_of
from edda_sync.engine import undoing
from edda_sync.ledger.admission import Admitted
from edda_sync.store.seams import StoreWriter
from edda_sync.workspace.actor import begin_life
from tests.crdt.authors import LAPTOP, Life, Peer
from tests.crdt.histories import ACTORS, Event, causal_order, histories
from tests.crdt.works import DOCUMENT, OTHER, TAG_BYTES, TASK, Work, Written, written
from tests.crdt.works import changes as works

Events = list[Event[list[Work]]]

BEGUN: list[Work] = [
    ops.Put("tag", TAG_BYTES, {"name": "work"}),
    *(ops.Put("task", each, {"title": "t", "status": "open", "priority": 2}) for each in (TASK, OTHER)),
    *(ops.Put("document", each, {"title": "d", "content_type": "text/plain"}) for each in (DOCUMENT, TASK)),
]
"""What everybody had seen: everything was made before, by one change."""

FIRST = ACTORS[0]
TIMES = {"tasks": (5, 6), "documents": (5, 6, 7), "tags": (4,), "entity_tags": (3,), "task_documents": (3,)}
"""Columns that say when something was written last: an undo is a write, too."""


def begun(events: Events) -> Events:
    """A history in which everything was made before it began."""
    later = [
        replace(
            event, seq=event.seq + (event.actor == FIRST), wall_ms=event.wall_ms + 1,
            past={**event.past, FIRST: event.past.get(FIRST, 0) + 1},
        )
        for event in events
    ]  # fmt: skip
    return [Event(FIRST, 1, 0, {FIRST: 1}, BEGUN), *later]


def with_last(events: Events, work: list[Work]) -> Events:
    """A history with one more change, whose author had seen everything."""
    past: Frontier = {}
    for event in events:
        past = join(past, event.past)
    seq = past.get(FIRST, 0) + 1
    return [*events, Event(FIRST, seq, 9, {**past, FIRST: seq}, work)]


def shown(peer: Peer) -> dict[str, Any]:
    """What people see, without times."""
    return {
        name: sorted(
            [tuple(value for at, value in enumerate(row) if at not in left_out) for row in peer.table(name)], key=repr
        )
        for name, left_out in TIMES.items()
    }


class Undoer:
    """
    A device that undoes at a peer.

    Args:
        peer: Where it undoes.
        made: The history that the peer took.
    """

    def __init__(self, peer: Peer, made: Written) -> None:
        self.peer = peer
        self.life = Life(LAPTOP, continues=made.founder, nonce=b"who undoes it...")
        peer.store.transact(lambda tx: begin_life(tx, self.life.birth))

    def undo(self, *dots: Dot) -> tuple[undoing.Plan, Dot | None]:
        def work(tx: StoreWriter) -> tuple[undoing.Plan, Dot | None]:
            plan = undoing.plan(tx, dots)
            return plan, self.peer.ledger.commit(tx, plan.drafts, 50)

        return self.peer.store.transact(work)

    def written(self) -> list[Change]:
        """Its changes, as another device takes them."""

        def read(reader: Any) -> list[Change]:
            head = reader.log.heads().get(self.life.actor)
            found = []
            for seq in range(1, 1 + (0 if head is None else head.seq)):
                logged = reader.log.read(reader.log.position_of(self.life.actor, seq))
                found.append(Change(changes.decode_header(logged.raw), logged.raw, logged.body))
            return found

        return self.peer.look(read)


def visible(peer: Peer) -> dict[tuple[bytes, str], Dot]:
    """Which change wrote what each cell shows. Members of sets, which several changes may hold, are left out."""
    found = {}
    for record in peer.look(lambda reader: list(reader.states.scan())):
        for name, siblings in entity_of(record.key, record.state).cells.items():
            if not name.startswith(("tag.", "link.")):
                found[record.key, name] = cells.visible(siblings)[:2]
    return found


@given(histories(works, size=8), works)
def test_an_undo_right_after_a_change_gives_what_was_shown_before_it_and_its_undo_what_was_after(
    events: Events, work: list[Work]
) -> None:
    events = with_last(begun(events), work)
    made = written(events)
    peer = made.peer(events[:-1])
    before = shown(peer)
    peer.admit(made.changes[events[-1].actor, events[-1].seq])
    after = shown(peer)
    undoer = Undoer(peer, made)
    plan, dot = undoer.undo((made.names[FIRST], events[-1].seq))
    assume(not any(field == "parent_id" for item in plan.items for field, _ in item.left))  # it was in a ring before
    assert shown(peer) == before
    assert (dot is None) == (after == before) or dot is not None
    if dot is not None:
        plan, _ = undoer.undo(dot)
        assume(not any(field == "parent_id" for item in plan.items for field, _ in item.left))
        assert shown(peer) == after


@given(st.data(), histories(works, size=8))
def test_what_others_wrote_stays_and_all_devices_come_to_the_same_whenever_they_hear_of_the_undo(
    data: st.DataObject, events: Events
) -> None:
    events = begun(events)
    made = written(events)
    order = data.draw(causal_order(events))
    cut = data.draw(st.integers(1, len(order)))
    peer = made.peer(order[:cut])
    dots = [(made.names[event.actor], event.seq) for event in order[1:cut]]
    undone = data.draw(st.sets(st.sampled_from(dots))) if dots else set[Dot]()
    before, undoer = visible(peer), Undoer(peer, made)
    undoer.undo(*undone)
    after = visible(peer)
    assert {cell: dot for cell, dot in before.items() if dot not in undone and after[cell] != dot} == {}
    for event in order[cut:]:
        assert peer.admit(made.changes[event.actor, event.seq]) is Admitted.APPLIED
    other = made.peer(data.draw(causal_order(events)))
    for change in undoer.written():
        assert other.admit(change) is Admitted.APPLIED
    assert other.view() == peer.view()
