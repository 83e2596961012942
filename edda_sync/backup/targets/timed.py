"""
No call of a target waits for ever, and Ctrl-C ends every wait at once.

A share of the network whose server is gone, a drive that was pulled out while it was written, or a server that takes a
request and never answers: each would hold a thread of ours for minutes or for good, deep in the system or a library,
where no signal is heard. So each call runs in a thread of its own, and is left alone when its time is over. If it is
carried out later, no harm is done: objects are written whole, and the same again. A target of which several calls are
stuck is not called again until one of them ends, so that a device that runs for months gathers no threads.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from queue import Empty, SimpleQueue
from typing import Final, Protocol, TypeVar

from edda_sync.backup.target import Listed, Target
from edda_sync.backup.targets.explaining import Trouble
from edda_sync.words.limits import TARGET_ANSWER_S, TARGET_BYTES_S_MIN, TARGET_PIECE_BYTES

T = TypeVar("T")

_PAGE: Final = 1_000  # entries that are listed in one call
_LEFT_MAX: Final = 4  # calls of one target that are stuck, after which it is not called again
_left: Final[dict[str, list[threading.Thread]]] = {}
_SLOW: Final = Trouble("it does not answer", "check the network or the drive, then try again")


class Readable(Target, Protocol):
    """A target that can be watched while it reads, and can prove what it keeps."""

    def keeps(self, key: str) -> Mapping[str, bool]:
        """Try what it keeps beyond what backups need; see ``proving``."""
        ...

    def pieces(self, key: str) -> Iterator[bytes]:
        """Yield an object in pieces of about ``limits.TARGET_PIECE_BYTES``, as ``Target.get`` returns it whole."""
        ...


class TimedTarget:
    """
    A target, none of whose calls takes longer than it may; see :class:`~edda_sync.backup.target.Target`.

    Args:
        inner: The target.
        answer_s: How long it may take to answer, in seconds.
        bytes_s_min: How fast an object must be written or read at least, in bytes a second.
    """

    def __init__(
        self, inner: Readable, answer_s: float = TARGET_ANSWER_S, bytes_s_min: float = TARGET_BYTES_S_MIN
    ) -> None:
        self._inner, self._answer_s, self._bytes_s_min = inner, answer_s, bytes_s_min

    @property
    def name(self) -> str:
        """What people call it."""
        return self._inner.name

    def put(self, key: str, data: bytes) -> None:
        """Write an object, whole or not at all, durably."""
        self._within(len(data), lambda: self._inner.put(key, data))

    def get(self, key: str) -> bytes:
        """Return an object."""
        pieces = self._inner.pieces(key)
        found = []
        while piece := self._within(TARGET_PIECE_BYTES, lambda: next(pieces, b"")):
            found.append(piece)
        return b"".join(found)

    def list(self, prefix: str, after: str = "") -> Iterator[Listed]:
        """Yield the objects whose keys begin with a prefix, in order of their keys."""
        found = self._inner.list(prefix, after)
        while page := self._within(0, lambda: list(islice(found, _PAGE))):
            yield from page

    def delete(self, key: str) -> None:
        """Delete an object."""
        self._within(0, lambda: self._inner.delete(key))

    def keeps(self, key: str) -> Mapping[str, bool]:
        """Try what the place keeps beyond what backups need."""
        return self._within(0, lambda: self._inner.keeps(key))

    def _within(self, size: int, work: Callable[[], T]) -> T:
        return within(self._answer_s + size / self._bytes_s_min, self.name, work)


def within(limit_s: float, target: str, work: Callable[[], T]) -> T:
    """
    Run some work in a thread of its own, and return or raise what it does.

    Args:
        limit_s: After so many seconds it is left alone.
        target: The name of the target, for the error.
        work: The work.

    Raises:
        TargetError: Its time is over.
    """
    answers: SimpleQueue[tuple[T, None] | tuple[None, BaseException]] = SimpleQueue()

    def run() -> None:
        try:
            answers.put((work(), None))
        except BaseException as error:  # noqa: BLE001 - it is raised where somebody waits for it
            answers.put((None, error))

    stuck = [each for each in _left.pop(target, ()) if each.is_alive()]
    if stuck:
        _left[target] = stuck
    if len(stuck) >= _LEFT_MAX:
        raise _SLOW.of(target)
    thread = threading.Thread(target=run, name=f"edda target {target}", daemon=True)
    thread.start()
    try:
        answer = answers.get(timeout=limit_s)
    except Empty:
        _left.setdefault(target, []).append(thread)
        raise _SLOW.of(target) from None
    if answer[1] is not None:
        raise answer[1]
    return answer[0]
