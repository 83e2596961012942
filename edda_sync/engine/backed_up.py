"""What a store remembers of its backups, so that `edda status` tells it without asking the place where they lie."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from edda_sync.store.seams import StoreReader, StoreWriter
from edda_sync.words import values

_KEY: Final = "backups"


class BackedUp(msgspec.Struct, frozen=True, array_like=True):
    """
    The backups at one target, as they were last seen.

    Attributes:
        target: The target's name.
        number: The number of the last backup.
        made_ms: When it was made, in milliseconds since 1970.
        changes: How many changes it holds.
        kept: How many backups of this device are kept there.
        outstanding: The names of the devices that were not proved equal to what it holds.
        checked_ms: When it was last found that the last backup holds everything, or a new one was made.
        verified_ms: When a backup was last restored to see whether it holds; 0 for never.
        failed: Why the last attempt to make or verify one failed; empty if it did not.
        failed_ms: When that was.
        converged_ms: When the last one was made to which every other device was proved equal; 0 for never.
        is_distrusted: Whether something of it was found damaged, so that the next backup reads back what lies there.
    """

    target: str
    number: int = 0
    made_ms: int = 0
    changes: int = 0
    kept: int = 0
    outstanding: tuple[str, ...] = ()
    checked_ms: int = 0
    verified_ms: int = 0
    failed: str = ""
    failed_ms: int = 0
    converged_ms: int = 0
    is_distrusted: bool = False

    def plain(self) -> dict[str, Any]:
        """Return it for JSON, with times as RFC 3339."""
        found = msgspec.structs.asdict(self)
        del found["is_distrusted"]
        for name in ("made", "checked", "verified", "failed", "converged"):
            moment = found.pop(f"{name}_ms")
            found[f"{name}_at"] = values.time_of(moment) if moment else None
        return {**found, "outstanding": list(self.outstanding)}


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[BackedUp]).decode


def load(reader: StoreReader) -> list[BackedUp]:
    """Return what is remembered of each target, in the order in which they were first used."""
    stored = reader.meta.get(_KEY)
    return [] if stored is None else _decode(stored)


def of(reader: StoreReader, target: str) -> BackedUp:
    """Return what is remembered of one target."""
    return next((each for each in load(reader) if each.target == target), BackedUp(target))


def save(tx: StoreWriter, noted: BackedUp) -> None:
    """Remember the backups at a target."""
    known = {each.target: each for each in load(tx)}
    tx.meta.set(_KEY, _encode([*(known | {noted.target: noted}).values()]))


def forget(tx: StoreWriter, target: str) -> None:
    """Forget what is remembered of one target."""
    known = load(tx)
    left = [each for each in known if each.target != target]
    if len(left) < len(known):
        tx.meta.set(_KEY, _encode(left))


def forget_all(tx: StoreWriter) -> None:
    """Forget what is remembered of all targets, because this store is another device now."""
    tx.meta.set(_KEY, _encode([]))


def last(reader: StoreReader) -> tuple[int, datetime | None]:
    """Return how many backups of this device are kept, at all targets, and when the last one was made."""
    known = load(reader)
    made_ms = max((each.made_ms for each in known), default=0)
    made = datetime.fromtimestamp(made_ms / 1_000, UTC) if made_ms else None
    return sum(each.kept for each in known), made
