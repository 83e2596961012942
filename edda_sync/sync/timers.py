"""Timers: what one talk has to do later, by name."""

from __future__ import annotations

from math import inf


class Timers:
    """Deadlines in monotonic seconds, of which each name has one at most."""

    def __init__(self) -> None:
        self._due: dict[str, float] = {}

    def __contains__(self, name: str) -> bool:
        return name in self._due

    def at(self, name: str, when: float) -> None:
        """Do something at a moment, or when it is due already, if that is sooner."""
        self._due[name] = min(when, self._due.get(name, when))

    def is_due(self, *names: str, now: float) -> bool:
        """Tell whether one of some names is due."""
        return any(self._due.get(name, inf) <= now for name in names)

    def stop(self, name: str) -> None:
        """Do it no more."""
        self._due.pop(name, None)

    def take(self, now: float) -> list[str]:
        """Return the names of what is due, in the order in which they were set, and forget these."""
        due = [name for name, when in self._due.items() if when <= now]
        for name in due:
            del self._due[name]
        return due

    def next(self) -> float | None:
        """Return when the next of them is due; None when there is none."""
        return min(self._due.values(), default=None)
