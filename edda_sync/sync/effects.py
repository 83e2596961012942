"""
Effects: what a replica asks its runner to do, in order.

Effects that use or end a link carry its number. A peer may have two links, one after the other or for a moment both, and
what was meant for the earlier one must not go over the later one. All other effects are about the store, whatever happens
to links.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from edda_sync.changes.branches import Renaming
from edda_sync.crdt.frontier import Dot
from edda_sync.sync.messages import Message
from edda_sync.words.errors import BugError, EddaError, is_bug
from edda_sync.words.reasons import Reason


@dataclass(frozen=True, slots=True)
class Send:
    """Send a frame to a peer over a link, after everything that was sent before it."""

    peer: str
    frame: bytes
    link: int = 0


@dataclass(frozen=True, slots=True)
class Close:
    """
    Close a link to a peer, after its queued frames are sent; ``error`` says why, or ``reason`` if it is None.

    ``heard`` is the reason that the peer gave, if it said goodbye over no fault: the answer to its goodbye may end the link
    before the peer does.
    """

    peer: str
    error: EddaError | None
    link: int = 0
    reason: Reason = Reason.DONE
    heard: str | None = None


@dataclass(frozen=True, slots=True)
class Applied:
    """
    Changes of a peer are durable here, and visible.

    Attributes:
        peer: Who sent them.
        changes: How many.
        members: Whether they may be about a device; then the members are to be read again.
        reached: The end of the log before them and after them; None if more than appending happened to the log.
    """

    peer: str
    changes: int
    members: bool = True
    reached: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class Proved:
    """This device and a peer hold the same changes, and their digests show the same content."""

    peer: str


@dataclass(frozen=True, slots=True)
class Differs:
    """
    Both hold the same changes and nothing waits, yet the content differs in these entities: fold them again from the log.

    The number of entities is limited per hour. If folding changes nothing, the damage is at the peer.
    """

    peer: str
    keys: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Mended:
    """Changes of the log that had rotted on this disk were replaced: fold the log again."""

    peer: str
    changes: int


@dataclass(frozen=True, slots=True)
class Learned:
    """
    A peer brought evidence that was missing here.

    Attributes:
        peer: Who brought it.
        evidence: The names of the evidence.
        forked: Actors whose chains are proved to fork.
        renamed: The new names of changes that are held here.
        ends: The last change under a name, for chains of which nothing after the fork is held here.
    """

    peer: str
    evidence: tuple[bytes, ...]
    forked: frozenset[bytes]
    renamed: tuple[Renaming, ...]
    ends: tuple[Dot, ...] = ()


@dataclass(slots=True, eq=False)
class Work:
    """
    Long work with the store: call :meth:`run` between turns, on any thread, and then ``Replica.worked``.

    Meanwhile the replica handles everything else. It asks for one work at a time.

    Attributes:
        peer: The peer of the session.
        do: Does the work. It returns a function that a turn of the replica calls, to learn what to say and do next.
        link: The number of the session's link.
        error: What went wrong.
    """

    peer: str
    do: Callable[[], Callable[[float], Said]]
    link: int = 0
    error: EddaError | None = field(default=None, init=False)
    _then: Callable[[float], Said] | None = field(default=None, init=False, repr=False)

    def run(self) -> None:
        """Do the work. :meth:`done` raises its errors, in a turn; an exception that ends the process is raised at once."""
        try:
            self._then = self.do()
        except EddaError as error:
            self.error = error
        except BaseException as bug:
            if not is_bug(bug):
                raise
            self.error = BugError(bug)

    def done(self) -> Callable[[float], Said]:
        """Return the function that says what follows from the work, or raise what went wrong."""
        if self.error is not None:
            raise self.error
        assert self._then is not None, "it was run"
        return self._then


@dataclass(slots=True, eq=False)
class Errand:
    """
    Work with the content of files: call :meth:`run` between turns, on any thread, and then ``Replica.ran``.

    At most two are under way: one that reads what peers ask for, and one that keeps what came.

    Attributes:
        do: Does the work.
        peer: The peer for whom it reads; empty if it keeps what came.
        result: What came of it; None if it failed.
        error: What went wrong.
    """

    do: Callable[[], object]
    peer: str = ""
    result: object = field(default=None, init=False)
    error: EddaError | None = field(default=None, init=False)

    def run(self) -> None:
        """Do the work. A fault of the disk is kept in :attr:`error`; a bug is raised."""
        try:
            self.result = self.do()
        except EddaError as error:
            self.error = error


@dataclass(frozen=True, slots=True)
class Blamed:
    """A peer gave a chunk that is not what it is called. It was dropped, and is asked of others."""

    peer: str


Effect = Send | Close | Applied | Proved | Differs | Mended | Learned | Work | Errand | Blamed
Said = Sequence[Message | Effect]
"""What a session wants to say and to have done, in order."""
Then = Callable[[float], Said]
"""A function that a turn of the replica calls after some work, to learn what follows from it."""
