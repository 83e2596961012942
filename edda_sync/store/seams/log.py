"""The log: changes, in the order in which this device applied them, and the head of each actor's chain."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import NamedTuple, Protocol


class Head(NamedTuple):
    """The newest change that is here of an actor's chain, and what is known about it."""

    actor: bytes
    seq: int
    hash: bytes
    deps: bytes  # frontier pairs (msgpack): what the change depends on, without what the past of its birth contains
    birth: bytes  # as in its first change
    signed_seq: int  # the highest seq with a signature here; 0 if there is none
    signature: bytes


class Logged(NamedTuple):
    """A change in the log."""

    position: int
    actor: bytes
    seq: int
    hash: bytes
    raw: bytes  # its header
    body: bytes  # empty when the body is in parts


class LogReader(Protocol):
    """The changes of the log, by position and by actor."""

    def heads(self) -> Mapping[bytes, Head]:
        """Return the head of every actor: the frontier, with hashes."""
        ...

    def position(self) -> int:
        """Return the greatest position at which the log has a change or a segment; 0 if it is empty."""
        ...

    def positions_after(self, frontier: Mapping[bytes, int]) -> Sequence[int]:
        """Return the positions of the changes that a frontier lacks, in log order."""
        ...

    def backwards(self) -> Iterator[int]:
        """Yield the positions of all changes, the latest first. What is not asked for is not read."""
        ...

    def read(self, position: int) -> Logged:
        """
        Return the change at a position.

        Raises:
            CorruptError: Nothing is there, or something else.
        """
        ...

    def position_of(self, actor: bytes, seq: int) -> int | None:
        """Return the position of a change in the log; None if it is not there, or no longer."""
        ...

    def hash_at(self, actor: bytes, seq: int) -> bytes | None:
        """Return the hash of a change in the log; None if it is not there, or no longer."""
        ...

    def hashes(self, actor: bytes, first: int) -> Sequence[tuple[int, bytes]]:
        """Return the seq and the hash of an actor's changes in the log, from a seq on, in order."""
        ...

    def headers(self, actor: bytes, first: int, last: int) -> Sequence[bytes]:
        """Return the headers of an actor's changes in the log, from one seq to another, in order."""
        ...

    def part(self, position: int, number: int) -> bytes | None:
        """Return a part of the body of a large change; None after its last part."""
        ...

    def parts(self, position: int) -> Iterator[bytes]:
        """Yield the parts of the body of a large change, in order."""
        ...


class LogWriter(LogReader, Protocol):
    """Appends to the log, and changes what it contains."""

    def append(self, logged: Logged, head: Head) -> None:
        """Write a change at a free position (the next one, or one that a segment left free), and set its actor's head."""
        ...

    def append_part(self, position: int, number: int, part: bytes) -> None:
        """Keep a part of the change that is, or will be, at a position."""
        ...

    def set_head(self, head: Head) -> None:
        """Replace an actor's head."""
        ...

    def replace(self, logged: Logged) -> None:
        """Write a change in place of a damaged one. The parts of its large body stay."""
        ...

    def replace_part(self, position: int, number: int, part: bytes) -> None:
        """Write a part in place of a damaged one."""
        ...

    def rename(self, old: bytes, above: int, new: bytes, before: Head | None) -> Sequence[int]:
        """
        Give an actor's changes above a seq another actor's name, with their signatures and the head.

        Args:
            old: The actor whose changes are renamed.
            above: The seq after which they are renamed.
            new: Their new actor.
            before: The head that the old actor has afterwards; None if it has no change left.

        Returns:
            The positions of the renamed changes.
        """
        ...

    def move_to_end(self, positions: Sequence[int]) -> None:
        """Move changes to the end of the log, in this order, with everything that is kept by their positions."""
        ...

    def drop_lives(self, actors: Collection[bytes]) -> None:
        """Forget some actors and all their changes, with everything that is kept by the positions of these."""
        ...
