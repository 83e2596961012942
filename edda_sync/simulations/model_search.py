"""
Breadth-first search over the states of a model: every state within bounds, and the shortest way to a bad one.

A model is a start, a function from a state to what can happen next, and a function that says what is wrong with a state.
States are values; a model gives equal ones for what it takes as the same (its symmetries).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

S = TypeVar("S")


@dataclass(frozen=True)
class Searched(Generic[S]):
    """
    What a search found.

    Attributes:
        states: How many it looked at.
        steps: How many steps lead from one to another.
        wrong: What is wrong with the first bad state, if there is one.
        path: The states from the start to that one, the fewest possible.
        whole: Whether it saw all that can be reached.
    """

    states: int
    steps: int
    wrong: str = ""
    path: tuple[S, ...] = ()
    whole: bool = True


def search(
    start: S,
    following: Callable[[S], Iterable[S]],
    wrong_with: Callable[[S], str],
    states_max: int = 10_000_000,
) -> Searched[S]:
    """
    Look at every state that can be reached, the nearest first, until one is bad.

    Args:
        start: Where it begins.
        following: Where a state can lead.
        wrong_with: What is wrong with a state; nothing when it is sound.
        states_max: Stop after so many.
    """
    came: dict[S, S | None] = {start: None}
    frontier, steps = [start], 0
    while frontier:
        further: list[S] = []
        for state in frontier:
            if wrong := wrong_with(state):
                return Searched(len(came), steps, wrong, _path(came, state), whole=False)
            if len(came) >= states_max:
                return Searched(len(came), steps, whole=False)
            for after in following(state):
                steps += 1
                if after not in came:
                    came[after] = state
                    further.append(after)
        frontier = further
    return Searched(len(came), steps)


def _path(came: dict[S, S | None], end: S) -> tuple[S, ...]:
    path, state = [end], came[end]
    while state is not None:
        path.append(state)
        state = came[state]
    return tuple(reversed(path))
