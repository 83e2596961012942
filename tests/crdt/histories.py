"""Random histories: what several devices wrote, what each had seen before, and the orders in which it can arrive."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from hypothesis import strategies as st

from edda_sync.changes import change as changes
from edda_sync.changes.change import Birth, Header
from edda_sync.crdt.frontier import Frontier, covers, join

W = TypeVar("W")

_BIRTHS: Final = {
    changes.actor_of(changes.encode_birth(birth)): birth
    for birth in (Birth(bytes((number,)) * 32, bytes((number,)) * 16) for number in range(1, 9))
}
ACTORS: Final = tuple(sorted(_BIRTHS))
"""Actors whose births are known; in ascending order."""


def header_of(actor: bytes, seq: int, wall_ms: int = 0) -> bytes:
    """Return the header of a change of one of :data:`ACTORS`, for a store that looks up what stands in its log."""
    ext = changes.header_ext(wall_ms, birth=_BIRTHS[actor] if seq == 1 else None)
    previous = changes.NO_HASH if seq == 1 else b"\1" * 32
    return changes.encode_header(Header(1, actor, seq, (), 0, 0, changes.hash_part(b""), previous, ext))


@dataclass(frozen=True)
class Event(Generic[W]):
    """One change: its dot, its wall time, all that its author had seen (itself included), and what it did."""

    actor: bytes
    seq: int
    wall_ms: int
    past: Frontier
    work: W

    @property
    def deps(self) -> Frontier:
        before = {**self.past, self.actor: self.seq - 1}
        return {actor: seq for actor, seq in before.items() if seq}


@st.composite
def histories(draw: st.DrawFn, work: st.SearchStrategy[W], *, actors: int = 3, size: int = 12) -> list[Event[W]]:
    """Some devices write, and now and then one takes all that another has; clocks are far apart and repeat."""
    seen: list[Frontier] = [{} for _ in range(actors)]
    events: list[Event[W]] = []
    for _ in range(draw(st.integers(0, size))):
        one, other = draw(st.integers(0, actors - 1)), draw(st.integers(0, actors - 1))
        if one != other:
            seen[one] = join(seen[one], seen[other])
        else:
            actor = ACTORS[one]
            seq = seen[one].get(actor, 0) + 1
            seen[one] = {**seen[one], actor: seq}
            events.append(Event(actor, seq, draw(st.integers(0, 3)), seen[one], draw(work)))
    return events


@st.composite
def causal_order(draw: st.DrawFn, events: list[Event[W]]) -> list[Event[W]]:
    """The same events, each after all that its author had seen."""
    waiting, ordered, held = list(events), [], Frontier()
    while waiting:
        ready = [event for event in waiting if covers(held, event.deps)]
        event = draw(st.sampled_from(ready))
        waiting.remove(event)
        ordered.append(event)
        held = join(held, {event.actor: event.seq})
    return ordered
