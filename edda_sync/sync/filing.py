"""
Filing: the content of attached files, between this device and all its peers. Pure, like all of ``sync``.

It decides which files are fetched (those of a size that is always fetched, and those that somebody asks for), asks for their
chunks (``fetching``), answers what peers ask (``lending``), and says how it stands. What needs the disk is returned as an
:class:`~edda_sync.sync.effects.Errand`, which runs beside the turns: at most one that reads for peers, and one that keeps
what came. So changes never wait for a file.

Only chunks of files that attachments of this store name are asked for, and nothing else is kept, so that nobody can fill the
disk. A file is noted as complete here once every chunk in its tree is on disk.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from typing import NamedTuple

from edda_sync.crdt.attachments import File
from edda_sync.files.chunks import Chunks
from edda_sync.store.seams import Store
from edda_sync.sync import stowing
from edda_sync.sync.announcing import Announcing
from edda_sync.sync.choosing import Choosing
from edda_sync.sync.effects import Blamed, Effect, Errand, Send
from edda_sync.sync.fetching import Fetch, Fetching, Giver
from edda_sync.sync.file_messages import FileMessage, Lacks, Seek, Slice
from edda_sync.sync.lending import Lending, Lent
from edda_sync.sync.rates import Rate
from edda_sync.sync.stowing import Job, Stowed
from edda_sync.sync.wire import Codec
from edda_sync.words import limits


class FilesProgress(NamedTuple):
    """
    How a device stands with files.

    Attributes:
        files: How many it is fetching, or about to fetch.
        left: How many bytes of these are not here yet.
        came: How many bytes of chunks came since it was started.
        done: How many files became complete since then.
        peers, peers_left: How many files its linked peers are fetching, or about to fetch, and how many bytes of them they
            do not have yet.
        demanded: For each file that somebody asked for, by root: how much of it is here, and whether some linked peer may
            have the rest.
        given: How many bytes of chunks peers were given since it was started.
        refused: How many chunks came that were not what they are called, and were dropped.
        mended: How many files became complete again of which something was damaged or gone here.
    """

    files: int = 0
    left: int = 0
    came: int = 0
    done: int = 0
    peers: int = 0
    peers_left: int = 0
    demanded: dict[bytes, tuple[int, bool]] = {}  # noqa: RUF012 - nobody writes into it
    given: int = 0
    refused: int = 0
    mended: int = 0


@dataclass(slots=True)
class _Counts:
    """What was counted since the device was started, as in :class:`FilesProgress`."""

    came: int = 0
    done: int = 0
    given: int = 0
    refused: int = 0
    mended: int = 0


class Filing:
    """
    The files of one replica. After each event, carry out what :meth:`due` returns.

    Args:
        store: The store.
        chunks: Returns where the chunks are.
        always_below: Files that are smaller, in bytes, are always fetched.
        attached: Returns a number that changes with each commit that changed which files are attached.
        lost: Files, by root, of which something turned out to be damaged or gone here; others add to it, too.

    Attributes:
        progress: How it stands.
    """

    def __init__(
        self,
        store: Store,
        chunks: Callable[[], Chunks],
        always_below: int,
        attached: Callable[[], int],
        lost: set[bytes] | None = None,
    ) -> None:
        self.progress = FilesProgress()
        self._store, self._chunks, self._always_below, self._attached = store, chunks, always_below, attached
        self._fetching, self._lending, self._choosing, self._codec = Fetching(), Lending(chunks), Choosing(), Codec()
        self._announcing, self._counts = Announcing(self._codec), _Counts()
        self._seen = -1  # what ``attached`` was when all files were last listed
        self._doubted: set[bytes] = set()  # files that may not be complete here although that was noted
        self._lost = set[bytes]() if lost is None else lost
        self._is_stirred = False  # whether something happened of which :meth:`due` does not know
        self._has_more = False  # whether chunks may have come here in another way than from peers
        self._doubts = Rate(limits.FILE_WRONG_MAX, limits.FILE_LOOK_S)
        self._stows: Job | None = None  # what is being kept, looked at and listed now
        self._lends = False
        self._rests_until = self._look_at = 0.0
        self._answers: list[Send] = []

    # --- what happens -------------------------------------------------------------------------------------------------

    def linked(self, peers: Iterable[str]) -> None:
        """Note which peers speak about files now."""
        givers, now = self._fetching.givers, set(peers)
        for peer in givers.keys() - now:
            self.gone(peer)
        for peer in now - givers.keys():
            givers[peer] = Giver()
            self._announcing.linked(peer)
            self._choosing.aside.clear()
            self._choosing.list_again(has_news=True)

    def gone(self, peer: str) -> None:
        """Forget a peer whose session has ended."""
        self._is_stirred = peer in self._fetching.givers or self._is_stirred
        self._fetching.gone(peer)
        self._lending.gone(peer)
        self._answers = [each for each in self._answers if each.peer != peer]
        self._announcing.gone(peer)

    def heard(self, peer: str, message: FileMessage, now: float) -> None:
        """
        Take a message of a peer.

        Raises:
            RemoteProtocolError: It breaks the rules.
        """
        self.linked({*self._fetching.givers, peer})
        if isinstance(message, Seek):
            self._lending.ask(peer, message)
        elif isinstance(message, Slice):
            self._fetching.part(peer, message, now)
        elif isinstance(message, Lacks):
            self._fetching.lacked(peer, message.chunks, now)
        else:
            self._fetching.has(peer, message)
            self._choosing.came_up(message.chunks)

    def demand(self, files: Iterable[File]) -> None:
        """Fetch some files, whatever their size, before all others."""
        for file in files:
            if self._choosing.demand(file):
                fetch = self._fetching.files.pop(file.root, None) or Fetch(file)
                self._fetching.files = {file.root: fetch, **self._fetching.files}

    def relent(self, roots: Iterable[bytes]) -> None:
        """Fetch some files no longer because somebody asked for them."""
        for root in roots:
            file = self._choosing.relent(root)
            if file is not None and file.size >= self._always_below:
                self._fetching.end(root)
                self._choosing.aside.pop(root, None)

    def ran(self, errand: Errand, now: float) -> None:
        """Take the result of an errand that was run."""
        if errand.peer:
            self._lends = False
            self._lent(errand.result if isinstance(errand.result, Lent) else self._lending.failed(), now)
            return
        job, self._stows = self._stows, None
        assert job is not None, "it was returned"
        if isinstance(errand.result, Stowed):
            self._stowed(job, errand.result, now)
        else:
            self._rests_until = now + limits.FILE_RETRY_S
            for chunk in job.keeps:
                self._fetching.unkept(chunk)
            for fetch, _ in job.looks:
                fetch.is_looking = False

    # --- what to do ---------------------------------------------------------------------------------------------------

    def due(self, now: float) -> list[Effect]:
        """Return what to say and to do now."""
        self._is_stirred = False
        if not self._fetching.givers and not self._stows and not self._lends:
            self._measure()
            return []
        self._notice(now)
        said: list[Effect] = []
        if now >= self._rests_until:
            said += [Send(peer, self._codec.encode(seek)) for peer, seek in self._fetching.ask(now)]
            self._end_still(now)
            self._begin_files()
            said += self._stow()
        said += self._lend()
        self._measure()
        blamed, self._fetching.blamed = self._fetching.blamed, []
        answers, self._answers = self._answers, []
        told = self._announcing.due(self.progress.files, self.progress.left, now)
        return [*told, *answers, *said, *map(Blamed, blamed)]

    def next_deadline(self) -> float | None:
        """Return when to call :meth:`due` even if nothing happens, in monotonic seconds; None for never."""
        if not self._fetching.givers:
            return None
        if self._is_stirred:
            return 0.0
        times = [self._look_at, self._fetching.silent_at(), self._rests_until or None, self._choosing.again_at]
        return min(each for each in times if each is not None)

    def _notice(self, now: float) -> None:
        if (attached := self._attached()) != self._seen or now >= self._look_at:
            self._choosing.list_again(has_news=attached != self._seen)
            self._seen, self._look_at = attached, now + limits.FILE_LOOK_S
            self._has_more = True
        if now >= self._rests_until:
            self._rests_until = 0.0
        fetching = self._fetching
        fetching.silent(now)
        again_at = self._choosing.again_at
        if fetching.has_returned or (again_at is not None and now >= again_at):
            fetching.has_returned = False
            for giver in fetching.givers.values():
                giver.lacks.clear()
            self._choosing.aside.clear()
            self._choosing.list_again(has_news=False)

    def _begin_files(self) -> None:
        fetches = self._fetching.files
        for file in self._choosing.begin(fetches):
            fetches[file.root] = Fetch(file)

    def _end_still(self, now: float) -> None:
        """Look again at files of which chunks came; put those by of which nobody has more."""
        for root, fetch in list(self._fetching.files.items()):
            if fetch.is_still and fetch.has_grown:
                fetch.look_again()
            elif fetch.is_still:
                self._choosing.put_by(fetch.file, fetch.lacked, now)
                self._fetching.end(root)

    # --- errands ------------------------------------------------------------------------------------------------------

    def _stow(self) -> list[Effect]:
        """Return the errand that keeps what came, looks for what is missing, and lists files; none if there is no need."""
        if self._stows is not None:
            return []
        fetching, choosing = self._fetching, self._choosing
        keeps, fetching.whole = fetching.whole, []
        looks = [(fetch, fetch.at or 0) for fetch in fetching.files.values() if fetch.wants_look]
        lists = choosing.lists and len(fetching.files) < limits.FILES_AT_ONCE
        owed = self._lending.owed if self._has_more else set[bytes]()
        if not (keeps or looks or lists or self._doubted or owed):
            return []
        for fetch, _ in looks:
            fetch.is_looking = True
        job = self._stows = Job(
            keeps,
            [*fetching.files],
            looks,
            self._doubted,
            owed,
            lists,
            choosing.after,
            self._always_below - 1,
            choosing.number,
        )
        self._doubted, self._has_more = set(), False
        return [Errand(lambda: stowing.stow(self._store, self._chunks(), job))]

    def _stowed(self, job: Job, stowed: Stowed, now: float) -> None:
        came = [chunk.name for chunk in job.keeps if chunk.name not in stowed.wrong]
        self._counts.came += sum(chunk.size or 0 for chunk in job.keeps)
        self._counts.refused += len(stowed.wrong)
        for chunk in job.keeps:
            self._fetching.kept(chunk, is_sound=chunk.name not in stowed.wrong)
        for peer in self._fetching.givers:
            self._announcing.owe(peer, self._lending.awaited(peer, [*came, *stowed.owed]))
        self._choosing.refuse(stowed.false)
        for root in stowed.unneeded | stowed.false:
            self._forget(root)
        for fetch, looked in stowed.looked:
            if looked is None:
                self._choosing.refuse({fetch.file.root} - stowed.unneeded)
                self._forget(fetch.file.root)
            elif fetch.file.root in stowed.complete:
                self._counts.done += 1
                self._counts.mended += fetch.file.root in self._lost
                self._lost.discard(fetch.file.root)
                self._forget(fetch.file.root)
            else:
                fetch.looked(looked)
        self._lost |= stowed.released
        if stowed.released:
            self._look_at = now
        if stowed.listed is not None:
            self._choosing.listed(stowed.listed, job.number)

    def _forget(self, root: bytes) -> None:
        self._fetching.end(root)
        self._choosing.relent(root)

    def _lend(self) -> list[Effect]:
        errand = None if self._lends else self._lending.next()
        self._lends = self._lends or errand is not None
        return [] if errand is None else [errand]

    def _lent(self, lent: Lent, now: float) -> None:
        if lent.peer not in self._fetching.givers:
            return
        self._lending.lent(lent)
        self._counts.given += lent.size
        self._answers += [Send(lent.peer, frame) for frame in lent.frames]
        if lent.lacks is not None and self._doubts.allows(lent.peer.encode(), now):
            self._doubted.add(lent.file)

    # --- how it stands ------------------------------------------------------------------------------------------------

    def _measure(self) -> None:
        fetching, choosing = self._fetching, self._choosing
        if not fetching.givers:
            demanded = dict.fromkeys(choosing.demanded, (0, False))
            self.progress = FilesProgress(demanded=demanded, **asdict(self._counts))
            return
        fetches = fetching.files.values()
        size = sum(max(fetch.file.size - fetch.here, 0) for fetch in fetches) + choosing.size
        demanded = {}
        for root in choosing.demanded:
            fetch = fetching.files.get(root)
            demanded[root] = (fetch.here if fetch is not None else 0, root not in choosing.aside)
        self.progress = FilesProgress(
            files=len(fetches) + choosing.files,
            left=size,
            peers=sum(giver.files for giver in fetching.givers.values()),
            peers_left=sum(giver.left for giver in fetching.givers.values()),
            demanded=demanded,
            **asdict(self._counts),
        )
