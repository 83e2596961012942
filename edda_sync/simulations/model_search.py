"""
Breadth-first search over the states of a model: visits every state within bounds, and finds the shortest way to a bad one.

A model consists of a start, a function from a state to the next states, and a function that says what is wrong with a state.
States are values. A model returns equal values for states that it considers the same (its symmetries).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

S = TypeVar("S")


@dataclass(frozen=True)
class Searched(Generic[S]):
    """
    The result of a search.

    Attributes:
        states: The number of visited states.
        steps: The number of steps between them.
        wrong: What is wrong with the first bad state; empty if there is none.
        path: The states from the start to that one, as few as possible.
        whole: Whether it visited everything that can be reached.
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
    Visit every state that can be reached, the nearest first, until one is bad.

    Args:
        start: The first state.
        following: Returns the states that can follow a state.
        wrong_with: Returns what is wrong with a state; an empty string when it is sound.
        states_max: Stop after this number of states.
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
