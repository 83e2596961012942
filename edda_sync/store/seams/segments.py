"""The segments with which a log begins, and what is kept until the log behind them is here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from edda_sync.store.seams.log import Head


class Rewritten(NamedTuple):
    """
    What a change of this device made of a text, while the text itself was not certain; see ``ledger.retold``.

    Attributes:
        position: Of the change, in the log.
        entity: Whose text it is, by key.
        before: What that read before; None where it is what the one before this, of the same entity, left.
        edits: What was made of it, encoded.
        leaves: Hash of what it read then.
    """

    position: int
    entity: bytes
    before: str | None
    edits: bytes
    leaves: bytes


class SegmentsReader(Protocol):
    """The segments that were merged, and what of the log behind them is here."""

    def merged(self) -> Sequence[tuple[int, bytes]]:
        """Return position and hash of each segment that was merged, in log order."""
        ...

    def behind(self) -> Mapping[bytes, Head]:
        """Return how far the log behind a segment is here: each actor's head in it."""
        ...

    def rewritten(self) -> Sequence[Rewritten]:
        """Return what this device's edits made of texts, as far as that is kept, in log order."""
        ...

    def left_by_rewriting(self, entity: bytes) -> bytes | None:
        """Return the hash of what the last of these, of an entity's text, left; None when there is none."""
        ...


class SegmentsWriter(SegmentsReader, Protocol):
    """Writes which segments the log begins with, and how far the log behind them is here."""

    def append(self, position: int, segment: bytes) -> None:
        """Note that the log begins with a segment, by its hash, which leaves the positions below for its changes."""
        ...

    def end(self, segment: bytes) -> None:
        """Forget a segment with which the log began, and how far the log behind it was here: all of that is."""
        ...

    def set_behind(self, head: Head) -> None:
        """Note how far the log behind a segment is here."""
        ...

    def drop_behind(self) -> None:
        """Forget what is here of the log behind a segment, with the signatures over it: it was of another chain."""
        ...

    def fall_back(self) -> None:
        """
        Forget what the log has from the first segment on, and what signatures say of that: its heads are those behind it.

        Call :meth:`end` next.
        """
        ...

    def keep_rewritten(self, rewritten: Rewritten) -> None:
        """Keep what an edit of this device made of a text."""
        ...

    def forget_rewritten(self) -> None:
        """Forget what this device's edits made of texts: these stand."""
        ...
