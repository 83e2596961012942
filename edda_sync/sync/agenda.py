"""
An agenda: when each duty of a device is due.

1. A duty is under way at most once. What happens meanwhile makes it due again, and not in vain.
2. After a fault a duty rests, whatever makes it due, unless it is roused: there is news of what was in its way.
"""

from __future__ import annotations

from edda_sync.sync.orders import Duty


class Agenda:
    """The duties that are due or under way. Times are monotonic seconds."""

    def __init__(self) -> None:
        self._due: dict[Duty, float] = {}
        self._rests: dict[Duty, float] = {}  # until when
        self._under_way: set[Duty] = set()

    def want(self, duty: Duty, at: float) -> None:
        """Let a duty be due at a time, or earlier if it is due earlier already."""
        self._due[duty] = min(at, self._due.get(duty, at))

    def put(self, duty: Duty, at: float | None) -> None:
        """Let a duty be due at this time and at no other; None for not at all."""
        if at is None:
            self._due.pop(duty, None)
        else:
            self._due[duty] = at

    def begin(self, now: float) -> list[Duty]:
        """Return the duties to begin now; each is under way until :meth:`end`."""
        begun = [duty for duty in Duty if (at := self._ready_at(duty)) is not None and at <= now]
        for duty in begun:
            del self._due[duty]
            self._under_way.add(duty)
        return begun

    def end(self, duty: Duty, rest_until: float | None = None) -> None:
        """Take in that a duty ended; it is not begun again before ``rest_until``."""
        self._under_way.discard(duty)
        self._rests.pop(duty, None)
        if rest_until is not None:
            self._rests[duty] = rest_until

    def rouse(self, duty: Duty) -> None:
        """Let a duty rest no more."""
        self._rests.pop(duty, None)

    def is_open(self, duty: Duty) -> bool:
        """Tell whether a duty is due some time, or under way."""
        return duty in self._due or duty in self._under_way

    def next_deadline(self) -> float | None:
        """Return when the next duty can begin; None when none is due."""
        return min((at for duty in self._due if (at := self._ready_at(duty)) is not None), default=None)

    def _ready_at(self, duty: Duty) -> float | None:
        due = self._due.get(duty)
        return None if due is None or duty in self._under_way else max(due, self._rests.get(duty, due))
