"""
What a replica asks its runner to do, in order.

What goes over a link, or ends one, carries that link's number: a peer may have two, one after the other or for a moment
both, and what was meant for the former must not go over the latter. All else is true of the store, whatever its links do.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from edda_sync.changes.branches import Renaming
from edda_sync.crdt.frontier import Dot
from edda_sync.sync.messages import Message
from edda_sync.words.errors import BugError, EddaError, is_bug


@dataclass(frozen=True, slots=True)
class Send:
    """Send a frame to a peer over a link, after what was sent before it."""

    peer: str
    frame: bytes
    link: int = 0


@dataclass(frozen=True, slots=True)
class Close:
    """Close a link to a peer, once what was to be sent is sent; ``error`` says why, if anything went wrong."""

    peer: str
    error: EddaError | None
    link: int = 0


@dataclass(frozen=True, slots=True)
class Applied:
    """
    Changes of a peer are durable here and visible.

    Attributes:
        peer: Who sent them.
        changes: How many.
        members: Whether they may say something of a device: who is a member is read anew then.
        reached: Where the log ended before them, and where it ends with them, if nothing else became of it.
    """

    peer: str
    changes: int
    members: bool = True
    reached: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class Proved:
    """This device and a peer hold the same changes, and their digests say the same content."""

    peer: str


@dataclass(frozen=True, slots=True)
class Differs:
    """
    Equal changes, nothing waiting, and yet another content: these entities differ. Fold them anew from the log.

    How many it names an hour is bounded; a fold that changes nothing says that the damage is the peer's.
    """

    peer: str
    keys: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Mended:
    """Changes of the log that had rotted here are what was written again: fold the log anew."""

    peer: str
    changes: int


@dataclass(frozen=True, slots=True)
class Learned:
    """
    A peer brought evidence that was not here.

    Attributes:
        peer: Who.
        evidence: Its names.
        forked: Actors whose chains it proves to fork.
        renamed: What is called otherwise from now on, where something is here of such a chain.
        ends: Up to where a name goes from now on, where nothing more is here of such a chain.
    """

    peer: str
    evidence: tuple[bytes, ...]
    forked: frozenset[bytes]
    renamed: tuple[Renaming, ...]
    ends: tuple[Dot, ...] = ()


@dataclass(slots=True, eq=False)
class Work:
    """
    Do something with the store that takes long: :meth:`run` it between turns, on any thread, then ``Replica.worked``.

    Meanwhile the replica goes on with all else. It asks for one at a time.

    Attributes:
        peer: In the talk with whom.
        do: Does it, and returns what tells, in a turn of the replica's, what is to be said and done about it.
        link: The number of the link of that talk.
        error: What went wrong.
    """

    peer: str
    do: Callable[[], Callable[[float], Said]]
    link: int = 0
    error: EddaError | None = field(default=None, init=False)
    _then: Callable[[float], Said] | None = field(default=None, init=False, repr=False)

    def run(self) -> None:
        """Do it. What goes wrong is raised by :meth:`done`, in a turn; who wants the process to end is heard at once."""
        try:
            self._then = self.do()
        except EddaError as error:
            self.error = error
        except BaseException as bug:
            if not is_bug(bug):
                raise
            self.error = BugError(bug)

    def done(self) -> Callable[[float], Said]:
        """Return what is to be done about what came of it, or raise what went wrong."""
        if self.error is not None:
            raise self.error
        assert self._then is not None, "it was run"
        return self._then


Effect = Send | Close | Applied | Proved | Differs | Mended | Learned | Work
Said = Sequence[Message | Effect]
"""What a talk has to say and to have done, in order."""
Then = Callable[[float], Said]
"""What tells, in a turn of the replica's, what follows from something that was done."""
