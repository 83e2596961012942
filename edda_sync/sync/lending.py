"""
Lending: chunks that peers ask for. Only members have a session, and so only they are answered.

Chunks are read beside the turns, one at a time for all peers in turn, each compared with its hash: what is damaged here
leaves this device never. A peer waits only for its own questions, and no more of them are kept than may be under way.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from typing import NamedTuple

from edda_sync.files.chunks import Chunks
from edda_sync.sync.effects import Errand
from edda_sync.sync.file_messages import Lacks, Range, Seek, Slice
from edda_sync.sync.wire import Codec
from edda_sync.words import limits
from edda_sync.words.errors import DamagedFileError, RemoteProtocolError


class Lent(NamedTuple):
    """
    What came of some questions of a peer.

    Attributes:
        peer: The peer.
        frames: The answers.
        lacks: The chunk, if it is not here.
        file: The root of the file to which it is said to belong.
        size: How many bytes of its content they have.
    """

    peer: str
    frames: list[bytes]
    lacks: bytes | None
    file: bytes
    size: int = 0


class Lending:
    """
    The questions of all peers.

    Args:
        chunks: Returns where the chunks are.
    """

    def __init__(self, chunks: Callable[[], Chunks]) -> None:
        self._chunks, self._codec = chunks, Codec()  # another one than that of the turns, which run at the same time
        self._asked: dict[str, deque[tuple[bytes, Range]]] = {}
        self._lacking: dict[str, dict[bytes, None]] = {}  # the chunks that each peer was told to be lacking here
        self._lent = "", b"", b""  # the peer that is answered now, the chunk, and its file
        self._last = b"", b""  # the chunk that was read last: its slices are often asked for one after the other

    def ask(self, peer: str, seek: Seek) -> None:
        """
        Take the questions of a peer.

        Raises:
            RemoteProtocolError: It asks for more than may be under way.
        """
        asked = self._asked.setdefault(peer, deque())
        asked.extend((seek.file, each) for each in seek.wanted)
        size = sum(each.size for _, each in asked)
        if len(asked) > limits.FILE_ASKS_MAX or size > limits.FILE_WINDOW_BYTES_MAX:
            raise RemoteProtocolError("questions for more parts of files than may be under way", peer)

    def gone(self, peer: str) -> None:
        """Forget a peer whose session has ended."""
        self._asked.pop(peer, None)
        self._lacking.pop(peer, None)

    def next(self) -> Errand | None:
        """Return an errand that answers what one peer asked of one chunk; None if nothing is asked."""
        peer = next((name for name, asked in self._asked.items() if asked), None)
        if peer is None:
            self._last = b"", b""
            return None
        asked = self._asked.pop(peer)
        self._asked[peer] = asked  # the next turn of this peer comes after those of the others
        (file, first), ranges = asked[0], list[Range]()
        while asked and asked[0][1].chunk == first.chunk:
            ranges.append(asked.popleft()[1])
        self._lent = peer, first.chunk, file
        return Errand(lambda: self._lend(peer, file, first.chunk, ranges), peer)

    def failed(self) -> Lent:
        """Return the answer to what could not be read."""
        peer, name, file = self._lent
        return Lent(peer, [self._codec.encode(Lacks((name,)))], name, file)

    def lent(self, lent: Lent) -> None:
        """Note what came of it, so that the peer is told when a chunk is here that it lacks."""
        if lent.lacks is None or lent.peer not in self._asked:
            return
        lacking = self._lacking.setdefault(lent.peer, {})
        lacking[lent.lacks] = None
        if len(lacking) > limits.FILE_LACKS_MAX:
            del lacking[next(iter(lacking))]

    @property
    def owed(self) -> set[bytes]:
        """The chunks that peers were told to be lacking here."""
        return set().union(*self._lacking.values())

    def awaited(self, peer: str, came: Iterable[bytes]) -> list[bytes]:
        """Return those of some chunks, which are here now, that a peer was told to be lacking."""
        lacking = self._lacking.get(peer)
        return [name for name in came if lacking.pop(name, 0) is None] if lacking else []

    def _lend(self, peer: str, file: bytes, name: bytes, ranges: list[Range]) -> Lent:
        chunk = self._read(name)
        if chunk is None:
            return Lent(peer, [self._codec.encode(Lacks((name,)))], name, file)
        slices = [Slice(name, len(chunk), each.at, chunk[each.at : each.at + each.size]) for each in ranges]
        size = sum(len(each.data) for each in slices)
        return Lent(peer, [self._codec.encode(each) for each in slices], None, file, size)

    def _read(self, name: bytes) -> bytes | None:
        if self._last[0] == name:
            return self._last[1]
        chunks = self._chunks()
        try:
            chunk = chunks.get(name)
        except DamagedFileError:
            chunks.set_aside(name)
            return None
        if chunk is not None:
            self._last = name, chunk
        return chunk
