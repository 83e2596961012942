"""What a store notes about the segment it began with, as long as the log behind it is not here; see ``behind``."""

from __future__ import annotations

from typing import Final

import msgspec

from edda_sync.store.seams import StoreReader

PROVISIONAL_KEY: Final = "provisional"
FORGED_KEY: Final = "forged"  # the key of the maker of a segment that the log contradicts
UNPROVED_KEY: Final = "unproved"  # the key of the maker of a segment whose log nobody brought


class Provisional(msgspec.Struct, frozen=True, array_like=True):
    """
    A segment that this store believes until the log behind it is here.

    Attributes:
        segment: The segment's name.
        maker: The signing key of the device that made it.
        root: The root that the log must fold to.
        position: The segment's position in the log. The changes that it stands for have the positions before it.
        changes: The number of these changes.
    """

    segment: bytes
    maker: bytes
    root: bytes
    position: int
    changes: int


def provisional(reader: StoreReader) -> Provisional | None:
    """Return the segment that this store believes until the log behind it is here; None if there is none."""
    stored = reader.meta.get(PROVISIONAL_KEY)
    return None if stored is None else msgspec.msgpack.decode(stored, type=Provisional)


def progress(reader: StoreReader) -> tuple[int, int] | None:
    """Return how many changes of the log behind a segment are here, and how many there are; None without such a segment."""
    begun = provisional(reader)
    return None if begun is None else (sum(head.seq for head in reader.segments.behind().values()), begun.changes)


def forged_by(reader: StoreReader) -> bytes | None:
    """Return the signing key of the device whose segment the log contradicted; None when there was none."""
    return reader.meta.get(FORGED_KEY)


def unproved_by(reader: StoreReader) -> bytes | None:
    """Return the signing key of the device whose segment nobody brought the log of; None when there was none."""
    return reader.meta.get(UNPROVED_KEY)
