"""
A place for backups, and what may go wrong at it.

1. What was written is there, whole, when the call returns. That is all that a target promises.
2. A call may fail: the place is away, or its answer comes too late. Then nobody knows whether the object was written; it may
   still appear a while later, or a part of it may be there.
3. The place may be full: then nothing is written.
4. An object may vanish or rot. No backup survives this by itself, but it must be noticed before anything is used.
5. Others may use the place at the same time, so what was listed a moment ago may be gone.
6. The place has a clock of its own, and much time may pass between two calls.

Power may fail at the caller before and after each call.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Final

from edda_sync.backup.target import Listed, check_key, check_prefix, check_size
from edda_sync.words.errors import NoObjectError, TargetError

NAME: Final = "place"


class Answer(Enum):
    """What becomes of an object whose writing fails."""

    LOST = "nothing is written"
    KEPT = "it is written, and nobody is told"
    LATE = "it appears later"
    TORN = "a part of it is written"


@dataclass(slots=True)
class Held:
    """An object at a place: its bytes, when it was written by the place's clock, and whether it is what was written."""

    data: bytes
    modified_s: float
    sound: bool = True


class Place:
    """
    A place that several devices use. A device uses it by :meth:`reached`.

    Args:
        now: Its clock, in seconds since 1970.
        later: Plans something after a delay.

    Attributes:
        objects: What lies there, in the order in which it was written.
        harmed: The keys of objects that vanished, or are not what was written.
        away: Whether every call fails.
        full: Whether nothing can be written.
        calls_left: How many more calls succeed before one fails; None for all.
        answer: What becomes of the object whose writing fails.
        late_s: When such an object appears, if it does.
        meanwhile: After how many calls somebody else does something, and what.
        ahead_s: How far its clock is ahead of the true time.
    """

    name = NAME

    def __init__(self, now: Callable[[], float], later: Callable[[float, Callable[[], None]], None]) -> None:
        self._now, self._later = now, later
        self.objects: dict[str, Held] = {}
        self.harmed: set[str] = set()
        self.away = self.full = False
        self.calls_left: int | None = None
        self.answer, self.late_s = Answer.LOST, 0.0
        self.meanwhile: tuple[int, Callable[[], None]] | None = None
        self.ahead_s = 0.0

    def mend(self) -> None:
        """End all faults. What vanished stays away."""
        self.away = self.full = False
        self.calls_left = self.meanwhile = None

    def reached(self, point: Callable[[], None]) -> Reached:
        """Return the place as a device reaches it; ``point`` is called where its power may fail."""
        return Reached(self, point)

    def quiet(self) -> Place:
        """Return the same place without faults, for who only looks."""
        there = Place(self._now, self._later)
        there.objects = self.objects
        return there

    # --- what goes wrong ----------------------------------------------------------------------------------------------

    def lose(self, key: str) -> None:
        """Lose an object."""
        self.objects.pop(key, None)
        self.harmed.add(key)

    def damage(self, key: str, at: int) -> None:
        """Flip a bit of an object."""
        held = self.objects[key]
        data = bytearray(held.data)
        data[at % len(data)] ^= 1
        self.objects[key] = Held(bytes(data), held.modified_s, sound=False)
        self.harmed.add(key)

    # --- what devices do ----------------------------------------------------------------------------------------------

    def put(self, key: str, data: bytes) -> None:
        """Write an object, as ``backup.target.Target`` says."""
        check_key(key)
        check_size(len(data))
        if self.full:
            raise TargetError(NAME, "no space is left", "make room there")
        if self._fails():
            self._fail(key, data)
        self._write(key, data)

    def get(self, key: str) -> bytes:
        """Return an object."""
        check_key(key)
        if self._fails():
            raise _no_answer()
        held = self.objects.get(key)
        if held is None:
            raise NoObjectError(NAME, key)
        return held.data

    def list(self, prefix: str, after: str = "") -> Iterator[Listed]:
        """Yield the objects below a prefix, in order."""
        check_prefix(prefix)
        if self._fails():
            raise _no_answer()
        found = [Listed(key, len(held.data), held.modified_s) for key, held in self.objects.items()]
        yield from sorted(each for each in found if each.key.startswith(prefix) and each.key > after)

    def delete(self, key: str) -> None:
        """Delete an object."""
        check_key(key)
        if self._fails():
            raise _no_answer()
        self.objects.pop(key, None)

    # --- inside -------------------------------------------------------------------------------------------------------

    def _write(self, key: str, data: bytes, *, sound: bool = True) -> None:
        self.objects.pop(key, None)  # so that the order is that of writing
        self.objects[key] = Held(data, self._now() + self.ahead_s, sound)

    def _fails(self) -> bool:
        """Tell whether a call fails; first let others do what they do meanwhile."""
        if self.meanwhile is not None:
            calls, work = self.meanwhile
            self.meanwhile = (calls - 1, work) if calls else None
            if not calls:
                work()
        if self.calls_left is not None:
            self.calls_left -= 1
        return self.away or (self.calls_left is not None and self.calls_left < 0)

    def _fail(self, key: str, data: bytes) -> None:
        if self.answer is Answer.KEPT:
            self._write(key, data)
        elif self.answer is Answer.TORN:
            self._write(key, data[: len(data) // 2], sound=False)
        elif self.answer is Answer.LATE:
            self._later(self.late_s, lambda: self._write(key, data))
        raise _no_answer()


def _no_answer() -> TargetError:
    return TargetError(NAME, "it does not answer", "try again")


class Reached:
    """A place, as one device reaches it; it keeps ``backup.target.Target``."""

    name = NAME

    def __init__(self, place: Place, point: Callable[[], None]) -> None:
        self._place, self._point = place, point

    def put(self, key: str, data: bytes) -> None:
        """Write an object."""
        self._point()
        self._place.put(key, data)
        self._point()

    def get(self, key: str) -> bytes:
        """Return an object."""
        self._point()
        return self._place.get(key)

    def list(self, prefix: str, after: str = "") -> Iterator[Listed]:
        """Yield the objects below a prefix, in order."""
        self._point()
        return self._place.list(prefix, after)

    def delete(self, key: str) -> None:
        """Delete an object."""
        self._point()
        self._place.delete(key)
        self._point()
