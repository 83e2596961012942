"""The segments with which a log begins, and what is kept until the log behind them is here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from edda_sync.store.seams.log import Head


class Rewritten(NamedTuple):
    """
    What a change of this device did to a text while the text itself was not certain; see ``ledger.retold``.

    Attributes:
        position: The position of the change in the log.
        entity: The key of the text's entity.
        before: The text before the change; None if the entity's previous record left exactly that text.
        edits: The edits of the text, encoded.
        leaves: Hash of the text after the change.
    """

    position: int
    entity: bytes
    before: str | None
    edits: bytes
    leaves: bytes


class SegmentsReader(Protocol):
    """The segments that were merged, and how much of the log behind them is here."""

    def merged(self) -> Sequence[tuple[int, bytes]]:
        """Return the position and the hash of each merged segment, in log order."""
        ...

    def behind(self) -> Mapping[bytes, Head]:
        """Return how much of the log behind a segment is here: the head of each actor in it."""
        ...

    def rewritten(self) -> Sequence[Rewritten]:
        """Return the records of what this device's edits did to texts, as far as they are kept, in log order."""
        ...

    def left_by_rewriting(self, entity: bytes) -> bytes | None:
        """Return the hash of the text that the last of these records of an entity left; None if there is none."""
        ...


class SegmentsWriter(SegmentsReader, Protocol):
    """Notes the segments with which the log begins, and how much of the log behind them is here."""

    def append(self, position: int, segment: bytes) -> None:
        """Note that the log begins with a segment, given by its hash; positions below stay free for the log behind it."""
        ...

    def end(self, segment: bytes) -> None:
        """Forget a segment with which the log began, and how much of the log behind it is here: now all of it is."""
        ...

    def set_behind(self, head: Head) -> None:
        """Note how far the chain of an actor behind a segment is here."""
        ...

    def drop_behind(self) -> None:
        """Forget what is here of the log behind a segment, with the signatures over it, because it was another chain."""
        ...

    def fall_back(self) -> None:
        """
        Forget the log from the first segment on, with the signatures over it. The heads become those of the log behind.

        Call :meth:`end` next.
        """
        ...

    def keep_rewritten(self, rewritten: Rewritten) -> None:
        """Keep the record of what an edit of this device did to a text."""
        ...

    def forget_rewritten(self) -> None:
        """Forget all records of what this device's edits did to texts."""
        ...
