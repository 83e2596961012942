"""What several devices do to the same few entities, for :mod:`tests.crdt.histories`: everything that can collide does."""

from __future__ import annotations

from typing import Final, NamedTuple

from hypothesis import strategies as st

from edda_sync.changes.change import Change
from edda_sync.crdt import operation as ops
from edda_sync.crdt import records
from edda_sync.crdt.frontier import Dot, Frontier, difference, to_pairs
from edda_sync.crdt.operation import Operation
from edda_sync.ledger.admission import Admitted
from edda_sync.transport.identity import Identity
from edda_sync.words import values
from tests.crdt.authors import IDENTITIES, LAPTOP, TABLET, Life, Peer, device
from tests.crdt.histories import ACTORS, Event

TASK, DOCUMENT, OTHER = bytes([1]) * 16, bytes([2]) * 16, bytes([3]) * 16
TAG: Final = values.tag_id("work")
TAG_BYTES: Final = values.id_bytes("id", TAG)
TABLET_ID: Final = records.device_entity(TABLET.public_key)


class Hide(NamedTuple):
    """A deletion that does not say yet what its author had seen."""

    kind: str
    id: bytes


class Add(NamedTuple):
    """Make the tablet a member."""

    kind: str = "device"
    id: bytes = TABLET_ID


Work = Operation | Hide | Add

cells = st.fixed_dictionaries(
    {},
    optional={
        "title": st.sampled_from(["t", "u"]),
        "parent_id": st.none() | st.sampled_from([TASK, OTHER]),
        "description": st.none() | st.sampled_from(["one", "two"]),
        "tag." + TAG: st.none() | st.just(True),
        "link." + values.id_text(DOCUMENT): st.none() | st.just("reference"),
        "link." + values.id_text(TASK): st.none() | st.just("itself"),  # the document of that id
    },
)
puts: st.SearchStrategy[Work] = st.builds(ops.Put, st.just("task"), st.sampled_from([TASK, OTHER]), cells)
others: st.SearchStrategy[Work] = st.sampled_from(
    [
        ops.Put("document", DOCUMENT, {"title": "d"}),
        ops.Put("tag", TAG_BYTES, {"name": "work"}),
        *(ops.Touch(kind, entity) for kind, entity in (("task", TASK), ("document", DOCUMENT))),
        *(Hide(kind, entity) for kind, entity in (("task", TASK), ("task", OTHER), ("document", DOCUMENT))),
        Hide("tag", TAG_BYTES),
        # one id, several kinds
        *(ops.Put("document", TASK, cells) for cells in ({"title": "d"}, {"title": "e", "content": "one"})),
        ops.Put("device", TASK, {"name": "laptop"}),
        ops.Put("task", TAG_BYTES, {"title": "t", "parent_id": TASK}),
        Hide("document", TASK),
        # refused, by everybody alike
        Hide("device", TASK),
        ops.Put("task", TASK, {"title": "u", "priority": 9}),
        ops.Put("document", DOCUMENT, {"content_type": None}),
        ops.Put("tag", TAG_BYTES, {"name": "home"}),
        Add(),
    ]
)
changes: st.SearchStrategy[list[Work]] = st.lists(puts | others, min_size=1, max_size=3)

WRITERS: Final = tuple(zip(ACTORS[:3], IDENTITIES[3:6], strict=True))
"""The actors of histories, and the devices that write as them."""


def author_of(actor: bytes) -> Identity:
    """Return the device that writes as an actor of a history."""
    return dict(WRITERS)[actor]


def as_sent(
    event: Event[list[Work]], events: list[Event[list[Work]]], names: dict[bytes, bytes] | None = None
) -> list[Operation]:
    """
    Return a change's operations; a deletion carries what its author had seen of the entity's touches.

    Args:
        event: The change.
        events: All events.
        names: The names of actors in operations; by default those of the history.
    """
    made: list[Operation] = []
    for number, work in enumerate(event.work):
        if isinstance(work, Add):
            made.append(device(TABLET, author_of(event.actor), "tablet"))
            continue
        if not isinstance(work, Hide):
            made.append(work)
            continue
        seen: Frontier = {}
        for other in events:
            before = other.work if other is not event else event.work[:number]
            if other.seq <= event.past.get(other.actor, 0) and any(
                not isinstance(each, Hide) and (each.kind, each.id) == (work.kind, work.id) for each in before
            ):
                actor = other.actor if names is None else names[other.actor]
                seen[actor] = max(other.seq, seen.get(actor, 0))
        made.append(ops.Delete(work.kind, work.id, tuple(to_pairs(seen))))
    return made


class Written(NamedTuple):
    """
    A history as changes that any peer may take.

    Attributes:
        founder: The life that founded the workspace.
        beginning: Its changes, which make the writers members.
        changes: The change of each event, by the event's dot.
        names: The names of the history's actors.
    """

    founder: Life
    beginning: list[Change]
    changes: dict[Dot, Change]
    names: dict[bytes, bytes]

    def deps(self, event: Event[list[Work]]) -> Frontier:
        """Return all dependencies of the change of an event, under the names of changes."""
        return {self.founder.actor: self.founder.seq, **{self.names[actor]: seq for actor, seq in event.deps.items()}}

    def peer(self, order: list[Event[list[Work]]]) -> Peer:
        """Return a peer that took the events in an order."""
        peer = Peer(self.founder)
        peer.admit(*self.beginning)
        for event in order:
            assert peer.admit(self.changes[event.actor, event.seq]) is Admitted.APPLIED
        return peer


def written(events: list[Event[list[Work]]]) -> Written:
    """Write the changes of a history, each with the dependencies that its author would name."""
    founder = Life(LAPTOP)
    members = [device(identity, LAPTOP) for _, identity in WRITERS]
    beginning = [founder.write(device(LAPTOP, LAPTOP)), founder.write(*members)]
    lives = {actor: Life(identity, continues=founder) for actor, identity in WRITERS}
    names = {actor: life.actor for actor, life in lives.items()}
    named: dict[bytes, Frontier] = {actor: {} for actor in lives}
    made: dict[Dot, Change] = {}
    for event in events:
        life, before = lives[event.actor], named[event.actor]
        new = {actor: seq for actor, seq in difference(event.past, before).items() if actor != event.actor}
        deps = [lives[actor].dep_at(seq) for actor, seq in new.items()]
        made[event.actor, event.seq] = life.write(*as_sent(event, events, names), deps=deps, wall_ms=event.wall_ms)
        named[event.actor] = event.past
    return Written(founder, beginning, made, names)
