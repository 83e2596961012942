"""
Telling: what evidence one peer is told. It says by name what it holds, and is told the rest: nothing is sent that it has.

1. What the peer said it holds, or brought itself, is not told it. Whoever lies about that harms itself: others are told all.
2. What is under way is not told again. What was dealt with, and is not among what the peer says it holds, is told when it
   says so: it could not be taken when it came.
3. Of names that are not known here only so many are kept; a peer that is told what it has passes it over.
4. A question is asked once the answer to the one before has ended, and answers end: one frame says that nothing follows.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from itertools import islice

from edda_sync.sync.forks import Forks
from edda_sync.sync.messages import Evidence, Known
from edda_sync.words import limits
from edda_sync.words.errors import RemoteProtocolError


def short(name: bytes) -> bytes:
    """Return what is said of a name of evidence: its first 16 bytes."""
    return name[:16]


def short_names(names: Iterable[bytes]) -> tuple[bytes, ...]:
    """Return what is said of some evidence, ascending."""
    return tuple(sorted({short(name) for name in names}))


class Telling:
    """
    Evidence to one peer. Ask :meth:`next` for the next frame of it.

    Args:
        forks: What is held of it.

    Attributes:
        is_asking: Whether the peer was asked for what is lacking here, and its answer has not ended yet.
    """

    def __init__(self, forks: Forks) -> None:
        self._forks = forks
        self.is_asking = False
        self._theirs = set[bytes]()  # short names of what the peer has
        self._said: set[bytes] | None = None  # what it says of that, while the pages come
        self._ours = set[bytes]()  # short names of what is held, as the first page came
        self._last = b""
        self._queue: dict[bytes, None] = {}  # what is still to be told, by name, in order
        self._is_owed = False  # an answer, if only that there is nothing to tell
        self._saying: tuple[bytes, ...] = ()  # what is in the frame that :meth:`next` returned last
        self._under_way: deque[tuple[int, tuple[bytes, ...]]] = deque()  # and in those before it, by their numbers

    def said(self, names: tuple[bytes, ...], *, more: bool) -> bool:
        """
        Learn what the peer says that it holds, a page of it; tell whether that was the last one.

        Args:
            names: Short names, ascending.
            more: Whether another page follows.

        Raises:
            RemoteProtocolError: They are not in order, or too many at once.
        """
        following = [self._last, *names]
        if len(names) > limits.HEADS_MAX or following != sorted(set(following)):
            raise RemoteProtocolError("names of evidence that are not in order, or too many at once")
        if self._said is None:
            self._said, self._ours = set(), set(short_names(self._forks.evidence()))
        for name in names:
            if name in self._ours or len(self._said) < len(self._ours) + limits.CLAIMS_MAX:
                self._said.add(name)
        self._last = following[-1]
        if more:
            return False
        self._theirs, self._said, self._ours, self._last = self._said, None, set(), b""
        return True

    def tell_rest(self) -> None:
        """Tell all that the peer has not said that it has."""
        under_way = {name for _, told in self._under_way for name in told}
        lacking = (name for name in self._forks.evidence() if short(name) not in self._theirs)
        self._queue = dict.fromkeys(name for name in lacking if name not in under_way)

    def ask(self) -> list[Known]:
        """Return a question for all that is lacking here, in pages."""
        self.is_asking = True
        names, size = short_names(self._forks.evidence()), limits.HEADS_MAX
        most = max(len(names), 1)
        return [Known(names[at : at + size], at + size < most) for at in range(0, most, size)]

    def asked(self) -> None:
        """Learn that the peer asked, by what it said, for the rest: tell that, and when it is all."""
        self._is_owed = True
        self.tell_rest()

    def brought(self, names: Iterable[bytes], *, more: bool) -> None:
        """Learn that the peer told some evidence, by name: it has that. An answer ends where no more follows."""
        for name in names:
            self._queue.pop(name, None)
            if len(self._theirs) < limits.CLAIMS_MAX:
                self._theirs.add(short(name))
        self.is_asking = self.is_asking and more

    def tell(self, names: Iterable[bytes]) -> None:
        """Tell some evidence, by name, where the peer has not said that it has it."""
        self._queue.update(dict.fromkeys(name for name in names if short(name) not in self._theirs))

    def is_known(self, names: Iterable[bytes]) -> bool:
        """Tell whether the peer has said, or shown, that it has some evidence, by name."""
        return all(short(name) in self._theirs for name in names)

    def next(self) -> Evidence | None:
        """Return the next frame of evidence, or None when there is nothing (more) to tell."""
        if not self._queue and not self._is_owed:
            return None
        items, count = self._forks.told(self._queue)
        saying = tuple(islice(self._queue, count))
        for name in saying:
            del self._queue[name]
        self._saying = saying if items else ()
        is_answer = self._is_owed and not self._queue
        self._is_owed = self._is_owed and not is_answer
        return Evidence(tuple(items), bool(self._queue)) if items or is_answer else None

    def sent(self, number: int) -> None:
        """Learn which number among the frames of data the last one has."""
        if self._saying:
            self._under_way.append((number, self._saying))
            self._saying = ()

    def acknowledged(self, frames: int) -> None:
        """Learn how many frames of data the peer has dealt with."""
        while self._under_way and self._under_way[0][0] <= frames:
            self._under_way.popleft()
