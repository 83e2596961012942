"""
An agenda: when each duty of a device is due.

1. A duty is under way at most once. If it becomes due again meanwhile, it runs again afterwards.
2. After a fault a duty rests. While it rests it does not begin, even if it is due, unless :meth:`Agenda.rouse` is called.
"""

from __future__ import annotations

from typing import Final

from edda_sync.sync.orders import Duty

_RANK: Final = {duty: number for number, duty in enumerate(Duty)}


class Agenda:
    """The duties that are due or under way. Times are monotonic seconds."""

    def __init__(self) -> None:
        self._due: dict[Duty, float] = {}
        self._rests: dict[Duty, float] = {}  # until when each duty rests
        self._under_way: set[Duty] = set()
        self._begins: dict[Duty, float] = {}  # when each duty that is due and not under way can begin

    def want(self, duty: Duty, at: float) -> None:
        """Make a duty due at a time; it stays due earlier if it already is."""
        self.put(duty, min(at, self._due.get(duty, at)))

    def put(self, duty: Duty, at: float | None) -> None:
        """Make a duty due at exactly this time; None for never."""
        if at is None:
            self._due.pop(duty, None)
        else:
            self._due[duty] = at
        self._plan(duty)

    def begin(self, now: float) -> list[Duty]:
        """Return the duties to begin now. Each is under way until :meth:`end`."""
        begun = sorted((duty for duty, at in self._begins.items() if at <= now), key=_RANK.__getitem__)
        for duty in begun:
            self._under_way.add(duty)
            self.put(duty, None)
        return begun

    def end(self, duty: Duty, rest_until: float | None = None) -> None:
        """Note that a duty ended. It does not begin again before ``rest_until``."""
        self._under_way.discard(duty)
        self._rests.pop(duty, None)
        if rest_until is not None:
            self._rests[duty] = rest_until
        self._plan(duty)

    def rouse(self, duty: Duty) -> None:
        """End the rest of a duty: there is news about what was in its way."""
        self._rests.pop(duty, None)
        self._plan(duty)

    def is_open(self, duty: Duty) -> bool:
        """Tell whether a duty is under way, or due at any time."""
        return duty in self._due or duty in self._under_way

    def next_deadline(self) -> float | None:
        """Return when the next duty can begin; None when none is due."""
        return min(self._begins.values(), default=None)

    def _plan(self, duty: Duty) -> None:
        due = self._due.get(duty)
        if due is None or duty in self._under_way:
            self._begins.pop(duty, None)
        else:
            self._begins[duty] = max(due, self._rests.get(duty, due))
