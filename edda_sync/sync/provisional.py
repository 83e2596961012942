"""What a store notes of the segment with which it began, and believes until the log behind it is here: see ``behind``."""

from __future__ import annotations

from typing import Final

import msgspec

from edda_sync.store.seams import StoreReader

PROVISIONAL_KEY: Final = "provisional"
FORGED_KEY: Final = "forged"  # who made a segment that the log behind it does not say
UNPROVED_KEY: Final = "unproved"  # who made a segment of which nobody brought the log behind


class Provisional(msgspec.Struct, frozen=True, array_like=True):
    """
    A segment that this store believes until its log is here.

    Attributes:
        segment: Its name.
        maker: Signing key of the device that made it.
        root: What the log must fold to.
        position: Where it stands in the log; the changes that it stands for have the positions before.
        changes: How many of those there are.
    """

    segment: bytes
    maker: bytes
    root: bytes
    position: int
    changes: int


def provisional(reader: StoreReader) -> Provisional | None:
    """Return the segment that this store believes until its log is here."""
    stored = reader.meta.get(PROVISIONAL_KEY)
    return None if stored is None else msgspec.msgpack.decode(stored, type=Provisional)


def progress(reader: StoreReader) -> tuple[int, int] | None:
    """Return how many changes of the log behind a segment are here, and of how many; None when there is no such segment."""
    begun = provisional(reader)
    return None if begun is None else (sum(head.seq for head in reader.segments.behind().values()), begun.changes)


def forged_by(reader: StoreReader) -> bytes | None:
    """Return the signing key of the device whose segment was not what the log says; None when there was none."""
    return reader.meta.get(FORGED_KEY)


def unproved_by(reader: StoreReader) -> bytes | None:
    """Return the signing key of the device of whose segment nobody brought the log behind; None when there was none."""
    return reader.meta.get(UNPROVED_KEY)
