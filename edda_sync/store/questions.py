"""
Questions: what was asked of one state of a store, and what it answered.

Work that only reads, and whose result depends on the answers alone, can be done before a transaction begins. Inside the
transaction, the same questions are asked again: if all answers are the same, the result is what the work would give now.

Source: optimistic concurrency control (Kung and Robinson, "On Optimistic Methods for Concurrency Control", 1981).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any, NamedTuple

from edda_sync.store.composed import ComposedReader
from edda_sync.store.seams import StoreReader


class _Question(NamedTuple):
    facet: str
    method: str
    arguments: tuple[Any, ...]
    named: tuple[tuple[str, Any], ...]


class Questions:
    """The questions that were asked of a reader through :meth:`noting`. Call :meth:`have_the_same_answers` later."""

    def __init__(self) -> None:
        self._asked: dict[_Question, Any] = {}

    def __len__(self) -> int:
        return len(self._asked)

    def noting(self, reader: StoreReader) -> StoreReader:
        """Return a reader that answers as another one does, and notes each question here."""
        facets = {
            each.name: _Noting(each.name, getattr(reader, each.name), self._asked) for each in fields(ComposedReader)
        }
        return ComposedReader(**facets)

    def have_the_same_answers(self, reader: StoreReader) -> bool:
        """Ask all questions again, and tell whether a state of the store gives the same answers."""
        return all(
            getattr(getattr(reader, each.facet), each.method)(*each.arguments, **dict(each.named)) == answer
            for each, answer in self._asked.items()
        )


class _Noting:
    """A facet that notes what it is asked."""

    def __init__(self, name: str, facet: object, asked: dict[_Question, Any]) -> None:
        self._name, self._facet, self._asked = name, facet, asked

    def __getattr__(self, method: str) -> Callable[..., Any]:
        ask = getattr(self._facet, method)

        def noting(*arguments: Any, **named: Any) -> Any:
            kept = tuple([_kept(each) for each in arguments])
            answer = ask(*kept, **named)
            self._asked[_Question(self._name, method, kept, tuple(named.items()))] = answer
            return answer

        self.__dict__[method] = noting
        return noting


class _Map(dict[Any, Any]):
    """A mapping that is part of a question, and does not change any more."""

    def __hash__(self) -> int:  # type: ignore[override]
        return hash(frozenset(self.items()))


def _kept(argument: Any) -> Any:
    """Return an argument as it is now: a list or mapping may grow later, and what yields can be read only once."""
    if argument is None or isinstance(argument, (bytes, str, int)):
        return argument
    return _Map(argument) if isinstance(argument, Mapping) else tuple(argument)
