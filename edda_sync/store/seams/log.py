"""The log: changes, in the order in which this device applied them, and where each actor's chain stands."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import NamedTuple, Protocol


class Head(NamedTuple):
    """Where an actor's chain stands here."""

    actor: bytes
    seq: int
    hash: bytes
    deps: bytes  # frontier pairs (msgpack): what it depends on, as far as its birth's past does not say it
    birth: bytes  # as in its first change
    signed_seq: int  # the highest seq with a signature here; 0 when there is none
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
        """Return every actor's head: the frontier, with hashes."""
        ...

    def position(self) -> int:
        """Return the greatest position at which the log has a change or a segment; 0 for none."""
        ...

    def positions_after(self, frontier: Mapping[bytes, int]) -> Sequence[int]:
        """Return, in log order, where the changes are that a frontier lacks."""
        ...

    def read(self, position: int) -> Logged:
        """Return the change at a position."""
        ...

    def position_of(self, actor: bytes, seq: int) -> int | None:
        """Return where a change stands in the log; None when it is not there (any more)."""
        ...

    def hash_at(self, actor: bytes, seq: int) -> bytes | None:
        """Return the hash of a change in the log; None when it is not there (any more)."""
        ...

    def hashes(self, actor: bytes, first: int) -> Sequence[tuple[int, bytes]]:
        """Return seq and hash of an actor's changes in the log, from a seq on, in order."""
        ...

    def headers(self, actor: bytes, first: int, last: int) -> Sequence[bytes]:
        """Return the headers of an actor's changes in the log, from a seq to a seq, in order."""
        ...

    def part(self, position: int, number: int) -> bytes | None:
        """Return a part of a large change's body; None past its end."""
        ...

    def parts(self, position: int) -> Iterator[bytes]:
        """Yield the parts of a large change's body, in order."""
        ...


class LogWriter(LogReader, Protocol):
    """Appends to the log, and changes what stands in it."""

    def append(self, logged: Logged, head: Head) -> None:
        """Put a change at a position that is free, the next one or one that a segment left, and set its actor's head."""
        ...

    def append_part(self, position: int, number: int, part: bytes) -> None:
        """Keep a part of the change that will be, or is, at a position."""
        ...

    def set_head(self, head: Head) -> None:
        """Replace an actor's head."""
        ...

    def replace(self, logged: Logged) -> None:
        """Write a change in the place of one that rotted; its large body's parts stay."""
        ...

    def replace_part(self, position: int, number: int, part: bytes) -> None:
        """Write a part in the place of one that rotted."""
        ...

    def rename(self, old: bytes, above: int, new: bytes, before: Head | None) -> Sequence[int]:
        """
        Call the changes of a name above a seq by another name, with their signatures and the head.

        Args:
            old, above, new: Which, and how.
            before: What the head under the old name is then; None when it has no change left.

        Returns:
            The positions of the renamed changes.
        """
        ...

    def move_to_end(self, positions: Sequence[int]) -> None:
        """Put changes of the log behind all others, in this order, with all that goes by where they stand."""
        ...

    def drop_lives(self, actors: Collection[bytes]) -> None:
        """Forget all changes of some actors, with all that goes by where they stand, and that there were such actors."""
        ...
