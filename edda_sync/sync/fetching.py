"""
Fetching: which chunks are asked of which peer, and how they become whole.

1. Any peer that has a chunk can give it. What a peer says it lacks is asked of others; if nobody has it, the file is put by
   until somebody says that it has a chunk that was missing, or another peer comes.
2. A chunk is compared with its name before it is kept. A wrong one is dropped, and the peer that gave it is named, and asked
   for this chunk no more. If several peers gave parts of it, nobody knows whose was wrong: then one peer gives all of it.
3. If a link breaks, the rest of a chunk is asked of another peer, or of the same one when it is back. Chunks that are kept
   stay, so a file goes on from there after any interruption.
4. A chunk that is larger than its file says is not taken: whoever gives it counts as lacking it. So no peer can fill the
   memory with one that is said to be small.
5. Memory holds ``FILE_HELD_BYTES_MAX`` of chunks, however large the files are.

Source: the pieces and hashes of BitTorrent (Cohen, "Incentives build robustness in BitTorrent", 2003), without its choice of
rare pieces: here the peers are few and near.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator

from edda_sync.crdt.attachments import File
from edda_sync.files.lacking import Lacking, Looked
from edda_sync.sync.file_messages import Has, Range, Seek, Slice
from edda_sync.sync.flow import Flow
from edda_sync.words import limits
from edda_sync.words.errors import RemoteProtocolError


class Giver:
    """
    A peer that is asked for chunks.

    Attributes:
        flow: What it is asked.
        lacks: Chunks that it said it does not have, or that were wrong when it gave them.
        is_silent: Whether it did not answer in time, and has not answered since.
        wrong: How many chunks were not what they were called.
        files, left: How many files it said that it is fetching, and how many bytes of them it lacks.
    """

    def __init__(self) -> None:
        self.flow = Flow()
        self.lacks: dict[bytes, None] = {}
        self.is_silent = False
        self.wrong = self.files = self.left = 0

    def note_lack(self, name: bytes) -> None:
        """Note that it does not have a chunk."""
        self.lacks[name] = None
        if len(self.lacks) > limits.FILE_LACKS_MAX:
            del self.lacks[next(iter(self.lacks))]

    def may_have(self, name: bytes) -> bool:
        """Tell whether it can be asked for a chunk."""
        return not self.is_silent and self.wrong < limits.FILE_WRONG_MAX and name not in self.lacks


class Fetch:
    """
    A file that is being fetched.

    Attributes:
        file: The file.
        missing: Chunks that are not here, and not asked for yet.
        at: Where the next look at what is here begins; None after its end.
        is_looking: Whether such a look is under way.
        lacked: Chunks that nobody has.
        has_grown: Whether chunks came since the look began, or somebody has more than then.
        here: How many bytes of it are here, as far as is known.
        under_way: How many of its chunks are.
    """

    def __init__(self, file: File) -> None:
        self.file = file
        self.missing: deque[Lacking] = deque()
        self.at: int | None = 0
        self.is_looking = self.has_grown = False
        self.lacked: set[bytes] = set()
        self.here = self.under_way = 0
        self._begun = False

    @property
    def wants_look(self) -> bool:
        """Whether it is to be looked at further now."""
        return self.at is not None and not self.is_looking and len(self.missing) <= limits.FILES_AT_ONCE // 8

    @property
    def is_still(self) -> bool:
        """Whether nothing more can be done for it now."""
        return self.at is None and not (self.missing or self.under_way or self.is_looking)

    def looked(self, looked: Looked) -> None:
        """Note what a look has found."""
        self.is_looking = False
        self.at = None if len(self.lacked) >= limits.FILE_LACKS_IN_ROW_MAX else looked.at
        self.missing.extend(each for each in looked.lacking if each.name not in self.lacked)
        if not self._begun:  # later looks see what has come since, which is counted already
            self.here += looked.here
        self._begun = self._begun or looked.at is None

    def look_again(self) -> None:
        """Begin to look at it from its beginning."""
        self.at, self.has_grown, self.lacked = 0, False, set()

    def lack(self, name: bytes) -> None:
        """Note that nobody has a chunk."""
        self.lacked.add(name)
        if len(self.lacked) >= limits.FILE_LACKS_IN_ROW_MAX:
            self.missing.clear()
            self.at = None


class Chunk:
    """
    A chunk that is under way.

    Attributes:
        name: Its name.
        of: The file that it was asked for.
        covers: How many bytes of it are bytes of the file.
        size: How many bytes it has; None until that is known.
        said: How many it must have by what its file says of it; None for a manifest.
        peer: Who is asked for it now.
        asked, got: Up to where it was asked for, and has come.
        pieces: What has come.
        givers: The peers that gave parts of it.
        alone: Whether a single peer must give all of it.
    """

    def __init__(self, lacking: Lacking, of: Fetch) -> None:
        self.name, self.of, self.size, self.said = lacking.name, of, lacking.size, lacking.size
        self.covers = 0 if lacking.size is None else lacking.covers
        self.peer: str | None = None
        self.asked = self.got = 0
        self.pieces: list[bytes] = []
        self.givers: set[str] = set()
        self.alone = False
        self._is_asked = False

    @property
    def is_whole(self) -> bool:
        """Whether all of it has come."""
        return bool(self.pieces) and self.got == self.size

    @property
    def left(self) -> int:
        """How much of it is to be asked for: of an unknown size only the beginning; at least something of any."""
        if self.size is None:
            return 0 if self._is_asked else limits.CHUNK_BYTES
        return max(self.size - self.asked, 0 if self._is_asked else 1)

    def ask(self, size: int) -> Range:
        """Return the question for the next part."""
        self._is_asked = True
        asked = Range(self.name, self.asked, size)
        self.asked += size
        return asked

    def add(self, peer: str, part: Slice) -> bool:
        """Add a part; tell whether the chunk is whole."""
        self.size = part.total
        self.pieces.append(part.data)
        self.givers.add(peer)
        self.got += len(part.data)
        return self.got == part.total

    def let_go(self) -> None:
        """Note that the peer that was asked gives no more of it."""
        if self.alone:
            self.pieces, self.givers, self.got = [], set(), 0
        self.peer, self.asked, self._is_asked = None, self.got, False


class Fetching:
    """
    The files that are being fetched, and the chunks that are under way.

    Attributes:
        givers: The peers that speak about files.
        files: What is being fetched, by root.
        whole: Chunks that have come whole, to be kept.
        blamed: Peers that gave a wrong chunk, each once for each of these.
        has_returned: Whether a silent peer answered again.
    """

    def __init__(self) -> None:
        self.givers: dict[str, Giver] = {}
        self.files: dict[bytes, Fetch] = {}
        self.whole: list[Chunk] = []
        self.blamed: list[str] = []
        self.has_returned = False
        self._chunks: dict[bytes, Chunk] = {}  # those that are under way, also while they are being kept

    # --- what peers say -----------------------------------------------------------------------------------------------

    def gone(self, peer: str) -> None:
        """Forget a peer whose session has ended; others are asked for what it was asked for."""
        self.givers.pop(peer, None)
        self._let_go(peer)

    def part(self, peer: str, part: Slice, now: float) -> None:
        """
        Take a part of a chunk. What was not asked for is dropped.

        Raises:
            RemoteProtocolError: It is not what was asked for.
        """
        giver = self.givers[peer]
        asked = giver.flow.answered(part.chunk, part.at, now)
        self._heard(giver)
        chunk = self._chunks.get(part.chunk)
        if asked is None or chunk is None or chunk.peer != peer or part.at != chunk.got or chunk.is_whole:
            return
        is_other = bool(chunk.pieces) and chunk.size != part.total
        if is_other or len(part.data) != min(asked, max(part.total - part.at, 0)):
            raise RemoteProtocolError("a part of a file that is not the one that was asked for", peer)
        if chunk.said is not None and part.total > chunk.said:  # the peer lies, or whoever attached the file did
            giver.note_lack(chunk.name)
            chunk.let_go()
            return
        if chunk.add(peer, part):
            self.whole.append(chunk)

    def lacked(self, peer: str, names: Iterable[bytes], now: float) -> None:
        """Note chunks that a peer does not have."""
        giver = self.givers[peer]
        self._heard(giver)
        for name in names:
            if giver.flow.lacked(name, now):
                giver.note_lack(name)
                chunk = self._chunks.get(name)
                if chunk is not None and chunk.peer == peer and not chunk.is_whole:
                    chunk.let_go()

    def has(self, peer: str, has: Has) -> None:
        """Note how a peer stands with files, and which chunks it has now."""
        giver = self.givers[peer]
        giver.files, giver.left = has.files, has.left
        for name in has.chunks:
            giver.lacks.pop(name, None)
        for fetch in self.files.values():
            fetch.has_grown = fetch.has_grown or not fetch.lacked.isdisjoint(has.chunks)

    def silent(self, now: float) -> None:
        """Let go of what was asked of peers that do not answer."""
        for peer, giver in self.givers.items():
            due = giver.flow.silent_at()
            if due is not None and due <= now and not giver.is_silent:
                giver.is_silent = True
                self._let_go(peer)

    def silent_at(self) -> float | None:
        """Return when the next peer is not waited for any more; None while none is asked."""
        dues = [giver.flow.silent_at() for giver in self.givers.values() if not giver.is_silent]
        return min((due for due in dues if due is not None), default=None)

    # --- chunks that were kept ----------------------------------------------------------------------------------------

    def kept(self, chunk: Chunk, *, is_sound: bool) -> None:
        """Note that a whole chunk was kept; or that it was not what it is called, and was dropped."""
        if is_sound:
            self._chunks.pop(chunk.name, None)
            chunk.of.under_way -= 1
            chunk.of.has_grown = True
            chunk.of.here += chunk.covers
            return
        if len(chunk.givers) == 1:
            (peer,) = chunk.givers
            self.blamed.append(peer)
            if (giver := self.givers.get(peer)) is not None:
                giver.note_lack(chunk.name)
                giver.wrong += 1
        chunk.alone = True
        chunk.let_go()

    def unkept(self, chunk: Chunk) -> None:
        """Note that a whole chunk could not be kept; it is asked for again."""
        self._drop(chunk)
        chunk.of.has_grown = True

    def end(self, root: bytes) -> None:
        """Fetch a file no more."""
        fetch = self.files.pop(root, None)
        for chunk in [each for each in self._chunks.values() if each.of is fetch and not each.is_whole]:
            self._drop(chunk)

    # --- questions ----------------------------------------------------------------------------------------------------

    def ask(self, now: float) -> list[tuple[str, Seek]]:
        """Return the questions to ask now, each with its peer."""
        asked: dict[tuple[str, bytes], list[Range]] = {}
        for chunk in list(self._chunks.values()):
            if not chunk.is_whole:
                self._ask_for(chunk, asked, now)
        for fetch in self.files.values():
            if fetch.missing and not self._begin_some(fetch, asked, now):
                break
        return [(peer, Seek(root, tuple(ranges))) for (peer, root), ranges in asked.items()]

    def _begin_some(self, fetch: Fetch, asked: dict[tuple[str, bytes], list[Range]], now: float) -> bool:
        """Begin to ask for chunks of a file; tell whether there is room for more."""
        while fetch.missing:
            lacking = fetch.missing[0]
            if lacking.name in self._chunks:  # for another file; a later look sees it
                fetch.missing.popleft()
                fetch.has_grown = True
                continue
            able = self._able(lacking.name)
            if able and not self._has_room(lacking):
                return False
            if able and not any(giver.flow.room(limits.CHUNK_BYTES) for giver in able.values()):
                return True
            fetch.missing.popleft()
            if not able:
                fetch.lack(lacking.name)
                continue
            chunk = self._chunks[lacking.name] = Chunk(lacking, fetch)
            fetch.under_way += 1
            self._ask_for(chunk, asked, now)
        return True

    def _ask_for(self, chunk: Chunk, asked: dict[tuple[str, bytes], list[Range]], now: float) -> None:
        if chunk.peer is not None and not chunk.left and not self.givers[chunk.peer].flow.awaits(chunk.name):
            chunk.let_go()  # an answer to an earlier question was taken for that to a later one
        if chunk.peer is None:
            able = self._able(chunk.name)
            if not able:
                self._drop(chunk)
                chunk.of.lack(chunk.name)
                return
            free = [peer for peer, giver in able.items() if not giver.flow.awaits(chunk.name)]
            if not free:  # late answers are still to come; they could not be told from new ones
                return
            chunk.peer = min(free, key=lambda peer: able[peer].flow.size)
        flow = self.givers[chunk.peer].flow
        while (left := chunk.left) and (size := flow.room(left)):
            each = chunk.ask(size)
            flow.asked(each.chunk, each.at, each.size, now)
            asked.setdefault((chunk.peer, chunk.of.file.root), []).append(each)

    def _heard(self, giver: Giver) -> None:
        self.has_returned = self.has_returned or giver.is_silent
        giver.is_silent = False

    def _able(self, name: bytes) -> dict[str, Giver]:
        return {peer: giver for peer, giver in self.givers.items() if giver.may_have(name)}

    def _has_room(self, lacking: Lacking) -> bool:
        sizes = [limits.CHUNK_BYTES if size is None else size for size in (*self._sizes(), lacking.size)]
        return len(sizes) <= limits.FILES_AT_ONCE and sum(sizes) <= limits.FILE_HELD_BYTES_MAX

    def _sizes(self) -> Iterator[int | None]:
        return (chunk.size for chunk in self._chunks.values())

    def _let_go(self, peer: str) -> None:
        for chunk in self._chunks.values():
            if chunk.peer == peer and not chunk.is_whole:
                chunk.let_go()

    def _drop(self, chunk: Chunk) -> None:
        if self._chunks.pop(chunk.name, None) is not None:
            chunk.of.under_way -= 1
