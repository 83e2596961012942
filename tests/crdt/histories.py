"""Random histories: what several devices wrote, each having seen what it had seen, and the orders it can arrive in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

from hypothesis import strategies as st

from edda_sync.crdt.frontier import Frontier, covers, join

W = TypeVar("W")


@dataclass(frozen=True)
class Event(Generic[W]):
    """One change: its dot, wall time, all that its author had seen, itself included, and what it did."""

    actor: int
    seq: int
    wall_ms: int
    past: Frontier
    work: W

    @property
    def deps(self) -> Frontier:
        return {**self.past, self.actor: self.seq - 1}


@st.composite
def histories(draw: st.DrawFn, work: st.SearchStrategy[W], *, actors: int = 3, size: int = 12) -> list[Event[W]]:
    """Some devices write, and now and then one takes all that another has; clocks are far apart and repeat."""
    seen: list[Frontier] = [{} for _ in range(actors)]
    events: list[Event[W]] = []
    for _ in range(draw(st.integers(0, size))):
        actor, other = draw(st.integers(0, actors - 1)), draw(st.integers(0, actors - 1))
        if actor != other:
            seen[actor] = join(seen[actor], seen[other])
        else:
            seq = seen[actor].get(actor, 0) + 1
            seen[actor] = {**seen[actor], actor: seq}
            events.append(Event(actor, seq, draw(st.integers(0, 3)), seen[actor], draw(work)))
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


@st.composite
def part_of(draw: st.DrawFn, events: list[Event[W]]) -> tuple[list[Event[W]], Frontier]:
    """Some of the events, with all that they depend on, in a causal order; and their frontier."""
    held: Frontier = {}
    for event in events:
        if draw(st.booleans()):
            held = join(held, event.past)
    part = [event for event in events if event.seq <= held.get(event.actor, 0)]
    return draw(causal_order(part)), held
