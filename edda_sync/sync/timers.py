"""Timers: what one session has to do later, by name."""

from __future__ import annotations

from math import inf


class Timers:
    """Deadlines in monotonic seconds, at most one for each name."""

    def __init__(self) -> None:
        self._due: dict[str, float] = {}

    def __contains__(self, name: str) -> bool:
        return name in self._due

    def at(self, name: str, when: float) -> None:
        """Set a timer; it keeps its present deadline if that is earlier."""
        self._due[name] = min(when, self._due.get(name, when))

    def is_due(self, *names: str, now: float) -> bool:
        """Tell whether any of these timers is due."""
        return any(self._due.get(name, inf) <= now for name in names)

    def stop(self, name: str) -> None:
        """Stop a timer."""
        self._due.pop(name, None)

    def take(self, now: float) -> list[str]:
        """Return the names of the timers that are due, in the order in which they were set, and remove them."""
        due = [name for name, when in self._due.items() if when <= now]
        for name in due:
            del self._due[name]
        return due

    def next(self) -> float | None:
        """Return the earliest deadline; None when no timer is set."""
        return min(self._due.values(), default=None)
