"""
Telling: what evidence one peer is told. The peer says by name what it holds, and is told the rest.

1. A peer is not told what it said it holds, or brought itself. A peer that lies about this harms only itself.
2. What is under way is not told again. If it was processed, and the peer still does not say that it holds it, the peer could
   not take it when it came; it is told again when the peer says so.
3. Of the names that are not known here, a limited number is kept. A peer that is told what it already has ignores it.
4. A device asks again only after the answer to its last question has ended. Every answer ends with a frame that says that
   nothing follows.
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
    """Return the short form of a name of evidence: its first 16 bytes."""
    return name[:16]


def short_names(names: Iterable[bytes]) -> tuple[bytes, ...]:
    """Return the short names of some evidence, ascending."""
    return tuple(sorted({short(name) for name in names}))


class Telling:
    """
    The evidence that one peer is told. Ask :meth:`next` for the next frame.

    Args:
        forks: The evidence that is held here.

    Attributes:
        is_asking: Whether the peer was asked for evidence, and its answer has not ended yet.
    """

    def __init__(self, forks: Forks) -> None:
        self._forks = forks
        self.is_asking = False
        self._theirs = set[bytes]()  # short names of what the peer has
        self._said: set[bytes] | None = None  # what the peer says that it has, while the pages come
        self._ours = set[bytes]()  # short names of what was held here when the first page came
        self._last = b""
        self._queue: dict[bytes, None] = {}  # what is still to be told, by name, in order
        self._is_owed = False  # whether the peer is owed an answer, even an empty one
        self._saying: tuple[bytes, ...] = ()  # the names in the frame that :meth:`next` returned last
        self._under_way: deque[tuple[int, tuple[bytes, ...]]] = deque()  # by frame number

    def said(self, names: tuple[bytes, ...], *, more: bool) -> bool:
        """
        Note a page of what the peer says that it holds; tell whether it was the last page.

        Args:
            names: Short names, ascending.
            more: Whether another page follows.

        Raises:
            RemoteProtocolError: The names are not in order, or too many for one page.
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
        """Tell everything that the peer has not said that it has."""
        under_way = {name for _, told in self._under_way for name in told}
        lacking = (name for name in self._forks.evidence() if short(name) not in self._theirs)
        self._queue = dict.fromkeys(name for name in lacking if name not in under_way)

    def ask(self) -> list[Known]:
        """Return a question for everything that is missing here, in pages."""
        self.is_asking = True
        names, size = short_names(self._forks.evidence()), limits.HEADS_MAX
        most = max(len(names), 1)
        return [Known(names[at : at + size], at + size < most) for at in range(0, most, size)]

    def asked(self) -> None:
        """Note that the peer asked for the rest: tell it, and say when that is all."""
        self._is_owed = True
        self.tell_rest()

    def brought(self, names: Iterable[bytes], *, more: bool) -> None:
        """Note that the peer told some evidence, by name, so it has that. Its answer ends when no more follows."""
        for name in names:
            self._queue.pop(name, None)
            if len(self._theirs) < limits.CLAIMS_MAX:
                self._theirs.add(short(name))
        self.is_asking = self.is_asking and more

    def tell(self, names: Iterable[bytes]) -> None:
        """Tell some evidence, by name, except what the peer said that it has."""
        self._queue.update(dict.fromkeys(name for name in names if short(name) not in self._theirs))

    def next(self) -> Evidence | None:
        """Return the next frame of evidence; None when there is nothing more to tell."""
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
        """Note the number of the last data frame."""
        if self._saying:
            self._under_way.append((number, self._saying))
            self._saying = ()

    def acknowledged(self, frames: int) -> None:
        """Note how many data frames the peer has processed."""
        while self._under_way and self._under_way[0][0] <= frames:
            self._under_way.popleft()
