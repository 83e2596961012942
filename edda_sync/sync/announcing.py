"""Announcing: what peers are told about files: which chunks that they lack came here, and how much is still to come."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from edda_sync.sync.effects import Send
from edda_sync.sync.file_messages import Has
from edda_sync.sync.wire import Codec
from edda_sync.words import limits

EVERY_S: Final = 1.0  # how often peers are told how much is still to come


class Announcing:
    """
    What the linked peers are told. Ask :meth:`due` what to send now.

    Args:
        codec: Encodes the messages.
    """

    def __init__(self, codec: Codec) -> None:
        self._codec = codec
        self._told: dict[str, tuple[int, int, float]] = {}  # the number and size that each peer was told last, and when
        self._owed: dict[str, list[bytes]] = {}  # names of chunks that each peer is to be told

    def linked(self, peer: str) -> None:
        """Begin to tell a peer."""
        self._told[peer] = (0, 0, 0.0)

    def gone(self, peer: str) -> None:
        """Forget a peer whose session has ended."""
        self._told.pop(peer, None)
        self._owed.pop(peer, None)

    def owe(self, peer: str, names: Iterable[bytes]) -> None:
        """Tell a peer, with what is due next, that some chunks are here now."""
        self._owed.setdefault(peer, []).extend(names)

    def due(self, files: int, size: int, now: float) -> Iterator[Send]:
        """
        Yield what is to be said now.

        Args:
            files, size: How many files are still to come here, and how many bytes of them.
            now: The time, in monotonic seconds.
        """
        for peer, (files_told, size_told, told_s) in self._told.items():
            names = self._owed.pop(peer, [])
            is_news = bool(files) != bool(files_told)
            is_later = (files, size) != (files_told, size_told) and now >= told_s + EVERY_S
            if names or is_news or is_later:
                self._told[peer] = files, size, now
                most = limits.FILE_NAMES_MAX
                for at in range(0, max(len(names), 1), most):
                    yield Send(peer, self._codec.encode(Has(tuple(names[at : at + most]), files, size)))
